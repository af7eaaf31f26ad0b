"""Generates a project and works with it, as a person would."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
PORTS = range(20_000, 30_000)  # below those that systems make connections from
LAST = 2_000  # characters of a log that tell why something ended
PATIENCE = 90.0  # seconds for a busy machine; an idle one needs two or three
MINUTE = 60.0
# What is set for our own tools would change how a project's behave.
FOREIGN = (
    *("ARGS", "COV_", "DATABASE_URL", "MAKE", "MFLAGS", "PYTEST", "PYTHON"),
    "VIRTUAL_ENV",
)


class Ended(Exception):
    """A process is gone, or does not answer in time."""


def clean_environment() -> dict[str, str]:
    """The environment of somebody who has just opened a terminal."""
    return {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}


def cookiecutter(output: Path, *answers: str) -> list[str]:
    """The command that generates a project of this template."""
    options = ["--no-input", "--output-dir", str(output)]
    return [sys.executable, "-m", "cookiecutter", str(ROOT), *options, *answers]


@dataclass(frozen=True)
class Project:
    """A generated project on disk."""

    path: Path

    @property
    def python(self) -> str:
        return str(self.path / ".venv" / "bin" / "python")

    @property
    def log(self) -> Path:
        return self.path.with_name(f"{self.path.name}.log")

    def run(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        minutes: float = 10,
    ) -> str:
        """Run a command in the project and return its output; a failure shows it."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env={**clean_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MINUTE * minutes,
        )
        if done.returncode:
            said = f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
            raise AssertionError(said)
        return done.stdout

    def with_entities(self, spec: Path, path: Path) -> "Project":
        """Make another project, of these entities and with this one's environment."""
        project = Project(path)
        ignored = shutil.ignore_patterns(".venv", ".git", "versions")
        shutil.copytree(self.path, path, ignore=ignored)
        (path / ".venv").symlink_to(self.path / ".venv")
        (path / "alembic" / "versions").mkdir()
        shutil.copy(spec, path / "entities.json")
        project.run("make", "entities")
        return project

    def start(
        self, *module: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a module in a session of its own; what it says goes into the log."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [self.python, "-m", *module],
                cwd=self.path,
                env={**clean_environment(), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @contextlib.contextmanager
    def serving(self, environment: Mapping[str, str] | None = None) -> Iterator[str]:
        """Serve on an embedded PostgreSQL and a free port; yield the URL."""
        port = free_port()
        module = ["scripts.dev", "--no-reload", "--port", str(port)]
        process = self.start(*module, environment=environment)
        try:
            url = f"http://{HOST}:{port}"
            wait_until_healthy(process, url, self.log)
            yield url
        finally:
            end(process)


def free_port() -> int:
    """Find a port that stays free until somebody listens there.

    One that the system gives out for the asking is also given to the next connection.
    """
    while not is_free(port := secrets.choice(PORTS)):
        pass
    return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def wait_until_healthy(
    process: subprocess.Popen[Any], url: str, log: Path | None = None
) -> None:
    """Wait for the first answer; without one, raise what it said last in its log."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Ended(f"it ended by itself with {process.returncode}{_last_of(log)}")
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{url}/health/health", timeout=5),
        ):
            return
        time.sleep(0.02)
    raise Ended(f"{url} does not answer{_last_of(log)}")


def _last_of(log: Path | None) -> str:
    return f":\n{log.read_text(errors='replace')[-LAST:]}" if log else ""


def end(process: subprocess.Popen[Any]) -> int:
    """End it as a supervisor would; return its status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise Ended("it does not end on SIGTERM") from None
