"""Unhandled exceptions: the answer, the log, trackers and tracers."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.http_client import Answer
from tests.harness.project import Project
from tests.live.ownership.conftest import Shop, Start

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ownership")]

ROUTERS = ["/api/v1/products", "/strict", "/plain"]
HEADERS = [
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
    "content-security-policy",
    "referrer-policy",
    "cache-control",
    "cross-origin-resource-policy",
]
FRONT = {"Origin": "https://front.example"}
BARE = """
from fastapi import FastAPI
app = FastAPI()
"""
OURS = """
from src.main import create_app
app = create_app()
"""
TRACKER = """
import sys
import sentry_sdk
from fastapi.testclient import TestClient
seen = []
def note(event, hint):
    seen.append(event["exception"]["values"][-1]["type"])
sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", before_send=note)
{make}
@app.get("/crash")
async def crash():
    raise ValueError("a bug of a person")
with TestClient(app, raise_server_exceptions=False) as client:
    status = client.get("/crash").status_code
print(status, seen)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tracked")
    return {name: folder / name for name in ("EVENTS", "SPANS")}


@pytest.fixture(scope="module")
def tracked(start: Start, files: dict[str, Path]) -> Iterator[Shop]:
    """A shop with an error tracker and a tracer."""
    paths = {name: str(path) for name, path in files.items()}
    with start(CORS_ORIGINS="https://front.example", **paths) as shop:
        yield shop


def crash_by(shop: Shop, router: str, **headers: str) -> Answer:
    return shop.send("GET", f"{router}/try/crash", None, headers)


@pytest.mark.parametrize("router", ROUTERS)
def test_the_client_gets_a_problem_with_every_header(shop: Shop, router: str) -> None:
    sent = uuid.uuid4().hex
    answer = crash_by(shop, router, **FRONT, **{"X-Request-ID": sent})
    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["error"] == "internal_server_error"
    assert answer.json["request_id"] == answer.headers["x-request-id"] == sent
    assert "bug" not in answer.text
    assert answer.headers["access-control-allow-origin"] == FRONT["Origin"]
    assert [name for name in HEADERS if name not in answer.headers] == []
    other = crash_by(shop, router, Origin="https://elsewhere.example")
    assert "access-control-allow-origin" not in other.headers


def test_the_registered_handler_logs_the_exception_once(shop: Shop) -> None:
    answer = crash_by(shop, "/plain")
    lines = shop.logged(answer)
    [line] = [line for line in lines if line["event"] == "unhandled_exception"]
    assert line["level"] == "error"
    assert line["exception_type"] == "ValueError"
    assert line["exception_message"] == "a bug of a person"
    assert line["path"] == "/plain/try/crash"
    assert "Traceback" in line["exception"]
    assert 'raise ValueError("a bug of a person")' in line["exception"]
    time.sleep(0.2)  # what the server itself might say comes after the answer
    traces = [
        line
        for line in shop.service.lines()
        if "a bug of a person" in json.dumps(line)
        and line.get("request_id", answer.json["request_id"])
        == answer.json["request_id"]
    ]
    assert len(traces) == 1
    [own] = [line for line in lines if line["event"] == "request"]
    assert own["status"] == 500


def test_database_error_of_a_bug_is_unhandled_too(tracked: Shop) -> None:
    answer = tracked.send(
        "POST", "/api/v1/products", {"name": "a"}, {"X-Fail": "route"}
    )
    assert (answer.status, answer.json["error"]) == (500, "internal_server_error")
    [line] = tracked.logged(answer, "unhandled_exception")
    assert "division by zero" in line["exception"]


def read_lines(path: Path, settled: Callable[[list[Any]], bool]) -> list[Any]:
    """Return a file's JSON lines once they are as expected, and nothing more comes."""
    deadline = time.monotonic() + 10
    while True:
        text = path.read_text() if path.exists() else ""
        whole, _, _ = text.rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        if settled(lines) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    time.sleep(0.3)
    return lines


