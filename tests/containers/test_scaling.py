"""Two containers behind one port: shared limits, and no failed request, come what may.

docs/scaling.md is followed to the letter.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.harness import compose_stack
from tests.harness.compose_stack import Stack
from tests.harness.container_engine import Engine
from tests.harness.documentation import blocks
from tests.harness.example_projects import ExampleProject
from tests.harness.project import HOST

# Once will do: the service and the files are the same for both package managers.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("containers-uv"),
    pytest.mark.parametrize("example", ["uv"], indirect=True, scope="session"),
]

LIMIT = 10  # writes a minute, as .env.example has it
PAUSE = 0.01  # seconds between two requests of one client
CLIENTS = 4
PATHS = ("/api/v1/categories", "/health/health", "/api/v1/orders?limit=5")


@dataclass
class Load:
    """Clients that send requests all the time, each on one connection."""

    port: int
    answers: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> "Load":
        self._stop = threading.Event()
        clients = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        self._clients = clients
        for client in clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for client in self._clients:
            client.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        turn = 0
        while not self._stop.wait(PAUSE):
            turn += 1
            try:
                connection.request("GET", PATHS[turn % len(PATHS)])
                answer = connection.getresponse()
                body = answer.read().decode(errors="replace")
                said = "" if answer.status == 200 else f" {body[:200]}"
                self.answers[f"{answer.status}{said}"] += 1
            except (OSError, http.client.HTTPException) as error:
                self.answers[repr(error)] += 1
                connection.close()
        connection.close()


@pytest.fixture(scope="module")
def scaled(docker: Engine, example: ExampleProject) -> Iterator[Stack]:
    """The stack that docs/scaling.md starts."""
    found = compose_stack.of(
        docker, example, [compose_stack.MAIN, compose_stack.SCALED]
    )
    found.compose("build", "app")
    found.up()
    yield found
    found.down("--volumes")


def test_limits_are_shared(scaled: Stack) -> None:
    assert len(scaled.containers("app")) == 2
    statuses: Counter[int] = Counter()
    for number in range(2 * LIMIT):
        # A connection each: the proxy then sends them to both in turn.
        connection = http.client.HTTPConnection(HOST, port(scaled), timeout=30)
        body = json.dumps({"name": f"category {number}"})
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/v1/categories", body, headers)
        statuses[connection.getresponse().status] += 1
        connection.close()
    assert statuses[429] == LIMIT, statuses
    logs = [scaled.engine.docker("logs", name) for name in scaled.containers("app")]
    assert all('"method":"POST"' in log for log in logs), "one container did it all"


def port(stack: Stack) -> int:
    return int(stack.settings["APP_PORT"])


def test_restarts_one_after_the_other_lose_no_request(scaled: Stack) -> None:
    with Load(port(scaled)) as load:
        for name in scaled.containers("app"):
            started = scaled.inspect(name)["State"]["StartedAt"]
            scaled.engine.docker("restart", name)
            assert scaled.inspect(name)["State"]["StartedAt"] != started
            scaled.wait_for(name, "healthy")
            time.sleep(3)  # the proxy asks every second
    assert set(load.answers) == {"200"}, load.answers
    assert load.answers["200"] > 500, load.answers


def test_a_release_loses_no_request(scaled: Stack) -> None:
    page = (scaled.example.path / "docs" / "scaling.md").read_text()
    _, _, section = page.partition("## A release without a failed request")
    release = next(block.text for block in blocks(section) if block.language == "sh")
    if scaled.engine.ours:  # its builds need one more file
        head, _, rest = release.partition("\n")
        assert head.startswith("stack=")
        release = f'stack="{" ".join(scaled.command)}"\n{rest}'
    path = scaled.example.path / "src" / "main.py"
    path.write_text(path.read_text() + "\n# A release.\n")
    before = set(scaled.containers("app"))
    with Load(port(scaled)) as load:
        scaled.shell("bash", "-ec", release)
        time.sleep(3)
    scaled.example.run("git", "checkout", "--quiet", "src")
    after = set(scaled.containers("app"))
    assert len(after) == 2
    assert not before & after
    for name in after:
        last = scaled.engine.docker("exec", name, "tail", "-n", "1", "src/main.py")
        assert last == "# A release.\n"
    assert set(load.answers) == {"200"}, load.answers
