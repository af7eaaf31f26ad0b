"""Fixtures of the template's own tests of a service."""

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from src.core.engines import Connection, Engines

collect_ignore = []
# These have examples of the shop, in which they run by `make test`.
if importlib.util.find_spec("src.services.order_item") is None:
    collect_ignore += ["test_lists.py", "test_own_filters.py"]
# These have tokens and rules, in the shop too.
if importlib.util.find_spec("tests.provider") is None:
    collect_ignore += ["test_keys_of_senders.py"]


@pytest.fixture
def statements(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is sent to the database: the SQL in its order, with BEGIN and COMMIT."""
    engines: Engines = app.state.engines
    sent: list[str] = []
    execute = Connection.execute

    def note(_: object, __: object, statement: str, *___: object) -> None:
        sent.append(statement)

    async def note_and_execute(
        connection: Connection, query: str, *arguments: Any, **options: Any
    ) -> str:
        """Note what SQLAlchemy's events do not show: BEGIN, COMMIT and ROLLBACK."""
        sent.append(query)
        return await execute(connection, query, *arguments, **options)

    monkeypatch.setattr(Connection, "execute", note_and_execute)
    for _, engine in engines.items():
        sa.event.listen(engine.sync_engine, "after_cursor_execute", note)
    yield sent
    for _, engine in engines.items():
        sa.event.remove(engine.sync_engine, "after_cursor_execute", note)


@pytest.fixture
def untraced(cov: Any) -> Iterator[None]:
    """Measure no coverage, where that would take longer than the test itself.

    pytest-cov's own marker fails where coverage is off.
    """
    if cov is None:
        yield
        return
    cov.stop()
    yield
    cov.start()
