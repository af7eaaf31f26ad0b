"""Rate limits over a real Redis: shared, spoofed, without it, and while it is frozen."""

import contextlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.harness.concurrent_writers import PATH
from tests.harness.http_client import Answer, Client
from tests.harness.liveness_probe import probing
from tests.harness.project import Project
from tests.harness.redis_server import Redis
from tests.harness.service_process import Replica, replica
from tests.live.faults.conftest import RECOVERED, World

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

WAIT = 3 * 0.25  # seconds that a request waits for a Redis that does not answer
LOST, REGAINED = "rate_limit_storage_lost", "rate_limit_storage_regained"
Start = Callable[..., Replica]


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def start(world: World, database: tuple[str, dict[str, str]]) -> Iterator[Start]:
    """Start a service that limits, with these settings."""
    _, own = database
    with contextlib.ExitStack() as stack:

        def started(**settings: str) -> Replica:
            log = world.folder / f"limits-{uuid.uuid4().hex[:8]}.log"
            given = {**own, "RATE_LIMIT_ENABLED": "true", **settings}
            return stack.enter_context(replica(world.project, log, given))

        yield started


def post(service: Replica, **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(Client(service.port)) as client:
        return client.send("POST", PATH, {"title": "limited"}, given)


def events(service: Replica) -> Counter[str]:
    return Counter(line["event"] for line in service.lines())


def test_two_processes_share_a_limit(start: Start, redis: Redis) -> None:
    settings = {"REDIS_URL": redis.url, "RATE_LIMIT": "20/hour"}
    services = [start(**settings), start(**settings)]
    answers = [post(services[number % 2]) for number in range(30)]
    assert Counter(answer.status for answer in answers) == {201: 20, 429: 10}
    assert {answer.status for answer in answers[20:]} == {429}


@pytest.mark.parametrize(
    "fault", [pytest.param("stopped", marks=pytest.mark.slow), "frozen"]
)
def test_requests_go_on_without_redis(
    world: World, start: Start, redis: Redis, fault: str
) -> None:
    service = start(REDIS_URL=redis.url, RATE_LIMIT="1000/hour")
    assert post(service).status == 201
    with probing(service.port) as probe:
        with stopped(redis) if fault == "stopped" else redis.frozen():
            answers = [post(service) for _ in range(20)]
            ready = service.wait("/health/ready")
        deadline = time.monotonic() + RECOVERED
        while not events(service)[REGAINED] and time.monotonic() < deadline:
            answers.append(post(service))
            time.sleep(0.1)
    assert {answer.status for answer in answers} == {201}
    assert max(answer.seconds for answer in answers) < WAIT
    assert ready < 3
    world.check_probe(probe)
    assert (events(service)[LOST], events(service)[REGAINED]) == (1, 1)


@contextlib.contextmanager
def stopped(redis: Redis) -> Iterator[None]:
    redis.stop()
    yield
    redis.start()


@pytest.mark.slow
def test_a_forwarded_address_counts_when_its_proxy_is_trusted(start: Start) -> None:
    for trusted, expected in (("", {201: 3, 429: 3}), ("127.0.0.1", {201: 6})):
        service = start(RATE_LIMIT="3/hour", TRUSTED_PROXIES=trusted)
        answers = [
            post(service, X_Forwarded_For=f"192.0.2.{number}") for number in range(6)
        ]
        assert Counter(answer.status for answer in answers) == expected
        # Who comes through the proxy cannot choose what it adds.
        sent = f"203.0.113.9, 192.0.2.{0}"
        again = [post(service, X_Forwarded_For=sent) for _ in range(3)]
        assert 429 in {answer.status for answer in again}


@pytest.mark.slow
def test_each_writing_route_has_its_own_limit(
    things: Project, world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = {"DATABASE_URL": world.server.create("limited"), "RATE_LIMIT": "1/hour"}
    things.run(things.python, "-m", "src.migrate", environment=settings)
    document = json.loads((things.path / "openapi.json").read_text())
    log = tmp_path_factory.mktemp("limited") / "service.log"
    settings["RATE_LIMIT_ENABLED"] = "true"
    tried = 0
    with (
        replica(things, log, settings) as service,
        contextlib.closing(Client(service.port)) as client,
    ):
        for path, operations in document["paths"].items():
            for method in operations.keys() & {"post", "put", "patch", "delete"}:
                address = "/".join(
                    str(uuid.uuid4()) if part.startswith("{") else part
                    for part in path.split("/")
                )
                first = client.send(method.upper(), address, {})
                second = client.send(method.upper(), address, {})
                assert (first.status == 429, second.status) == (False, 429), path
                assert int(second.headers["retry-after"]) > 0
                assert second.json["error"] == "rate_limit_exceeded"
                tried += 1
            if "get" in operations and "{" not in path:
                answers = [client.send("GET", path).status for _ in range(5)]
                assert 429 not in answers
    assert tried > 20
