"""The process: its start, its readiness, and how it stops."""

import asyncio
import os
import runpy
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import create_server
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from structlog.testing import capture_logs

import src.__main__ as start
import src.main
from src.core import readiness
from src.core.config import Settings, get_settings
from src.core.engines import Engines
from src.core.rate_limit_store import RateLimitStore
from src.core.readiness import NotReadyError, Readiness
from src.core.shutdown import draining

URL = "postgresql+asyncpg://app@localhost/app"


@pytest.fixture
def offline() -> Settings:
    """Settings that name a database, which is not asked here."""
    return Settings(database_url=URL, environment="test", readiness_timeout=0.05)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Checks that pass until told otherwise."""
    fake = SimpleNamespace(calls=0, failure=None)

    async def check(_: object) -> None:
        fake.calls += 1
        if fake.failure:
            raise fake.failure

    async def fine(_: object) -> None:
        pass

    monkeypatch.setattr(readiness, "check_database", check)
    monkeypatch.setattr(readiness, "check_schema", fine)
    return fake


def readiness_of(settings: Settings) -> Readiness:
    """Return the readiness of a process with these settings."""
    return Readiness(settings, Engines(settings), RateLimitStore(settings))


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("x86_64-conda-linux-gnu", "Name or service not known"),
        ("127.0.0.1", "Address already in use"),
    ],
)
def test_an_address_that_cannot_be_used_ends_the_start_with_a_line(
    offline: Settings, host: str, says: str
) -> None:
    with create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = offline.model_copy(update={"host": host, "port": port})
        with pytest.raises(SystemExit) as ended:
            start.check_address(settings)
    line = str(ended.value)
    assert line.startswith(f"settings: HOST={host}, PORT={port}: cannot listen there: ")
    assert says in line
    assert line.endswith(")")
    assert "\n" not in line


async def test_ready_when_every_check_passes(
    offline: Settings, checks: SimpleNamespace
) -> None:
    ready = readiness_of(offline)
    assert await ready.check() == (True, {"database": "ok", "schema": "ok"})


async def test_concurrent_requests_share_one_check(
    offline: Settings, checks: SimpleNamespace
) -> None:
    ready = readiness_of(offline)
    await asyncio.gather(*(ready.check() for _ in range(10)))
    assert checks.calls == 1


@pytest.mark.parametrize(
    ("failure", "shown"),
    [
        (ConnectionError("10.0.0.7 refused"), "unavailable"),
        (NotReadyError("not migrated"), "not migrated"),
    ],
)
async def test_a_failed_check_is_logged_and_its_reason_not_shown(
    offline: Settings, checks: SimpleNamespace, failure: Exception, shown: str
) -> None:
    checks.failure = failure
    ready = readiness_of(offline)
    with capture_logs() as lines:
        assert await ready.check() == (False, {"database": shown, "schema": "ok"})
    (line,) = lines
    assert line["event"] == "readiness_check_failed"
    assert line["check"] == "database"
    assert line["error"] == repr(failure)


async def test_a_check_that_hangs_fails(
    offline: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(readiness, "check_database", hang)
    monkeypatch.setattr(readiness, "check_schema", hang)
    ready, results = await readiness_of(offline).check()
    assert not ready
    assert results == {"database": "unavailable", "schema": "unavailable"}


async def test_a_check_that_is_slow_to_end_is_not_waited_for(
    offline: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()

    async def hang(_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await released.wait()
            raise ConnectionError("closed at last")

    monkeypatch.setattr(readiness, "check_database", hang)
    monkeypatch.setattr(readiness, "check_schema", hang)
    ready = readiness_of(offline)
    before = asyncio.all_tasks()
    async with asyncio.timeout(1):
        assert (await ready.check())[0] is False
    released.set()
    abandoned = asyncio.all_tasks() - before
    assert abandoned
    await asyncio.wait(abandoned)


async def test_redis_is_checked_where_it_is_configured(
    offline: Settings, checks: SimpleNamespace
) -> None:
    with_redis = offline.model_copy(update={"redis_url": "redis://127.0.0.1:1"})
    ready, results = await readiness_of(with_redis).check()
    assert results == {"database": "ok", "schema": "ok", "redis": "unavailable"}
    assert ready is True  # requests go on without it


async def test_a_replica_is_checked_where_it_is_configured(
    offline: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_replica = offline.model_copy(update={"database_read_url": URL})
    engines = Engines(with_replica)

    async def check(engine: object) -> None:
        if engine is engines.replica:
            raise ConnectionError

    monkeypatch.setattr(readiness, "check_database", check)
    monkeypatch.setattr(readiness, "check_schema", check)
    store = RateLimitStore(with_replica)
    ready, results = await Readiness(with_replica, engines, store).check()
    assert results == {"database": "ok", "schema": "ok", "replica": "unavailable"}
    assert ready is True  # the primary answers in its place


async def test_draining_is_not_ready(
    offline: Settings, checks: SimpleNamespace
) -> None:
    ready = readiness_of(offline)
    await ready.check()
    ready.drain()
    assert (await ready.check())[0] is False


class Database:
    """Stands for an engine and its connection, for the schema check."""

    def __init__(self, versions: set[str]) -> None:
        self.versions = versions

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["Database"]:
        yield self

    async def scalar(self, _: object) -> str | None:
        return "alembic_version" if self.versions else None

    async def scalars(self, _: object) -> set[str]:
        return self.versions


@pytest.mark.parametrize(
    ("current", "ready"),
    [({"new"}, True), ({"newer than us"}, True), ({"old"}, False), (set(), False)],
)
async def test_only_a_schema_that_is_behind_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, current: set[str], ready: bool
) -> None:
    database: Any = Database(current)
    monkeypatch.setattr(readiness, "_revisions", lambda: ({"new"}, {"new", "old"}))
    if ready:
        await readiness.check_schema(database)
    else:
        with pytest.raises(NotReadyError, match="alembic upgrade head"):
            await readiness.check_schema(database)


@pytest.fixture
def stopped() -> Iterator[list[str]]:
    """What happened, in order; the server's own handler adds "stop"."""
    events: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: events.append("stop"))
    yield events
    signal.signal(signal.SIGTERM, before)


