"""What requests send to the database: one transaction, and few statements."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.config import Settings
from tests.answers import json_of, stored
from tests.support import Case, Link, Reference
from tests.tables import BY_NAME, each_case, each_link, each_reverse

SOME = 3


@pytest.fixture
def around(settings: Settings) -> list[list[str]]:
    """What a reading request sends before and after its statements."""
    return [["BEGIN"], ["ROLLBACK"]] if settings.read_transactions else [[], []]


def words(statements: list[str]) -> list[str]:
    """Return the first word of each statement."""
    return [statement.split()[0].rstrip(";").upper() for statement in statements]


def selects(case: Case) -> int:
    """Return how many statements read rows: one, and one for each list of ids."""
    links = case.repository.links.values()
    return 1 + len([link for link in links if link.key])


def reading(count: int, around: list[list[str]]) -> list[str]:
    """Return what a request sends that reads with so many statements."""
    before, after = around
    return [*before, *["SELECT"] * count, *after]


@each_case
@pytest.mark.needs("get")
async def test_get_is_one_select_and_one_for_each_list_of_ids(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
    around: list[list[str]],
) -> None:
    url = await stored(case, db_session)
    statements.clear()
    json_of(await client.get(url), 200)
    assert words(statements) == reading(selects(case), around)


@each_case
@pytest.mark.needs("list")
async def test_list_is_as_many_statements_for_any_number_of_rows(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
    around: list[list[str]],
) -> None:
    for _ in range(case.rows(SOME)):
        await case.factory.store(db_session)
        for total in ("true", "false"):
            statements.clear()
            json_of(await client.get(case.url, params={"total": total}), 200)
            counted = 1 if total == "true" else 0
            assert words(statements) == reading(selects(case) + counted, around)


@each_case
@pytest.mark.needs("create")
async def test_create_is_one_insert_in_one_transaction(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
) -> None:
    body = await case.factory.request(db_session)
    statements.clear()
    json_of(await client.post(case.url, json=body), 201)
    assert words(statements) == ["BEGIN", "INSERT", "COMMIT"]


@each_case
@pytest.mark.needs("update")
async def test_update_is_one_update_of_a_locked_row(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
) -> None:
    url = await stored(case, db_session)
    body = case.changes(await case.factory.request(db_session))
    statements.clear()
    json_of(await client.patch(url, json=body), 200)
    changing = ["UPDATE"] if body else []
    reads = ["SELECT"] * selects(case)
    assert words(statements) == ["BEGIN", *reads, *changing, "COMMIT"]
    assert ("FOR NO KEY UPDATE" in statements[1]) is bool(body)


@each_case
@pytest.mark.needs("delete")
async def test_delete_is_one_delete_of_a_locked_row(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
) -> None:
    url = await stored(case, db_session)
    statements.clear()
    json_of(await client.delete(url), 204)
    assert words(statements) == ["BEGIN", "SELECT", "DELETE", "COMMIT"]


@each_reverse
async def test_rows_of_a_parent_are_as_many_statements_for_any_number(
    case: Case,
    reference: Reference,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
    around: list[list[str]],
) -> None:
    target = BY_NAME[reference.target]
    parent = await target.factory.store(db_session)
    given = {case.attribute(reference.name): parent.id}
    for _ in range(1 if reference.single else max(case.rows(SOME) - 2, 1)):
        await case.factory.store(db_session, **given)
    statements.clear()
    json_of(await client.get(f"{target.url}/{parent.id}/{reference.reverse}"), 200)
    checked = selects(target) + 1  # and the count
    if reference.single:  # the parent is read where rules hide it, and not its row
        rules = [getattr(c.factory.entity, "__access__", None) for c in (target, case)]
        checked = selects(target) if rules[0] != rules[1] else 0
    assert words(statements) == reading(checked + selects(case), around)


@each_link
async def test_linked_rows_are_as_many_statements_for_any_number(
    case: Case,
    link: Link,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
    around: list[list[str]],
) -> None:
    target = BY_NAME[link.target]
    url = f"{await stored(case, db_session)}/{link.path}"
    for _ in range(min(SOME, target.capacity - 1) or 1):
        other = await target.factory.store(db_session)
        json_of(await client.put(f"{url}/{other.id}"), 204)
    statements.clear()
    json_of(await client.get(url), 200)
    assert words(statements) == reading(selects(case) + selects(target) + 1, around)
