"""A PostgreSQL that tests can stop, kill, freeze and fill, with its own port and data."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.binaries import choose, identity
from tests.harness.project import HOST, PATIENCE, Ended, free_port

ADMIN = "app"
SERVICE = "service"  # not a superuser, so it cannot use reserved connections


class Server:
    """One PostgreSQL cluster, which keeps its data and port when it is restarted."""

    def __init__(
        self, folder: Path, *settings: str, primary: "Server | None" = None
    ) -> None:
        """Create the data folder: a new one, or that of a standby of `primary`."""
        self.port = free_port()
        self._identity = identity()
        self._data = folder / "data"
        self.log = folder / "postgres.log"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._own(folder)
        self._binaries = choose(self._data, folder)
        options = ["-U", ADMIN, "--no-sync"]
        if primary is None:
            options += ["-A", "trust", "-E", "UTF8", "--locale=C"]
            self._spawn("initdb", *options).wait(PATIENCE)
        else:
            options += ["-h", HOST, "-p", str(primary.port), "-R", "--checkpoint=fast"]
            self._spawn("pg_basebackup", *options).wait(PATIENCE)

    def url(self, database: str) -> str:
        """Return the URL of a database for a service."""
        return f"postgresql+asyncpg://{SERVICE}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it responds."""
        settings = [word for pair in self._settings for word in ("-c", pair)]
        self._process = self._spawn(
            "postgres", "-h", HOST, "-p", str(self.port), "-k", "", *settings
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(Ended):
                self.ask("SELECT 1", "postgres")
                return
            time.sleep(0.02)
        raise Ended(f"PostgreSQL does not start: {self.log.read_text()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT is a fast shutdown, SIGQUIT an immediate one."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def kill(self) -> None:
        """Kill all processes of the server at once, as at a loss of power."""
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.stop(signal.SIGKILL)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes: connections are accepted, but get no response."""
        pids = self._pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def create(self, database: str, template: str = "template1") -> str:
        """Create a database that the service's role owns; return its URL."""
        with contextlib.suppress(Ended):  # the role may exist already
            self.ask(f"CREATE ROLE {SERVICE} LOGIN", "postgres")
        options = f"OWNER {SERVICE} TEMPLATE {template}"
        self.ask(f"CREATE DATABASE {database} {options}", "postgres")
        return self.url(database)

    def ask(self, sql: str, database: str, user: str = ADMIN) -> str:
        """Run a statement; return its rows, one per line."""
        done = subprocess.run(
            [*self._psql(database, user), "-c", sql], capture_output=True, text=True
        )
        if done.returncode:
            raise Ended(done.stderr)
        return done.stdout.strip()

    @contextlib.contextmanager
    def session(self, sql: str, database: str, user: str = ADMIN) -> Iterator[None]:
        """Run statements, and keep the connection and its locks during the block."""
        with subprocess.Popen(
            [*self._psql(database, user), "-c", sql, "-c", "\\echo done", "-f", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                said = process.stdout.readline() if process.stdout else ""
                if said != "done\n":
                    raise Ended(said)
                yield
            finally:
                process.communicate("")

    def connections(self, database: str, state: str = "%") -> int:
        """Return the number of connections of the service's role."""
        counted = (
            "SELECT count(*) FROM pg_stat_activity "  # noqa: S608 - constants only
            f"WHERE usename = '{SERVICE}' AND datname = '{database}' "
            f"AND coalesce(state, '') LIKE '{state}'"
        )
        return int(self.ask(counted, "postgres"))

    def terminate(self, database: str) -> int:
        """Terminate the connections of the service's role; return their number."""
        cut = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "  # noqa: S608 - constants only
            f"WHERE usename = '{SERVICE}' AND datname = '{database}'"
        )
        return int(self.ask(cut, "postgres"))

    def make_folder(self, path: Path) -> Path:
        """Create a folder to which the server can write."""
        path.mkdir(parents=True, exist_ok=True)
        self._own(path)
        return path

    def _psql(self, database: str, user: str) -> list[str]:
        address = ["-h", HOST, "-p", str(self.port), "-U", user, "-d", database]
        return [
            str(self._binaries / "psql"),
            "-qAtX",
            "-v",
            "ON_ERROR_STOP=1",
            *address,
        ]

    def _pids(self) -> Sequence[int]:
        """Return the pids of the server's processes, the parent first."""
        if self._process is None:
            return []
        parent = self._process.pid
        found = [parent]
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    found.append(int(path.parent.name))
        return found

    def _own(self, folder: Path) -> None:
        if self._identity:
            os.chown(folder, self._identity["user"], self._identity["group"])

    def _spawn(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        # A descriptor, because the server's user may not be able to read parent folders.
        folder = os.open(self._data.parent, os.O_RDONLY)
        try:
            with self.log.open("ab") as log:
                return subprocess.Popen(
                    [
                        str(self._binaries / program),
                        *("-D", f"/proc/self/fd/{folder}/data"),
                        *options,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
                    pass_fds=(folder,),
                    start_new_session=True,
                    **self._identity,
                )
        finally:
            os.close(folder)
