"""SQLAlchemy as its documentation has it."""

import re
import uuid
from collections.abc import Iterator

import pytest

from tests.live.ownership.conftest import Shop, Start

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ownership")]


def note_of(shop: Shop, product: str) -> str:
    return shop.select("note", "products", id=product)


@pytest.mark.parametrize(
    ("action", "answered", "note"),
    [
        ("assign", "assigned", "assigned"),
        ("assign_and_commit", True, "committed"),
        ("refresh", "from elsewhere", "from elsewhere"),
        ("merge", True, "merged"),
        ("load", ["a product"], ""),
        ("load_by_refresh", "a category", ""),
        ("delete", False, ""),
    ],
)
def test_a_row_of_a_repository_is_an_entity_of_the_session(
    shop: Shop, action: str, answered: object, note: str
) -> None:
    shop.ask("TRUNCATE products, categories, products_tags")
    category = shop.make("categories", name="a category")["id"]
    product = shop.product(name="a product", category_id=category)["id"]
    answer = shop.send("POST", f"/orm/{action}/{product}")
    assert (answer.status, answer.json) == (200, answered)
    assert note_of(shop, product) == note
    left = "0" if action == "delete" else "1"
    assert shop.ask("SELECT count(*) FROM products") == left


def test_a_relation_that_is_not_loaded_raises_the_error_of_sqlalchemy(
    shop: Shop,
) -> None:
    product = shop.product()["id"]
    answer = shop.send("POST", f"/orm/not_loaded/{product}")
    assert (
        "'ProductEntity.category' is not available due to lazy='raise'" in answer.text
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "transaction"),
    [
        ("POST", "", {"name": "new", "tag_ids": ["{tag}"]}, True),
        ("GET", "", None, False),
        ("GET", "?total=false", None, False),
        ("GET", "/{product}", None, False),
        ("HEAD", "/{product}", None, False),
        ("PUT", "/{product}", {"name": "replaced", "tag_ids": ["{other}"]}, True),
        ("PATCH", "/{product}", {"name": "updated"}, True),
        ("GET", "/{product}/tags", None, False),
        ("PUT", "/{product}/tags/{other}", None, True),
        ("DELETE", "/{product}/tags/{tag}", None, True),
        ("DELETE", "/{product}", None, True),
        ("GET", "/../tags/{tag}/products", None, False),
        ("GET", "/../categories/{category}/products", None, False),
    ],
)
def test_events_see_every_statement(
    shop: Shop,
    method: str,
    path: str,
    body: dict[str, object] | None,
    transaction: bool,
) -> None:
    tag, other = (shop.make("tags", word="a word")["id"] for _ in range(2))
    category = shop.make("categories", name="a category")["id"]
    product = shop.product(tag_ids=[tag], category_id=category)["id"]
    names = {"tag": tag, "other": other, "category": category, "product": product}
    path = f"/api/v1/products{path}".replace("products/../", "").format(**names)
    if body and "tag_ids" in body:
        body = {**body, "tag_ids": [str(body["tag_ids"][0]).format(**names)]}  # type: ignore[index]
    shop.send("GET", "/api/v1/products")  # an engine's first connection asks for more
    before = len(shop.sent())
    answer = shop.send(method, path, body)
    assert answer.status < 300, answer
    sent = shop.sent()[before:]
    seen = [
        " ".join(line["sql"].split())
        for line in shop.logged(answer, "before_cursor_execute")
    ]
    ends = ["BEGIN;", "COMMIT;"] if transaction else []
    assert sorted(sent) == sorted([*ends, *seen])
    assert seen
    assert len(shop.logged(answer, "after_begin")) == 1
    # What a flush and a link's INSERT and DELETE send is seen by other events.
    selects = [statement for statement in seen if statement.startswith("SELECT")]
    executed = shop.logged(answer, "do_orm_execute")
    assert len(executed) >= len(selects)
    flushes = [re.match("(INSERT INTO|UPDATE|DELETE FROM) products ", s) for s in seen]
    assert bool(shop.logged(answer, "before_flush")) == any(flushes)


