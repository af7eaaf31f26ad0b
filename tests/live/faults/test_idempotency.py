"""Requests with an idempotency key, in parallel and under faults: each is done once."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.concurrent_writers import PATH
from tests.harness.http_client import LOST, Answer, Client
from tests.harness.service_process import Replica, replica
from tests.harness.tcp_relay import relay
from tests.live.faults.conftest import World

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

Database = tuple[str, dict[str, str]]

# An INSERT of `insert:…` waits for the lock that a test holds, as does the COMMIT of a
# transaction with a `commit:…`.
WAITING = """
CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF starts_with(NEW.title, TG_ARGV[0]) THEN
        PERFORM pg_advisory_xact_lock_shared(4711);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER at_insert AFTER INSERT ON tasks
FOR EACH ROW EXECUTE FUNCTION wait_for_the_test('insert:');
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON tasks
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait_for_the_test('commit:')
"""
HOLD = "SELECT FROM (SELECT pg_advisory_lock(4711)) held"
WAITERS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
KEYS = "SELECT count(*) FROM _idempotency_keys"
# Longer than a test holds the lock, on any machine.
PATIENT = {"COMMAND_TIMEOUT": "300", "TRANSACTION_TIMEOUT": "300"}
MOMENTS = pytest.mark.parametrize("moment", ["insert:", "commit:"])
DEADLINE = 60.0
PARALLEL = 20
OTHERS = 30
GROWN = 400


@pytest.fixture
def waiting(world: World, database: Database) -> tuple[str, dict[str, str]]:
    """A database whose writes can be held up, and settings for it."""
    name, settings = database
    world.server.ask(WAITING, name)
    return name, {**settings, **PATIENT}


@contextlib.contextmanager
def running(world: World, settings: dict[str, str]) -> Iterator[Replica]:
    """Run a process of the service, and wait until it is ready."""
    log: Path = world.folder / f"keys-{uuid.uuid4().hex}.log"
    with replica(world.project, log, settings) as service:
        service.wait("/health/ready")
        yield service


def post(port: int, title: str, key: str | None) -> Answer:
    """Create a task."""
    headers = {} if key is None else {"Idempotency-Key": key}
    with contextlib.closing(Client(port)) as client:
        return client.send("POST", PATH, {"title": title}, headers)


def until(condition: Callable[[], bool]) -> None:
    """Wait until this is true."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Sending(threading.Thread):
    """A request on its way."""

    def __init__(self, port: int, title: str, key: str) -> None:
        super().__init__(daemon=True)
        self.answer: Answer | None = None
        self._sent = (port, title, key)
        self.start()

    def run(self) -> None:
        self.answer = post(*self._sent)

    def done(self) -> Answer:
        """Return the answer, when it is there."""
        self.join(DEADLINE)
        assert self.answer is not None
        return self.answer


def retried(port: int, title: str, key: str) -> Answer:
    """Send a request again until it is not refused because of the first."""
    answers: list[Answer] = []

    def is_answered() -> bool:
        answers.append(post(port, title, key))
        if answers[-1].status != 409:
            return True
        assert answers[-1].json["error"] == "idempotency_key_in_use"
        return False

    until(is_answered)
    return answers[-1]


def is_replay(answer: Answer) -> bool:
    assert answer.status == 201
    return answer.headers.get("idempotency-replayed") == "true"


