"""The launcher of the embedded PostgreSQL, on real servers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import binaries, postgres
from scripts.postgres import EmbeddedPostgres, PostgresError

TREE = Path(postgres.__file__).parent.parent
PATIENCE = 30.0
CLI = [sys.executable, "-m", "scripts.postgres"]


def ask(server: EmbeddedPostgres, sql: str, database: str = "app") -> str:
    psql = str(server._binaries / "psql")
    port = str(server.port)
    address = ["-h", "127.0.0.1", "-p", port, "-U", "app", "-d", database]
    command = [psql, "-qAtX", *address, "-c", sql]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def pid_in(data: Path) -> int | None:
    """The server's pid; None until it has written it, as it creates the file before."""
    try:
        first, whole, _ = (data / "postmaster.pid").read_text().partition("\n")
    except FileNotFoundError:
        return None
    return int(first) if whole else None


def runs(pid: int) -> bool:
    """Return whether the process runs, and is not a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def environment(**extra: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    return {**kept, "PYTHONPATH": str(TREE), "PYTHONDONTWRITEBYTECODE": "1", **extra}


def test_a_temporary_server_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "nowhere.example")
    monkeypatch.setenv("PATH", "/nowhere")
    with EmbeddedPostgres() as server:
        assert server.url == f"postgresql+asyncpg://app@127.0.0.1:{server.port}/app"
        assert ask(server, "SELECT lower('ÄÖÜ')") == "äöü"
        assert server._process is not None
        pid, data = server._process.pid, server._data
    assert not runs(pid)
    assert not data.parent.exists()


def test_a_database_is_created_once_whatever_its_name() -> None:
    with EmbeddedPostgres(database="first") as server:
        url = server.create_database("test_gw0")
        assert server.create_database("test_gw0") == url
        assert url == f"postgresql+asyncpg://app@127.0.0.1:{server.port}/test_gw0"
        server.create_database("odd'; \"name")
        names = ask(server, "SELECT datname FROM pg_database ORDER BY 1", "first")
    wanted = ["first", "odd'; \"name", "postgres", "template0", "template1", "test_gw0"]
    assert sorted(names.splitlines()) == sorted(wanted)


def test_permanent_data_is_kept_and_a_running_server_is_shared(tmp_path: Path) -> None:
    data = tmp_path / "closed to others" / "postgres"
    with EmbeddedPostgres(data) as first:
        ask(first, "CREATE TABLE kept (id int)")
        with EmbeddedPostgres(data, database="second") as second:
            assert second.port == first.port
        assert ask(first, "SELECT count(*) FROM kept") == "0"
    with EmbeddedPostgres(data) as again:
        assert ask(again, "SELECT count(*) FROM kept") == "0"


def test_two_first_starts_over_one_folder(tmp_path: Path) -> None:
    command = [*CLI, "--data", str(tmp_path / "pg"), "--", "sh", "-c", "echo ok"]
    both = [
        subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=PATIENCE)[0] for process in both] == [
        "ok\n",
        "ok\n",
    ]


def test_incomplete_data_folder_is_replaced(tmp_path: Path) -> None:
    half = tmp_path / "pg.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    with EmbeddedPostgres(tmp_path / "pg") as server:
        assert ask(server, "SELECT 1") == "1"
    assert not half.exists()


def test_another_port_is_tried_if_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1], postgres.free_port()])
        monkeypatch.setattr(postgres, "free_port", lambda: next(ports))
        with EmbeddedPostgres() as server:
            assert ask(server, "SELECT 1") == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_server_stops_when_its_parent_is_killed(tmp_path: Path) -> None:
    command = [*CLI, "--data", str(tmp_path / "pg"), "--", "sleep", "600"]
    extra = environment(TMPDIR=str(tmp_path))
    with subprocess.Popen(command, env=extra, start_new_session=True) as parent:
        try:
            assert eventually(lambda: pid_in(tmp_path / "pg") is not None)
            pid = pid_in(tmp_path / "pg")
            assert pid is not None
            assert runs(pid)
            parent.send_signal(signal.SIGKILL)
            assert eventually(lambda: not runs(pid))
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
    assert eventually(lambda: not list(tmp_path.glob("postgres-*")))


def test_missing_binaries_are_reported_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(PostgresError, match=r"make install.*\n.*PG_BIN.*\n.*DATABASE"):
        EmbeddedPostgres().start()


def stub(folder: Path, version: str) -> Path:
    """Binaries of a version that is not installed."""
    folder.mkdir(parents=True, mode=0o755)
    for name in binaries.NEEDED:
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'")
        (folder / name).chmod(0o755)
    return folder


def test_data_of_another_major_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PG_BIN", str(stub(tmp_path / "pg" / "bin", "99.1")))
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(PostgresError) as caught:
        EmbeddedPostgres(data).start()
    message = str(caught.value)
    assert (
        f"{data} was created by PostgreSQL 15, but the installed version is 99"
        in message
    )
    assert f"mv {data} {data}-15" in message
    assert (data / "PG_VERSION").read_text() == "15\n"


def test_binaries_match_the_version_of_the_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folders = [stub(tmp_path / v / "bin", f"{v}.1") for v in ("18", "15")]
    monkeypatch.setattr(binaries, "installations", lambda: iter(folders))
    monkeypatch.setattr(binaries, "identity", dict)
    (tmp_path / "PG_VERSION").write_text("15\n")
    assert binaries.choose(tmp_path / "none", tmp_path) == folders[0]
    assert binaries.choose(tmp_path, tmp_path) == folders[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_changes_no_permissions_of_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As with an environment in /root, where other users cannot read the binaries."""
    monkeypatch.delenv("PG_BIN", raising=False)
    found = next(f for f in binaries.installations() if (f / "postgres").exists())
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    package = found.parent.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, home / source.name, symlinks=True)
    monkeypatch.setenv("PG_BIN", str(home / found.relative_to(package.parent)))
    with EmbeddedPostgres() as server:
        assert ask(server, "SELECT 1") == "1"
        assert home not in server._binaries.parents
        data = server._data
    assert home.stat().st_mode & 0o777 == 0o700
    assert not data.exists()


def test_the_command_line_returns_the_status() -> None:
    script = "echo $DATABASE_URL; exit 7"
    done = subprocess.run(
        [*CLI, "--database", "mine", "--", "sh", "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 7
    assert done.stdout.startswith("postgresql+asyncpg://app@127.0.0.1:")
    assert done.stdout.endswith("/mine\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line_forwards_signals(number: signal.Signals) -> None:
    script = "trap 'exit 5' INT TERM; echo ready; while :; do sleep 0.05; done"
    command = [*CLI, "--", "sh", "-c", script]
    with subprocess.Popen(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 5


def test_the_command_line_uses_a_given_database() -> None:
    command = [*CLI, "--unless-set", "--", "sh", "-c", "echo $DATABASE_URL"]
    extra = environment(DATABASE_URL="postgresql+asyncpg://given", PG_BIN="/nowhere")
    assert (
        subprocess.check_output(command, env=extra) == b"postgresql+asyncpg://given\n"
    )


def test_the_command_line_prints_errors() -> None:
    done = subprocess.run(
        [*CLI, "--", "true"],
        env=environment(PG_BIN="/nowhere"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("scripts.postgres: no PostgreSQL server binaries")
    assert "Traceback" not in done.stderr
