"""A generated project: how to generate it, run commands in it, and serve it."""

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
PORTS = range(20_000, 30_000)  # below the ports of outgoing connections
LAST = 2_000  # characters of a log that are shown in an error
PATIENCE = 90.0  # seconds for a busy machine; an idle one needs two or three
MINUTE = 60.0
# Prefixes of variables of our own tools, which would affect the project's tools.
FOREIGN = (
    *("ARGS", "COV_", "DATABASE_URL", "MAKE", "MFLAGS", "PYTEST", "PYTHON"),
    "VIRTUAL_ENV",
)


class Ended(Exception):
    """A process has ended, or does not respond in time."""


def clean_environment() -> dict[str, str]:
    """Return the environment without the variables of our own tools."""
    return {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}


def cookiecutter(output: Path, *answers: str) -> list[str]:
    """Return the command that generates a project from this template."""
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

    @contextlib.contextmanager
    def database_server(self) -> Iterator[str]:
        """Run the embedded PostgreSQL; yield a URL of it, where databases can be made."""
        serve = ["-m", "scripts.postgres", "--", "sh", "-c", "echo $DATABASE_URL; cat"]
        with subprocess.Popen(
            [self.python, *serve],
            cwd=self.path,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            process.communicate("")

    def run(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        minutes: float = 10,
    ) -> str:
        """Run a command in the project and return its output; raise if it fails."""
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
        """Create another project with these entities and this project's environment."""
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
        """Start a module in a new session; its output goes to the log."""
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
    """Find a port that stays free until a process listens on it.

    A port of the system's own choice could be used by the next outgoing connection.
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
    """Wait for the first response; if there is none, raise Ended with the log's end."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Ended(f"the process exited with {process.returncode}{_last_of(log)}")
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{url}/health/health", timeout=5),
        ):
            return
        time.sleep(0.02)
    raise Ended(f"{url} does not respond{_last_of(log)}")


def _last_of(log: Path | None) -> str:
    return f":\n{log.read_text(errors='replace')[-LAST:]}" if log else ""


def end(process: subprocess.Popen[Any]) -> int:
    """Stop the process with SIGTERM; return its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise Ended("the process does not stop on SIGTERM") from None
