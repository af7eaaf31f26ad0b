"""A statement that fails after a write leaves nothing of it."""

import uuid

import pytest

from tests.live.ownership.conftest import Shop

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ownership")]

PLACES = ["service", "route", "dependency"]
WRITES = ["create", "replace", "update", "delete", "link", "unlink"]
TABLES = (
    "SELECT * FROM products ORDER BY id",
    "SELECT * FROM products_tags ORDER BY product_id, tag_id",
)
COUNTERS = [f"products_{verb}_total" for verb in ("created", "updated", "deleted")]
EVENTS = {f"product_{verb}" for verb in ("created", "updated", "deleted")}


@pytest.fixture
def request_of(shop: Shop) -> dict[str, tuple[str, str, object]]:
    """Return the request of each write, and the rows that it needs."""
    linked, other = (shop.make("tags", word="a word")["id"] for _ in range(2))
    product = shop.product(tag_ids=[linked])["id"]
    url = f"/api/v1/products/{product}"
    body = {"name": "written", "tag_ids": [other]}
    return {
        "create": ("POST", "/api/v1/products", body),
        "replace": ("PUT", url, body),
        "update": ("PATCH", url, body),
        "delete": ("DELETE", url, None),
        "link": ("PUT", f"{url}/tags/{other}", None),
        "unlink": ("DELETE", f"{url}/tags/{linked}", None),
    }


def state(shop: Shop) -> list[object]:
    return [*map(shop.ask, TABLES), *map(shop.count, COUNTERS)]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("write", WRITES)
def test_a_statement_that_fails_after_a_write_leaves_nothing(
    shop: Shop, request_of: dict[str, tuple[str, str, object]], write: str, place: str
) -> None:
    before = state(shop)
    answer = shop.send(*request_of[write], headers={"X-Fail": place})
    assert answer.status == 500, answer
    assert state(shop) == before
    lines = shop.logged(answer)
    assert not EVENTS & {line["event"] for line in lines}
    [own] = [line for line in lines if line["event"] == "request"]
    assert own["status"] == 500


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("write", WRITES)
def test_a_suppressed_error_of_the_database_acknowledges_nothing(
    shop: Shop, request_of: dict[str, tuple[str, str, object]], write: str, place: str
) -> None:
    """PostgreSQL answers the COMMIT of such a transaction with a rollback."""
    before = state(shop)
    headers = {"X-Fail": f"{place}, suppressed"}
    answer = shop.send(*request_of[write], headers=headers)
    assert answer.status == 500, answer
    assert state(shop) == before
    assert not EVENTS & {line["event"] for line in shop.logged(answer)}


@pytest.mark.parametrize("write", WRITES)
def test_without_a_failure_the_write_is_stored_logged_and_counted(
    shop: Shop, request_of: dict[str, tuple[str, str, object]], write: str
) -> None:
    before = state(shop)
    answer = shop.send(*request_of[write])
    assert answer.status < 300, answer
    after = state(shop)
    assert after[:2] != before[:2]
    events = {line["event"] for line in shop.logged(answer)} & EVENTS
    expected = {"create": "created", "replace": "updated", "update": "updated"}
    verb = {**expected, "delete": "deleted"}.get(write)
    assert events == ({f"product_{verb}"} if verb else set())
    assert (after[2:] != before[2:]) == bool(verb)


def test_an_exception_after_a_write_in_a_mounted_application(shop: Shop) -> None:
    name = uuid.uuid4().hex
    path = f"/mounted/products?name={name}"
    assert shop.send("POST", f"{path}&fail=true").status == 500
    assert shop.select("count(*)", "products", name=name) == "0"
    assert shop.send("POST", path).status == 200
    assert shop.select("count(*)", "products", name=name) == "1"
