"""The containers of a generated project, as `docker compose` runs them."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.container_engine import Engine
from tests.harness.example_projects import ExampleProject
from tests.harness.project import HOST, PATIENCE, ROOT, Ended, free_port

MAIN = "docker/docker-compose.yml"
SCALED = "docker/docker-compose.scale.yml"
TEST = "docker/docker-compose.test.yml"
PORTS = ("APP_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")
NOT_TO_BE_HAD = ("grafana",)  # no package contains its server
DOCKER = ROOT / "{{cookiecutter.project_slug}}" / "docker"
# Our own engine can only build with the machine's network, and has no image of Grafana.
ADAPTED = {
    "app": "services: {app: {build: {network: host}}, grafana: !reset null}\n",
    "test": "services: {test: {build: {network: host}}}\n",
}


def published_images() -> set[str]:
    """Return the images that the Dockerfile and Compose files take from registries."""
    files = [DOCKER / "Dockerfile", *DOCKER.glob("docker-compose*.yml*")]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    named = re.findall(r"^(?:FROM| +image:) ([a-z/]+:[\w.-]+)", text, re.MULTILINE)
    return {image for image in named if not image.startswith(NOT_TO_BE_HAD)}


@dataclass(frozen=True)
class Stack:
    """Some Compose files of a project, with free ports."""

    engine: Engine
    example: ExampleProject
    files: tuple[str, ...]
    settings: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.settings['APP_PORT']}"

    @property
    def services(self) -> list[str]:
        """The names of the services."""
        return self.compose("config", "--services").split()

    @property
    def command(self) -> list[str]:
        """`docker compose` with the stack's files."""
        named = [word for file in self.files for word in ("--file", file)]
        return ["docker", "compose", *named]

    def compose(self, *words: str, minutes: float = 10) -> str:
        return self.shell(*self.command, *words, minutes=minutes)

    def make(self, target: str) -> str:
        """Run a target of the project's Makefile on this stack."""
        return self.shell("make", target, f"COMPOSE={' '.join(self.command)}")

    def shell(self, *command: str, minutes: float = 10) -> str:
        """Run a command in the project's folder."""
        return self.engine.run(
            *command,
            folder=self.example.path,
            environment=self.settings,
            minutes=minutes,
        )

    def up(self, *services: str) -> None:
        """Start the services, or all of them, and wait until they are healthy."""
        options = ["--detach", "--wait", "--wait-timeout", "180", "--no-build"]
        self.compose("up", *options, *services)

    def down(self, *options: str) -> None:
        self.compose("down", *options)

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "--quiet", service).split()

    def container(self, service: str) -> str:
        (found,) = self.containers(service)
        return found

    def execute(self, service: str, *command: str) -> str:
        return self.engine.docker("exec", self.container(service), *command)

    def inspect(self, container: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(
            self.engine.docker("inspect", container)
        )
        return found[0]

    def wait_for(self, container: str, health: str) -> None:
        """Wait until Docker reports this health status of the container."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            state = self.inspect(container)["State"]
            if state.get("Health", {}).get("Status") == health:
                return
            time.sleep(0.25)
        raise Ended(f"not {health}: {json.dumps(state, indent=1)}")

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the body of a response."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def of(
    engine: Engine, example: ExampleProject, files: Iterable[str], service: str = "app"
) -> Stack:
    """Return the stack of these files, on free ports."""
    names = [*files]
    if engine.ours:
        override: Path = example.path.with_name(f"builds-{service}.yml")
        override.write_text(ADAPTED[service], encoding="utf-8")
        names.append(str(override))
    settings = {name: str(free_port()) for name in PORTS}
    return Stack(engine, example, tuple(names), settings)
