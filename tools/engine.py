"""A container engine for the tests: the machine's own, or one that we start and end."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools import debian
from tools.project import MINUTE, clean_environment, end

PATIENCE = 30.0
PACKAGES = ("docker.io", "mmdebstrap")
COMPOSE = Path(sys.executable).with_name("docker-compose")
# No bridge of its own and no firewall rules: nothing outside of the folder changes.
OPTIONS = (
    "--iptables=false",
    "--ip6tables=false",
    "--bridge=none",
    "--storage-driver=overlay2",
)
PLACES = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "docker.pid"}


class CommandFailed(Exception):
    """A command ended with something else than 0; the message has its output."""


@dataclass(frozen=True)
class Engine:
    """Where `docker` and `docker compose` work."""

    environment: Mapping[str, str]
    ours: bool  # then it has neither a registry nor a network for builds

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
        """Run a command that finds the engine, and return its output."""
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


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Engine]:
    """The machine's engine if there is one, else our own for as long as this lasts."""
    environment = {**clean_environment(), "DOCKER_CONFIG": str(folder / "config")}
    environment.update(DOCKER_BUILDKIT="0", COMPOSE_ANSI="never")
    plugin = folder / "config" / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.symlink_to(COMPOSE)
    if _answers(environment):
        del environment["DOCKER_BUILDKIT"]
        yield Engine(environment, ours=False)
        return
    with _own(folder, environment) as engine:
        yield engine


@contextlib.contextmanager
def _own(folder: Path, environment: dict[str, str]) -> Iterator[Engine]:
    if not (shutil.which("dockerd") and shutil.which("mmdebstrap")):
        debian.install(*PACKAGES, why="a container engine")
    environment["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
    # Debian's client, which builds without a plugin, before any other.
    environment["PATH"] = f"/usr/bin{os.pathsep}{environment['PATH']}"
    options = [f"{option}={folder / name}" for option, name in PLACES.items()]
    log = folder / "dockerd.log"
    with log.open("ab") as output:
        daemon = subprocess.Popen(
            ["dockerd", *OPTIONS, *options, "--host", environment["DOCKER_HOST"]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        if not _comes_up(daemon, environment):
            last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise debian.Missing(f"dockerd does not start on this machine:\n{last}")
        engine = Engine(environment, ours=True)
        yield engine
        _remove_all(engine)
    finally:
        end(daemon)
        subprocess.run(
            ["umount", folder / "exec" / "netns" / "default"], capture_output=True
        )


def _comes_up(daemon: subprocess.Popen[bytes], environment: Mapping[str, str]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and daemon.poll() is None:
        if _answers(environment):
            return True
        time.sleep(0.2)
    return False


def _answers(environment: Mapping[str, str]) -> bool:
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, timeout=MINUTE
        )
    except OSError:
        return False
    return done.returncode == 0


def _remove_all(engine: Engine) -> None:
    """A daemon that ends leaves its containers running."""
    left = engine.docker("ps", "--all", "--quiet").split()
    if left:
        engine.docker("rm", "--force", "--volumes", *left)
