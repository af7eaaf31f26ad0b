"""Finds the entities that a project's migrations were made for, in git's commits."""

from collections.abc import Iterator
from pathlib import Path

from scaffold.merging import git_state
from scaffold.project import state

VERSIONS = "alembic/versions"


def record_of(root: Path, commit: str) -> bytes | None:
    """Return the record that a commit has of them, if its migrations are those here."""
    paths = git_state.committed_paths(root, commit, VERSIONS)
    there = {path: _content(root / path) for path in paths}
    there |= {
        path.relative_to(root).as_posix(): _content(path)
        for path in (root / VERSIONS).glob("*.py")
    }
    for path, content in there.items():
        committed = git_state.committed(root, commit, path)
        if content is None or committed is None or content != _lf(committed):
            return None
    return git_state.committed(root, commit, state.MIGRATED) or git_state.committed(
        root, commit, state.ENTITIES
    )


def record_of_a_side(root: Path) -> bytes | None:
    """Return the record of the side of a merge that all migrations come from, if one is.

    It may have made renames that the other side does not know of.
    """
    found = (record_of(root, commit) for commit in _sides(root))
    return next(filter(None, found), None)


def _sides(root: Path) -> Iterator[str]:
    """Yield the commits that were put together, as far as they are known."""
    if other := git_state.merging(root):
        yield from ("HEAD", other)
    elif git_state.committed(root, "HEAD^2", state.ENTITIES):
        yield from ("HEAD^2", "HEAD^1")
    names = sorted(path.name for path in (root / VERSIONS).glob("*.py"))
    if names:  # the oldest commit with the newest migration, which a branch has made
        yield from [*git_state.commits_of(root, f"{VERSIONS}/{names[-1]}")][::-1]


def _content(path: Path) -> bytes | None:
    return _lf(path.read_bytes()) if path.exists() else None


def _lf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")
