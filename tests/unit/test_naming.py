"""Tests of names: cases, plurals, articles, reserved words, the limit of 63 bytes."""

import builtins
import keyword
import re

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaffold.spec import naming
from scaffold.spec.vocabulary import reserved_names

CLASSES = st.from_regex(r"[A-Z][A-Za-z0-9]{0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("Task", "task"),
        ("OrderItem", "order_item"),
        ("HTTPRequest", "http_request"),
        ("APIKey", "api_key"),
        ("OAuthToken2", "oauth_token2"),
        ("URL", "url"),
        ("URLs", "urls"),
        ("XMLHTTPRequest", "xmlhttp_request"),
        ("S3Bucket", "s3_bucket"),
        ("IPv4Address", "ipv4_address"),
        ("A", "a"),
        ("AB", "ab"),
        ("AbC", "ab_c"),
        ("X1Y2", "x1_y2"),
        ("USState", "us_state"),
        ("GraphQLQuery", "graphql_query"),
        ("APIv2", "api_v2"),
        ("PDFv2Export", "pdf_v2_export"),
        ("HTTPv1Request", "http_v1_request"),
    ],
)
def test_snake(name: str, snake: str) -> None:
    assert naming.snake(name) == snake


@given(CLASSES)
def test_snake_keeps_every_letter_in_order(name: str) -> None:
    snake = naming.snake(name)
    assert re.fullmatch("[a-z][a-z0-9_]*", snake)
    assert snake.replace("_", "") == name.lower()


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("task", "tasks"),
        ("order_item", "order_items"),
        ("category", "categories"),
        ("day", "days"),
        ("soliloquy", "soliloquies"),
        ("person", "people"),
        ("analysis", "analyses"),
        ("diagnosis", "diagnoses"),
        ("status", "statuses"),
        ("address", "addresses"),
        ("box", "boxes"),
        ("branch", "branches"),
        ("epoch", "epochs"),
        ("quiz", "quizzes"),
        ("child", "children"),
        ("salesman", "salesmen"),
        ("human", "humans"),
        ("mouse", "mice"),
        ("leaf", "leaves"),
        ("lens", "lenses"),
        ("photo", "photos"),
        ("hero", "heroes"),
        ("matrix", "matrices"),
        ("index", "indexes"),
        ("datum", "data"),
        ("bus", "buses"),
        ("canvas", "canvases"),
        ("alias", "aliases"),
        ("iris", "irises"),
        ("token2", "token2s"),
        ("house", "houses"),
        ("grandchild", "grandchildren"),
        ("bookshelf", "bookshelves"),
        ("salesperson", "salespeople"),
        ("housewife", "housewives"),
        ("superhero", "superheroes"),
        ("mongoose", "mongooses"),
        ("blouse", "blouses"),
        ("olive", "olives"),
        ("valve", "valves"),
        ("sandbox", "sandboxes"),
    ],
)
def test_plural_and_back(singular: str, plural: str) -> None:
    assert naming.plural(singular) == plural
    if singular != "iris":
        assert naming.singular(plural) == singular


@pytest.mark.parametrize("word", ["sheep", "series", "news", "data"])
def test_nouns_without_a_plural_get_the_suffix_list(word: str) -> None:
    assert naming.plural(word) == f"{word}_list"
    assert naming.singular(f"{word}_list") == word


PLURALS = """
points preferences settings order_details goods people children criteria areas photos
apis videos schemas movies statuses analyses categories boxes
"""
SINGULARS = "gas bus chaos axis address lens status bias canvas process"


@pytest.mark.parametrize("word", PLURALS.split())
def test_a_plural_stays_as_it_is(word: str) -> None:
    assert naming.plural(word) == word
    assert naming.plural(naming.singular(word)) == word or word == "goods"
    assert naming.with_article(word) == word


@pytest.mark.parametrize("word", SINGULARS.split())
def test_a_singular_that_ends_like_a_plural_has_one(word: str) -> None:
    assert naming.plural(word) != word
    assert naming.with_article(word).endswith(f" {word}")


@given(CLASSES)
def test_a_plural_is_a_name(name: str) -> None:
    assert re.fullmatch("[a-z][a-z0-9_]*", naming.plural(naming.snake(name)))


def test_every_name_of_pydantic_is_reserved() -> None:
    public = {name for name in dir(pydantic.BaseModel) if not name.startswith("_")}
    assert public <= reserved_names.ATTRIBUTES


def test_every_keyword_is_reserved() -> None:
    assert set(keyword.kwlist) <= reserved_names.ATTRIBUTES & reserved_names.MODULES
    for word in reserved_names.KEYWORDS - reserved_names.CLASSES:
        assert naming.attribute(word) == f"{word}_"


def test_builtins_in_annotations_are_reserved() -> None:
    annotations = {"int", "str", "bool", "float", "list", "dict", "type", "object"}
    assert annotations <= reserved_names.ATTRIBUTES & set(dir(builtins))


@pytest.mark.parametrize("word", ["title", "model_name", "limit", "order", "date"])
def test_other_words_stay_as_they_are(word: str) -> None:
    assert naming.attribute(word) == word


def test_modules_avoid_fixed_files_and_devices() -> None:
    assert naming.module("class") == "class_"
    assert naming.module("con") == "con_"
    assert naming.module("health") == "health"
    assert naming.routes_module("health") == "health_"
    assert naming.routes_module("tasks") == "tasks"


@given(st.text("abcdefghij_é", min_size=1, max_size=200))
def test_shortened_names_fit_and_differ(name: str) -> None:
    short = naming.shorten(name)
    assert len(short.encode()) <= naming.MAX_BYTES
    assert short == naming.shorten(name)
    if len(name.encode()) <= naming.MAX_BYTES:
        assert short == name
    else:
        assert short != naming.shorten(name + "x")


def test_constraint_names() -> None:
    assert naming.constraint("ix", "tasks", "done", "due") == "ix_tasks_done_due"
    long = naming.constraint("uq", "t" * 40, "c" * 40)
    assert long == "uq_" + "t" * 40 + "_" + "c" * 10 + "_" + long[-8:]


ARTICLES = """
a task|an order|a user|a unit|a usage event|an update|an unimportant task|a url|a uuid
an hour|an hourly rate|a house|a one time code|an oncology case|an mfa token|a fax
an sms message|an http request|a heading|an xml file|a unique key|a european union
a one time|an x ray|an xray|an mri scan|a uv index|a u boat|an ubuntu host|an honest broker
"""


@pytest.mark.parametrize("words", ARTICLES.replace("\n", "|").strip("|").split("|"))
def test_articles_follow_the_sound(words: str) -> None:
    assert naming.with_article(words.partition(" ")[2]) == words
