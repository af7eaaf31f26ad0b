"""One request, one transaction: it is committed before the answer, or not at all."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from src.api.dependencies import SessionDep
from src.api.routes import ROUTERS
from src.core.database import get_db, transaction
from src.main import create_app
from tests.answers import json_of, problem
from tests.conftest import client_of
from tests.support import Body, Case, Link
from tests.tables import BY_NAME, each_case, each_link


async def fail_afterwards(db: SessionDep) -> AsyncIterator[None]:
    """A dependency whose last statement fails, after the route has returned."""
    yield
    await db.execute(sa.text("SELECT 1 / 0"))


async def raise_afterwards(db: SessionDep) -> AsyncIterator[None]:
    """A dependency that raises after the route has returned.

    It depends on the session, so that it ends before the session does.
    """
    yield
    raise LookupError


FAILING = {"fail": fail_afterwards, "raise": raise_afterwards}


@pytest.fixture(scope="session")
def failing_app(running_app: FastAPI) -> FastAPI:
    """The service with a second copy of its routes, whose last dependency fails.

    It is made once: that takes longer than a test.
    """
    app = create_app(running_app.state.settings)
    for name, dependency in FAILING.items():
        dependencies = [Depends(dependency, scope="function")]
        for router in ROUTERS:
            app.include_router(router, prefix=f"/{name}", dependencies=dependencies)
    return app


async def rows(case: Case) -> int:
    """Return the number of committed rows."""
    async with transaction() as db:
        return await case.repository(db).count()


async def shown(case: Case, db: AsyncSession, entity_id: Any) -> Body:
    """Return the answer that shows a row as it is stored."""
    db.expunge_all()
    return case.answer(await case.repository(db).get(entity_id))


@each_case
@pytest.mark.parametrize("failing", FAILING)
async def test_a_dependency_that_fails_afterwards_undoes_every_write(
    case: Case, failing: str, failing_app: FastAPI, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    before = case.answer(row)
    body = await case.factory.request(db_session)
    url = f"/{failing}{case.url}"
    requests: dict[str, tuple[str, str, Any]] = {
        "create": ("POST", url, body),
        "replace": ("PUT", f"{url}/{row.id}", case.replacement(body)),
        "update": ("PATCH", f"{url}/{row.id}", case.changes(body)),
        "delete": ("DELETE", f"{url}/{row.id}", None),
    }
    stored = await rows(case)
    async with client_of(failing_app, raise_app_exceptions=False) as client:
        for verb in sorted(requests.keys() & case.verbs):
            if verb == "create" and (case.capacity < 2 or case.cannot_be_created):
                continue  # a second row would be a duplicate
            method, target, sent = requests[verb]
            response = await client.request(method, target, json=sent)
            problem(response, 500, "internal_server_error")
    assert await rows(case) == stored
    assert await shown(case, db_session, row.id) == before


@each_link
async def test_a_dependency_that_fails_afterwards_undoes_a_link(
    case: Case, link: Link, failing_app: FastAPI, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    other = await BY_NAME[link.target].factory.store(db_session)
    url = f"{case.url}/{row.id}/{link.path}"
    async with client_of(failing_app, raise_app_exceptions=False) as client:
        response = await client.put(f"/fail{url}/{other.id}")
        problem(response, 500, "internal_server_error")
        assert json_of(await client.get(url), 200)["items"] == []


@each_case
@pytest.mark.needs("get")
async def test_get_db_can_be_overridden(
    case: Case, app: FastAPI, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    """The documented way to let requests see what a test has not committed."""
    app.dependency_overrides[get_db] = lambda: db_session
    parents = {
        name: (await factory.store(db_session)).id
        for name, factory in case.factory.parents().items()
    }
    row = case.factory.unsaved(**parents)
    db_session.add(row)
    await db_session.flush()
    json_of(await client.get(f"{case.url}/{row.id}"), 200)
    await db_session.rollback()
    problem(await client.get(f"{case.url}/{row.id}"), 404, "resource_not_found")
