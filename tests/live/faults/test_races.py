"""Many clients change the same row at once, each on its own connection."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.http_client import Answer, Client
from tests.harness.service_process import Replica, replica
from tests.live.faults.conftest import World

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("simple_task_api"),
]

HERE = Path(__file__).parent
ROUNDS = 100
SEATS, SHEETS = "/api/v1/seats", "/api/v1/sheets"


@dataclass
class Crowd:
    """Clients that send at the same moment, each on an open connection."""

    clients: Sequence[Client]

    def send(self, act: Callable[[int, Client], Answer]) -> list[Answer]:
        answers: list[Answer] = []
        together = threading.Barrier(len(self.clients))

        def run(number: int, client: Client) -> None:
            together.wait()
            answers.append(act(number, client))

        threads = [
            threading.Thread(target=run, args=pair) for pair in enumerate(self.clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers


@pytest.fixture(scope="module")
def service(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replica]:
    path = tmp_path_factory.mktemp("races") / "races"
    project = world.project.with_entities(HERE / "races.json", path)
    settings = {"DATABASE_URL": world.server.create("races"), "WORKERS": "2"}
    project.run(project.python, "-m", "src.migrate", environment=settings)
    with replica(project, world.folder / "races.log", settings) as service:
        service.wait("/health/ready")
        yield service
        assert service.stop() == 0
        world.check_log(service)


@contextlib.contextmanager
def crowd(service: Replica, size: int) -> Iterator[Crowd]:
    with contextlib.ExitStack() as stack:
        clients = [Client(service.port) for _ in range(size)]
        for client in clients:
            stack.enter_context(contextlib.closing(client))
            client.send("GET", "/health/health")
        yield Crowd(clients)


def test_one_of_a_hundred_duplicate_creates_succeeds(
    world: World, service: Replica
) -> None:
    with crowd(service, 100) as together:
        for turn in range(ROUNDS):
            body = {"number": str(turn)}
            answers = together.send(lambda _, c, b=body: c.send("POST", SEATS, b))
            assert Counter(answer.status for answer in answers) == {201: 1, 409: 99}
            for answer in answers:
                assert answer.status == 201 or answer.json["fields"] == ["number"]
    assert world.server.ask("SELECT count(*) FROM seats", "races") == str(ROUNDS)


def test_no_concurrent_change_is_lost(service: Replica) -> None:
    with crowd(service, 50) as together:
        for turn in range(1, ROUNDS + 1):
            sheet = together.clients[0].send("POST", SHEETS, {}).json["id"]
            answers = together.send(
                lambda number, client, path=f"{SHEETS}/{sheet}", value=turn: (
                    client.send("PATCH", path, {f"cell_{number:02}": value})
                )
            )
            assert {answer.status for answer in answers} == {200}
            found = together.clients[0].send("GET", f"{SHEETS}/{sheet}").json
            cells = {key: found[key] for key in found if key.startswith("cell_")}
            assert cells == dict.fromkeys(cells, turn)
            assert len(cells) == 50


def test_one_of_many_changes_of_one_version_succeeds(service: Replica) -> None:
    with crowd(service, 50) as together:
        for _ in range(10):
            created = together.clients[0].send("POST", SHEETS, {})
            path, tag = f"{SHEETS}/{created.json['id']}", created.headers["etag"]
            answers = together.send(
                lambda number, client, p=path, known=tag: client.send(
                    "PATCH", p, {f"cell_{number:02}": 1}, {"If-Match": known}
                )
            )
            assert Counter(answer.status for answer in answers) == {200: 1, 412: 49}
            (winner,) = [answer for answer in answers if answer.status == 200]
            found = together.clients[0].send("GET", path)
            assert found.headers["etag"] == winner.headers["etag"] != tag
            assert found.json == winner.json


def test_one_of_many_concurrent_deletes_succeeds(service: Replica) -> None:
    with crowd(service, 50) as together:
        for _ in range(3):
            sheet = together.clients[0].send("POST", SHEETS, {}).json["id"]
            path = f"{SHEETS}/{sheet}"
            answers = together.send(lambda _, c, p=path: c.send("DELETE", p))
            assert Counter(answer.status for answer in answers) == {204: 1, 404: 49}
