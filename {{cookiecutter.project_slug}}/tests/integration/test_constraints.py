"""The database's own rules: they hold for rows that do not come through the API."""

from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from src.core.database import columns_of
from src.models.base import BareEntity
from src.repositories.filters import ignores_case
from tests.fakes import in_other_case
from tests.support import Body, Case, Check, Field, Link, Reference, as_json
from tests.tables import (
    BY_NAME,
    breaking,
    each_case,
    each_check,
    each_field,
    each_own_link,
    each_reference,
    each_unique,
)


async def row(case: Case, db: AsyncSession, **changes: Any) -> Body:
    """Return the columns of a row that can be inserted, by attribute."""
    made = case.factory.create(**changes)
    for name in case.factory.parents().keys() - changes:
        parent = await case.factory.parents()[name].store(db)
        setattr(made, name, parent.id)
    mapper = sa.inspect(case.factory.entity)
    names = set(mapper.column_attrs.keys())
    if mapper.columns["id"].identity is not None:
        names.remove("id")  # the database makes it
    return {name: getattr(made, name) for name in names if name in vars(made)}


async def insert(
    connection: AsyncConnection, entity: type[BareEntity], row: Body
) -> Any:
    """Insert a row, as any other program could; return what is stored, by attribute."""
    columns = {getattr(entity, name): row[name] for name in row}
    table = cast(sa.Table, entity.__table__)
    statement = sa.insert(table).values(columns).returning(table)
    async with connection.begin_nested():
        stored = (await connection.execute(statement)).mappings().one()
    return {
        attribute: stored[str(column.name)]
        for attribute, column in sa.inspect(entity).columns.items()
    }


def column(case: Case, key: str) -> str:
    """Return the name of the column behind a JSON key."""
    mapper = sa.inspect(case.factory.entity)
    return str(mapper.columns[case.attribute(key)].name)


@each_case
async def test_the_database_fills_in_id_and_times(
    case: Case, connection: AsyncConnection, db_session: AsyncSession
) -> None:
    values = await row(case, db_session)
    times = ("created_at", "updated_at") if case.times else ()
    filled = times if case.key.sent else ("id", *times)
    for name in filled:
        values.pop(name, None)
    stored = await insert(connection, case.factory.entity, values)
    assert all(stored[name] is not None for name in filled)
    assert len({stored[name] for name in times}) < 2


@each_case
async def test_the_database_fills_in_the_defaults(
    case: Case, connection: AsyncConnection, db_session: AsyncSession
) -> None:
    values = await row(case, db_session)
    given = {field.name: field for field in case.fields if field.has_default}
    for key in given:
        del values[case.attribute(key)]
    stored = await insert(connection, case.factory.entity, values)
    for key, field in given.items():
        value = as_json(stored[case.attribute(key)])
        if field.made:
            assert value is not None
        else:
            assert case.value(key, value) == case.value(key, field.default)


@each_field
async def test_values_beyond_the_limits_are_refused(
    case: Case,
    field: Field,
    connection: AsyncConnection,
    db_session: AsyncSession,
) -> None:
    values = await row(case, db_session)
    for value in field.unstorable_values():
        changed = {**values, case.attribute(field.name): value}
        with pytest.raises(DBAPIError):
            await insert(connection, case.factory.entity, changed)
    await insert(connection, case.factory.entity, values)


@each_check
async def test_values_that_break_a_check_are_refused(
    case: Case,
    check: Check,
    connection: AsyncConnection,
    db_session: AsyncSession,
) -> None:
    values = await row(case, db_session)
    broken = await breaking(case, check, db_session)
    changed = {case.attribute(key): case.value(key, broken[key]) for key in broken}
    with pytest.raises(DBAPIError, match="check"):
        await insert(connection, case.factory.entity, {**values, **changed})
    await insert(connection, case.factory.entity, values)


@each_unique
async def test_duplicate_of_a_unique_value_is_refused(
    case: Case,
    names: tuple[str, ...],
    connection: AsyncConnection,
    db_session: AsyncSession,
) -> None:
    parents = {}
    for reference in case.references:
        if reference.name in names:
            parent = await BY_NAME[reference.target].factory.store(db_session)
            parents[case.attribute(reference.name)] = parent.id
    first = await row(case, db_session, **parents)
    await insert(connection, case.factory.entity, first)
    second = await row(case, db_session)
    entity = case.factory.entity
    taken = {name: first[name] for name in map(case.attribute, names)}
    same = {
        name: in_other_case(value) if ignores_case(entity, name) else value
        for name, value in taken.items()
    }
    for values in (taken, same):
        with pytest.raises(DBAPIError, match="unique"):
            await insert(connection, entity, {**second, **values})
    await insert(connection, case.factory.entity, second)


@each_reference
async def test_references_are_enforced(
    case: Case,
    reference: Reference,
    connection: AsyncConnection,
    db_session: AsyncSession,
) -> None:
    values = await row(case, db_session)
    attribute = case.attribute(reference.name)
    nowhere = BY_NAME[reference.target].factory.unknown_id()
    with pytest.raises(DBAPIError, match="foreign key"):
        await insert(connection, case.factory.entity, {**values, attribute: nowhere})
    nothing = {**values, attribute: None}
    if reference.required:
        with pytest.raises(DBAPIError, match="null"):
            await insert(connection, case.factory.entity, nothing)
    else:
        stored = await insert(connection, case.factory.entity, nothing)
        assert stored[attribute] is None


@each_own_link
async def test_pairs_of_a_link_are_enforced(
    case: Case, link: Link, connection: AsyncConnection, db_session: AsyncSession
) -> None:
    side = case.repository.links[link.name]
    own = await case.factory.store(db_session)
    other = await BY_NAME[link.target].factory.store(db_session)
    pair = {side.own: own.id, side.other: other.id}

    async def add(values: Body) -> None:
        async with connection.begin_nested():
            await connection.execute(sa.insert(side.table).values(values))

    await add(pair)
    with pytest.raises(DBAPIError, match="unique"):
        await add(pair)
    unknown = {
        side.own: case.factory.unknown_id(),
        side.other: BY_NAME[link.target].factory.unknown_id(),
    }
    for name in pair:
        with pytest.raises(DBAPIError, match="foreign key"):
            await add({**pair, name: unknown[name]})
        with pytest.raises(DBAPIError, match="null"):
            await add({**pair, name: None})


@each_case
async def test_indexes_exist(case: Case, connection: AsyncConnection) -> None:
    table = cast(sa.Table, case.factory.entity.__table__)
    found = await connection.run_sync(
        lambda sync: sa.inspect(sync).get_indexes(table.name, schema=table.schema)
    )
    there = {index["name"] for index in found}
    declared = {tuple(columns_of(index)): index.name for index in table.indexes}
    assert there >= {declared[tuple(names)] for names in case.indexes}
