"""Routes as FastAPI's tutorial writes them, on every kind of router."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from tests.harness.project import HOST, Project
from tests.live.ownership.conftest import Shop, Start

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ownership")]

# An entity's router; one of a person's own, made in the same way; and a plain APIRouter.
ROUTERS = ["/api/v1/products", "/strict", "/plain"]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
UPLOAD = (
    b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\na file\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
    b"Content-Type: application/x-own\r\n\r\n\x00\xff\x01\r\n--b--\r\n"
)
WEBSOCKET = """
import json, sys
from websockets.sync.client import connect
with connect(sys.argv[1]) as socket:
    socket.send("hello")
    print(socket.recv())
"""
SECONDS = 3  # of a stream; every time-out of `hasty` is shorter
TIMEOUTS = [
    *("TRANSACTION_TIMEOUT", "COMMAND_TIMEOUT", "CLIENT_TIMEOUT", "POOL_TIMEOUT"),
    *("CONNECT_TIMEOUT", "READINESS_TIMEOUT", "SHUTDOWN_TIMEOUT"),
]

each_router = pytest.mark.parametrize("router", ROUTERS)


@pytest.mark.parametrize(
    ("path", "body", "answered"),
    [
        ("list", [{"name": "a"}, {"name": "b"}], ["a", "b"]),
        ("two", {"product": {"name": "a"}, "tag": {"word": "b"}}, ["a", "b"]),
    ],
)
@each_router
def test_bodies_of_generated_schemas(
    shop: Shop, router: str, path: str, body: object, answered: object
) -> None:
    answer = shop.send("POST", f"{router}/try/{path}", body)
    assert (answer.status, answer.json) == (200, answered)


@each_router
def test_a_generated_schema_as_the_only_body(shop: Shop, router: str) -> None:
    answer = shop.send("POST", f"{router}/try/one", {"name": "a", "amount": 2**40})
    assert (answer.status, answer.json["amount"]) == (200, 2**40)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("one", {"name": ""}, "/name"),
        ("list", [{"name": "a"}, {"name": 5}], "/1/name"),
        ("two", {"product": {"name": "a"}, "tag": {}}, "/tag/word"),
    ],
)
@each_router
def test_an_error_in_a_body_names_its_place(
    shop: Shop, router: str, path: str, body: object, field: str
) -> None:
    answer = shop.send("POST", f"{router}/try/{path}", body)
    assert answer.status == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


@each_router
def test_form_fields(shop: Shop, router: str) -> None:
    answer = shop.send("POST", f"{router}/try/form", b"name=Ada&age=36", FORM)
    assert (answer.status, answer.json) == (200, "Ada is 36")
    answer = shop.send("POST", f"{router}/try/form", b"name=Ada&age=old", FORM)
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"


@each_router
def test_a_form_model(shop: Shop, router: str) -> None:
    answer = shop.send("POST", f"{router}/try/form-model", b"name=Ada&age=36", FORM)
    assert (answer.status, answer.json) == (200, {"name": "Ada", "age": 36})


@each_router
def test_an_upload_with_a_form_field(shop: Shop, router: str) -> None:
    answer = shop.send("POST", f"{router}/try/upload", UPLOAD, MULTIPART)
    assert (answer.status, answer.json) == (
        200,
        "a file: a.bin, 3 bytes of application/x-own",
    )


@each_router
def test_header_and_cookie_parameters(shop: Shop, router: str) -> None:
    path = f"{router}/try/headers"
    answer = shop.send("GET", path, None, {"X-Tenant": "t", "Cookie": "session=s"})
    assert (answer.status, answer.json) == (200, ["t", "s"])
    answer = shop.send("GET", path)
    assert answer.status == 422
    assert {error["in"] for error in answer.json["errors"]} == {"header", "cookie"}


@each_router
def test_a_def_handler_runs_in_a_thread_and_logs_with_the_id(
    shop: Shop, router: str
) -> None:
    answer = shop.send("GET", f"{router}/try/def")
    assert (answer.status, answer.json) == (200, False)
    assert shop.logged(answer, "in_a_thread")


@each_router
def test_a_background_task_runs_after_the_answer(shop: Shop, router: str) -> None:
    name = uuid.uuid4().hex
    answer = shop.send("POST", f"{router}/try/background?name={name}")
    assert (answer.status, answer.json) == (200, "accepted")
    assert shop.logged(answer, "stored_later")
    assert shop.select("count(*)", "products", name=name) == "1"


@each_router
def test_a_dependency_with_yield(shop: Shop, router: str) -> None:
    answer = shop.send("GET", f"{router}/try/yield")
    assert (answer.status, answer.json) == (200, "resource")
    events = [line["event"] for line in shop.logged(answer)]
    assert [e for e in events if "resource" in e] == [
        "resource_opened",
        "resource_closed",
    ]
    answer = shop.send("GET", f"{router}/try/yield?fail=true")
    assert answer.status == 418
    events = [line["event"] for line in shop.logged(answer)]
    assert [event for event in events if "resource" in event] == [
        *("resource_opened", "resource_failed", "resource_closed")
    ]


@each_router
def test_dependency_overrides(shop: Shop, router: str) -> None:
    assert shop.send("GET", f"{router}/try/override").json == "overridden"


@each_router
def test_a_websocket_that_reads_from_the_database(
    shop: Shop, owned: Project, router: str
) -> None:
    shop.product()
    url = f"ws://{HOST}:{shop.service.port}{router}/try/ws"
    said = json.loads(owned.run(owned.python, "-c", WEBSOCKET, url))
    assert said["said"] == "hello"
    assert str(said["products"]) == shop.ask("SELECT count(*) FROM products")


def test_a_mounted_application_reads_from_the_database(shop: Shop) -> None:
    shop.product()
    answer = shop.send("GET", "/mounted/count")
    assert (answer.status, answer.text) == (
        200,
        shop.ask("SELECT count(*) FROM products"),
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/products", 200),
        ("POST", "/api/v1/products", 422),
        ("GET", "/plain/try/override", 200),
        ("GET", "/plain/try/events?seconds=0.1", 200),
        ("GET", "/mounted/count", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/api/v1/products", 405),
    ],
)
def test_custom_middlewares(shop: Shop, method: str, path: str, status: int) -> None:
    """BaseHTTPMiddleware and CORSMiddleware, beside the service's own CORS."""
    body = {} if method == "POST" else None
    answer = shop.send(method, path, body, {"Origin": "https://own.example"})
    assert answer.status == status
    assert answer.headers["x-own"] == method
    assert answer.headers["access-control-allow-origin"] == "https://own.example"
    assert "x-request-id" in answer.headers
    front = shop.send(method, path, body, {"Origin": "https://front.example"})
    assert front.headers["access-control-allow-origin"] == "https://front.example"
    preflight = {
        "Origin": "https://own.example",
        "Access-Control-Request-Method": "GET",
    }
    assert shop.send("OPTIONS", path, None, preflight).status == 200


