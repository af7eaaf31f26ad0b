"""Repositories: the same tests for the real ones and for the one in memory."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.errors import (
    ConflictError,
    InUseError,
    PreconditionFailedError,
    PreconditionRequiredError,
    ReferenceNotFoundError,
)
from src.core.preconditions import Precondition
from src.repositories import cursors
from src.repositories.base import Repository
from src.repositories.filters import Filters, ignores_case, split
from src.repositories.sorting import BY_RANK, sort_of
from tests.fakes import InMemoryRepository, in_order, in_other_case, matches
from tests.support import START, Case, Link, Reference, as_json, keys, read
from tests.tables import (
    BY_NAME,
    each_case,
    each_link,
    each_own_link,
    each_reference,
    each_search,
    each_unique,
)

SOME = 5


class RepositoryUnderTest:
    """A repository under test, and rows that do not come through it."""

    def __init__(self, case: Case, db: AsyncSession | None) -> None:
        self.case = case
        self.db = db
        self.fake = InMemoryRepository[Any](
            case.repository, case.filled_in(), case.factory.new_id
        )
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

    async def create(self, data: Any) -> Any:
        """Create a row through the repository alone."""
        skip_if_the_service_is_needed(self.case)
        return await self.repository.create(data)

    async def changes(self, **changes: Any) -> Any:
        """Return what changes every field of a row."""
        body = self.case.changes(await self.body(**changes))
        return read(self.case.update, body)

    async def found(self, entity_id: Any) -> Any:
        """Return a row as it is stored, not as the session remembers it."""
        if self.db is not None:
            await self.db.flush()
            self.db.expunge_all()
        return await self.repository.get(entity_id)


def skip_if_the_service_is_needed(case: Case) -> None:
    """Skip a test that creates a row without the service, if that sets attributes."""
    if case.not_in_creates:
        pytest.skip(f"the service sets {', '.join(case.not_in_creates)}")


@pytest.fixture(params=["postgres", "memory"])
def tested(request: pytest.FixtureRequest, case: Case) -> RepositoryUnderTest:
    """The repository of a case, once on PostgreSQL and once in memory."""
    real = request.param == "postgres"
    return RepositoryUnderTest(
        case, request.getfixturevalue("db_session") if real else None
    )


def holds(case: Case, entity: Any, data: Any) -> bool:
    """Whether a row has the values of a create or update."""
    sent = data.model_dump(include=data.model_fields_set)
    return all(getattr(entity, name) == sent[name] for name in sent)


def ids(rows: Any) -> list[Any]:
    """Return the ids of rows."""
    return [row.id for row in rows]


@each_case
async def test_create_stores_a_row(case: Case, tested: RepositoryUnderTest) -> None:
    data = await tested.data()
    entity: Any = await tested.create(data)
    assert holds(case, entity, data)
    assert not case.times or None not in (entity.created_at, entity.updated_at)
    answer = case.answer(entity)
    assert case.answer(await tested.found(entity.id)) == answer
    assert case.answer(await tested.repository.find({"id": entity.id})) == answer
    assert await tested.repository.count() == 1


@each_case
async def test_get_returns_none_for_an_unknown_id(
    case: Case, tested: RepositoryUnderTest
) -> None:
    row = await tested.store()
    for for_update in (False, True):
        get = tested.repository.get
        assert await get(case.factory.unknown_id(), for_update=for_update) is None
        assert (await get(row.id, for_update=for_update)) is row
    assert await tested.repository.find({"id": case.factory.unknown_id()}) is None
    assert await tested.repository.find({"id": None}) is None


@each_case
async def test_list_is_in_order_of_creation(
    case: Case, tested: RepositoryUnderTest
) -> None:
    rows = [await tested.store() for _ in range(case.rows(SOME))]
    # Rows of one moment are in the order of their ids.
    moment = {"created_at": START} if case.times else {}
    rows += [await tested.store(**moment) for _ in range(case.rows(SOME + 2) - 5)]
    expected = in_order(rows, sort_of(case.factory.entity))
    assert ids(await tested.repository.list()) == ids(expected)
    assert await tested.repository.count() == len(rows)


@each_case
async def test_list_skips_and_limits(case: Case, tested: RepositoryUnderTest) -> None:
    rows = [await tested.store() for _ in range(case.rows(SOME))]
    if not case.times:
        rows.sort(key=lambda row: row.id)
    page = await tested.repository.list(1, 2)
    assert list(map(case.answer, page)) == list(map(case.answer, rows[1:3]))
    assert list(await tested.repository.list(len(rows), 2)) == []


@each_case
async def test_list_continues_after_a_cursor(
    case: Case, tested: RepositoryUnderTest
) -> None:
    moments = (START, START, None, None, None)
    for moment in moments[: case.rows(SOME)]:
        given = {"created_at": moment} if moment and case.times else {}
        await tested.store(**given)
    sort = sort_of(case.factory.entity)
    expected = list(await tested.repository.list())
    found: list[Any] = list(await tested.repository.list(limit=1))
    while len(found) < len(expected):
        after = cursors.encode(found[-1], sort, {})
        page = await tested.repository.list(limit=2, after=after)
        found += page
    assert ids(found) == ids(expected)
    end = cursors.encode(expected[-1], sort, {})
    assert list(await tested.repository.list(after=end)) == []


@each_case
async def test_list_is_filtered(case: Case, tested: RepositoryUnderTest) -> None:
    rows = [await tested.store() for _ in range(case.rows(SOME))]
    for where in (where for name in case.filters for where in wanted(rows, name)):
        found = await tested.repository.list(where=where)
        expected = [row for row in rows if matches(row, where)]
        assert sorted(map(str, ids(found))) == sorted(map(str, ids(expected))), where
        assert await tested.repository.count(where) == len(expected), where


def wanted(rows: list[Any], name: str) -> list[Filters]:
    """Return filters of one parameter with values that some of the rows have."""
    attribute, word = split(name)
    values = [getattr(row, attribute) for row in rows]
    known = [value for value in values if value is not None]
    if rows and ignores_case(type(rows[0]), attribute):
        known = list(map(in_other_case, known))
    if word == "null":
        return [{name: True}, {name: False}]
    if word == "has":
        known = [item for items in known for item in items]
    if word == "in":
        return [{name: known[:2]}, {name: known}]
    if word == "startswith":
        return [{name: text[:end]} for text in known[:1] for end in (1, None)]
    return [{name: value} for value in known[:2]]


@each_search
async def test_list_is_searched(case: Case, tested: RepositoryUnderTest) -> None:
    rows = [await tested.store() for _ in range(case.rows(SOME))]
    for words in map(case.words, rows):
        where = {"q": " ".join(words[:2])} if words else {}
        expected = [row for row in rows if matches(row, where)]
        for sort in (BY_RANK, None) if words else (None,):
            found = await tested.repository.list(where=where, sort=sort)
            assert sorted(map(str, ids(found))) == sorted(map(str, ids(expected)))
        assert await tested.repository.count(where) == len(expected)


@each_case
async def test_list_is_sorted(case: Case, tested: RepositoryUnderTest) -> None:
    rows = [await tested.store() for _ in range(case.rows(SOME))]
    for key in case.sort_keys:
        name = f"{key[: key.startswith('-')]}{case.attribute(key.removeprefix('-'))}"
        sort = sort_of(case.factory.entity, [name])
        expected = ids(in_order(rows, sort))
        assert ids(await tested.repository.list(sort=sort)) == expected, key
        found: list[Any] = []
        after = None
        while page := await tested.repository.list(limit=2, sort=sort, after=after):
            found += ids(page)
            after = cursors.encode(page[-1], sort, {})
        assert found == expected, key


@each_case
async def test_update_sets_what_was_sent(
    case: Case, tested: RepositoryUnderTest
) -> None:
    row: Any = await tested.store()
    before = row.updated_at if case.times else None
    changes = await tested.changes()
    changed: Any = await tested.repository.update(row.id, changes)
    assert holds(case, changed, changes)
    if before is not None and changes.model_fields_set:
        assert changed.updated_at > before
    assert case.answer(await tested.found(row.id)) == case.answer(changed)


@each_case
async def test_update_of_one_key_leaves_the_others(
    case: Case, tested: RepositoryUnderTest
) -> None:
    row: Any = await tested.store()
    for key, value in case.changes(await tested.body()).items():
        before = case.answer(row)
        row = await tested.repository.update(row.id, read(case.update, {key: value}))
        changed = {key, *case.times[1:]}
        after = case.answer(row)
        assert {k: after[k] for k in after.keys() - changed} == {
            k: before[k] for k in before.keys() - changed
        }
        assert case.value(key, value) == getattr(row, case.attribute(key))


@each_case
async def test_update_of_nothing_changes_nothing(
    case: Case, tested: RepositoryUnderTest
) -> None:
    row: Any = await tested.store()
    before = case.answer(row)
    unchanged = await tested.repository.update(row.id, read(case.update, {}))
    assert case.answer(unchanged) == before


@each_case
async def test_replace_sets_every_field(
    case: Case, tested: RepositoryUnderTest
) -> None:
    row: Any = await tested.store()
    body = await tested.body()
    required = {
        field.name: body[field.name] for field in case.created if field.required
    }
    data = case.replacing(required)
    before = vars(row).copy()
    replaced: Any = await tested.repository.replace(row.id, data)
    names = case.create.model_fields.keys() - {"id"}
    expected = data.model_dump(include=names)
    repository = case.repository
    kept = repository.immutable | repository.write_only | repository.made_by_default
    for name in (kept & names) - data.model_fields_set:
        expected[name] = before[name]
    assert {n: getattr(replaced, n) for n in names} == expected


@each_case
async def test_delete_removes_a_row_once(
    case: Case, tested: RepositoryUnderTest
) -> None:
    row: Any = await tested.store()
    assert await tested.repository.delete(row.id)
    assert not await tested.repository.delete(row.id)
    assert await tested.repository.count() == 0


@each_case
async def test_changes_need_a_row(case: Case, tested: RepositoryUnderTest) -> None:
    unknown = case.factory.unknown_id()
    assert await tested.repository.update(unknown, await tested.changes()) is None
    assert await tested.repository.update(unknown, read(case.update, {})) is None
    assert await tested.repository.replace(unknown, await tested.data()) is None
    assert not await tested.repository.delete(unknown)


@each_case
async def test_each_change_raises_the_version(
    case: Case, tested: RepositoryUnderTest
) -> None:
    row: Any = await tested.store()
    data, row_id = await tested.changes(), row.id
    if not data.model_fields_set:
        pytest.skip("there is nothing to change")
    assert row._version == 1
    changed: Any = await tested.repository.update(row_id, data)
    assert changed._version == 2
    found: Any = await tested.found(row_id)
    assert found._version == 2


@each_case
async def test_only_the_expected_version_is_changed(
    case: Case, tested: RepositoryUnderTest
) -> None:
    row: Any = await tested.store()
    data, row_id, repository = await tested.changes(), row.id, tested.repository
    old, current = Precondition(frozenset({7})), Precondition(frozenset({7, 1}))
    with pytest.raises(PreconditionFailedError):
        await repository.update(row_id, data, old)
    with pytest.raises(PreconditionFailedError):
        await repository.replace(row_id, case.replacing(await tested.body()), old)
    with pytest.raises(PreconditionFailedError):
        await repository.delete(row_id, old)
    with pytest.raises(PreconditionRequiredError):
        await repository.delete(row_id, Precondition(is_missing=True))
    assert (await tested.found(row_id))._version == 1
    assert await repository.update(row_id, read(case.update, {}), current)
    assert await repository.delete(row_id, current)


@each_link
async def test_link_and_unlink_are_idempotent(
    case: Case, link: Link, tested: RepositoryUnderTest
) -> None:
    row: Any = await tested.store()
    other = await other_id(tested, BY_NAME[link.target])
    for expected in ([other], []):
        change = tested.repository.link if expected else tested.repository.unlink
        for _ in range(2):
            await change(link.name, row.id, other)
        if link.key in keys(case.resource):
            row = await tested.found(row.id)
            assert getattr(row, case.attribute(str(link.key))) == expected
            assert row._version == (2 if expected else 3)


@each_own_link
async def test_ids_of_linked_rows_are_set(
    case: Case, link: Link, tested: RepositoryUnderTest
) -> None:
    target = BY_NAME[link.target]
    # A row of this side may have used one of the few that can differ.
    count = min(2, target.capacity - 1) or 1
    others = target.factory.create_batch(count)
    if tested.db is not None:
        others = await target.factory.store_batch(tested.db, count)
    key = str(link.key)
    linked = sorted(ids(others))
    body = {**await tested.body(), key: list(map(as_json, linked))}
    row: Any = await tested.create(read(case.create, body))
    attribute = case.attribute(key)
    assert getattr(await tested.found(row.id), attribute) == linked
    changes = read(case.update, {key: [as_json(linked[0])]})
    changed: Any = await tested.repository.update(row.id, changes)
    version = changed._version
    found: Any = await tested.found(row.id)
    assert getattr(found, attribute) == linked[:1]
    assert found._version == version


async def other_id(tested: RepositoryUnderTest, target: Case) -> Any:
    """Return the id of a row that another one can refer to."""
    if tested.db is None:
        return target.factory.new_id()
    return (await target.factory.store(tested.db)).id


async def occupied(
    tested: RepositoryUnderTest, names: tuple[str, ...]
) -> dict[str, Any]:
    """Store a row without a null among these keys; return them as Python values."""
    references = {item.name: item for item in tested.case.references}
    parents = {}
    for name in names:
        if name in references:
            parent = await other_id(tested, BY_NAME[references[name].target])
            parents[tested.case.attribute(name)] = parent
    row = await tested.store(**parents)
    attributes = map(tested.case.attribute, names)
    return {attribute: getattr(row, attribute) for attribute in attributes}


@each_unique
async def test_create_refuses_a_duplicate(
    case: Case, tested: RepositoryUnderTest, names: tuple[str, ...]
) -> None:
    taken = await occupied(tested, names)
    data = await tested.data(**taken)
    with pytest.raises(ConflictError) as caught:
        await tested.create(data)
    fields: Any = caught.value.extensions["fields"]
    assert (caught.value.extensions["resource"], set(fields)) == (case.name, set(names))


@each_unique
async def test_update_refuses_a_duplicate(
    case: Case, tested: RepositoryUnderTest, names: tuple[str, ...]
) -> None:
    taken = await occupied(tested, names)
    row: Any = await tested.store()
    body = case.factory.payload(**taken)
    taken_by_update = case.changes({name: body[name] for name in names})
    if len(taken_by_update) < len(names):
        pytest.skip("an update cannot change all of the keys")
    changes = read(case.update, taken_by_update)
    with pytest.raises(ConflictError):
        await tested.repository.update(row.id, changes)


# What only PostgreSQL checks.


@each_case
async def test_each_statement_raises_the_version(
    case: Case, db_session: AsyncSession
) -> None:
    entity = case.factory.entity
    row: Any = await case.factory.store(db_session)
    for version in (2, 3):
        await db_session.execute(sa.update(entity).values(_version=7))
        await db_session.refresh(row)
        assert row._version == version


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
    skip_if_the_service_is_needed(case)
    attribute = case.attribute(reference.name)
    body = await case.factory.request(
        db_session, **{attribute: BY_NAME[reference.target].factory.unknown_id()}
    )
    with pytest.raises(ReferenceNotFoundError) as caught:
        await case.repository(db_session).create(read(case.create, body))
    assert caught.value.extensions == {"fields": [reference.name]}


@each_reference
async def test_delete_of_a_parent_follows_on_delete(
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
    found: Any = await case.repository(db_session).get(row_id)
    if reference.on_delete == "cascade":
        assert found is None
    else:
        assert getattr(found, attribute) is None
        assert found._version == 2
