"""Finds the specification that the migrations of a project were made for."""

from pathlib import Path

from scaffold.merging import git_state
from scaffold.processes import Unfinished
from scaffold.project import state
from scaffold.spec.loading import Spec, SpecError, parse

VERSIONS = "alembic/versions"


def read(root: Path) -> Spec | None:
    """Return the specification, None if it is not known.

    The record of it exists only while migrations are behind the entities. If it is
    missing, and the migrations are those of the last commit, that commit tells.
    """
    try:
        text = _recorded(root) or _committed(root)
        return parse(state.from_record(text)) if text else None
    except (SpecError, Unfinished):  # it follows older rules, or git knows no commit
        return None


def _recorded(root: Path) -> bytes | None:
    path = root / state.MIGRATED
    return path.read_bytes() if path.exists() else None


def _committed(root: Path) -> bytes | None:
    if not git_state.has_repository(root):
        return None
    paths = git_state.committed_paths(root, "HEAD", VERSIONS)
    there = {path: _content(root / path) for path in paths}
    there |= {
        path.relative_to(root).as_posix(): _content(path)
        for path in (root / VERSIONS).glob("*.py")
    }
    for path, content in there.items():
        committed = git_state.committed(root, "HEAD", path)
        if content is None or committed is None or content != _lf(committed):
            return None
    return git_state.committed(root, "HEAD", state.MIGRATED) or git_state.committed(
        root, "HEAD", state.ENTITIES
    )


def _content(path: Path) -> bytes | None:
    return _lf(path.read_bytes()) if path.exists() else None


def _lf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")
