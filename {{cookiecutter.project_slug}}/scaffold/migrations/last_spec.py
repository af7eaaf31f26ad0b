"""Finds the specification that the migrations of a project were made for."""

from pathlib import Path

from scaffold.merging.git_state import has_repository
from scaffold.processes import Unfinished
from scaffold.project import migrated, state
from scaffold.spec.loading import Spec, SpecError, parse


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
    return migrated.record_of(root, "HEAD") if has_repository(root) else None
