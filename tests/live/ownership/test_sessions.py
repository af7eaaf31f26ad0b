"""Reading and writing sessions."""

import uuid
from collections.abc import Iterator

import pytest

from tests.harness.http_client import Answer
from tests.live.ownership.conftest import Shop, Start

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ownership")]

REFUSED = [
    "core_update",
    "core_insert",
    "text_update",
    "flush",
    "only_add",
    "assign",
    "lock",
]
POLICY = """
ALTER TABLE products ENABLE ROW LEVEL SECURITY;
ALTER TABLE products FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON products USING (note = current_setting('app.tenant', true))
"""


@pytest.fixture(scope="module")
def in_transactions(start: Start) -> Iterator[Shop]:
    """A shop whose reads have a transaction, and say whose they are."""
    with start(READ_TRANSACTIONS="true", TENANTS="1") as shop:
        yield shop


def stored(shop: Shop) -> str:
    return shop.ask("SELECT * FROM products ORDER BY id")


def assert_refused(shop: Shop, answer: Answer, *words: str) -> None:
    """Check the answer, and that the log says what to do."""
    assert (answer.status, answer.json["error"]) == (500, "internal_server_error")
    [line] = shop.logged(answer, "unhandled_exception")
    for word in words:
        assert word in line["exception_message"]


@pytest.mark.parametrize("way", REFUSED)
@pytest.mark.parametrize("transactions", [False, True])
def test_write_in_a_reading_session_fails_and_the_log_says_how_to_write(
    shop: Shop, in_transactions: Shop, transactions: bool, way: str
) -> None:
    chosen = in_transactions if transactions else shop
    chosen.product()
    before = stored(chosen)
    answer = chosen.send("GET", f"/sessions/reading/{way}")
    assert_refused(chosen, answer, "WriteSessionDep")
    assert stored(chosen) == before


@pytest.mark.parametrize("way", ["savepoint", "stream"])
def test_savepoint_lock_and_stream_fail_and_the_log_says_how_to_use_them(
    shop: Shop, way: str
) -> None:
    answer = shop.send("GET", f"/sessions/reading/{way}")
    assert_refused(shop, answer, "READ_TRANSACTIONS", "WriteSessionDep")


@pytest.mark.parametrize("way", [*REFUSED, "misfit", "savepoint", "stream"])
@pytest.mark.parametrize("transactions", [False, True])
def test_a_read_that_fails_leaves_no_lock(
    shop: Shop, in_transactions: Shop, transactions: bool, way: str
) -> None:
    """The server would keep it until the connection is used again."""
    chosen = in_transactions if transactions else shop
    chosen.send("GET", f"/sessions/reading/{way}")
    # PostgreSQL gives up after the lock_timeout that `postgres` sets for its owner.
    chosen.ask("TRUNCATE products CASCADE")


@pytest.mark.parametrize("way", ["core_update", "text_update", "assign"])
def test_the_writing_session_writes_and_commits_in_a_get(shop: Shop, way: str) -> None:
    shop.ask("TRUNCATE products CASCADE")
    product = shop.product()["id"]
    assert shop.send("GET", f"/sessions/writing/{way}").status == 200
    assert shop.select("note", "products", id=product) == "written"


@pytest.mark.parametrize("way", ["core_insert", "flush", "only_add"])
def test_the_writing_session_inserts_in_a_get(shop: Shop, way: str) -> None:
    shop.ask("TRUNCATE products CASCADE")
    assert shop.send("GET", f"/sessions/writing/{way}").status == 200
    assert shop.ask("SELECT name FROM products") == "written"


def test_read_transactions_allow_a_savepoint_and_a_stream(
    in_transactions: Shop,
) -> None:
    in_transactions.ask("TRUNCATE products CASCADE")
    name = in_transactions.product()["name"]
    answer = in_transactions.send("GET", "/sessions/reading/savepoint")
    assert answer.status == 200
    answer = in_transactions.send("GET", "/sessions/reading/stream")
    assert (answer.status, answer.json) == (200, [name])


def test_row_level_security_by_a_setting_of_the_transaction(
    in_transactions: Shop,
) -> None:
    shop = in_transactions
    shop.ask("TRUNCATE products CASCADE")
    shop.ask(POLICY)
    try:
        ids = {}
        for tenant in ("ada", "bob"):
            body = {"name": uuid.uuid4().hex, "note": tenant}
            answer = shop.send("POST", "/api/v1/products", body, {"X-Tenant": tenant})
            assert answer.status == 201, answer
            ids[tenant] = answer.json["id"]
        for tenant, other in (("ada", "bob"), ("bob", "ada"), ("eve", "ada")):
            headers = {"X-Tenant": tenant}
            page = shop.send("GET", "/api/v1/products", None, headers).json
            own = [ids[tenant]] if tenant in ids else []
            assert [row["id"] for row in page["items"]] == own
            assert page["total"] == len(own)
            for method in ("GET", "DELETE"):
                path = f"/api/v1/products/{ids[other]}"
                assert shop.send(method, path, None, headers).status == 404
        path = f"/api/v1/products/{ids['ada']}"
        assert shop.send("GET", path, None, {"X-Tenant": "ada"}).status == 200
        # The setting ends with its transaction: nothing is left for the next request.
        assert shop.send("GET", "/api/v1/products").json["items"] == []
    finally:
        shop.ask("DROP POLICY tenant ON products")
        shop.ask("ALTER TABLE products DISABLE ROW LEVEL SECURITY")


def test_a_read_costs_a_begin_only_with_read_transactions(
    shop: Shop, in_transactions: Shop
) -> None:
    for chosen, around in ((shop, []), (in_transactions, ["BEGIN;", "ROLLBACK;"])):
        path = "/sessions/where"
        chosen.send("GET", path)
        before = len(chosen.sent())
        assert chosen.send("GET", path).status == 200
        ends = [s for s in chosen.sent()[before:] if not s.startswith("SELECT")]
        assert ends == around
