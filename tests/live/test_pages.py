"""Executes all commands and changes of the tutorial, the first day and the recipes."""

import gzip
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.documentation import Reader, blocks
from tests.harness.http_client import ask
from tests.harness.postgres_server import Server
from tests.harness.project import HOST, ROOT, Project
from tests.harness.service_process import replica
from tests.live.recipes import Recipes

pytestmark = pytest.mark.live


@pytest.mark.slow
def test_the_tutorial(tmp_path: Path) -> None:
    (tmp_path / "devmatrix").symlink_to(ROOT)
    reader = Reader(tmp_path)
    reader.follow((ROOT / "docs" / "tutorial.md").read_text())
    said = "".join(reader.said)
    assert '"error":"validation_error"' in said
    assert '"error":"reference_not_found"' in said
    assert "merged  src/services/task.py" in said
    assert '"error":"unauthorized"' in said


@pytest.mark.slow
@pytest.mark.xdist_group("simple_task_api")
def test_the_first_day(baked: Callable[[str], Project], tmp_path: Path) -> None:
    """In a fresh clone."""
    project = baked("simple_task_api")
    project.run("git", "clone", "--quiet", str(project.path), str(tmp_path / "clone"))
    reader = Reader(tmp_path / "clone")
    reader.follow((reader.folder / "docs" / "first-day.md").read_text())
    clone = Project(reader.folder)
    assert clone.run("git", "status", "--porcelain") == ""
    assert "remarks" in (clone.path / "src" / "models" / "entities.py").read_text()


# The generated tests of what the recipes change.
CHANGED = "order or product or article or tag or player"
BROKEN = '''"""A bug, for the error tracker."""

import fastapi

router = fastapi.APIRouter(prefix="/api/v1/broken")


@router.get("")
async def fail() -> None:
    """Raise what nothing handles."""
    raise ValueError("a bug")
'''


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Receive what an error tracker and a tracer send: paths and bodies."""
    received: list[tuple[str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            received.append((self.path, gzip.decompress(body) if packed else body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{HOST}:{server.server_port}", received
        server.shutdown()


@pytest.mark.slow
def test_the_recipes(
    bake: Callable[..., Project],
    server: Server,
    tmp_path: Path,
    collector: tuple[str, list[tuple[str, bytes]]],
) -> None:
    """All of them in one service: they have different entities."""
    page = (ROOT / "docs" / "recipes.md").read_text()
    project = bake("recipes", f"entities_file={entities_of(page, tmp_path)}")
    recipes = Recipes(page, project)
    recipes.apply()
    (project.path / "src" / "api" / "routes" / "broken.py").write_text(BROKEN)
    recipes.include("broken")
    for command in ("format", "openapi", "check"):
        project.run("make", command)
    project.run(project.python, "-m", "pytest", "--no-cov", "-k", CHANGED)
    address, received = collector
    url = {"DATABASE_URL": server.create("recipes")}
    project.run(project.python, "-m", "src.migrate", environment=url)
    recipes.environment |= {
        **url,
        "SENTRY_DSN": f"http://key@{address}/1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}",
        "RATE_LIMIT": "10000/minute",
        "RATE_LIMIT_ENABLED": "true",
    }
    with replica(project, tmp_path / "log", recipes.environment) as service:
        recipes.send(service.port)
        assert ask(service.port, "/api/v1/broken").status == 500
        (reminder,) = [it for it in service.lines() if it["event"] == "reminder_sent"]
        assert "request_id" in reminder
        assert service.stop() == 0
    with_exception = [body for _, body in received if b'"exception"' in body]
    assert len(with_exception) == 1
    assert b"a bug" in with_exception[0]
    assert any(
        b"/api/v1/broken" in body for path, body in received if path == "/v1/traces"
    )


def entities_of(page: str, folder: Path) -> Path:
    """Write one entities.json of all that the page shows."""
    documents = [json.loads(one.text) for one in blocks(page) if one.language == "json"]
    assert len(documents) == 5
    entities = [entity for document in documents for entity in document["entities"]]
    path = folder / "entities.json"
    path.write_text(json.dumps({"entities": entities}))
    return path