def events_of(files: dict[str, Path], answer: Answer, expected: int) -> list[Any]:
    """Return the tracker's events of a request, by the id that it has sent."""

    def of_request(lines: list[Any]) -> list[Any]:
        wanted = answer.headers["x-request-id"]
        return [line for line in lines if wanted in json.dumps(line["request"])]

    path = files["EVENTS"]
    return of_request(
        read_lines(path, lambda found: len(of_request(found)) >= expected)
    )


@pytest.mark.parametrize("router", ROUTERS)
def test_an_error_tracker_sees_one_event(
    tracked: Shop, files: dict[str, Path], router: str
) -> None:
    answer = crash_by(tracked, router, **{"X-Request-ID": uuid.uuid4().hex})
    assert answer.status == 500
    [event] = events_of(files, answer, 1)
    assert event["exception"]["values"][-1]["type"] == "ValueError"
    assert event["exception"]["values"][-1]["value"] == "a bug of a person"


def test_an_error_tracker_sees_a_database_error_of_a_bug(
    tracked: Shop, files: dict[str, Path]
) -> None:
    headers = {"X-Fail": "route", "X-Request-ID": uuid.uuid4().hex}
    answer = tracked.send("POST", "/api/v1/products", {"name": "a"}, headers)
    assert len(events_of(files, answer, 1)) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", f"/api/v1/products/{uuid.UUID(int=0)}", 404),
        ("GET", "/plain/try/yield?fail=true", 418),
        ("POST", "/api/v1/products", 422),
        ("DELETE", "/api/v1/products", 405),
    ],
)
def test_an_error_tracker_sees_no_event_of_an_error_that_is_handled(
    tracked: Shop, files: dict[str, Path], method: str, path: str, status: int
) -> None:
    body = {} if method == "POST" else None
    headers = {"X-Request-ID": uuid.uuid4().hex}
    answer = tracked.send(method, path, body, headers)
    assert answer.status == status
    assert events_of(files, answer, 0) == []


@pytest.mark.parametrize("make", [BARE, OURS], ids=["a bare FastAPI", "the service"])
def test_an_error_tracker_sees_one_event_under_the_test_client(
    tracked: Shop, owned: Project, make: str
) -> None:
    url = {"DATABASE_URL": tracked.server.url(tracked.database)}
    script = TRACKER.format(make=make)
    output = owned.run(owned.python, "-c", script, environment=url)
    assert "500 ['ValueError']" in output.splitlines()


def spans_of(tracked: Shop, files: dict[str, Path], path: str) -> list[Any]:
    """Send a request within a trace; return its spans, the server's last."""
    trace = uuid.uuid4().hex
    parent = {"traceparent": f"00-{trace}-{uuid.uuid4().hex[:16]}-01"}
    tracked.send("GET", path, None, parent)

    def of_trace(lines: list[Any]) -> list[Any]:
        return [line for line in lines if line["context"]["trace_id"] == f"0x{trace}"]

    def ended(lines: list[Any]) -> bool:
        return "SpanKind.SERVER" in [span["kind"] for span in of_trace(lines)]

    return of_trace(read_lines(files["SPANS"], ended))


def test_a_tracer_marks_the_span_of_the_request_as_failed_once(
    tracked: Shop, files: dict[str, Path]
) -> None:
    spans = spans_of(tracked, files, "/plain/try/crash")
    [server] = [span for span in spans if span["kind"] == "SpanKind.SERVER"]
    assert server["status"]["status_code"] == "ERROR"
    exceptions = [event for event in server["events"] if event["name"] == "exception"]
    assert [e["attributes"]["exception.type"] for e in exceptions] == ["ValueError"]


def test_a_tracer_marks_no_span_of_a_request_that_succeeds(
    tracked: Shop, files: dict[str, Path]
) -> None:
    spans = spans_of(tracked, files, "/api/v1/products")
    assert {span["status"]["status_code"] for span in spans} == {"UNSET"}
