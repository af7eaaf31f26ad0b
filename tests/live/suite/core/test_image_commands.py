"""The image's commands: migrating, becoming the service, and the health check."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import alembic.command
import asyncpg
import pytest

from src import healthcheck, migrate
from src.core.config import get_settings
from tests.conftest import fresh_database, migrations, server_url


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> dict[int, object]:
    """The handlers that were set: the test's process keeps its own."""
    handlers: dict[int, object] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    return handlers


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have replaced this process."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: commands.append(words))
    return commands


def log(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what was logged since the last call."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def url(request: pytest.FixtureRequest, signals: dict[int, object]) -> Iterator[str]:
    """An empty database, which DATABASE_URL names."""
    with fresh_database(server_url(request.config)) as url, migrations(url):
        yield url


@pytest.fixture
def elsewhere(
    monkeypatch: pytest.MonkeyPatch, signals: dict[int, object]
) -> Iterator[None]:
    """DATABASE_URL names a port on which nothing listens."""
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://app@127.0.0.1:1/app")
    monkeypatch.setenv("MIGRATION_WAIT", "0")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_migrating_brings_the_database_to_the_newest(url: str) -> None:
    assert migrate.main([]) == 0
    with migrations(url) as config:
        alembic.command.check(config)


def test_the_process_becomes_the_service(url: str, started: list[list[str]]) -> None:
    migrate.main(["--then-serve"])
    assert started == [[sys.executable, "-m", "src"]]


def test_the_service_starts_without_migrating_where_that_is_set(
    elsewhere: None, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_MIGRATIONS", "false")
    get_settings.cache_clear()
    migrate.main(["--then-serve"])
    assert started == [[sys.executable, "-m", "src"]]


def test_migrating_alone_ignores_that_setting(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUN_MIGRATIONS", "false")
    get_settings.cache_clear()
    assert migrate.main([]) == 0
    assert log(capsys)[-1]["event"] == "migrated"


def test_migrating_fails_when_its_time_is_over(
    elsewhere: None, started: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert migrate.main(["--then-serve"]) == 1
    assert started == []
    assert "MIGRATION_WAIT" in log(capsys)[-1]["reason"]


def test_a_database_that_starts_late_is_waited_for(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect, refusals = asyncpg.connect, 2

    async def late(*arguments: Any, **options: Any) -> object:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise ConnectionRefusedError
        return await connect(*arguments, **options)

    monkeypatch.setattr(asyncpg, "connect", late)
    monkeypatch.setattr(migrate, "INTERVAL", 0)
    assert migrate.main([]) == 0
    events = [line["event"] for line in log(capsys)]
    assert events.count("waiting_for_database") == 1


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (asyncpg.InvalidPasswordError("no"), "docs/operations.md"),
        (asyncpg.InvalidCatalogNameError("no"), "Create the database"),
    ],
)
def test_a_refused_connection_is_explained_at_once(
    url: str,
    error: asyncpg.PostgresError,
    advice: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def refuse(*_: object, **__: object) -> object:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "connect", refuse)
        assert migrate.main([]) == 1
    assert advice in log(capsys)[-1]["reason"]


def test_sigterm_ends_the_wait(url: str, signals: dict[int, object]) -> None:
    migrate.main([])
    handler = signals[signal.SIGTERM]
    assert callable(handler)
    with pytest.raises(SystemExit) as stop:
        handler(signal.SIGTERM, None)
    assert stop.value.code == 0


@pytest.mark.parametrize(("status", "verdict"), [(200, 0), (503, 1)])
def test_the_health_check_asks_for_readiness(
    status: int,
    verdict: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.handle_request).start()
        monkeypatch.setenv("PORT", str(server.server_port))
        assert healthcheck.main() == verdict
    assert capsys.readouterr().out == "/health/ready\n"


def test_no_answer_is_not_healthy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "1")
    assert healthcheck.main() == 1
    assert "no answer at port 1" in capsys.readouterr().out
