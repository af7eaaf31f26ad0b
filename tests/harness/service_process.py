"""Processes of a generated service, with their settings, log and port."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.harness.http_client import LOST, ask
from tests.harness.project import (
    HOST,
    PATIENCE,
    Ended,
    Project,
    clean_environment,
    free_port,
)


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