def test_events_of_mappers_fire_before_an_insert_and_an_update(shop: Shop) -> None:
    product = shop.product(name="stamp")
    assert product["note"] == "inserted"
    path = f"/api/v1/products/{product['id']}"
    assert shop.send("PATCH", path, {"amount": 7}).json["note"] == "updated"
    assert note_of(shop, product["id"]) == "updated"
    assert shop.send("PUT", path, {"name": "stamp"}).json["note"] == "updated"


@pytest.fixture(scope="module")
def hiding(start: Start) -> Iterator[Shop]:
    """A shop with a listener that hides rows whose names start with `hidden`."""
    with start(HIDE="1") as shop:
        yield shop


@pytest.fixture
def hidden(hiding: Shop) -> dict[str, str]:
    """Return the ids of rows: of each kind one that is shown and one that is hidden."""
    hiding.ask("TRUNCATE products, categories, tags CASCADE")
    ids = {name: str(uuid.uuid4()) for name in ("category", *PRODUCTS, *TAGS)}
    hiding.insert("categories", id=ids["category"], name="all")
    for name in PRODUCTS:
        hiding.insert("products", id=ids[name], name=name, category_id=ids["category"])
    for name in TAGS:
        hiding.insert("tags", id=ids[name], word=name)
        for product in PRODUCTS:
            hiding.insert("products_tags", product_id=ids[product], tag_id=ids[name])
    return ids


PRODUCTS, TAGS = ("shown", "hidden"), ("shown tag", "hidden tag")


@pytest.mark.parametrize(
    "path", ["products", "categories/{category}/products", "tags/{shown tag}/products"]
)
def test_loader_criteria_hide_rows_in_lists_and_counts(
    hiding: Shop, hidden: dict[str, str], path: str
) -> None:
    page = hiding.send("GET", f"/api/v1/{path}".format(**hidden)).json
    assert [row["id"] for row in page["items"]] == [hidden["shown"]]
    assert page["total"] == 1
    assert page["items"][0]["tag_ids"] == [hidden["shown tag"]]


def test_loader_criteria_hide_rows_in_the_list_of_a_link(
    hiding: Shop, hidden: dict[str, str]
) -> None:
    page = hiding.send("GET", f"/api/v1/products/{hidden['shown']}/tags").json
    assert [row["id"] for row in page["items"]] == [hidden["shown tag"]]
    assert page["total"] == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/tags"),
        ("PUT", "/tags/{shown tag}"),
        ("DELETE", "/tags/{shown tag}"),
    ],
)
def test_loader_criteria_hide_a_row_from_every_verb(
    hiding: Shop, hidden: dict[str, str], method: str, path: str
) -> None:
    body = {"name": "changed"} if method in ("PUT", "PATCH") and not path else None
    before = hiding.ask("SELECT * FROM products ORDER BY id")
    url = f"/api/v1/products/{hidden['hidden']}{path}".format(**hidden)
    assert hiding.send(method, url, body).status == 404
    assert hiding.ask("SELECT * FROM products ORDER BY id") == before


def test_loader_criteria_hide_a_tag_from_links(
    hiding: Shop, hidden: dict[str, str]
) -> None:
    product = f"/api/v1/products/{hidden['shown']}"
    assert hiding.send("GET", product).json["tag_ids"] == [hidden["shown tag"]]
    body = {"name": "shown", "tag_ids": [hidden["hidden tag"]]}
    assert hiding.send("PUT", product, body).json["error"] == "reference_not_found"
    link = f"{product}/tags/{hidden['hidden tag']}"
    assert hiding.send("PUT", link).status == 404
    # What is hidden is not removed by a list of ids that cannot name it.
    body = {"name": "shown", "tag_ids": []}
    assert hiding.send("PUT", product, body).json["tag_ids"] == []
    left = hiding.select("tag_id", "products_tags", product_id=hidden["shown"])
    assert left == hidden["hidden tag"]