async def test_sigterm_drains_and_stops(stopped: list[str]) -> None:
    with draining(lambda: stopped.append("drain"), delay=0):
        signal.raise_signal(signal.SIGTERM)
    assert stopped == ["drain", "stop"]


async def test_a_second_sigterm_does_not_wait(stopped: list[str]) -> None:
    with draining(lambda: stopped.append("drain"), delay=0.01):
        signal.raise_signal(signal.SIGTERM)
        assert stopped == ["drain"]
        await asyncio.sleep(0.05)
        assert stopped == ["drain", "stop"]
        signal.raise_signal(signal.SIGTERM)
    assert stopped == ["drain", "stop", "stop"]


async def test_the_servers_handler_is_put_back(stopped: list[str]) -> None:
    own = signal.getsignal(signal.SIGTERM)
    with draining(lambda: None, delay=0):
        assert signal.getsignal(signal.SIGTERM) is not own
    assert signal.getsignal(signal.SIGTERM) is own


async def test_without_a_handler_sigterm_is_not_changed() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with draining(lambda: None, delay=0):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def served(
    monkeypatch: pytest.MonkeyPatch, stopped: list[str]
) -> Iterator[dict[str, Any]]:
    """The options with which uvicorn would have been started."""
    options: dict[str, Any] = {}

    def run(app: str, **given: Any) -> None:
        directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        options.update(given, app=app, directory=directory)

    monkeypatch.setattr(uvicorn, "run", run)
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8")
    get_settings.cache_clear()
    yield options
    get_settings.cache_clear()


def test_python_m_src_serves_with_the_settings(served: dict[str, Any]) -> None:
    runpy.run_path(start.__file__, run_name="__main__")
    assert served["app"] == "src.main:app"
    assert served["forwarded_allow_ips"] == ["10.0.0.0/8"]
    assert served["server_header"] is False
    assert served["log_config"] is None
    assert served["directory"] is None


def test_sigterm_ends_the_process_with_0(served: dict[str, Any]) -> None:
    start.main()
    with pytest.raises(SystemExit) as end:
        signal.raise_signal(signal.SIGTERM)
    assert end.value.code == 0


def test_workers_get_a_directory_for_their_numbers(
    served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKERS", "2")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "restored after the test")
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    start.main()
    assert served["workers"] == 2
    assert served["directory"]
    assert not Path(served["directory"]).exists()


def test_a_given_directory_is_emptied(
    served: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "counter_1.db"
    old.touch()
    monkeypatch.setenv("WORKERS", "2")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    start.main()
    assert tmp_path.exists()
    assert not old.exists()


def test_the_application_is_made_when_it_is_first_used(served: dict[str, Any]) -> None:
    assert src.main.app is src.main.app
    del src.main.app
    with pytest.raises(AttributeError, match="nothing"):
        src.main.nothing  # noqa: B018 - asking is the point
