"""Sanitising, tested by properties and checked with another HTML5 parser; CORS."""

import html
import os
import time

import nh3
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from src.core import sanitizing
from src.core.config import Settings
from src.core.sanitizing import ELEMENTS
from src.core.security import RICH_TEXT_TAGS, cors_options, sanitize_html

# EXAMPLES=10000 digs deeper.
searched = settings(max_examples=int(os.environ.get("EXAMPLES", "300")), deadline=None)

WORDS = """
    < > </ /> <! <!-- --> <? = " ' & ; / &lt; &gt; &amp; &nbsp; a b p br strong script
    style img svg math title textarea template button table td select xmp noscript
    iframe plaintext String K,V <String> <p> </p> <br> <strong> </strong> <script>
    </script> <style> </style> <button> <table> <td> <svg> <math> <title> <textarea>
    <select> <template> <!--> <a-b> <x:y> onerror=alert(1) href=javascript:alert(1)
    </math> </svg> <mtext> <mglyph> <foreignObject> </button> </title> <b> </b> <K, V
    """
PIECES = WORDS.split()
MARKUP = st.lists(
    st.sampled_from([*PIECES, " ", "\n", "\r\n", "\xa0", "\x0c"]) | st.text(max_size=3)
).map("".join)

PAYLOADS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.test/x.js></SCRIPT>",
    "<<SCRIPT>alert(1);//\\<</SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)",
    "<IMG SRC=`javascript:alert(1)`>",
    '<IMG """><SCRIPT>alert(1)</SCRIPT>"\\>',
    "<img/src/onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a><animate attributeName=href values=javascript:alert(1) /></a></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;<img src=1 "
    "onerror=alert(1)>'>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<x onclick=alert(1)>x</x>",
    "<x-y onclick=alert(1)>x</x-y>",
    "<!--<img src=--><img src=x onerror=alert(1)//>",
    "<![CDATA[><script>alert(1)</script>]]>",
    "<style>@import'//evil.test'</style>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<title><img src=x onerror=alert(1)></title>",
    "<textarea><script>alert(1)</script></textarea>",
    "<template><script>alert(1)</script></template>",
    "<base href=//evil.test/>",
    "<meta http-equiv=refresh content=0;url=javascript:alert(1)>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<object data=javascript:alert(1)>",
    "<p onclick=alert(1) style=position:fixed>x</p>",
    "<strong><p><button><p>x</p></button></strong>",
    "<?xml version='1.0'?><x/>",
    "</p><script >alert(1)</script\n>",
    "<math><mtext><mglyph>",
    "<mtext><mglyph>",
    "<script async src=//evil.test/x.js></script>",
    "List<K, V<img src=x onerror=alert(1)>>",
    "<plaintext>alert(1)",
    "<script",
    "<",
]

PLAIN = [
    "",
    "AT&T",
    "a < b",
    "x<3",
    "1 < 2 && 3 > 2",
    "List<String>",
    "Map<K, V>",
    "Map<String, Object>",
    "use <name>",
    "Dict<str, List<int>>",
    '"quoted"',
    "it's 100 % \N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&amp;amp;",
    "\xa0 line\r\nline < line\ttab\u2028",
    "<>",
    "<3",
    "a <- b",
]


def markup_in(text: str, allowed: frozenset[str]) -> list[str]:
    """Return what a browser finds in the text, alone and within a page, beyond text.

    A `<String>` is an element too. It does nothing as long as no browser knows its name
    and no attribute has a value.
    """
    found = []
    for page in (text, f"<div>{text}</div>"):
        root = LexborHTMLParser(page, is_fragment=True).root
        nodes = list(root.traverse()) if root else []
        if page != text and nodes:
            nodes = nodes[1:]
        for node in nodes:
            tag = node.tag or ""
            valued = [name for name, value in node.attributes.items() if value]
            if tag.startswith(("-", "_", "!")) or valued:
                found.append(f"{tag} {valued}")
            elif tag in allowed:
                found += [f"{tag}.{name}" for name in node.attributes]
            elif tag in ELEMENTS or "-" in tag:
                found.append(tag)
    return found


@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("tags", [frozenset[str](), RICH_TEXT_TAGS])
def test_text_without_markup_comes_back_as_it_was(
    text: str, tags: frozenset[str]
) -> None:
    assert sanitize_html(text, tags=tags) == text


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("tags", [frozenset[str](), RICH_TEXT_TAGS])
def test_known_attacks_leave_no_markup(payload: str, tags: frozenset[str]) -> None:
    cleaned = sanitize_html(f"before {payload} after", tags=tags)
    assert markup_in(cleaned, tags) == []
    assert sanitize_html(cleaned, tags=tags) == cleaned


@pytest.mark.usefixtures("untraced")
@searched
@given(MARKUP)
@example("<p><button><p>x</p></button></p>")
@example("<b><title></title>&lt;b&gt;")
def test_no_markup_survives_in_a_string(text: str) -> None:
    cleaned = sanitize_html(text)
    assert markup_in(cleaned, frozenset()) == []
    assert sanitize_html(cleaned) == cleaned


