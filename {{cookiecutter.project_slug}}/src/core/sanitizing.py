"""Removes HTML from text and keeps all other text.

nh3 parses and removes the markup. But its result is HTML: `AT&T` becomes `AT&amp;T`, and
of `if a<b and c>d` only `if ad` is left. So text that is not markup is escaped before, and
unescaped afterwards where that is safe.
"""

import functools
import re
from collections.abc import Iterable

import nh3

RICH_TEXT_TAGS = frozenset({"p", "br", "strong"})

# Elements that are markup without a closing tag.
VOID = frozenset({"br", "hr", "wbr"})

# The element names of HTML, SVG and MathML, obsolete ones included. An element of any
# other name does nothing, so that `List<String>` can stay as it is.
_NAMES = """
    a abbr acronym address altglyph altglyphdef altglyphitem animate animatecolor
    animatemotion animatetransform annotation applet area article aside audio b base
    basefont bdi bdo bgsound big blink blockquote body br button canvas caption
    center circle cite clippath code col colgroup command content cursor data
    datalist dd defs del desc details dfn dialog dir discard div dl dt element
    ellipse em embed feblend fecolormatrix fecomponenttransfer fecomposite
    feconvolvematrix fediffuselighting fedisplacementmap fedistantlight fedropshadow
    feflood fefunca fefuncb fefuncg fefuncr fegaussianblur feimage femerge
    femergenode femorphology fencedframe feoffset fepointlight fespecularlighting
    fespotlight fetile feturbulence fieldset figcaption figure filter font footer
    foreignobject form frame frameset g geolocation glyph glyphref h1 h2 h3 h4 h5 h6
    head header hgroup hkern hr html i iframe image img input ins isindex kbd keygen
    label legend li line lineargradient link listing maction main maligngroup
    malignmark map mark marker marquee mask math menclose menu menuitem merror meta
    metadata meter mfenced mfrac mglyph mi mlabeledtr mlongdiv mmultiscripts mn mo
    model mover mpadded mpath mphantom mprescripts mroot mrow ms mscarries mscarry
    msgroup msline mspace msqrt msrow mstack mstyle msub msubsup msup mtable mtd
    mtext mtr multicol munder munderover nav nextid nobr noembed noframes none
    noscript object ol optgroup option output p param path pattern picture plaintext
    polygon polyline portal pre progress q radialgradient rb rect rp rt rtc ruby s
    samp script search section select selectedcontent semantics set shadow slot
    small source spacer span stop strike strong style sub summary sup svg switch
    symbol table tbody td template text textarea textpath tfoot th thead time title
    tr track tref tspan tt u ul use var video view vkern wbr xml xmp
    """
ELEMENTS = frozenset(_NAMES.split())

# Parsing nested tags takes more than linear time.
MAX_TAGS = 5_000
MAX_PASSES = 4

# A complete tag or the start of a comment. No group is possessive: Python before 3.11.5
# loses its place in one that fails.
MARKUP = re.compile(
    r"""<(?:!--|
    (?P<slash>/?)(?P<name>[a-z][\w:.-]*+)
    (?P<attributes>(?:[\s/]++[^\s=<>"'/]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>]++))?)*)
    [\s/]*+>)""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)

# A `<` that browsers take as text, or type parameters such as `<K, List<V>>`.
TEXT = re.compile(
    r"&lt;(?:(?![a-z/!?])|[a-z]\w*+(?:(?:, ?|&lt;)\w++){0,9}>)",
    re.IGNORECASE | re.ASCII,
)


def sanitize_html(text: str, *, tags: frozenset[str] = frozenset()) -> str:
    """Return the text without markup, except for elements in `tags`.

    Markup is a complete tag that has a partner (`<b>` and `</b>`), an attribute with a
    value (`<img src=x>`), or a name that needs neither (`<br>`, and those in `tags`), and
    comments. It is removed, with the content of scripts and styles, and with the
    attributes of the elements that stay. All other text is kept; a `<` in it that browsers
    take for the start of a tag becomes `&lt;`:

    - `AT&T`, `a < b`, `x<3`: unchanged.
    - `List<String>`, `Map<K, V>`: unchanged. Browsers make an element of it, but one that
      does nothing: its name is not in ELEMENTS, and no attribute has a value.
    - `<b>bold</b>`: `bold`.
    - `if a<b and c>d`: `if a&lt;b and c>d`. `p<b>w<d`: `p&lt;b>w&lt;d`.
    - `List<Object>`: `List&lt;Object>`. `<mtext><mglyph>`: `&lt;mtext>&lt;mglyph>`.
    - More than MAX_TAGS tags: all of them become text.

    Sanitising twice changes nothing. The result can be shorter or longer than the text:
    check length limits afterwards.
    """
    for _ in range(MAX_PASSES):
        cleaned = _clean(text, tags)
        if cleaned == text or not tags:
            return cleaned
        text = cleaned
    # Nesting that is parsed differently each time; without tags one pass is enough.
    return _clean(text, frozenset())


def _clean(text: str, tags: frozenset[str]) -> str:
    if "<" not in text:
        return text
    escaped = _escape_text(text, tags)
    if escaped.count("<") > MAX_TAGS:
        escaped = escaped.replace("<", "&lt;")
    if "<" in escaped:
        escaped = _cleaner(tags).clean(escaped)
    text = escaped.replace("&gt;", ">").replace("&nbsp;", "\xa0").replace("&#13;", "\r")
    return TEXT.sub(_restore, text).replace("&amp;", "&")


@functools.lru_cache
def _cleaner(tags: frozenset[str]) -> nh3.Cleaner:
    # The star: ammonia allows `lang` and `title` on every element otherwise.
    return nh3.Cleaner(tags=set(tags), attributes={"*": set()}, link_rel=None)


def _escape_text(text: str, tags: frozenset[str]) -> str:
    """Escape everything but markup."""
    found = list(MARKUP.finditer(text))
    paired = _names(found, "") & _names(found, "/")
    last_comment_end = text.rfind("-->")
    alone = tags | VOID

    def is_markup(match: re.Match[str]) -> bool:
        if match["name"] is None:
            return match.start() < last_comment_end
        name, attributes = match["name"].lower(), match["attributes"]
        return name in paired or "=" in attributes or (not attributes and name in alone)

    parts, position = [], 0
    for match in filter(is_markup, found):
        parts += [_escape(text[position : match.start()]), match[0]]
        position = match.end()
    return "".join([*parts, _escape(text[position:])])


def _names(matches: Iterable[re.Match[str]], slash: str) -> set[str]:
    return {m["name"].lower() for m in matches if m["name"] and m["slash"] == slash}


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return text.replace("\r", "&#13;")  # HTML parsers make line feeds of them


def _restore(match: re.Match[str]) -> str:
    names = re.findall(r"&lt;(\w+)", match[0].lower())
    return match[0] if ELEMENTS.intersection(names) else match[0].replace("&lt;", "<")
