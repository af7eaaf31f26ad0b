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
    """A process of a project's service, or another module, with its log."""

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
        """Wait for this status, or for any response; return the seconds it took."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            if self.process.poll() is not None:
                raise Ended(f"it exited with {self.process.returncode}:\n{self.said()}")
            found = ask(self.port, path).status
            if found == status or (status is None and found != LOST):
                return time.monotonic() - began
            time.sleep(0.05)
        raise Ended(f"{path} does not become {status}:\n{self.said()}")

    def stop(self) -> int:
        """Stop the process with SIGTERM; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill the process and all its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def said(self) -> str:
        """Return the end of the log."""
        return self.log.read_text(errors="replace")[-4000:]

    def lines(self) -> list[dict[str, Any]]:
        """Return the complete lines of the log, each of which must be a JSON object."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]


@contextlib.contextmanager
def replica(
    project: Project, log: Path, settings: Mapping[str, str], *module: str
) -> Iterator[Replica]:
    """Run a process until the end of the block."""
    started = Replica(project, log, settings, *module)
    try:
        started.wait()
        yield started
    finally:
        started.kill()
