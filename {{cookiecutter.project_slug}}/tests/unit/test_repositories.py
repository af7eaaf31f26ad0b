"""Repositories: one contract, held by the real one and by the fake one alike."""

import uuid
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.errors import ConflictError, InUseError, ReferenceNotFoundError
from src.repositories._base import Repository
from src.repositories._paging import Cursor
from tests.fakes import InMemoryRepository
from tests.support import START, Case, Reference, alias, as_json, contents, read
from tests.tables import BY_NAME, each_case, each_reference, each_unique

SOME = 5


class Shelf:
    """A repository under test, and a way to fill it that goes around it."""

    def __init__(self, case: Case, db: AsyncSession | None) -> None:
        self.case = case
        self.db = db
        self.fake = InMemoryRepository[Any](case.factory.entity)
        self.repository: Repository[Any] = case.repository(db) if db else self.fake

    async def store(self, **changes: Any) -> Any:
        """Store a row made by its factory."""
        if self.db is None:
            return self.fake.add(self.case.factory.create(**changes))
        return await self.case.factory.store(self.db, **changes)

    async def body(self, **changes: Any) -> dict[str, Any]:
        """Return a request whose references exist, where that matters."""
        if self.db is None:
            return self.case.factory.payload(**changes)
        return await self.case.factory.request(self.db, **changes)

    async def data(self, **changes: Any) -> Any:
        """Return what creates another row."""
        return read(self.case.create, await self.body(**changes))

    async def changes(self, **changes: Any) -> Any:
        """Return what changes every field of a row."""
        return read(self.case.update, await self.body(**changes))


@pytest.fixture(params=["postgres", "memory"])
def shelf(request: pytest.FixtureRequest, case: Case) -> Shelf:
    """The repository of a case, once on PostgreSQL and once in memory."""
    real = request.param == "postgres"
    return Shelf(case, request.getfixturevalue("db_session") if real else None)


def says(case: Case, entity: Any) -> dict[str, Any]:
    """Return what a row says of itself, the names of its attributes aside."""
    names = case.create.model_fields
    return {alias(case.create, name): as_json(getattr(entity, name)) for name in names}


def ids(rows: Any) -> list[uuid.UUID]:
    """Return the ids of rows."""
    return [row.id for row in rows]


@each_case
async def test_create_stores_a_row(case: Case, shelf: Shelf) -> None:
    body = await shelf.body()
    entity: Any = await shelf.repository.create(read(case.create, body))
    assert {key: says(case, entity)[key] for key in body} == body
    assert entity.created_at is not None
    assert entity.updated_at is not None
    for found in (
        await shelf.repository.get(entity.id),
        await shelf.repository.find({"id": entity.id}),
    ):
        assert contents(found) == contents(entity)
    assert await shelf.repository.count() == 1


@each_case
async def test_get_finds_nothing_under_an_unknown_id(case: Case, shelf: Shelf) -> None:
    await shelf.store()
    assert await shelf.repository.get(uuid.uuid4()) is None
    assert await shelf.repository.find({"id": uuid.uuid4()}) is None


@each_case
async def test_list_is_in_order_of_creation(case: Case, shelf: Shelf) -> None:
    rows = [await shelf.store() for _ in range(case.rows(SOME))]
    # Rows of one moment are in the order of their ids.
    rows += [
        await shelf.store(created_at=START) for _ in range(case.rows(SOME + 2) - 5)
    ]
    expected = sorted(rows, key=lambda row: (row.created_at, row.id))
    assert ids(await shelf.repository.list()) == ids(expected)
    assert await shelf.repository.count() == len(rows)


@each_case
async def test_list_leaves_out_and_stops(case: Case, shelf: Shelf) -> None:
    rows = [await shelf.store() for _ in range(case.rows(SOME))]
    page = await shelf.repository.list(1, 2)
    assert list(map(contents, page)) == list(map(contents, rows[1:3]))
    assert list(await shelf.repository.list(len(rows), 2)) == []


@each_case
async def test_list_goes_on_behind_a_cursor(case: Case, shelf: Shelf) -> None:
    moments = (START, START, None, None, None)
    for moment in moments[: case.rows(SOME)]:
        await shelf.store(**({"created_at": moment} if moment else {}))
    expected = list(await shelf.repository.list())
    found: list[Any] = list(await shelf.repository.list(limit=1))
    while len(found) < len(expected):
        page = await shelf.repository.list(limit=2, after=Cursor.of(found[-1]))
        found += page
    assert ids(found) == ids(expected)
    assert list(await shelf.repository.list(after=Cursor.of(expected[-1]))) == []


@each_case
async def test_update_sets_what_was_sent(case: Case, shelf: Shelf) -> None:
    row: Any = await shelf.store()
    before = row.updated_at
    body = await shelf.body()
    changed = await shelf.repository.update(row.id, read(case.update, body))
    assert changed is not None
    assert {key: says(case, changed)[key] for key in body} == body
    assert changed.updated_at > before or not body
    assert contents(await shelf.repository.get(row.id)) == contents(changed)


@each_case
async def test_update_of_one_key_leaves_the_others(case: Case, shelf: Shelf) -> None:
    row: Any = await shelf.store()
    for key, value in (await shelf.body()).items():
        before = says(case, row)
        changes = read(case.update, {key: value})
        row = await shelf.repository.update(row.id, changes)
        assert says(case, row) == {**before, key: value}


@each_case
async def test_update_of_nothing_changes_nothing(case: Case, shelf: Shelf) -> None:
    row: Any = await shelf.store()
    before = contents(row)
    unchanged = await shelf.repository.update(row.id, read(case.update, {}))
    assert contents(unchanged) == before


