"""Checks of behaviour that FastAPI and its libraries do not have by default.

Every function gets a running service and raises AssertionError if the check fails.
"""

import contextlib
import json
import re
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.harness.http_client import Answer, Client, ask
from tests.harness.postgres_server import Server
from tests.harness.project import HOST
from tests.harness.service_process import Replica

THINGS, PARTS = "/api/v1/things", "/api/v1/parts"
MAX_ERROR = 64 * 1024
HEADERS = {"Origin": "https://app.test", "X-Request-ID": "row-1"}
RESET = struct.pack("ii", 1, 0)


@dataclass
class Api:
    """A service under test, the server of its database, and the process itself."""

    replica: Replica
    server: Server
    database: str
    one_format: bool = True

    @property
    def port(self) -> int:
        return self.replica.port

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(Client(self.port)) as client:
            return client.send(method, path, body, {**HEADERS, **given})

    def create(self, **fields: Any) -> Answer:
        return self.send("POST", f"{THINGS}/", {"name": uuid.uuid4().hex, **fields})

    def raw(self, request: bytes) -> bytes:
        """What comes back for these very bytes, up to a second after the last."""
        with socket.create_connection((HOST, self.port), timeout=5) as connection:
            connection.sendall(request)
            connection.settimeout(1)
            answer = b""
            with contextlib.suppress(OSError):
                while part := connection.recv(65536):
                    answer += part
            return answer

    def refused(self, answer: Answer, *statuses: int) -> None:
        """Check the status of an error, its size, and its format if there is one."""
        assert answer.status in statuses, (answer.status, answer.text[:300])
        assert len(answer.text) <= MAX_ERROR
        if self.one_format:
            check_format(answer)

    def names(self) -> list[str]:
        return self.server.ask("SELECT name FROM things", self.database).splitlines()


