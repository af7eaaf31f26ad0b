"""Brings rendered files into a project without losing what a person wrote there.

Three texts decide about each path: the base (what the last run wrote, rendered again),
the new rendering, and the file in the working tree.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scaffold.merging import three_way
from scaffold.merging.atomic_writer import Write, read, replace_files
from scaffold.merging.entity_renames import Move
from scaffold.merging.three_way import decoded, encoded
from scaffold.processes import Unfinished

CREATED = "created"
MERGED = "merged"  # changed by both, in different places
UPDATED = "updated"
UNCHANGED = "unchanged"
KEPT = "kept"  # edited by a person, and no longer generated
DELETED = "deleted"  # no longer generated, and not edited
REMOVED = "removed by you"  # generated, and deleted by a person
CONFLICT = "conflict"
OUTCOMES = (CREATED, MERGED, UPDATED, UNCHANGED, KEPT, DELETED, REMOVED, CONFLICT)
WRITTEN = (CREATED, MERGED, UPDATED, DELETED, CONFLICT)

OPEN_CONFLICT = (
    "{}: a conflict is still open in it; look for <<<<<<<, ||||||| and >>>>>>>, leave the "
    "lines that are right, and run this again"
)

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Change:
    """What a run does with one path; `moved_from` is where its text is today."""

    path: str
    outcome: str
    before: bytes | None
    after: bytes | None
    moved_from: str | None = None

    def diff(self) -> Iterator[str]:
        """Yield the lines of a unified diff."""
        old, new = decoded(self.before or b""), decoded(self.after or b"")
        yield from difflib.unified_diff(
            old.splitlines(keepends=True),
            new.splitlines(keepends=True),
            "/dev/null" if self.before is None else f"a/{self.moved_from or self.path}",
            "/dev/null" if self.after is None else f"b/{self.path}",
        )


@dataclass(frozen=True)
class Plan:
    """What a run would do with the files, and with its own records afterwards.

    `base` is what the last run wrote. `records` are the files of `.devmatrix/` that
    belong to the new state; None removes one. `note` is a remark on the whole run.
    `renames` says whether entities.json renames something that it did not before.
    `access` tells a person what becomes allowed and forbidden.
    """

    root: Path
    base: Files
    changes: Sequence[Change]
    records: Mapping[str, bytes | None] = field(default_factory=dict)
    note: str = ""
    renames: bool = False
    access: str = ""

    def with_outcome(self, *outcomes: str) -> list[Change]:
        return [change for change in self.changes if change.outcome in outcomes]

    @property
    def written(self) -> list[Change]:
        """The changes that touch the working tree."""
        return self.with_outcome(*WRITTEN)

    @property
    def is_idle(self) -> bool:
        """Whether the run would change nothing at all, its own records included."""
        return not self.written and not self.outdated_records

    @property
    def outdated_records(self) -> list[str]:
        return [
            path
            for path, content in self.records.items()
            if _lf(read(self.root / path)) != _lf(content)
        ]

    def edited(self) -> list[str]:
        """The paths that the run touches and that a person has edited."""
        return [
            path
            for change in self.written
            for path in (change.moved_from, change.path)
            if path and not self._is_ours(path)
        ]

    def _is_ours(self, path: str) -> bool:
        current = read(self.root / path)
        return current is None or _lf(current) == self.base.get(path)


def make_plan(
    root: Path,
    base: Files,
    files: Mapping[str, str],
    moves: Mapping[str, Move] | None = None,
    *,
    label: str = "entities.json",
) -> Plan:
    """Compare the rendering with the base and the working tree; write nothing."""
    planner = _Planner(root, base, label)
    changes = []
    known = set(base)
    for path, text in files.items():
        move = (moves or {}).get(path)
        if move and move.path != path:
            arrives = move.path in known and path not in known
            both = (root / path).exists() and (root / move.path).exists()
            move = move if arrives and not both else None
        changes.append(planner.generated(path, text, move))
        known -= {path, changes[-1].moved_from or path}
    changes += filter(None, map(planner.no_longer_generated, sorted(known)))
    if planner.blocked:
        raise Unfinished("\n".join(planner.blocked))
    return Plan(root, base, changes)


class _Planner:
    """Decides what becomes of one path after the other."""

    def __init__(self, root: Path, base: Files, label: str) -> None:
        self.root = root
        self.base = base
        self.label = label
        self.blocked: list[str] = []

    def generated(self, path: str, text: str, move: Move | None) -> Change:
        source = move.path if move else path
        before = self.base.get(source)
        place = path if (self.root / path).exists() else source  # moved by hand
        current = read(self.root / place)
        new = encoded(text)
        moved_from = place if place != path and current is not None else None

        def change(outcome: str, after: bytes | None) -> Change:
            return Change(path, outcome, current, after, moved_from)

        if current is None:
            return change(CREATED, new) if before is None else change(REMOVED, None)
        self._refuse_markers(place, current)
        if _lf(current) == before:
            same = before == new and not moved_from
            return change(UNCHANGED, current) if same else change(UPDATED, new)
        before = three_way.without_lost_imports(path, before or b"", current)
        if new in (before, _lf(current)) and not moved_from:
            return change(UNCHANGED, current)
        merged = self._merge(path, move, current, before, text)
        after = encoded(merged.text)
        if merged.conflicts:
            return change(CONFLICT, after)
        same = after == _lf(current) and not moved_from
        return change(UNCHANGED, current) if same else change(MERGED, after)

    def _merge(
        self,
        path: str,
        move: Move | None,
        current: bytes,
        before: bytes | None,
        new: str,
    ) -> three_way.Merged:
        yours, old = decoded(_lf(current) or b""), decoded(before or b"")
        if move:
            yours, old = move.translated(yours, old)
        return three_way.merge(path, yours, old, new, self.label)

    def no_longer_generated(self, path: str) -> Change | None:
        current = read(self.root / path)
        if current is None:
            return None
        self._refuse_markers(path, current)
        if _lf(current) == self.base[path]:
            return Change(path, DELETED, current, None)
        return Change(path, KEPT, current, current)

    def _refuse_markers(self, path: str, current: bytes) -> None:
        if three_way.has_markers(decoded(current)):
            self.blocked.append(OPEN_CONFLICT.format(path))


def carry_out(plan: Plan) -> None:
    """Do what the plan says, and write the records last.

    A run that is killed is undone by the next one (see `atomic_writer`).
    """
    writes = [
        Write(change.path, change.after, change.moved_from) for change in plan.written
    ]
    records = [
        Write(path, content)
        for path, content in plan.records.items()
        if read(plan.root / path) != content
    ]
    replace_files(plan.root, [*writes, *records])


def _lf(data: bytes | None) -> bytes | None:
    """Line ends as we write them, whatever an editor made of them."""
    return None if data is None else data.replace(b"\r\n", b"\n")
