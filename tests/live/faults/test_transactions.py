"""Errors of the database in one request: at a statement and at the commit."""

import contextlib
import threading
import uuid
from collections.abc import Iterator

import pytest

from tests.harness.concurrent_writers import PATH
from tests.harness.http_client import Answer, Client, ask
from tests.harness.service_process import replica
from tests.live.faults.conftest import ANSWERED, RECOVERED, World

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

# A title such as `raise:23505` or `commit:40001` makes the database answer so, and
# `lock:1:2` takes two locks in that order.
MISBEHAVE = """
CREATE FUNCTION misbehave() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE words text[] := string_to_array(NEW.title, ':');
BEGIN
    IF words[1] = TG_ARGV[0] AND words[1] = 'lock' THEN
        PERFORM pg_advisory_xact_lock(words[2]::int);
        PERFORM pg_sleep(0.5);
        PERFORM pg_advisory_xact_lock(words[3]::int);
    ELSIF words[1] = TG_ARGV[0] AND words[1] = 'cut' THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
        PERFORM pg_sleep(1);
    ELSIF words[1] = TG_ARGV[0] THEN
        RAISE EXCEPTION 'hush-hush of the database' USING ERRCODE = words[2];
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER statement BEFORE INSERT ON tasks
FOR EACH ROW EXECUTE FUNCTION misbehave('raise');
CREATE TRIGGER locks BEFORE INSERT ON tasks
FOR EACH ROW EXECUTE FUNCTION misbehave('lock');
CREATE CONSTRAINT TRIGGER commit AFTER INSERT ON tasks DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION misbehave('commit');
CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON tasks DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION misbehave('cut')
"""
CONFLICT, INVALID = (409, "conflict"), (422, "validation_error")
MISSING = (422, "reference_not_found")
LATER, BUG = (503, "service_unavailable"), (500, "internal_server_error")
STATES = {
    # What another row already has, and a rule between rows.
    **{"23505": CONFLICT, "23P01": CONFLICT, "23503": MISSING},
    # A value that a constraint, a type or an index cannot hold.
    **{"22001": INVALID, "22003": INVALID, "22007": INVALID, "22008": INVALID},
    **{"22021": INVALID, "22P02": INVALID, "22P05": INVALID, "23502": INVALID},
    **{"23514": INVALID, "54000": INVALID},
    # What may pass by itself.
    **{"08006": LATER, "25006": LATER, "25P03": LATER, "28P01": LATER, "40001": LATER},
    **{"40P01": LATER, "42P01": LATER, "42703": LATER, "53100": LATER, "53200": LATER},
    **{"53300": LATER, "55P03": LATER, "57014": LATER, "57P01": LATER, "57P02": LATER},
    **{"57P03": LATER, "58030": LATER},
    # Everything else is a bug.
    **{"0A000": BUG, "22012": BUG, "42601": BUG, "42883": BUG, "P0001": BUG},
    **{"XX000": BUG},
}


@pytest.fixture(scope="module", autouse=True)
def _misbehaving(world: World) -> Iterator[None]:
    world.server.ask(MISBEHAVE, world.database)
    yield
    world.server.ask("DROP FUNCTION misbehave CASCADE", world.database)


def post(world: World, title: str, description: str) -> Answer:
    with contextlib.closing(Client(world.service.port)) as client:
        return client.send("POST", PATH, {"title": title, "description": description})


def is_stored(world: World, description: str) -> bool:
    return [description] in world.stored().values()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("moment", ["raise", "commit"])
def test_database_errors_have_their_status_and_leak_nothing(
    world: World, moment: str, state: str
) -> None:
    description = uuid.uuid4().hex
    answer = post(world, f"{moment}:{state}", description)
    assert (answer.status, answer.json["error"]) == STATES[state]
    for secret in ("hush-hush", "misbehave", "asyncpg", "sqlalchemy", "INSERT", state):
        assert secret not in answer.text
    if answer.status == 503:
        assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["x-request-id"] == answer.json["request_id"]
    assert not is_stored(world, description)
    logged = [
        line
        for line in world.service.lines()
        if line.get("request_id") == answer.json["request_id"]
        and line["level"] == "error"
    ]
    assert len(logged) == (1 if answer.status == 500 else 0)


def test_connection_cut_in_the_commit_acknowledges_nothing(world: World) -> None:
    description = uuid.uuid4().hex
    answer = post(world, "cut:", description)
    assert answer.status == 503
    assert not is_stored(world, description)
    assert post(world, "after the cut", description).status == 201


def test_one_side_of_a_deadlock_succeeds(world: World) -> None:
    answers: dict[str, Answer] = {}

    def create(order: str) -> None:
        answers[order] = post(world, f"lock:{order}", f"locks {order}")

    threads = [threading.Thread(target=create, args=(o,)) for o in ("1:2", "2:1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers.values()) == [201, 503]
    for order, answer in answers.items():
        assert answer.seconds < ANSWERED
        assert is_stored(world, f"locks {order}") == (answer.status == 201)


def test_service_is_not_ready_until_the_database_is_migrated(world: World) -> None:
    """The process starts, says what is missing, and serves once that is done."""
    settings = {"DATABASE_URL": world.server.create("blank")}
    with replica(world.project, world.folder / "blank.log", settings) as service:
        answer = ask(service.port, "/health/ready")
        assert answer.status == 503
        assert answer.json["checks"]["database"] == "ok"
        assert answer.json["checks"]["schema"].startswith("not migrated")
        for _ in range(3):
            answer = ask(service.port, PATH)
            assert (answer.status, answer.json["error"]) == (503, "service_unavailable")
        python = world.project.python
        world.project.run(python, "-m", "src.migrate", environment=settings)
        assert service.wait("/health/ready") < RECOVERED
        assert ask(service.port, PATH).status == 200
        assert service.stop() == 0
        world.check_log(service)
