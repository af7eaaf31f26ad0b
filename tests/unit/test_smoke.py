"""The smoke client, with a small server that can have faults."""

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tools.smoke import smoke

TITLE = {"type": "string", "minLength": 1, "maxLength": 50}
REFERENCE = {"type": "string", "format": "uuid"}
SHAPES: dict[str, dict[str, Any]] = {
    "tasks": {
        "properties": {"title": TITLE, "boss_id": REFERENCE, "crm_id": REFERENCE},
        "required": ["title", "boss_id"],
    },
    "people": {"properties": {"name": TITLE}, "required": ["name"]},
    "rooms": {"properties": {"name": TITLE}, "required": ["name"]},
}
TARGETS = {"boss_id": "people"}
SHARED = ("after", "id__in", "limit", "total")
NAMES = {"type": "array", "items": {"enum": ["name", "-name"], "type": "string"}}
BOSS = {"type": "array", "items": {"const": "boss", "type": "string"}}
PARAMETERS: dict[str, dict[str, Any]] = {
    "tasks": {"include": BOSS},
    "people": {"name": {"type": "string"}, "sort": NAMES},
    "rooms": {},
}


def operation(plural: str) -> dict[str, Any]:
    """Return how a list is read, as OpenAPI says it."""
    schemas = {name: {"type": "string"} for name in SHARED} | PARAMETERS[plural]
    parameters = [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in schemas.items()
    ]
    page = {"properties": {"items": {"type": "array"}}}
    answer = {"content": {"application/json": {"schema": page}}}
    return {"parameters": parameters, "responses": {"200": answer}}


def document() -> dict[str, Any]:
    """Return the OpenAPI document of these schemas, as far as the client reads it."""
    paths: dict[str, Any] = {}
    for plural, shape in SHAPES.items():
        body = {"requestBody": {"content": {"application/json": {"schema": shape}}}}
        paths[f"/api/v1/{plural}"] = {"get": operation(plural), "post": body}
        by_id = {"get": {}, "put": body, "patch": body, "delete": {}}
        paths[f"/api/v1/{plural}/{{id}}"] = by_id
    paths["/api/v1/people/{id}/tasks"] = {"get": operation("tasks")}
    return {"paths": paths}


class Handler(BaseHTTPRequestHandler):
    """Five verbs over dictionaries; `server.fault` breaks one of them."""

    server: "Server"

    def answer(self, status: int, body: Any = None) -> None:
        self.send_response(status)
        self.end_headers()
        if body is not None:
            self.wfile.write(json.dumps(body).encode())

    def body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        found: dict[str, Any] = json.loads(self.rfile.read(length) or b"{}")
        return found

    def find(self) -> tuple[dict[str, Any], str]:
        parts = self.path.partition("?")[0].split("/")[3:]
        return self.server.rows[parts[0]], parts[1] if len(parts) > 1 else ""

    def do_GET(self) -> None:
        fault = self.server.fault
        if not self.path.startswith("/api/"):
            found = document() if self.path == "/openapi.json" else {}
            return self.answer(503 if fault == self.path else 200, found)
        rows, row_id = self.find()
        plural = self.path.partition("?")[0].rpartition("/")[2]
        if row_id and plural == "tasks":
            if fault == "reverse":
                return self.answer(404)
            tasks = self.server.rows["tasks"].values()
            items = [row for row in tasks if row["boss_id"] == row_id]
            return self.answer_list("tasks", items)
        if not row_id:
            items = [] if fault == "list" else list(rows.values())
            return self.answer_list(plural, items)
        row = rows.get(row_id)
        if row and fault == "get":
            row = row | {"extra": 1}
        return self.answer(200 if row else 404, row or {})

    def answer_list(self, plural: str, rows: list[dict[str, Any]]) -> None:
        fault = self.server.fault
        query = dict(parse_qsl(self.path.partition("?")[2]))
        wrong = query.keys() - {*SHARED, *PARAMETERS[plural]}
        if wrong and fault != "unknown":
            return self.answer(422, {"errors": [{"field": f"/{n}"} for n in wrong]})
        if "id__in" in query:
            rows = [row for row in rows if row["id"] in query["id__in"].split(",")]
        if "name" in query and fault != "filter":
            rows = [row for row in rows if row["name"] == query["name"]]
        if "sort" in query:
            descending = query["sort"].startswith("-") and fault != "sort"
            rows = sorted(rows, key=itemgetter("name"), reverse=descending)
        if "include" in query and fault != "include":
            rows = [row | {"boss": {"id": row["boss_id"]}} for row in rows]
        skip, limit = int(query.get("after", 0)), int(query.get("limit", 20))
        end = skip + limit + (fault == "cursor")
        counted = query.get("total") != "false" or fault == "total"
        page = {
            "items": rows[skip : skip + limit],
            "next": str(end) if end < len(rows) else None,
            "total": len(rows) if counted else None,
        }
        self.answer(200, page)

    def do_POST(self) -> None:
        rows, _ = self.find()
        body = self.body()
        for name, target in TARGETS.items():
            if name in body and body[name] not in self.server.rows[target]:
                problem = {"error": "reference_not_found", "fields": [name]}
                return self.answer(422, problem)
        row = {"id": str(uuid.uuid4()), **body}
        rows[row["id"]] = row
        if self.server.fault == "create":
            row = row | {"title": "another", "name": "another"}
        return self.answer(200 if self.server.fault == "status" else 201, row)

    def do_PUT(self) -> None:
        rows, row_id = self.find()
        rows[row_id] = {"id": row_id, **self.body()}
        self.answer(200, rows[row_id])

    def do_PATCH(self) -> None:
        rows, row_id = self.find()
        changes = {} if self.server.fault == "patch" else self.body()
        rows[row_id] |= changes
        if self.server.fault == "forget":
            rows[row_id].pop("boss_id", None)
        self.answer(200, rows[row_id])

    def do_DELETE(self) -> None:
        rows, row_id = self.find()
        if self.server.fault != "delete":
            del rows[row_id]
        self.answer(204)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server with rows, and optionally a fault."""

    fault = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.rows: dict[str, dict[str, Any]] = {plural: {} for plural in SHAPES}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_correct_service_passes_and_is_empty_afterwards(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke(server.url)
    assert "3 resources" in capsys.readouterr().out
    assert not any(server.rows.values())


@pytest.mark.parametrize(
    "fault",
    [
        *("status", "create", "get", "list", "reverse", "patch", "forget", "delete"),
        *("unknown", "filter", "sort", "include", "cursor", "total"),
        *("/health/ready", "/metrics/metrics", "/docs", "/openapi.json"),
    ],
)
def test_a_fault_is_found(
    server: Server, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    server.fault = fault
    assert not smoke(server.url, seed=1)
    assert "--seed 1" in capsys.readouterr().err


def test_missing_target_of_a_reference_is_reported(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TARGETS, "boss_id", "tasks")
    assert not smoke(server.url)
    assert "no row of these could be created: tasks" in capsys.readouterr().err


def test_unreachable_service_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert not smoke("http://127.0.0.1:9")
    assert "GET /openapi.json" in capsys.readouterr().err
