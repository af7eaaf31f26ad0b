"""The generated service without one of its speed pieces, and without any."""

import shutil
from dataclasses import replace
from pathlib import Path

from benchmarks.systems import OURS, System, generated
from tests.harness.project import Project

DISPATCHER = ("src/main.py", "    dispatch_by_prefix(app)\n", "")
LOOP = ("src/__main__.py", 'else "uvloop"', 'else "asyncio"')
READ_TRANSACTIONS = {"READ_TRANSACTIONS": "true"}
NO_PLANS = {"ENDPOINT_PLANS": "false"}
PLAIN = generated(
    "generated, plain",
    "the same without any speed piece, under uvloop and httptools like the others",
    **READ_TRANSACTIONS,
    **NO_PLANS,
)


def without(project: Project, folder: Path) -> list[tuple[System, Project]]:
    """Return the service without each piece, and where it runs."""
    slow = changed(project, folder / "without-uvloop", *LOOP)
    (slow.path / "httptools.py").write_text("raise ImportError\n")
    undispatched = without_dispatcher(project, folder)
    about = "AUTOCOMMIT for reads: BEGIN and ROLLBACK are sent (READ_TRANSACTIONS=true)"
    reads = generated("without AUTOCOMMIT", about, **READ_TRANSACTIONS)
    about = "endpoint plans: FastAPI solves the dependencies (ENDPOINT_PLANS=false)"
    plans = generated("without plans", about, **NO_PLANS)
    return [
        (reads, project),
        (plans, project),
        (named("without dispatcher", "dispatch_by_prefix(app)"), undispatched),
        (named("without uvloop", "uvloop and httptools: asyncio and h11"), slow),
        (PLAIN, undispatched),
    ]


def named(name: str, about: str) -> System:
    return replace(OURS, name=name, about=about)


def without_dispatcher(project: Project, folder: Path) -> Project:
    """Return a copy of the project whose src/main.py does not add the dispatcher."""
    path = folder / f"{project.path.name}-without-dispatcher"
    return Project(path) if path.exists() else changed(project, path, *DISPATCHER)


def changed(project: Project, path: Path, file: str, old: str, new: str) -> Project:
    """Copy a project with a change of one file; the environment is shared."""
    ignored = shutil.ignore_patterns(".venv", ".git")
    shutil.copytree(project.path, path, ignore=ignored)
    (path / ".venv").symlink_to(project.path / ".venv")
    text = (path / file).read_text()
    assert old in text, f"{file} has no {old!r}"
    (path / file).write_text(text.replace(old, new))
    return Project(path)
