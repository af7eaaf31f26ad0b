"""Finds files that lack what a branch generated, because a merge took the other side.

The records of both branches merge by themselves, and a person may still resolve a file to
one side. What such a file lacks was not deleted by a person: its base is what the other
side's state renders.
"""

import functools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scaffold.merging import git_state, history
from scaffold.project import state

WORKING_TREE = ""
RECENT = 10  # merges, and runs, that are looked at
NOTE = (
    "A merge took one side of these files, which then lack what the other side generated. "
    "It is generated again; if you deleted it yourself, delete it once more and commit "
    "that: {}"
)
Files = Mapping[str, bytes]
# A class, a function, a name of a module or a field; a section of Markdown.
_DEFINITION = re.compile(rb"\s*(?:class|def|async def) \w+|\w+ = |    \w+: |##+ \w+")


@dataclass(frozen=True)
class Join:
    """A commit that brought two states together, and where each came from.

    A merge has the parents that git knows. A squashed, rebased or picked branch is known
    by nothing but the run that came with the commit: its other parent is "".
    """

    commit: str
    parents: tuple[str, ...]


def find_bases(root: Path, base: Files, files: Files) -> dict[str, bytes | None]:
    """Return the right base of each file that came from another state than the last one.

    `base` is what the last run wrote, `files` what is generated now. None stands for a
    file that the other state did not have.
    """
    lacking = {
        path: lines
        for path, text in files.items()
        if path in base and (lines := _lacking(root / path, base[path], text))
    }
    if not lacking:
        return {}
    finder = _Finder(root)
    found: dict[str, bytes | None] = {}
    for path, lines in lacking.items():
        other = finder.other_side(path, lines)
        if other is not None:
            found[path] = other.get(path)
        elif (current := _read(root / path)) is not None and is_foreign(
            current, base[path], files[path]
        ):
            found[path] = nothing_deleted(current, base[path], files[path])
    return found


def _lacking(path: Path, base: bytes, new: bytes) -> set[bytes]:
    """The lines that a file lacks, and that were generated and are still."""
    current = set(_lines(_read(path) or b""))
    return {
        line for line in set(_lines(base)) & set(_lines(new)) if line not in current
    }


def is_foreign(current: bytes, base: bytes, new: bytes) -> bool:
    """Whether a file defines what is generated now, and what the last run did not write.

    Then another run wrote the file.
    """
    return bool(_definitions(new) & set(_lines(current)) - set(_lines(base)))


class _Finder:
    """Asks git where files come from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[str, Files | None] = {}

    @functools.cached_property
    def joins(self) -> list[Join]:
        """The last commits that brought states together, the latest one first."""
        commits = git_state.commits_with_parents(self.root, RECENT, "--merges")
        merges = [Join(*one) for one in commits if self._differ(one[1])]
        commits = git_state.commits_with_parents(
            self.root, RECENT, "--no-merges", history.FILE
        )
        squashed = [Join(*one) for one in commits if one[1]]
        return [*self._open_joins(), *merges, *squashed]

    def _open_joins(self) -> list[Join]:
        """What is not committed yet."""
        if not git_state.has_repository(self.root):
            return []
        if other := git_state.merging(self.root):
            return [Join(WORKING_TREE, ("HEAD", other))]
        if git_state.is_squashing(self.root):
            return [Join(WORKING_TREE, ("HEAD",))]
        return []

    def _differ(self, parents: tuple[str, ...]) -> bool:
        names = [f"{one}:./{history.FILE}" for one in parents]
        return len(set(git_state.contents(self.root, names))) > 1

    def other_side(self, path: str, lacking: set[bytes]) -> Files | None:
        """Return what was generated on the side that a file was taken from."""
        for join in self.joins:
            here, *sides = self._texts(path, join.commit, *join.parents)
            if lacking & here or self._was_there_since(path, join.commit, lacking):
                return self._before_run(path, join)  # or it was deleted later
            if len(join.parents) == 1:
                if files := self._before_squash(path, join, here, lacking):
                    return files
                continue
            if not any(lacking & side for side in sides):
                continue
            for parent, side in zip(join.parents, sides, strict=True):
                files = self._rendered(parent)
                if lacking & side or files is None:
                    continue
                if not lacking & set(_lines(files.get(path, b""))):
                    return files
        return None

    def _before_squash(
        self, path: str, join: Join, here: set[bytes], lacking: set[bytes]
    ) -> Files | None:
        """What was generated before a commit that has a run, and nothing of it here."""
        old, new = self._rendered(join.parents[0]), self._rendered(join.commit)
        if old is None or new is None or path not in new:
            return None
        brought = set(_lines(new[path])) - set(_lines(old.get(path, b"")))
        if not any(map(_DEFINITION.match, brought)) or brought & here - {b""}:
            return None
        return old if lacking <= brought else None

    def _before_run(self, path: str, join: Join) -> Files | None:
        """What was generated before a run, if a file was taken back to that."""
        if join.commit == WORKING_TREE or len(join.parents) != 1:
            return None
        old, new = self._rendered(join.parents[0]), self._rendered(join.commit)
        if old is None or new is None or path not in old or path not in new:
            return None
        current = _definitions(_read(self.root / path) or b"")
        before, after = _definitions(old[path]), _definitions(new[path])
        is_old = (before - after) & current and not (after - before) & current
        return old if is_old and after - before else None

    def _was_there_since(self, path: str, commit: str, lacking: set[bytes]) -> bool:
        if commit == WORKING_TREE:
            return False
        commits = git_state.commits_since(self.root, commit, path)
        return any(lacking & text for text in self._texts(path, *commits))

    def _texts(self, path: str, *commits: str) -> list[set[bytes]]:
        names = [f"{one}:./{path}" for one in commits if one != WORKING_TREE]
        found = [
            set(_lines(one or b"")) for one in git_state.contents(self.root, names)
        ]
        if WORKING_TREE in commits:
            found.insert(0, set(_lines(_read(self.root / path) or b"")))
        return found

    def _rendered(self, commit: str) -> Files | None:
        if commit not in self.known:
            there = commit != WORKING_TREE
            at = (
                state.state_at(self.root, commit)
                if there
                else state.recorded(self.root)
            )
            self.known[commit] = at.files() if at else None
        return self.known[commit]


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _lines(text: bytes) -> list[bytes]:
    return text.replace(b"\r\n", b"\n").split(b"\n")


def _definitions(text: bytes) -> set[bytes]:
    return {line for line in _lines(text) if _DEFINITION.match(line)}


def nothing_deleted(current: bytes, base: bytes, new: bytes) -> bytes:
    """Return the lines of a file that were generated, by the last run or by this one.

    A merge from them takes nothing that the file lacks for a deletion. Empty lines belong
    to the line below them.
    """
    generated = Counter(_lines(base)) | Counter(_lines(new))
    kept: list[bytes] = []
    empty: list[bytes] = []
    for line in _lines(current):
        if not line:
            empty.append(line)
        elif generated[line] > 0:
            generated[line] -= 1
            kept += [*empty, line]
            empty.clear()
        else:
            empty.clear()
    return b"\n".join([*kept, *empty])