@pytest.fixture(scope="module")
def hasty(start: Start) -> Iterator[Shop]:
    """A shop whose every time-out is a second."""
    with start(**dict.fromkeys(TIMEOUTS, "1")) as shop:
        yield shop


def receive(shop: Shop, path: str) -> tuple[str, list[float], str]:
    """Return a stream's content type, the times when lines came, and its text."""
    connection = HTTPConnection(HOST, shop.service.port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    began, times, lines = time.monotonic(), [], []
    while line := response.readline():
        times.append(time.monotonic() - began)
        lines.append(line.decode())
    connection.close()
    return response.headers["content-type"], times, "".join(lines)


def test_streams_outlast_every_time_out_while_other_requests_go_on(hasty: Shop) -> None:
    kinds = [(router, kind) for router in ROUTERS for kind in ("stream", "events")]
    with ThreadPoolExecutor(len(kinds)) as pool:
        streams = {
            (router, kind): pool.submit(
                receive, hasty, f"{router}/try/{kind}?seconds={SECONDS}"
            )
            for router, kind in kinds
        }
        served = 0
        while not all(stream.done() for stream in streams.values()):
            assert hasty.product()["name"]
            assert hasty.send("GET", "/api/v1/products").status == 200
            served += 1
    assert served > SECONDS
    for (_, kind), stream in streams.items():
        content_type, times, text = stream.result()
        numbers = range(SECONDS * 10)
        if kind == "events":
            assert content_type.startswith("text/event-stream")
            assert [f'data: {{"number":{n}}}' for n in numbers] == [
                line for line in text.splitlines() if line
            ]
        else:
            assert content_type.startswith("text/plain")
            assert text == "".join(f"{n}\n" for n in numbers)
        assert times[-1] >= SECONDS - 0.5
        assert times[0] < times[-1] / 2  # line by line, not all at the end
    errors = [line for line in hasty.service.lines() if line["level"] == "error"]
    assert errors == []
