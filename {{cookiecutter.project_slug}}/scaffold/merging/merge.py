"""Brings rendered files into a project without losing what a person wrote there.

Three texts decide about each path: the base (what the last run wrote, kept in
.devmatrix/base), the new rendering, and what stands in the working tree.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scaffold.merging import python_source, three_way
from scaffold.merging.atomic_writer import Writer, read
from scaffold.merging.entity_renames import Move
from scaffold.merging.three_way import decoded, encoded
from scaffold.processes import Unfinished

BASE = Path(".devmatrix") / "base"

CREATED = "created"
MERGED = "merged"  # changed by both, in different places
UPDATED = "updated"
UNCHANGED = "unchanged"
KEPT = "kept"  # edited by a person, and no longer generated
DELETED = "deleted"  # no longer generated, and nobody touched it
REMOVED = "removed by you"  # generated, and a person does not want it
CONFLICT = "conflict"
OUTCOMES = (CREATED, MERGED, UPDATED, UNCHANGED, KEPT, DELETED, REMOVED, CONFLICT)
WRITTEN = (CREATED, MERGED, UPDATED, DELETED, CONFLICT)


@dataclass(frozen=True)
class Change:
    """What a run does with one path; `moved_from` is where its text stands today."""

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
    """What a run would do, and the base and other records that it would leave."""

    root: Path
    base: Path
    changes: Sequence[Change]
    new_base: Mapping[str, bytes]
    records: Mapping[Path, bytes] = field(default_factory=dict)

    def with_outcome(self, *outcomes: str) -> list[Change]:
        return [change for change in self.changes if change.outcome in outcomes]

    @property
    def written(self) -> list[Change]:
        """The changes that touch the working tree."""
        return self.with_outcome(*WRITTEN)

    @property
    def is_idle(self) -> bool:
        """Whether the run would change nothing at all, its own records included."""
        folder = self.root / self.base
        known = list(_paths(folder))
        return (
            not self.written
            and not self.outdated_records
            and known == sorted(self.new_base)
            and all(
                (folder / path).read_bytes() == self.new_base[path] for path in known
            )
        )

    def leaves(self, path: str) -> bool:
        """Whether it would change nothing of this path, nor any record."""
        written = {change.path for change in self.written}
        known = read(self.root / self.base / path)
        same = path not in written and known == self.new_base[path]
        return same and not self.outdated_records

    @property
    def outdated_records(self) -> list[Path]:
        return [
            place
            for place, content in self.records.items()
            if _lf(read(self.root / place) or b"") != _lf(content)
        ]

    def edited(self) -> list[str]:
        """The paths that the run touches, and that a person has had a hand in."""
        return [
            path
            for change in self.written
            for path in (change.moved_from, change.path)
            if path and not self._is_ours(path)
        ]

    def _is_ours(self, path: str) -> bool:
        current = read(self.root / path)
        return current is None or _lf(current) == read(self.root / self.base / path)


def make_plan(
    root: Path,
    files: Mapping[str, str],
    moves: Mapping[str, Move] | None = None,
    *,
    base: Path = BASE,
    label: str = "entities.json",
) -> Plan:
    """Compare the rendering with the base and the working tree; write nothing."""
    judge = _Judge(root, root / base, label)
    changes = []
    known = set(_paths(root / base))
    for path, text in files.items():
        move = (moves or {}).get(path)
        if move and move.path != path:
            arrives = move.path in known and path not in known
            both = (root / path).exists() and (root / move.path).exists()
            move = move if arrives and not both else None
        changes.append(judge.generated(path, text, move))
        known -= {path, changes[-1].moved_from or path}
    changes += filter(None, map(judge.no_longer_generated, sorted(known)))
    if judge.blocked:
        raise Unfinished("\n".join(judge.blocked))
    new_base = {path: encoded(text) for path, text in files.items()}
    return Plan(root, base, changes, new_base)


class _Judge:
    def __init__(self, root: Path, base: Path, label: str) -> None:
        self.root = root
        self.base = base
        self.label = label
        self.blocked: list[str] = []

    def generated(self, path: str, text: str, move: Move | None) -> Change:
        source = move.path if move else path
        before = read(self.base / source)
        place = path if (self.root / path).exists() else source  # moved by hand
        current = read(self.root / place)
        new = encoded(text)
        moved_from = place if place != path and current is not None else None

        def change(outcome: str, after: bytes | None) -> Change:
            return Change(path, outcome, current, after, moved_from)

        if current is None:
            return change(CREATED, new) if before is None else change(REMOVED, None)
        self._refuse_markers(place, current, before)
        if _lf(current) == before:
            same = before == new and not moved_from
            return change(UNCHANGED, current) if same else change(UPDATED, new)
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
        yours, old = decoded(_lf(current)), decoded(before or b"")
        if move and move.words:
            yours, old = (
                python_source.translate(one, move.words, move.owners)
                for one in (yours, old)
            )
        return three_way.merge(path, yours, old, new, self.label)

    def no_longer_generated(self, path: str) -> Change | None:
        current = read(self.root / path)
        before = read(self.base / path)
        if current is None:
            return None
        self._refuse_markers(path, current, before)
        if _lf(current) == before:
            return Change(path, DELETED, current, None)
        return Change(path, KEPT, current, current)

    def _refuse_markers(self, path: str, current: bytes, before: bytes | None) -> None:
        recorded = f"what the last run wrote ({self.base.name}/{path})"
        for where, text in ((path, current), (recorded, before)):
            if text and three_way.has_markers(decoded(text)):
                self.blocked.append(
                    f"{where}: a conflict is still open in it; look for <<<<<<<, ||||||| "
                    "and >>>>>>>, leave the lines that are right, and run this again"
                )


def carry_out(plan: Plan) -> None:
    """Do what the plan says, and keep the rendering as the next run's base.

    Every text is on disk before the first file is replaced, and a file's base follows
    at once: a run that was killed is simply done again.
    """
    with Writer(plan.root / plan.base.parent / "new") as writer:
        staged = [
            None if change.after is None else writer.stage(change.after)
            for change in plan.written
        ]
        for change, text in zip(plan.written, staged, strict=True):
            target = plan.root / change.path
            if change.moved_from:
                writer.move(plan.root / change.moved_from, target)
            if text is None:
                writer.remove(target)
            else:
                writer.put(target, text)
            _keep_base(plan, change.path, writer)
        for path in sorted({*plan.new_base, *_paths(plan.root / plan.base)}):
            _keep_base(plan, path, writer)
        for place, content in plan.records.items():
            if read(plan.root / place) != content:
                writer.put(plan.root / place, writer.stage(content))


def _keep_base(plan: Plan, path: str, writer: Writer) -> None:
    folder = plan.root / plan.base
    content = plan.new_base.get(path)
    if content is None:
        writer.remove(folder / path)
        _remove_empty(folder / path, folder)
    elif read(folder / path) != content:
        writer.put(folder / path, writer.stage(content))


def _remove_empty(path: Path, top: Path) -> None:
    for parent in path.parents:
        if parent == top or any(parent.iterdir()):
            return
        parent.rmdir()


def _paths(folder: Path) -> Iterator[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    yield from sorted(path.relative_to(folder).as_posix() for path in found)


def _lf(data: bytes) -> bytes:
    """Line ends as we write them, whatever an editor made of them."""
    return data.replace(b"\r\n", b"\n")
