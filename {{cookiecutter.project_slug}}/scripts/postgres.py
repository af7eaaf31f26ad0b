"""An embedded PostgreSQL, which runs as long as its parent process.

    with EmbeddedPostgres() as server: ...          # server.url: a temporary database
    python -m scripts.postgres -- alembic check     # DATABASE_URL set for one command

It listens on loopback and trusts every local user: for development and tests only.
"""

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

from scripts.binaries import PostgresError, choose, identity, major_version
from scripts.processes import (
    HOST,
    answers,
    configured,
    free_port,
    is_alive,
    run,
)

USER = "app"
PATIENCE = 60.0  # seconds for a busy machine; an idle one needs one or two

# It reads pids, one per line, until its input ends: when our process ends, even by
# SIGKILL. (Linux's PR_SET_PDEATHSIG would need a preexec_fn.)
WATCHER = """
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -INT "$pid"
    tries=0
    while kill -0 "$pid" && [ $tries -lt 100 ]; do
        tries=$((tries + 1)); sleep 0.1
    done
fi
rm -rf -- "$1"
"""
CREATE_DATABASE = r"""
SELECT format('CREATE DATABASE %I', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
"""


class EmbeddedPostgres:
    """A PostgreSQL server with a permanent or a temporary data folder.

    If a server already runs on a permanent folder, it is shared; the process that has
    started it waits for the others before it stops the server.
    """

    def __init__(self, data: Path | None = None, *, database: str = "app") -> None:
        self.database = database
        self.port = 0
        self._kept = data.resolve() if data else None
        self._identity = identity()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[str] | None = None
        self._lease: IO[str] | None = None

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://{USER}@{HOST}:{self.port}/{self.database}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        scratch = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._give(scratch)
        self._watch(scratch)
        try:
            self._data = self._kept or scratch / "data"
            self._log = self._beside("log")
            self._data.parent.mkdir(parents=True, exist_ok=True)
            with self._beside("lock").open("w") as turn:
                fcntl.flock(turn, fcntl.LOCK_EX)
                self._lease = self._beside("users").open("w")
                fcntl.flock(self._lease, fcntl.LOCK_SH)
                self._binaries = choose(self._data, scratch)
                if not self._join():
                    self._launch()
                self.create_database(self.database)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove temporary files; a second call does nothing."""
        if self._process is not None:
            self._wait_for_others()
            self._process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lease is not None:
            self._lease.close()
            self._lease = None
        if self._watcher is not None:
            self._watcher.communicate("\n")  # an empty line, no pid: it only cleans up
            self._watcher = None

    def create_database(self, name: str) -> str:
        """Create the database if it does not exist; return its URL."""
        address = ["-h", HOST, "-p", str(self.port), "-U", USER, "-d", "postgres"]
        done = subprocess.run(
            [str(self._binaries / "psql"), "-qX", *address, "-v", f"name={name}"],
            input=CREATE_DATABASE,
            capture_output=True,
            text=True,
            env=_environment(),
        )
        if done.stderr and "already exists" not in done.stderr:  # created meanwhile
            raise PostgresError(f"cannot create the database {name}: {done.stderr}")
        return self.url.removesuffix(self.database) + name

    def _wait_for_others(self) -> None:
        """Wait until the other processes that use the server have ended."""
        if self._lease is None:
            return
        try:
            fcntl.flock(self._lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for other users of the database", file=sys.stderr)
            fcntl.flock(self._lease, fcntl.LOCK_EX)

    def _watch(self, scratch: Path) -> None:
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", WATCHER, "sh", str(scratch)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
            text=True,
        )

    def _join(self) -> bool:
        """Use a server that already runs on the folder; return whether there is one."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            pid, port, ready = self._status()
            if not is_alive(pid):
                return False
            if ready and answers(port):
                self.port = port
                return True
            time.sleep(0.05)  # it is starting, or ending
        return False

    def _status(self) -> tuple[int, int, bool]:
        """Return the server's pid, port and readiness from its postmaster.pid."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
            return int(lines[0]), int(lines[3]), lines[7].strip() == "ready"
        except (OSError, ValueError, IndexError):
            return 0, 0, False

    def _launch(self) -> None:
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        for _ in range(5):
            self.port = free_port()
            if self._serve():
                return
            if "could not bind" not in self._complaint():
                break  # otherwise another process has taken the port meanwhile
        raise PostgresError(f"PostgreSQL does not start:\n{self._complaint()}")

    def _initialise(self) -> None:
        """Create the data folder under another name, and rename it when complete."""
        fresh = self._beside("new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._give(fresh)
        options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        if int(major_version(self._binaries)) >= 17:  # Unicode, whatever the system has
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self._spawn("initdb", fresh, options).wait(PATIENCE):
            raise PostgresError(
                f"initdb failed; set DATABASE_URL to a running server, or fix this:\n"
                f"{self._complaint()}"
            )
        fresh.rename(self._data)

    def _serve(self) -> bool:
        options = ["-h", HOST, "-p", str(self.port), "-k", ""]
        if self._kept is None:  # temporary data need not survive a crash
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                options += ["-c", f"{setting}=off"]
        process = self._spawn("postgres", self._data, options)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            pid, _, ready = self._status()
            if ready and pid == process.pid:
                return True
            time.sleep(0.01)
        return False

    def _spawn(
        self, name: str, data: Path, options: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        # A descriptor reaches the folder even if the server's user cannot read a parent
        # of it.
        folder = os.open(data, os.O_RDONLY)
        by_descriptor = self._identity and sys.platform == "linux"
        where = f"/proc/self/fd/{folder}" if by_descriptor else str(data)
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [str(self._binaries / name), "-D", where, *options],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=_environment(),
                    start_new_session=True,  # it gets no Ctrl-C of the terminal
                    pass_fds=(folder,),
                    **self._identity,
                )
        finally:
            os.close(folder)
        if self._watcher and self._watcher.stdin:
            self._watcher.stdin.write(f"{self._process.pid}\n")
            self._watcher.stdin.flush()
        return self._process

    def _beside(self, suffix: str) -> Path:
        return self._data.with_name(f"{self._data.name}.{suffix}")

    def _complaint(self) -> str:
        return self._log.read_text(errors="replace")[-2000:].strip()

    def _give(self, folder: Path) -> None:
        if self._identity:
            os.chown(folder, self._identity["user"], self._identity["group"])


def _environment() -> dict[str, str]:
    """Return our environment without PG… variables, which may name another server."""
    kept = {key: value for key, value in os.environ.items() if key[:2] != "PG"}
    path = f"{os.environ.get('PATH', '')}{os.pathsep}{os.defpath}"
    return {**kept, "LC_ALL": "C", "PATH": path, "TZ": "UTC"}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.postgres",
        description="Run a command with DATABASE_URL set to an embedded PostgreSQL.",
    )
    parser.add_argument("--data", type=Path, help="keep the data in this folder")
    parser.add_argument("--database", default="app", help="name of the database (app)")
    parser.add_argument(
        "--unless-set",
        action="store_true",
        help="use DATABASE_URL instead if the environment or .env sets it",
    )
    parser.add_argument("command", nargs="+", help="after --: the command to run")
    options = parser.parse_args(arguments)
    url = configured("DATABASE_URL") if options.unless_set else None
    if url:
        return run(options.command, url)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with EmbeddedPostgres(options.data, database=options.database) as server:
            return run(options.command, server.url)
    except PostgresError as error:
        print(f"scripts.postgres: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
