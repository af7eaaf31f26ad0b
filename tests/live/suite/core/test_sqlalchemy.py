"""Repositories return what SQLAlchemy's documentation calls persistent objects."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.database import Session, transaction
from tests.answers import json_of, problem, stored
from tests.support import VERBS, Case, Link, Reference
from tests.tables import BY_NAME, each_case, each_link, each_reference


@contextmanager
def listening(name: str, listener: Any) -> Iterator[None]:
    """Register a listener for all sessions of the service, as a person would."""
    sa.event.listen(Session, name, listener)
    yield
    sa.event.remove(Session, name, listener)


def relation_of(case: Case, reference: Reference) -> Any:
    """Return the relationship of a foreign key, if it has one."""
    mapper = sa.inspect(case.factory.entity)
    column = mapper.columns[case.attribute(reference.name)]
    for relation in mapper.relationships:
        if column in relation.local_columns and relation.secondary is None:
            return getattr(case.factory.entity, relation.key)
    pytest.skip(f"{case.name} has no relationship of {reference.name}")


@each_case
async def test_an_assigned_attribute_is_stored_by_the_commit(
    case: Case, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    new = case.factory.create()
    attributes = [case.attribute(field.name) for field in case.fields]
    async with transaction() as db:
        found: Any = await case.repository(db).get(row.id)
        for name in attributes:
            setattr(found, name, getattr(new, name))
    await db_session.refresh(row)
    for name in attributes:
        assert getattr(row, name) == getattr(new, name)


@each_case
async def test_refresh_reads_what_others_have_changed(
    case: Case, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    found: Any = await case.repository(db_session).get(row.id)
    async with transaction() as db:
        await db.execute(
            sa.update(case.factory.entity).values(updated_at=sa.func.now())
        )
    before = found.updated_at
    await db_session.refresh(found)
    assert found.updated_at > before


@each_case
async def test_an_object_can_be_merged_into_another_session(
    case: Case, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    async with transaction() as db:
        found: Any = await case.repository(db).get(row.id)
    found.updated_at = found.created_at
    async with transaction() as db:
        await db.merge(found)
    await db_session.refresh(row)
    assert row.updated_at == row.created_at


@each_reference
async def test_selectinload_loads_a_relation(
    case: Case, reference: Reference, db_session: AsyncSession
) -> None:
    parent = await BY_NAME[reference.target].factory.store(db_session)
    attribute = case.attribute(reference.name)
    row = await case.factory.store(db_session, **{attribute: parent.id})
    relation = relation_of(case, reference)
    async with transaction() as db:
        statement = case.repository.select().options(orm.selectinload(relation))
        found: Any = await db.scalar(statement.filter_by(id=row.id))
        assert getattr(found, relation.key).id == parent.id


@each_reference
async def test_a_relation_that_is_not_loaded_raises(
    case: Case, reference: Reference, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    relation = relation_of(case, reference)
    async with transaction() as db:
        found: Any = await case.repository(db).get(row.id)
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            getattr(found, relation.key)


@each_case
async def test_with_loader_criteria_narrows_every_verb(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    body = await case.factory.request(db_session)
    hidden = case.factory.entity

    def hide(state: orm.ORMExecuteState) -> None:
        if state.is_select:
            nothing = orm.with_loader_criteria(hidden, sa.false(), include_aliases=True)
            state.statement = state.statement.options(nothing)

    url = f"{case.url}/{row.id}"
    sent = {"replace": body, "update": case.changes(body)}
    with listening("do_orm_execute", hide):
        for verb in sorted(case.verbs & {"get", "replace", "update", "delete"}):
            response = await client.request(VERBS[verb][0], url, json=sent.get(verb))
            problem(response, 404, "resource_not_found")
        if "list" in case.verbs:
            page = json_of(await client.get(case.url), 200)
            assert (page["items"], page["total"]) == ([], 0)


@each_link
async def test_with_loader_criteria_narrows_linked_rows(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    target = BY_NAME[link.target]
    other = await target.factory.store(db_session)
    url = f"{await stored(case, db_session)}/{link.path}"
    json_of(await client.put(f"{url}/{other.id}"), 204)

    def hide(state: orm.ORMExecuteState) -> None:
        if state.is_select:
            entity: Any = target.factory.entity
            other_rows = orm.with_loader_criteria(entity, entity.id != other.id)
            state.statement = state.statement.options(other_rows)

    with listening("do_orm_execute", hide):
        page = json_of(await client.get(url), 200)
        assert (page["items"], page["total"]) == ([], 0)


@each_case
async def test_after_begin_is_called_once_for_each_request(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    body = await case.factory.request(db_session)
    begun: list[Any] = []
    one = f"{case.url}/{row.id}"
    requests: dict[str, tuple[str, str, Any]] = {
        "create": ("POST", case.url, body),
        "list": ("GET", case.url, None),
        "get": ("GET", one, None),
        "update": ("PATCH", one, {}),
        "delete": ("DELETE", one, None),
    }
    with listening("after_begin", lambda *what: begun.append(what)):
        for verb in [name for name in requests if name in case.verbs]:
            if verb == "create" and case.capacity < 2:
                continue  # a second row would be a duplicate
            begun.clear()
            method, url, sent = requests[verb]
            response = await client.request(method, url, json=sent)
            assert response.is_success
            assert len(begun) == 1