def check_format(answer: Answer) -> None:
    """The one format, with all headers."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json
    assert body.keys() >= {"title", "status", "error", "message", "request_id"}
    assert body["status"] == answer.status
    assert body["request_id"] == answer.headers["x-request-id"] == "row-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == "https://app.test"


def errors_have_one_format(api: Api) -> None:
    """Errors of the framework, of routes and of validation look the same."""
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("GET", f"{THINGS}/{uuid.uuid4()}", 404),
        ("DELETE", "/health/health", 405),
        ("TRACE", f"{THINGS}/", 405),
        ("POST", f"{THINGS}/", 422),
        ("GET", f"{THINGS}/?limit=x", 422),
    ):
        answer = api.send(method, path)
        assert answer.status == status
        check_format(answer)


def nul_in_text(api: Api) -> None:
    api.refused(api.create(note="a\0b"), 422)


def nul_in_json(api: Api) -> None:
    api.refused(api.create(data={"a": ["\0"]}), 422)
    api.refused(api.create(data={"\0": 1}), 422)


def lone_surrogates(api: Api) -> None:
    api.refused(api.create(name="\ud800"), 422)
    api.refused(api.send("POST", f"{THINGS}/", {"\ud800": 1}), 422)


def nan_where_no_field_is(api: Api) -> None:
    api.refused(api.create(unknown=float("nan")), 422)


def nan_in_json(api: Api) -> None:
    for value in (float("nan"), float("inf"), -float("inf")):
        api.refused(api.create(data=[value]), 422)


def not_finite(api: Api) -> None:
    for value in ("NaN", "Infinity", "-Infinity", "1e400", '"NaN"', '"inf"'):
        body = f'{{"name": "{uuid.uuid4()}", "ratio": {value}}}'
        api.refused(api.send("POST", f"{THINGS}/", body.encode()), 422)


def integers_out_of_range(api: Api) -> None:
    for value in (2**63, -(2**63) - 1, 10**30):
        api.refused(api.create(amount=value), 422)
    body = f'{{"name": "{uuid.uuid4()}", "amount": 1{"0" * 5000}}}'
    api.refused(post(api, body), 422)


def post(api: Api, body: str) -> Answer:
    return api.send("POST", f"{THINGS}/", body.encode())


def ids_out_of_range(api: Api) -> None:
    for wrong in ("9" * 30, "-1", "0x1", "%00", "..", "'", "1e3"):
        api.refused(api.send("GET", f"{THINGS}/{wrong}"), 404, 422)


def skip_out_of_range(api: Api) -> None:
    for skip in (2**63, 10**30, -1):
        api.refused(api.send("GET", f"{THINGS}/?skip={skip}"), 422)
    assert api.send("GET", f"{THINGS}/?skip={2**63 - 1}").status == 200
    api.refused(api.send("GET", f"{THINGS}/?limit=1000000"), 422)


def decimals_out_of_range(api: Api) -> None:
    for value in ("123456789012.00", "1e1000000", "0.001", "1e-1000000", "NaN", 1e300):
        api.refused(api.create(price=value), 422)


def instants_without_utc(api: Api) -> None:
    for value in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        api.refused(api.create(moment=value), 422)


def deep_json(api: Api) -> None:
    before = api.names()
    for depth in (65, 300, 100_000):
        body = f'{{"name": "deep-{depth}", "data": {"[" * depth}{"]" * depth}}}'
        api.refused(post(api, body), 422)
    assert api.names() == before


def large_text(api: Api) -> None:
    api.refused(api.create(name="x" * 5_000_000), 413)


def large_chunked_body(api: Api) -> None:
    """Thirty megabytes without a Content-Length are rejected before all have arrived."""
    head = (
        f"POST {THINGS}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: application/json\r\nConnection: close\r\n\r\n"
    )
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with socket.create_connection((HOST, api.port), timeout=30) as connection:
        answer = b""
        with contextlib.suppress(OSError):
            connection.sendall(head.encode())
            for _ in range(30):
                connection.sendall(piece)
            connection.sendall(b"0\r\n\r\n")
        with contextlib.suppress(OSError):
            while part := connection.recv(65536):
                answer += part
    assert b" 413 " in answer.splitlines()[0]
    assert len(answer) < MAX_ERROR


def input_is_not_echoed(api: Api) -> None:
    secret = "correct horse battery staple"
    for body in ({"name": 5, "note": secret}, {"name": [secret]}, {"flag": secret}):
        answer = api.send("POST", f"{THINGS}/", body)
        api.refused(answer, 422)
        assert secret not in answer.text


def duplicates(api: Api) -> None:
    name = uuid.uuid4().hex
    assert api.create(name=name).status == 201
    answer = api.create(name=name)
    api.refused(answer, 409)
    assert answer.json["fields"] == ["name"]


def longer_than_its_column(api: Api) -> None:
    api.refused(api.create(name="x" * 51), 422)


LEGAL = {
    "token": "0190d1e2-3f4a-4b5c-8d6e-7f8091a2b3c4",
    "moment": "2026-01-31T13:30:00+02:00",
    "day": "2026-01-31",
    "kind": "small",
    "price": "12.50",
    "ratio": 0.5,
}


def values_that_json_writes_as_text_are_accepted(api: Api) -> None:
    answer = api.send("POST", f"{PARTS}/", {"name": "part", "flag": True, **LEGAL})
    assert answer.status == 201, answer.text
    assert answer.json["token"] == LEGAL["token"]


def values_of_other_types_are_refused(api: Api) -> None:
    wrong: dict[str, list[Any]] = {
        "flag": ["yes", "true", 1, 0],
        "amount": ["5", 5.5, True],
        "moment": [1704067200, "1704067200", "2026-01-31", "2026-01-31T13:30:00"],
        "day": [0, "2026-01-31T00:00:00Z", "0"],
        "name": [5, True],
        "ratio": ["0.5", True],
    }
    for name, values in wrong.items():
        for value in values:
            api.refused(api.create(**{name: value}), 422)


def one_path_for_one_row(api: Api) -> None:
    created = api.create()
    own = str(created.json["id"])
    assert api.send("GET", f"{THINGS}/{own}").status == 200
    others = [f"{own}.0", f"+{own}", f"%20{own}", f"urn:uuid:{own}", f"{{{own}}}"]
    for other in (*others, own.replace("-", "") + " "):
        path = other.replace(" ", "%20").replace("{", "%7B").replace("}", "%7D")
        api.refused(api.send("GET", f"{THINGS}/{path}"), 404, 422)


def allow_names_every_method(api: Api) -> None:
    answer = api.send("DELETE", f"{THINGS}/")
    api.refused(answer, 405)
    assert set(answer.headers["allow"].split(", ")) >= {"GET", "POST"}


def unhandled_errors_have_all_headers(api: Api) -> None:
    api.server.ask(BUG, api.database)
    try:
        answer = api.create()
        assert answer.status == 500
        check_format(answer)
    finally:
        api.server.ask("DROP FUNCTION bug CASCADE", api.database)


BUG = """
CREATE FUNCTION bug() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a bug'; END $$;
CREATE TRIGGER bug BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION bug()
"""


def no_redirect_to_the_host_that_the_client_sent(api: Api) -> None:
    for path in (THINGS, f"{THINGS}/"):
        answer = api.send("GET", path, Host="evil.test")
        assert answer.status == 200
        assert "evil.test" not in answer.headers.get("location", "")


def other_media_types(api: Api) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        body = json.dumps({"name": uuid.uuid4().hex}).encode()
        answer = api.send("POST", f"{THINGS}/", body, Content_Type=media_type)
        api.refused(answer, 415)


def labels_have_the_whole_template(api: Api) -> None:
    api.send("GET", f"{THINGS}/{api.create().json['id']}")
    page = ask(api.port, "/metrics/metrics").text
    labels = set(re.findall(r'http_requests_total\{.*?endpoint="(.*?)"', page))
    assert any(re.fullmatch(rf"{THINGS}/{{\w+}}", label) for label in labels), labels


def labels_are_bounded(api: Api) -> None:
    for _ in range(30):
        api.send("GET", f"/{uuid.uuid4()}")
        api.send(f"X{uuid.uuid4().hex[:6].upper()}", THINGS)
    page = ask(api.port, "/metrics/metrics").text
    assert len(re.findall("^http_requests_total{", page, re.MULTILINE)) < 40


def smuggling(api: Api) -> None:
    """Two lengths, bare line feeds, folded headers: a 400, and the connection ends."""
    body = json.dumps({"name": uuid.uuid4().hex})
    head = f"POST {THINGS}/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    length = f"Content-Length: {len(body)}\r\n"
    chunked = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
    for request in (
        f"{head}{length}Transfer-Encoding: chunked\r\n\r\n{chunked}",
        f"{head}{length}\r\n{body}".replace("\r\n", "\n"),
        f"{head}{length}X-Folded: a\r\n b\r\n\r\n{body}",
    ):
        assert b" 400 " in api.raw(request.encode()).splitlines()[0]


def plain_text_stays(api: Api) -> None:
    for text in ("AT&T", "a < b", "x<3", "List<String>", '"quoted"', "1 > 0 & 0 < 1"):
        answer = api.create(note=text)
        assert answer.json["note"] == text


def lengths_are_checked_after_sanitizing(api: Api) -> None:
    api.refused(api.create(name="<script>x</script>"), 422)


def acknowledged_rows_are_stored(api: Api) -> None:
    """The commit fails: after `yield`, the answer has been given already."""
    api.server.ask(LATE, api.database)
    try:
        answer = api.create(name=(name := uuid.uuid4().hex))
        assert (answer.status == 201) == (name in api.names())
        api.refused(answer, 503)
    finally:
        api.server.ask("DROP FUNCTION late CASCADE", api.database)


LATE = """
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION late()
"""


def clients_that_hang_up_block_nobody(api: Api) -> None:
    """Twenty clients leave while their statements wait, and take the pool with them."""
    body = json.dumps({"name": uuid.uuid4().hex})
    request = (
        f"POST {THINGS}/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    lock = "BEGIN; LOCK TABLE things IN ACCESS EXCLUSIVE MODE"
    with api.server.session(lock, api.database):
        for _ in range(20):
            with socket.create_connection((HOST, api.port)) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.sendall(request.encode())
                time.sleep(0.02)
        answer = api.send("GET", f"{THINGS}/?limit=1")
        api.refused(answer, 503)
        assert answer.seconds < 3 * 6
        assert int(answer.headers["retry-after"]) >= 1


def all_connections_cut(api: Api) -> None:
    answers = [api.create() for _ in range(3)]
    assert {answer.status for answer in answers} == {201}
    api.server.terminate(api.database)
    time.sleep(0.2)
    answers = [api.create() for _ in range(3)]
    assert {answer.status for answer in answers} == {201}


def database_stopped(api: Api) -> None:
    api.server.stop()
    try:
        answer = api.create()
        assert answer.seconds < 3 * 6
        api.refused(answer, 503)
    finally:
        api.server.start()
    api.replica.wait("/health/ready")


def database_frozen(api: Api) -> None:
    api.create()
    answers: list[Answer] = []
    with api.server.frozen():
        thread = threading.Thread(target=lambda: answers.append(api.create()))
        thread.start()
        thread.join(3 * 6)
        waiting = thread.is_alive()
    thread.join()
    assert not waiting
    api.refused(answers[0], 503)
    api.replica.wait("/health/ready")


def limits_limit(api: Api) -> None:
    """For a service that is started with RATE_LIMIT=5/minute."""
    answers = [api.create() for _ in range(8)]
    assert [answer.status for answer in answers] == [201] * 5 + [429] * 3
    api.refused(answers[-1], 429)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def limits_go_on_without_redis(api: Api) -> None:
    """For a service whose REDIS_URL leads nowhere."""
    assert api.create().status == 201


def limits_do_not_wait_for_redis(api: Api) -> None:
    """For a service whose Redis accepts connections and says nothing."""
    slowest = [0.0]
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            slowest[0] = max(slowest[0], ask(api.port, "/health/health").seconds)

    thread = threading.Thread(target=keep_asking)
    thread.start()
    answers = [api.create() for _ in range(3)]
    stop.set()
    thread.join()
    assert [answer.status for answer in answers] == [201] * 3, answers
    assert max(answer.seconds for answer in answers) < 3 * 0.25
    assert slowest[0] < 3 * 0.1


def requests_arrive_in_time(api: Api) -> None:
    """For a service that is started with CLIENT_TIMEOUT=1."""
    head = f"POST {THINGS}/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for begun in ("", head, f"{head}Content-Length: 99\r\n\r\n{{"):
        with socket.create_connection((HOST, api.port), timeout=10) as connection:
            answer = dripped(connection, begun.encode(), seconds=3 * 1)
        if begun:
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            assert b"application/problem+json" in answer
        assert api.send("GET", f"{THINGS}/").status == 200


def dripped(connection: socket.socket, begun: bytes, *, seconds: float) -> bytes:
    """Go on with a byte now and then until the service has enough; return its answer."""
    connection.sendall(begun)
    connection.settimeout(0.2)
    deadline = time.monotonic() + seconds
    answer = b""
    while time.monotonic() < deadline:
        try:
            part = connection.recv(65536)
        except TimeoutError:
            if begun:
                connection.sendall(b"x")
            continue
        if not part:
            return answer
        answer += part
    raise AssertionError("the service still waits")


@contextlib.contextmanager
def silence() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server((HOST, 0), backlog=100) as server:
        yield server.getsockname()[1]


Row = Callable[[Api], None]
REQUESTS: list[Row] = [
    errors_have_one_format,
    nul_in_text,
    nul_in_json,
    lone_surrogates,
    nan_where_no_field_is,
    nan_in_json,
    not_finite,
    integers_out_of_range,
    ids_out_of_range,
    skip_out_of_range,
    decimals_out_of_range,
    instants_without_utc,
    deep_json,
    large_text,
    large_chunked_body,
    input_is_not_echoed,
    duplicates,
    longer_than_its_column,
    values_that_json_writes_as_text_are_accepted,
    values_of_other_types_are_refused,
    one_path_for_one_row,
    allow_names_every_method,
    unhandled_errors_have_all_headers,
    no_redirect_to_the_host_that_the_client_sent,
    other_media_types,
    labels_have_the_whole_template,
    labels_are_bounded,
    smuggling,
    plain_text_stays,
    lengths_are_checked_after_sanitizing,
    acknowledged_rows_are_stored,
    clients_that_hang_up_block_nobody,
    all_connections_cut,
    database_stopped,
    database_frozen,
]
