"""Processes of a generated service, and requests to them that never raise."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from tools.project import HOST, PATIENCE, Ended, Project, clean_environment, free_port

TIMEOUT = 60.0  # of a client who wants to know how long an answer takes
LOST = 0  # the status where there was no answer


class Answer(NamedTuple):
    """What came back; a lost connection has the status 0 and its error as text."""

    status: int
    text: str
    headers: Mapping[str, str]
    began: float
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """One user, on one connection that is made again when it is lost."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection(HOST, port, timeout=TIMEOUT)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request once; whatever happens is an answer."""
        plain = body is None or isinstance(body, bytes)
        data = body if plain else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if data else {}
        self._drop_what_was_closed()
        began = time.monotonic()
        try:
            self._connection.request(method, path, data, {**given, **(headers or {})})
            response = self._connection.getresponse()
            text = response.read().decode()
        except (OSError, HTTPException) as error:
            self.close()
            return Answer(LOST, repr(error), {}, began, time.monotonic() - began)
        found = {name.lower(): value for name, value in response.getheaders()}
        seconds = time.monotonic() - began
        return Answer(response.status, text, found, began, seconds)

    def close(self) -> None:
        self._connection.close()

    def _drop_what_was_closed(self) -> None:
        """Look before sending, as every client that keeps connections does."""
        raw = self._connection.sock
        if raw is not None and select.select([raw], [], [], 0)[0]:
            self.close()


def ask(port: int, path: str) -> Answer:
    """Read once, on a connection of its own."""
    with contextlib.closing(Client(port)) as client:
        return client.send("GET", path)


class Replica:
    """One `python -m …` of a project; what it says stands in its log."""

    def __init__(
        self,
        project: Project,
        log: Path,
        settings: Mapping[str, str],
        *module: str,
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        self.log = log
        environment = {
            **clean_environment(),
            "ENVIRONMENT": "production",
            "RATE_LIMIT_ENABLED": "false",
            "HOST": HOST,
            "PORT": str(self.port),
            **settings,
        }
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [project.python, "-m", *(module or ("src",))],
                cwd=project.path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, path: str = "/health/health", status: int | None = 200) -> float:
        """Wait for this status, or for any answer; return how long it took."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            if self.process.poll() is not None:
                raise Ended(f"it ended with {self.process.returncode}:\n{self.said()}")
            found = ask(self.port, path).status
            if found == status or (status is None and found != LOST):
                return time.monotonic() - began
            time.sleep(0.05)
        raise Ended(f"{path} does not become {status}:\n{self.said()}")

    def stop(self) -> int:
        """Ask it to end, as a supervisor does; return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it and all its workers without asking."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]

    def lines(self) -> list[dict[str, Any]]:
        """Its log but for a line under way: one JSON object each, or this raises."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]


@contextlib.contextmanager
def replica(
    project: Project, log: Path, settings: Mapping[str, str], *module: str
) -> Iterator[Replica]:
    """Run one until the end of the block, whatever happens in it."""
    started = Replica(project, log, settings, *module)
    try:
        started.wait()
        yield started
    finally:
        started.kill()
