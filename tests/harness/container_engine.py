"""A container engine for the tests: the machine's own, or one that the tests start."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.harness import debian_packages
from tests.harness.project import MINUTE, clean_environment, end

PATIENCE = 30.0
PACKAGES = ("docker.io", "mmdebstrap")
GIVEN = "CONTAINER_ENGINE"
COMPOSE = Path(sys.executable).with_name("docker-compose")
# Without a bridge and firewall rules, so that nothing outside of its folder changes.
OPTIONS = (
    "--iptables=false",
    "--ip6tables=false",
    "--bridge=none",
    "--storage-driver=overlay2",
)
PLACES = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "docker.pid"}


class CommandFailed(Exception):
    """A command has failed; the message has its output."""


@dataclass(frozen=True)
class Engine:
    """An engine for `docker` and `docker compose`."""

    settings: Mapping[str, str]  # variables to reach it, added to the environment
    ours: bool  # started by the tests: without a registry and a network for builds

    @property
    def environment(self) -> dict[str, str]:
        return {**clean_environment(), **self.settings}

    def to_text(self) -> str:
        return json.dumps({"settings": self.settings, "ours": self.ours})

    def docker(self, *words: str, minutes: float = 10, data: bytes = b"") -> str:
        return self.run("docker", *words, minutes=minutes, data=data)

    def run(
        self,
        *command: str,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        minutes: float = 10,
        data: bytes = b"",
    ) -> str:
        """Run a command that uses the engine, and return its output."""
        done = subprocess.run(
            command,
            cwd=folder,
            env={**self.environment, **(environment or {})},
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=minutes * MINUTE,
        )
        output = done.stdout.decode(errors="replace")
        if done.returncode:
            said = f"{' '.join(command)} ended with {done.returncode}:\n"
            raise CommandFailed(said + output[-6000:])
        return output


def given() -> Engine:
    """Return the engine that `python -m tools.containers` has found or started."""
    text = os.environ.get(GIVEN)
    if text is None:
        raise debian_packages.Missing(
            "no engine is given: make test-containers finds one"
        )
    return Engine(**json.loads(text))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Engine]:
    """Yield the machine's engine, or start one until the end of the block."""
    plugin = folder / "config" / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.symlink_to(COMPOSE)
    settings = {"DOCKER_CONFIG": str(folder / "config"), "COMPOSE_ANSI": "never"}
    machines = Engine(settings, ours=False)
    if _answers(machines):
        yield machines
        return
    if not (shutil.which("dockerd") and shutil.which("mmdebstrap")):
        debian_packages.install(*PACKAGES, why="a container engine")
    settings.update(
        DOCKER_BUILDKIT="0",
        DOCKER_HOST=f"unix://{folder}/docker.sock",
        # Debian's client first: it can build without a plugin.
        PATH=f"/usr/bin{os.pathsep}{os.environ['PATH']}",
    )
    ours = Engine(settings, ours=True)
    with _daemon(folder, ours):
        yield ours
        _remove_all(ours)


@contextlib.contextmanager
def _daemon(folder: Path, engine: Engine) -> Iterator[None]:
    options = [f"{option}={folder / name}" for option, name in PLACES.items()]
    log = folder / "dockerd.log"
    with log.open("ab") as output:
        daemon = subprocess.Popen(
            ["dockerd", *OPTIONS, *options, "--host", engine.settings["DOCKER_HOST"]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        if not _comes_up(daemon, engine):
            last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise debian_packages.Missing(
                f"dockerd does not start on this machine:\n{last}"
            )
        yield
    finally:
        end(daemon)
        subprocess.run(
            ["umount", folder / "exec" / "netns" / "default"], capture_output=True
        )


def _comes_up(daemon: subprocess.Popen[bytes], engine: Engine) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and daemon.poll() is None:
        if _answers(engine):
            return True
        time.sleep(0.2)
    return False


def _answers(engine: Engine) -> bool:
    try:
        engine.docker("version", "--format", "{{.Server.Version}}", minutes=1)
    except (OSError, CommandFailed):
        return False
    return True


def _remove_all(engine: Engine) -> None:
    """Remove containers and networks: a daemon that stops does not remove them."""
    left = engine.docker("ps", "--all", "--quiet").split()
    if left:
        engine.docker("rm", "--force", "--volumes", *left)
    engine.docker("network", "prune", "--force")