@pytest.mark.usefixtures("untraced")
@searched
@given(MARKUP)
def test_only_bare_paragraphs_breaks_and_strong_survive_in_a_text(text: str) -> None:
    cleaned = sanitize_html(text, tags=RICH_TEXT_TAGS)
    assert markup_in(cleaned, RICH_TEXT_TAGS) == []
    assert sanitize_html(cleaned, tags=RICH_TEXT_TAGS) == cleaned


@pytest.mark.usefixtures("untraced")
@searched
@given(st.text() | MARKUP)
def test_escaped_text_is_never_escaped_again(text: str) -> None:
    escaped = html.escape(text)
    assert sanitize_html(escaped) == escaped


@pytest.mark.usefixtures("untraced")
@searched
@given(st.lists(st.text(alphabet="<>&=\"' \n\r09é\N{GRINNING FACE}")).map("".join))
def test_comparisons_are_text(text: str) -> None:
    assert sanitize_html(text) == text


def test_tags_go_and_their_words_stay() -> None:
    assert sanitize_html("<b>AT&T</b> <i>&lt;ok&gt;</i>\xa0!") == "AT&T &lt;ok&gt;\xa0!"


def test_what_a_script_says_goes_with_it() -> None:
    assert sanitize_html("<script>alert(1)</script>Hello<style>a{}</style>") == "Hello"


def test_rich_text_keeps_its_three_tags_without_attributes() -> None:
    text = "<p class=x title=x lang=x>a<br/><strong id=y>b</strong> <em>c</em></p>"
    cleaned = sanitize_html(text, tags=RICH_TEXT_TAGS)
    assert cleaned == "<p>a<br><strong>b</strong> c</p>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if a<b and c>d", "if a&lt;b and c>d"),
        ("p<b>w<d", "p&lt;b>w&lt;d"),
        ("a<b", "a&lt;b"),
        ("List<Object>", "List&lt;Object>"),
        ("<mtext><mglyph>", "&lt;mtext>&lt;mglyph>"),
        ("see <img src=x", "see &lt;img src=x"),
        ("use <your-name>", "use &lt;your-name>"),
        ("<!-- never closed", "&lt;!-- never closed"),
        ("<script>alert(1)", "&lt;script>alert(1)"),
    ],
)
@pytest.mark.parametrize("tags", [frozenset[str](), RICH_TEXT_TAGS])
def test_text_that_a_browser_could_take_for_a_tag_is_escaped(
    text: str, expected: str, tags: frozenset[str]
) -> None:
    assert sanitize_html(text, tags=tags) == expected


@pytest.mark.usefixtures("untraced")
@searched
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map(" ".join))
def test_text_without_markup_loses_nothing(text: str) -> None:
    if not sanitizing.MARKUP.search(text):
        assert html.unescape(sanitize_html(text)) == html.unescape(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>bold</b>", "bold"),
        ("one<br>two<hr/>", "onetwo"),
        ("<img src=x>!", "!"),
        ("<!-- note -->text", "text"),
        ("<B CLASS='x'>bold</B>\r\n", "bold\r\n"),
        ("<note>text</note>", "text"),
    ],
)
def test_markup_is_removed(text: str, expected: str) -> None:
    assert sanitize_html(text) == expected


def test_nesting_that_never_settles_loses_its_tags(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "<p><button><p>x</p></button></p>"
    monkeypatch.setattr(sanitizing, "MAX_PASSES", 1)
    assert sanitize_html(text, tags=RICH_TEXT_TAGS) == "x"


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(
    "unit", ["<", "<a ", "<a b='", "<!--", "<a/", "<K,V", "<a b=1 ", "</a b", "<p>"]
)
def test_the_time_grows_linearly(unit: str) -> None:
    began = time.process_time()
    sanitize_html(unit * (1_000_000 // len(unit)), tags=RICH_TEXT_TAGS)
    assert time.process_time() - began < 3


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("tags", [frozenset(), RICH_TEXT_TAGS])
@pytest.mark.parametrize("tag", ["<div>", "<b></p>", "<p><strong>"])
def test_more_tags_than_anybody_writes_are_text(tag: str, tags: frozenset[str]) -> None:
    """Parsing them would block the process for minutes."""
    text = tag * 20_000 + "</div></b>"
    began = time.process_time()
    clean = sanitize_html(text, tags=tags)
    assert time.process_time() - began < 1.2
    assert clean == text.replace("<", "&lt;")
    assert sanitize_html(clean, tags=tags) == clean


def test_every_element_that_sanitisers_know_is_an_element() -> None:
    assert nh3.ALLOWED_TAGS <= ELEMENTS


def test_cors_opens_nothing_but_the_named_origins() -> None:
    url = "postgresql+asyncpg://app@localhost/app"
    production = Settings(database_url=url, environment="production")
    options = cors_options(
        production.model_copy(update={"cors_origins": ["https://app.test"]})
    )
    assert options["allow_origins"] == ["https://app.test"]
    assert options["allow_origin_regex"] is None
    assert options["allow_credentials"] is False
