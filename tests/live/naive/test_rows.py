"""Each check fails for a naive service, and passes for the generated one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.harness.postgres_server import Server
from tests.harness.project import HOST, Project, free_port
from tests.harness.service_process import Replica
from tests.live.naive import rows
from tests.live.naive.rows import Api, Row

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

HERE = Path(__file__).parent
OURS, NAIVE = "ours", "naive"
Start = Callable[..., Api]


@pytest.fixture(scope="module")
def start(
    things: Project, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    """Start ours, or the naive one, with these settings."""
    folder = tmp_path_factory.mktemp("rows")
    ours = {"DATABASE_URL": server.create(OURS), "CORS_ORIGINS": "https://app.test"}
    things.run(things.python, "-m", "src.migrate", environment=ours)
    naive = {"DATABASE_URL": server.create(NAIVE), "PYTHONDONTWRITEBYTECODE": "1"}
    with ExitStack() as stack:

        def started(name: str, **settings: str) -> Api:
            own, port = ours if name == OURS else naive, free_port()
            where = ["--app-dir", str(HERE), "--host", HOST, "--port", str(port)]
            module = ["uvicorn", "app:app", *where, "--http", "h11"]
            replica = Replica(
                things,
                folder / f"{name}.log",
                {**own, **settings},
                *(["src"] if name == OURS else module),
                port=port,
            )
            stack.callback(replica.kill)
            # Without its Redis the naive one answers nothing well.
            lost = name == NAIVE and "REDIS_URL" in settings
            replica.wait("/health/ready", None if lost else 200)
            return Api(replica, server, name, one_format=name == OURS)

        yield started


@pytest.fixture(scope="module")
def ours(start: Start) -> Api:
    return start(OURS)


@pytest.fixture(scope="module")
def naive(start: Start) -> Api:
    return start(NAIVE)


@contextmanager
def expected_to_break() -> Iterator[None]:
    """A header or a member that is missing is a failure too."""
    with pytest.raises((AssertionError, KeyError)):
        yield


@pytest.mark.parametrize("row", rows.REQUESTS)
def test_generated_service_passes(ours: Api, row: Row) -> None:
    row(ours)


PATIENT = (rows.clients_that_hang_up_block_nobody, rows.database_frozen)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=pytest.mark.slow if row in PATIENT else ())
        for row in rows.REQUESTS
    ],
)
def test_the_naive_service_fails(naive: Api, row: Row) -> None:
    with expected_to_break():
        row(naive)


@pytest.mark.parametrize("name", [OURS, NAIVE])
def test_rate_limits_apply(start: Start, name: str) -> None:
    limited = start(name, RATE_LIMIT="5/minute", RATE_LIMIT_ENABLED="true")
    check(limited, rows.limits_limit)


@pytest.mark.parametrize("name", [OURS, NAIVE])
def test_rate_limits_without_redis(start: Start, name: str) -> None:
    url = f"redis://{HOST}:{free_port()}/0"
    limited = start(name, REDIS_URL=url, RATE_LIMIT_ENABLED="true")
    check(limited, rows.limits_go_on_without_redis)


@pytest.mark.parametrize("name", [OURS, pytest.param(NAIVE, marks=pytest.mark.slow)])
def test_rate_limits_while_redis_hangs(start: Start, name: str) -> None:
    with rows.silence() as port:
        url = f"redis://{HOST}:{port}/0?socket_timeout=5"
        limited = start(name, REDIS_URL=url, RATE_LIMIT_ENABLED="true")
        check(limited, rows.limits_do_not_wait_for_redis)


@pytest.mark.parametrize("name", [OURS, NAIVE])
def test_slow_requests_are_rejected(start: Start, name: str) -> None:
    check(start(name, CLIENT_TIMEOUT="1"), rows.requests_arrive_in_time)


def check(api: Api, row: Row) -> None:
    if api.one_format:
        row(api)
    else:
        with expected_to_break():
            row(api)