@each_case
async def test_replace_sets_every_field(case: Case, shelf: Shelf) -> None:
    row: Any = await shelf.store()
    body = await shelf.body()
    required = {field.name: body[field.name] for field in case.keys if field.required}
    data = read(case.create, required)
    replaced = await shelf.repository.replace(row.id, data)
    assert replaced is not None
    assert says(case, replaced) == data.model_dump(mode="json", by_alias=True)


@each_case
async def test_delete_removes_a_row_once(case: Case, shelf: Shelf) -> None:
    row: Any = await shelf.store()
    assert await shelf.repository.delete(row.id)
    assert not await shelf.repository.delete(row.id)
    assert await shelf.repository.count() == 0


@each_case
async def test_writes_need_a_row(case: Case, shelf: Shelf) -> None:
    unknown = uuid.uuid4()
    assert await shelf.repository.update(unknown, await shelf.changes()) is None
    assert await shelf.repository.update(unknown, read(case.update, {})) is None
    assert await shelf.repository.replace(unknown, await shelf.data()) is None
    assert not await shelf.repository.delete(unknown)


async def occupied(shelf: Shelf, names: tuple[str, ...]) -> dict[str, Any]:
    """Store a row without a null among these keys; return them as Python values."""
    references = {item.name: item for item in shelf.case.references}
    parents = {}
    for name in names:
        if name in references:
            parent: Any = uuid.uuid4()
            if shelf.db is not None:
                target = BY_NAME[references[name].target]
                parent = (await target.factory.store(shelf.db)).id
            parents[shelf.case.attribute(name)] = parent
    row = await shelf.store(**parents)
    attributes = map(shelf.case.attribute, names)
    return {attribute: getattr(row, attribute) for attribute in attributes}


@each_unique
async def test_create_refuses_a_second(
    case: Case, shelf: Shelf, names: tuple[str, ...]
) -> None:
    taken = await occupied(shelf, names)
    data = await shelf.data(**taken)
    with pytest.raises(ConflictError) as caught:
        await shelf.repository.create(data)
    fields: Any = caught.value.extensions["fields"]
    assert (caught.value.extensions["resource"], set(fields)) == (case.name, set(names))


@each_unique
async def test_update_refuses_a_second(
    case: Case, shelf: Shelf, names: tuple[str, ...]
) -> None:
    taken = await occupied(shelf, names)
    row: Any = await shelf.store()
    body = case.factory.payload(**taken)
    changes = read(case.update, {name: body[name] for name in names})
    with pytest.raises(ConflictError):
        await shelf.repository.update(row.id, changes)


# References, and the number of statements: PostgreSQL alone can tell.


@each_reference
async def test_list_is_narrowed_to_a_parent(
    case: Case, reference: Reference, db_session: AsyncSession
) -> None:
    repository = case.repository(db_session)
    parent = await BY_NAME[reference.target].factory.store(db_session)
    attribute = case.attribute(reference.name)
    rows = [await case.factory.store(db_session, **{attribute: parent.id})]
    if case.rows(3) > 2:
        await case.factory.store(db_session)
    where = {attribute: parent.id}
    assert ids(await repository.list(where=where)) == ids(rows)
    assert await repository.count(where) == 1
    everything: dict[str, Any] = {attribute: None}
    assert await repository.count(everything) == await repository.count()


@each_reference
async def test_references_must_exist(
    case: Case, reference: Reference, db_session: AsyncSession
) -> None:
    attribute = case.attribute(reference.name)
    body = await case.factory.request(db_session, **{attribute: uuid.uuid4()})
    with pytest.raises(ReferenceNotFoundError) as caught:
        await case.repository(db_session).create(read(case.create, body))
    assert caught.value.extensions == {"fields": [reference.name]}


@each_reference
async def test_delete_respects_references(
    case: Case, reference: Reference, db_session: AsyncSession
) -> None:
    target = BY_NAME[reference.target]
    parent = await target.factory.store(db_session)
    attribute = case.attribute(reference.name)
    row = await case.factory.store(db_session, **{attribute: parent.id})
    row_id, parents = row.id, target.repository(db_session)
    if reference.on_delete == "restrict":
        with pytest.raises(InUseError):
            await parents.delete(parent.id)
        return
    assert await parents.delete(parent.id)
    db_session.expire_all()
    found = await case.repository(db_session).get(row_id)
    if reference.on_delete == "cascade":
        assert found is None
    else:
        assert getattr(found, attribute) is None


@each_case
async def test_each_verb_is_one_statement(
    case: Case, db_session: AsyncSession, statements: list[str]
) -> None:
    repository = case.repository(db_session)
    data = read(case.create, await case.factory.request(db_session))
    changes = read(case.update, await case.factory.request(db_session))
    await case.factory.store_batch(db_session, max(0, case.rows(SOME) - 2))
    statements.clear()
    row = await repository.create(data)
    await repository.list()
    await repository.count()
    await repository.update(row.id, changes)
    await repository.replace(row.id, data)
    await repository.delete(row.id)
    tables = [link.table.name for link in repository.links.values()]
    verbs = [
        statement.split()[0]
        for statement in statements
        if not any(table in statement for table in tables)
    ]
    # Where there is nothing to change, the row is read.
    update = ["UPDATE"] if changes.model_fields_set else ["SELECT"]
    assert verbs == ["INSERT", "SELECT", "SELECT", *update, "UPDATE", "DELETE"]
