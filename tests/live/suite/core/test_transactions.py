"""Transactions: what commits, what is undone, and what a GET may do."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any, cast

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from src.api.dependencies import SessionDep, WriteSessionDep
from src.core.config import Settings
from src.core.database import bind_sessions, transaction
from src.main import create_app
from tests.answers import json_of, problem
from tests.conftest import client_of
from tests.support import START, Body, Case, read
from tests.tables import each_case

FAILS = sa.text("SELECT 1 / 0")

Work = Callable[[AsyncSession], Coroutine[Any, Any, None]]


async def run(request: Request, db: SessionDep, background: BackgroundTasks) -> None:
    """Do what the test asks for, with the session of the request."""
    await request.app.state.work(db)
    if request.app.state.later:
        background.add_task(request.app.state.later)


async def run_writing(request: Request, db: WriteSessionDep) -> None:
    """Do what the test asks for, with a session that writes."""
    await request.app.state.work(db)


@pytest.fixture(scope="session")
def probe(running_app: FastAPI) -> FastAPI:
    """The service with routes that do what a test asks for.

    It is made once: that takes longer than a test.
    """
    app = create_app(running_app.state.settings)
    added = APIRouter(prefix="/probe")
    added.add_api_route("", run, methods=["GET", "POST"])
    added.add_api_route("/writing", run_writing, methods=["GET"])
    app.include_router(added)
    return app


def asked_for(probe: FastAPI, work: Work, later: Any = None) -> httpx2.AsyncClient:
    """Return a client of the probe, which does this work."""
    probe.state.work, probe.state.later = work, later
    return client_of(probe, raise_app_exceptions=False)


async def rows(case: Case) -> int:
    """Return how many rows a transaction of its own sees."""
    async with transaction() as db:
        return await case.repository(db).count()


async def shown(case: Case, db: AsyncSession, entity_id: uuid.UUID) -> Body:
    """Return the answer that shows a row as it is stored."""
    db.expunge_all()
    return case.answer(await case.repository(db).get(entity_id))


def table(case: Case) -> sa.Table:
    """Return the table of an entity."""
    return cast(sa.Table, case.factory.entity.__table__)


@each_case
@pytest.mark.needs("create")
async def test_a_statement_that_fails_after_a_create_undoes_it(
    case: Case, probe: FastAPI, db_session: AsyncSession
) -> None:
    data = read(case.create, await case.factory.request(db_session))

    async def create_and_fail(db: AsyncSession) -> None:
        service = case.service(case.repository(db))
        await getattr(service, f"create_{case.name}")(data)
        await db.execute(FAILS)

    stored = await rows(case)
    async with asked_for(probe, create_and_fail) as client:
        problem(await client.post("/probe"), 500, "internal_server_error")
    assert await rows(case) == stored


@each_case
async def test_an_error_that_is_caught_does_not_commit_the_rest(
    case: Case, probe: FastAPI, db_session: AsyncSession
) -> None:
    """PostgreSQL answers such a COMMIT with a rollback, and without an error."""
    data = read(case.create, await case.factory.request(db_session))

    async def create_and_go_on(db: AsyncSession) -> None:
        await case.repository(db).create(data)
        with pytest.raises(DBAPIError):
            await db.execute(FAILS)

    stored = await rows(case)
    async with asked_for(probe, create_and_go_on) as client:
        assert (await client.post("/probe")).status_code >= 500
    assert await rows(case) == stored


@each_case
async def test_a_background_task_sees_what_its_request_has_stored(
    case: Case, probe: FastAPI, db_session: AsyncSession
) -> None:
    data = read(case.create, await case.factory.request(db_session))
    seen: list[int] = []

    async def create(db: AsyncSession) -> None:
        await case.repository(db).create(data)

    async def look() -> None:
        seen.append(await rows(case))

    stored = await rows(case)
    async with asked_for(probe, create, look) as client:
        json_of(await client.post("/probe"), 200)
    assert seen == [stored + 1]


async def update_by_core(case: Case, db: AsyncSession) -> None:
    await db.execute(sa.update(table(case)).values(updated_at=START))


async def update_by_text(case: Case, db: AsyncSession) -> None:
    name = table(case).name
    await db.execute(sa.text(f'UPDATE "{name}" SET updated_at = now()'))  # noqa: S608


async def update_by_flush(case: Case, db: AsyncSession) -> None:
    (row,) = await case.repository(db).list()
    row.updated_at = START
    await db.flush()


async def update_at_the_end(case: Case, db: AsyncSession) -> None:
    (row,) = await case.repository(db).list()
    row.updated_at = START


@each_case
@pytest.mark.parametrize(
    "write", [update_by_core, update_by_text, update_by_flush, update_at_the_end]
)
async def test_a_get_cannot_write(
    case: Case, write: Any, probe: FastAPI, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    before = case.answer(row)
    async with asked_for(probe, partial(write, case)) as client:
        with capture_logs() as lines:
            problem(await client.get("/probe"), 500, "internal_server_error")
        assert (await client.head("/probe")).status_code == 500
    (line,) = [line for line in lines if line["event"] == "unhandled_exception"]
    assert "WriteSessionDep" in line["exception_message"]
    assert await shown(case, db_session, row.id) == before


async def open_a_savepoint(db: AsyncSession) -> None:
    async with db.begin_nested():
        await db.execute(sa.text("SELECT 1"))


async def stream(db: AsyncSession) -> None:
    rows = await db.stream(sa.text("SELECT generate_series(1, 3)"))
    assert [row[0] async for row in rows] == [1, 2, 3]


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("work", [open_a_savepoint, stream])
async def test_a_get_has_a_transaction_only_if_it_is_set(
    work: Work, probe: FastAPI, settings: Settings
) -> None:
    async with asked_for(probe, work) as client:
        with capture_logs() as lines:
            answer = await client.get("/probe")
        json_of(await client.get("/probe/writing"), 200)
    if settings.read_transactions:
        json_of(answer, 200)
    else:
        problem(answer, 500, "internal_server_error")
        (line,) = [line for line in lines if line["event"] == "unhandled_exception"]
        assert "READ_TRANSACTIONS" in line["exception_message"]


@each_case
async def test_a_get_can_write_where_it_says_so(
    case: Case, probe: FastAPI, db_session: AsyncSession
) -> None:
    row = await case.factory.store(db_session)
    async with asked_for(probe, partial(update_by_core, case)) as client:
        json_of(await client.get("/probe/writing"), 200)
    await db_session.refresh(row)
    assert row.updated_at == START


async def test_a_stream_beyond_the_time_of_its_transaction_is_logged_in_one_line(
    running_app: FastAPI,
) -> None:
    changes = {"transaction_timeout": 0.2}
    app = create_app(running_app.state.settings.model_copy(update=changes))

    async def lines() -> AsyncIterator[str]:
        async with transaction() as db:
            await db.execute(sa.text("SELECT 1"))
            yield "first\n"
            await asyncio.sleep(60)

    async def stream() -> StreamingResponse:
        return StreamingResponse(lines())

    app.add_api_route("/probe/stream", stream)
    with capture_logs() as logged:
        async with (
            app.router.lifespan_context(app),
            client_of(app, raise_app_exceptions=False) as client,
        ):
            await client.get("/probe/stream")
    state = running_app.state  # the other application had the sessions
    bind_sessions(
        state.engines,
        transaction_timeout=state.settings.transaction_timeout,
        max_total=state.settings.max_total,
    )
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert line["event"] == "response_cut"
    assert line["path"] == "/probe/stream"
    assert line["reason"] == (
        "the transaction took longer than TRANSACTION_TIMEOUT, 0.2 s"
    )
    assert "exc_info" not in line


async def test_a_table_that_is_missing_is_logged_once(probe: FastAPI) -> None:
    async def read_missing(db: AsyncSession) -> None:
        await db.execute(sa.text("SELECT * FROM not_migrated_yet"))

    with capture_logs() as logged:
        async with asked_for(probe, read_missing) as client:
            for _ in range(3):
                response = await client.get("/probe")
                body = problem(response, 503, "service_unavailable")
    assert "not migrated" in body["message"]
    (line,) = [line for line in logged if line["event"] == "database_not_migrated"]
    assert "not_migrated_yet" in line["reason"]
    assert "alembic upgrade head" in line["advice"]