def test_twenty_at_once_make_one_row_and_hold_up_nobody(
    world: World, waiting: Database
) -> None:
    name, settings = waiting
    with running(world, settings) as service:
        with world.server.session(HOLD, name):
            sent = [
                Sending(service.port, "insert:one", "same") for _ in range(PARALLEL)
            ]
            until(lambda: sum(one.answer is None for one in sent) == 1)
            refused = [one.answer for one in sent if one.answer]
            for number in range(OTHERS):
                key = f"other-{number}" if number % 2 else None
                assert post(service.port, f"other {number}", key).status == 201
            assert sum(one.answer is None for one in sent) == 1
        (first,) = (
            answer for answer in map(Sending.done, sent) if answer not in refused
        )
        assert not is_replay(first)
        for answer in refused:
            assert (answer.status, answer.headers["retry-after"]) == (409, "1")
            assert answer.json["error"] == "idempotency_key_in_use"
        again = post(service.port, "insert:one", "same")
        assert is_replay(again)
        assert again.text == first.text
        assert len(world.stored(name)["insert:one"]) == 1
        assert len(world.stored(name)) == 1 + OTHERS
        world.check_log(service)


@pytest.mark.slow
@MOMENTS
def test_a_process_that_is_killed_before_its_answer(
    world: World, waiting: Database, moment: str
) -> None:
    """What it was about to commit is done by the retry; what is committed, is told."""
    name, settings = waiting
    title = f"{moment}one"
    with world.server.session(HOLD, name):
        with running(world, settings) as service:
            lost = Sending(service.port, title, "key")
            until(lambda: world.server.ask(WAITERS, name) == "1")
            service.kill()
            assert lost.done().status == LOST
        with running(world, settings) as service:
            # PostgreSQL does not know yet that its client is gone.
            refused = post(service.port, title, "key")
            assert refused.json["error"] == "idempotency_key_in_use"
    with running(world, settings) as service:
        answer = retried(service.port, title, "key")
        assert is_replay(answer) == (moment == "commit:")
        again = post(service.port, title, "key")
        assert is_replay(again)
        assert again.text == answer.text
        assert len(world.stored(name)[title]) == 1


@MOMENTS
def test_a_connection_to_the_database_that_is_lost(
    world: World, waiting: Database, moment: str
) -> None:
    """The service cannot know whether the COMMIT arrived; the retry tells."""
    name, settings = waiting
    title = f"{moment}one"
    with relay(world.server.port) as network:
        url = settings["DATABASE_URL"].replace(
            f":{world.server.port}/", f":{network.port}/"
        )
        with running(world, {**settings, "DATABASE_URL": url}) as service:
            with world.server.session(HOLD, name):
                sent = Sending(service.port, title, "key")
                until(lambda: world.server.ask(WAITERS, name) == "1")
                network.cut()
                assert sent.done().status == 503
            answer = retried(service.port, title, "key")
            assert is_replay(answer) == (moment == "commit:")
            assert post(service.port, title, "key").text == answer.text
            assert len(world.stored(name)[title]) == 1


@MOMENTS
def test_a_transaction_that_the_database_ends(
    world: World, waiting: Database, moment: str
) -> None:
    name, settings = waiting
    title = f"{moment}one"
    with running(world, settings) as service:
        with world.server.session(HOLD, name):
            sent = Sending(service.port, title, "key")
            until(lambda: world.server.ask(WAITERS, name) == "1")
            world.server.terminate(name)
            assert sent.done().status == 503
            assert world.stored(name) == {}
        answer = retried(service.port, title, "key")
        assert not is_replay(answer)
        assert is_replay(post(service.port, title, "key"))
        assert len(world.stored(name)[title]) == 1


@pytest.mark.slow
def test_the_table_does_not_grow_while_keys_expire(
    world: World, database: Database
) -> None:
    name, settings = database
    with running(world, {**settings, "IDEMPOTENCY_TTL": "0.001"}) as service:

        def send(part: int) -> None:
            for number in range(GROWN // 4):
                title = f"{part}-{number}"
                assert post(service.port, title, title).status == 201

        threads = [threading.Thread(target=send, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        most = 0
        while any(thread.is_alive() for thread in threads):
            most = max(most, int(world.server.ask(KEYS, name)))
        for thread in threads:
            thread.join()
        assert len(world.stored(name)) == GROWN
        assert 0 < most < GROWN / 10
        post(service.port, "last", "last")
        assert world.server.ask(KEYS, name) == "1"
