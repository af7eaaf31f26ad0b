"""What keeps browsers and clients in bounds: clean text, headers, CORS, rate limits.

`limiter` and `enforce_rate_limit` live in src/core/rate_limit.py.
"""

import re
from functools import lru_cache
from typing import Any

import nh3
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware as StarletteCORSMiddleware
from starlette.types import Receive, Scope, Send

from src.core.config import Settings
from src.core.rate_limit import enforce_rate_limit, limiter

__all__ = [
    "DEFAULT_HEADERS",
    "FIXED_HEADERS",
    "RICH_TEXT_TAGS",
    "CORSMiddleware",
    "cors_options",
    "enforce_rate_limit",
    "limiter",
    "sanitize_html",
]

FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Only browsers of another age read it, and no page of ours is open to XSS.
    "X-XSS-Protection": "1; mode=block",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# For answers whose route does not set its own: data, never a page.
DEFAULT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}


class CORSMiddleware(StarletteCORSMiddleware):
    """Starlette's, but a preflight that it refuses is an OPTIONS like any other.

    Starlette answers it with a text of its own; without CORS headers the browser
    refuses just as well.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and "access-control-request-method" in headers:
                response = self.preflight_response(headers)
                if response.status_code != 200:
                    return await self.simple_response(scope, receive, send, headers)
                return await response(scope, receive, send)
        await super().__call__(scope, receive, send)


def cors_options(settings: Settings) -> dict[str, Any]:
    """Return what CORSMiddleware is told: nothing is open that settings do not open."""
    return {
        "allow_origins": settings.cors_origins,
        "allow_credentials": settings.cors_allow_credentials,
        "allow_methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
        "allow_headers": ("Authorization", "Content-Type", "X-Request-ID"),
        "expose_headers": ("Location", "Retry-After", "X-Request-ID"),
        "max_age": 600,
    }


# Sanitising. HTML sanitisers serialise HTML: they turn `AT&T` into `AT&amp;T` and
# `List<String>` into `List`. Here only what a browser takes for HTML goes through one
# (nh3); all other text is shielded from it, and comes back unchanged.
RICH_TEXT_TAGS = frozenset({"p", "br", "strong"})

MAX_PASSES = 4

# Every element that HTML knows or knew. A bare `<String>` is none of them.
_HTML = """
    a abbr acronym address animate applet area article aside audio b base basefont bdi
    bdo bgsound big blink blockquote body br button canvas caption center cite code col
    colgroup command content data datalist dd del details dfn dialog dir div dl dt
    element em embed fencedframe fieldset figcaption figure font footer form frame
    frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe image img input ins
    isindex kbd keygen label legend li link listing main map mark marquee math menu
    menuitem meta meter multicol nav nextid nobr noembed noframes noscript object ol
    optgroup option output p param picture plaintext portal pre progress q rb rp rt rtc
    ruby s samp script search section select selectedcontent set shadow slot small
    source spacer span strike strong style sub summary sup svg table tbody td template
    textarea tfoot th thead time title tr track tt u ul var video wbr xml xmp
    """
ELEMENTS = frozenset(_HTML.split())

# Parsing takes longer than linearly where tags are nested: more would hold up every other
# request of the process.
MAX_TAGS = 5_000

TAG_START = re.compile(r"[A-Za-z/!?]")  # what after a `<` makes it more than a `<`
TAG_NAME = re.compile(r"/?([A-Za-z][^\s/<>&]*)")


def sanitize_html(text: str, *, tags: frozenset[str] = frozenset()) -> str:
    """Return the text without markup; of `tags`, bare elements stay.

    - HTML's elements, any tag with an attribute and comments go; what scripts and
      styles hold goes with them.
    - Text without markup comes back as it was: `AT&T`, `a < b`, `x<3`, `List<String>`.
    - A tag that nothing closes, and a custom element, are text, but the page around
      them could bring them to life: their `<` becomes `&lt;` (`a<b` stays `a<b`).
    - Where there are more than MAX_TAGS tags, all of them become text.
    - Cleaning twice changes nothing. The result can be shorter or longer than the
      text: check length limits afterwards.
    """
    for _ in range(MAX_PASSES):
        cleaned = _clean(text, tags)
        if cleaned == text or not tags:
            return cleaned
        text = cleaned
    # Nesting that HTML parsers read differently each time: without tags once is enough.
    return _clean(text, frozenset())


def _clean(text: str, tags: frozenset[str]) -> str:
    if "<" not in text:
        return text
    shielded = _shield(text)
    if shielded.count("<") > MAX_TAGS:
        shielded = shielded.replace("<", "&lt;")
    if "<" in shielded:
        shielded = _cleaner(tags).clean(shielded)
    return _restore(shielded)


@lru_cache
def _cleaner(tags: frozenset[str]) -> nh3.Cleaner:
    return nh3.Cleaner(tags=set(tags), attributes={}, link_rel=None)


def _shield(text: str) -> str:
    """Write everything that is no markup as character references."""
    text = text.replace("&", "&amp;")
    next_end, next_equals = _Next(text, ">"), _Next(text, "=")

    def shield(match: re.Match[str]) -> str:
        start = match.end()
        end = next_end.after(start)
        if not TAG_START.match(text, start) or end == len(text):
            return "&lt;"
        name = TAG_NAME.match(text, start)
        inert = name and name[1].lower() not in ELEMENTS
        return "&lt;" if inert and next_equals.after(start) > end else "<"

    return re.sub("<", shield, text)


def _restore(shielded: str) -> str:
    """Undo the shield, except where its `<` could become markup."""
    text = shielded.replace("&gt;", ">").replace("&nbsp;", "\xa0")
    next_end, next_special = _Next(text, ">"), (_Next(text, "="), _Next(text, "<"))

    def restore(match: re.Match[str]) -> str:
        start = match.end()
        if not TAG_START.match(text, start):
            return "<"
        name = TAG_NAME.match(text, start)
        if not name or "-" in name[1] or ":" in name[1]:
            return "&lt;"
        if name.end() == len(text):
            return "<" if len(name[1]) == 1 else "&lt;"
        end = next_end.after(start)
        closed = all(special.after(start) > end for special in next_special)
        return "<" if closed and name[1].lower() not in ELEMENTS else "&lt;"

    return re.sub("&lt;", restore, text).replace("&amp;", "&")


class _Next:
    """Finds a character ahead, for ever later starts: linear in all, whatever comes."""

    def __init__(self, text: str, character: str) -> None:
        self.text, self.character, self.found = text, character, -1

    def after(self, start: int) -> int:
        """Return where it comes next, or the text's length."""
        if self.found < start:
            found = self.text.find(self.character, start)
            self.found = len(self.text) if found < 0 else found
        return self.found
