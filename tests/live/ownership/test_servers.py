"""Other ways to run the service, and the mission's snippets."""

import json
import signal
from pathlib import Path

import pytest

from tests.harness.postgres_server import Server
from tests.harness.project import PATIENCE, Project
from tests.live.ownership.conftest import Start

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ownership")]

SERVERS = {
    "python -m src": [],
    "fastapi run": [
        *("fastapi", "run", "src/main.py", "--host", "{host}", "--port", "{port}")
    ],
    "uvicorn": ["uvicorn", "src.main:app", "--host", "{host}", "--port", "{port}"],
    "gunicorn": [
        *("gunicorn", "src.main:app", "--bind", "{host}:{port}"),
        *("--worker-class", "uvicorn_worker.UvicornWorker", "--workers", "2"),
    ],
}
SCRIPTS = "scripts"  # a database
SESSION = """
import asyncio
from sqlalchemy import text
from src.core.database import async_session_maker

async def main():
    async with async_session_maker() as session:
        await session.execute(text("SELECT 1"))
        await session.execute(text("INSERT INTO tags (word) VALUES ('by a script')"))
        await session.commit()

asyncio.run(main())
"""
LOGGING = """
import datetime, decimal, logging, uuid
from src.core.logging import get_logger, setup_logging

setup_logging("INFO")
get_logger().info("placed", amount=decimal.Decimal("2.50"), order=uuid.UUID(int=1))
logging.getLogger("library").info("sent %s", "it", extra={"order_id": 17})
logging.getLogger("library").debug("too much")
setup_logging("WARNING")
get_logger().info("too much")
"""
SETTINGS = """
from src.core.config import get_settings

settings = get_settings()
assert get_settings() is settings
print(settings.database_url, settings.log_level, settings.rate_limit)
"""
HANDLER = """
import inspect
from src.main import create_app

handler = create_app().exception_handlers[Exception]
print(inspect.iscoroutinefunction(handler), handler.__module__, handler.__name__)
"""
WEBSOCKET = """
from fastapi import WebSocket
from fastapi.testclient import TestClient
from src.core.config import Settings
from src.main import create_app

nowhere = "postgresql+asyncpg://user:s3cretx@127.0.0.1:1/nothing"
app = create_app(Settings(environment="test", database_url=nowhere))

@app.websocket("/ws")
async def talk(socket: WebSocket):
    await socket.accept()
    await socket.send_text("hi")
    await socket.close()

with TestClient(app).websocket_connect("/ws") as socket:
    print(socket.receive_text())
"""
SYNC_CLIENT = '''\
"""A team that knows Starlette's TestClient writes its first test."""

from fastapi import FastAPI
from fastapi.testclient import TestClient

from src.core.config import Settings
from src.main import create_app


def test_plain(app: FastAPI) -> None:
    client = TestClient(app)
    assert client.get("/health/health").status_code == 200
    assert client.get("/api/v1/categories").status_code == 200
    assert client.get("/api/v1/categories").status_code == 200


def test_lifespan(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        made = client.post("/api/v1/categories", json={"name": "Blue"})
        assert made.status_code == 201, made.text
        path = "/api/v1/categories/" + made.json()["id"]
        assert client.get(path).status_code == 200


def test_lifespan_again(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        assert client.get("/api/v1/categories").status_code == 200
'''


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_serves_every_verb_and_ends_by_sigterm(
    start: Start, server: str
) -> None:
    with start(*SERVERS[server]) as shop:
        product = shop.product()
        path = f"/api/v1/products/{product['id']}"
        assert shop.send("GET", path).json == product
        assert shop.send("PUT", path, {"name": "new"}).json["name"] == "new"
        assert shop.send("PATCH", path, {"amount": 2}).json["amount"] == 2
        assert shop.send("GET", "/api/v1/products").json["total"] == 1
        assert shop.send("DELETE", path).status == 204
        crash = shop.send("GET", "/plain/try/crash")
        assert (crash.status, crash.json["error"]) == (500, "internal_server_error")
        assert crash.headers["x-frame-options"] == "DENY"
        shop.service.process.send_signal(signal.SIGTERM)
        shop.service.process.wait(PATIENCE)


def test_the_sync_test_client_works_in_the_tests_of_the_project(owned: Project) -> None:
    path = owned.path / "tests" / "integration" / "test_sync_client.py"
    path.write_text(SYNC_CLIENT)
    try:
        words = ["-m", "pytest", "--no-cov", "-p", "no:cacheprovider", "-q", str(path)]
        assert "3 passed" in owned.run(owned.python, *words)
    finally:
        path.unlink()


def test_a_websocket_under_the_test_client_needs_no_settings(owned: Project) -> None:
    assert owned.run(owned.python, "-c", WEBSOCKET).splitlines()[-1] == "hi"


@pytest.fixture(scope="module")
def url(postgres: Server) -> str:
    """The URL of a database for scripts."""
    return postgres.create(SCRIPTS, "prepared")


def run(url: str, owned: Project, script: str) -> str:
    words = ["-W", "error", "-c", script]
    return owned.run(owned.python, *words, environment={"DATABASE_URL": url})


def test_a_session_in_a_script_without_the_application(
    url: str, owned: Project, postgres: Server
) -> None:
    assert run(url, owned, SESSION) == ""
    stored = "SELECT count(*) FROM tags WHERE word = 'by a script'"
    assert postgres.ask(stored, SCRIPTS) == "1"


def test_setup_logging_by_a_level(url: str, owned: Project) -> None:
    lines = [json.loads(line) for line in run(url, owned, LOGGING).splitlines()]
    assert [line["event"] for line in lines] == ["placed", "sent it"]
    assert lines[0]["amount"] in ("2.50", 2.5)
    assert lines[0]["order"] == "00000000-0000-0000-0000-000000000001"
    assert lines[1]["order_id"] == 17
    assert {line["level"] for line in lines} == {"info"}


def test_get_settings_is_cached_and_reads_the_environment(
    url: str, owned: Project
) -> None:
    said = run(url, owned, SETTINGS).split()
    assert said == [url, "INFO", "10/minute"]


def test_the_global_exception_handler_is_a_registered_function(
    url: str, owned: Project
) -> None:
    said = run(url, owned, HANDLER).split()
    assert said == ["True", "src.api.error_handlers", "global_exception_handler"]


def test_importing_the_application_reads_no_settings(owned: Project) -> None:
    """Tests and scripts make an application of their own settings."""
    script = "import src.main; assert 'app' in dir(src.main)"
    owned.run(owned.python, "-c", script, environment={"DATABASE_URL": "no URL"})
    assert Path(owned.path, ".env").exists()
