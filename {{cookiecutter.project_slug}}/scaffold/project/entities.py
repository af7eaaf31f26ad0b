"""Checks, plans and applies entities.json: `make entities` and its neighbours."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from scaffold.merging import atomic_writer, git_state, history, merge
from scaffold.merging.entity_renames import Move, find_moves, renames
from scaffold.merging.three_way import (
    common_lines,
    decoded,
    has_markers,
    merged_lines,
    nearest_base,
)
from scaffold.merging.three_way import merge as merge_texts
from scaffold.processes import Unfinished
from scaffold.project import (
    application,
    consistency,
    generator,
    lost_code,
    migrated,
    setup,
    state,
)
from scaffold.project.answers import as_json
from scaffold.project.own_templates import FOLDER as TEMPLATES
from scaffold.project.state import Files, Last, State
from scaffold.rendering import access_changes, access_matrix
from scaffold.rendering.app import project_templates
from scaffold.spec.loading import Spec, SpecError, load, report

ENTITIES = "entities.json"
OPENAPI = "openapi.json"
DEPENDENCIES = "pyproject.toml"
MIGRATIONS = Path("alembic") / "versions"
WOULD_CHANGE = 2
ALWAYS_TOLD = {merge.CREATED, merge.MERGED, merge.UPDATED, merge.UNCHANGED}
DIRTY = """\
These files have changes that are not committed, so git could not undo the run in them.
Nothing was written: commit, stage (git add) or stash them, or run this with --allow-dirty.
"""
TO_RESOLVE = """\
Git's conflicts are still open in these files, which are not generated. Look for <<<<<<<,
leave the lines that are right, and run this again: {}
"""
TO_ADD = """\
Git is in the middle of a merge. When `make entities` has ended, check `git diff`, and
then: git add --all
"""
CONFLICTS = """\
In these files you and the new rendering changed the same lines. Look for <<<<<<<,
leave the lines that are right, and run this again: {paths}
"""
KEPT = """\
No longer generated, and edited by you, so they stay. Nothing uses them any more: move
what you still need, then delete them: {paths}
"""
NOT_INSTALLED = """\
The code is complete, and pyproject.toml names other packages. To install them, fix the
reason above and run: make install entities
"""
NO_AUTH = """\
Everyone may do everything: entities.json has no "auth": true, so no access tokens are read.
"""
INTERRUPTED = "The last run was interrupted; `make entities` undoes and repeats it."
UNDONE = "The last run was interrupted; its changes were undone first."


def check(root: Path, words: Sequence[str]) -> int:
    """Say whether entities.json, code, migrations and openapi.json agree."""
    _parser("check", check).parse_args(words)
    return _on_plan(root, lambda plan: 0 if consistency.check(root, plan) else 1)


def plan(root: Path, words: Sequence[str]) -> int:
    """Show what `apply` would change, and write nothing. Exit with 2 if it would."""
    _parser("plan", plan).parse_args(words)
    consistency.check_generator(root)
    return _on_plan(root, show_plan)


def access(root: Path, words: Sequence[str]) -> int:
    """Show who may do what, as entities.json says."""
    _parser("access", access).parse_args(words)
    try:
        spec = _load(root)
    except SpecError as error:
        print(report(error), file=sys.stderr)
        return 1
    print(access_matrix.text(spec) if spec.auth else NO_AUTH, end="")
    return 0


def apply(root: Path, words: Sequence[str]) -> int:
    """Bring the code in line with entities.json."""
    parser = _parser("apply", apply)
    parser.add_argument(
        "--allow-dirty",
        action="store_true",
        help="change files that have uncommitted changes, too",
    )
    options = parser.parse_args(words)
    if atomic_writer.recover(root):
        print(UNDONE, file=sys.stderr)
    consistency.check_generator(root)
    return _on_plan(root, partial(_apply, allow_dirty=options.allow_dirty))


def _apply(plan: merge.Plan, *, allow_dirty: bool) -> int:
    """Carry out a plan, and install the packages of a changed pyproject.toml."""
    status = carry_out(plan, allow_dirty=allow_dirty)
    is_changed = any(change.path == DEPENDENCIES for change in plan.written)
    if status or not is_changed:
        return status
    if setup.finish(plan.root, ["environment"]):
        return 0
    print(NOT_INSTALLED, file=sys.stderr, end="")
    return 1


def generate(root: Path, answers: Mapping[str, Any], packed: bytes) -> int:
    """Do what `apply` does for a new project, and record its answers and generator."""
    atomic_writer.recover(root)
    recorded = {**answers, "generator_sha256": generator.sha256(packed)}
    records = {state.GENERATOR: packed, state.ANSWERS: as_json(recorded)}

    def write(plan: merge.Plan) -> int:
        merge.carry_out(replace(plan, records={**plan.records, **records}))
        return 0

    return _on_plan(root, write, answers)


def _parser(name: str, command: Callable[..., int]) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=name, description=command.__doc__)


def _on_plan(
    root: Path,
    act: Callable[[merge.Plan], int],
    answers: Mapping[str, Any] | None = None,
) -> int:
    if atomic_writer.is_interrupted(root):
        print(INTERRUPTED, file=sys.stderr)
        return 1
    try:
        return act(make_plan(root, answers))
    except SpecError as error:
        print(report(error), file=sys.stderr)
        return 1


def make_plan(
    root: Path, answers: Mapping[str, Any] | None = None, *, only: str | None = None
) -> merge.Plan:
    """Return what brings the code in line with entities.json.

    `answers` are those of a new project; by default the recorded ones. `only` names a
    file of all entities, and then the rest is not rendered. Raises `SpecError` and
    `Unfinished`.
    """
    spec = _load(root)
    text = state.to_record((root / ENTITIES).read_bytes())
    known = state.answers_of(root) if answers is None else answers
    now = State(state.from_record(text), _own_templates(root), answers=known)
    last = state.last(root)
    files = state.rendered(spec, now.templates, now.answers, only=only)
    base = files if last.state == now else _base(root, last, files, only=only)
    notes = [last.note] if last.note else []
    if not last.branches:
        others = lost_code.find_bases(root, base, files)
        base = {
            path: text for path, text in {**base, **others}.items() if text is not None
        }
        if others:
            notes.append(lost_code.NOTE.format(", ".join(sorted(others))))
    old = _last_spec(last) if only is None else None
    moves: Mapping[str, Move] = {}
    if old and last.state:
        moves = find_moves(old, spec, now.templates, last.state.templates)
    afresh = _merged_afresh(root, last, files, moves) if only is None else []
    done = {change.path for change in afresh}
    texts = {path: decoded(files[path]) for path in files.keys() - done}
    kept = {path: base[path] for path in base.keys() - done}
    made = merge.make_plan(root, kept, dict(sorted(texts.items())), moves)
    return replace(
        made,
        changes=sorted([*made.changes, *afresh], key=lambda change: change.path),
        records=_records(root, last, now),
        note="\n".join(notes),
        renames=old is not None and renames(old, spec),
        access=access_changes.text(old, spec) if old else "",
    )


def _load(root: Path) -> Spec:
    """Return what entities.json says; raise `SpecError`, or `Unfinished` in a conflict."""
    if has_markers(decoded(atomic_writer.read(root / ENTITIES) or b"")):
        raise Unfinished(merge.OPEN_CONFLICT.format(ENTITIES))
    return load(root / ENTITIES)


def _merged_afresh(
    root: Path, last: Last, files: Files, moves: Mapping[str, Move]
) -> list[merge.Change]:
    """Merge the files again that git has left with a conflict.

    Each side's edits are brought to the new rendering, and then put together: only edits
    of the same lines are still a conflict.
    """
    conflicts = git_state.open_conflicts(root)
    sides = {path: one for path, one in conflicts.items() if path in files}
    if not sides:
        return []
    branches = [*last.branches, *state.merging(root)]
    oldest = last.files() or {}
    rendered = [files, oldest, *(branch.files() for branch in branches)]
    changes = []
    for path, side in sides.items():
        known = [one[path] for one in rendered if path in one]
        move = moves.get(path)
        ours, theirs = (
            _brought_up(path, text, oldest.get(path, b""), known, files[path], move)
            for text in (side.ours, side.theirs)
        )
        if ours is None or theirs is None:
            continue
        merged = merge_texts(path, ours, decoded(files[path]), theirs, "theirs")
        outcome = merge.CONFLICT if merged.conflicts else merge.MERGED
        after = merged.text.encode("utf-8", "surrogateescape")
        changes.append(
            merge.Change(path, outcome, atomic_writer.read(root / path), after)
        )
    return changes


def _brought_up(
    path: str,
    text: bytes,
    oldest: bytes,
    known: Sequence[bytes],
    new: bytes,
    move: Move | None,
) -> str | None:
    """Return one side's file as entities.json has it now, None for a conflict."""
    yours, before = decoded(_lf(text)), decoded(nearest_base(text, oldest, known))
    if move:
        yours, before = move.translated(yours, before)
    merged = merge_texts(path, yours, before, decoded(new), ENTITIES)
    return None if merged.conflicts else merged.text


def _lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def _own_templates(root: Path) -> dict[str, str]:
    """Return the templates of the project, unless a conflict is open in one."""
    templates = project_templates(root / TEMPLATES)
    for path, content in templates.items():
        if has_markers(content):
            raise Unfinished(merge.OPEN_CONFLICT.format(f"{TEMPLATES}/{path}"))
    return templates


def is_current(root: Path, page: str) -> bool:
    """Whether a file of all entities is as entities.json has it."""
    return make_plan(root, only=page).is_idle


def _base(root: Path, last: Last, files: Files, *, only: str | None) -> Files:
    """Return what each file's merge starts from."""
    base = last.files(only=only)
    if base is not None and not last.branches:
        return base
    there = {
        path: current
        for path in files
        if (current := atomic_writer.read(root / path)) is not None
    }
    if base is None:
        return {path: common_lines(text, files[path]) for path, text in there.items()}
    branches = [branch.files(only=only) for branch in last.branches]
    nearest = {
        path: nearest_base(
            text,
            base.get(path, b""),
            _generated(path, text, base, [files, *branches]),
        )
        for path, text in there.items()
    }
    for branch in branches:
        gone = branch.keys() - files.keys()
        base = {**{path: branch[path] for path in gone}, **base}
        # What a branch does not generate was deleted by its run, and not by a person.
        deleted = files.keys() - there.keys() - branch.keys()
        base = {path: text for path, text in base.items() if path not in deleted}
    # The commits of a branch that was squashed may be gone, and its state with them.
    complete = {
        path: lost_code.nothing_deleted(text, nearest[path], files[path])
        for path, text in there.items()
        if lost_code.is_foreign(text, nearest[path], files[path])
    }
    return {**base, **nearest, **complete}


def _generated(
    path: str, text: bytes, base: Files, others: Sequence[Files]
) -> list[bytes]:
    """Return what may have been generated for a file, git's merge of both branches too."""
    found = [other[path] for other in others if path in other]
    if path in base and len(found) == 3 and text not in found:
        _, ours, theirs = found
        found += merged_lines(ours, base[path], theirs)
    return found


def _last_spec(last: Last) -> Spec | None:
    try:
        return last.state.spec if last.state else None
    except SpecError:  # it follows older rules
        return None


def _records(root: Path, last: Last, now: State) -> dict[str, bytes | None]:
    """What `.devmatrix/` says after the run."""
    records: dict[str, bytes | None] = {
        state.ENTITIES: state.to_record(now.entities),
        history.FILE: str(last.history_after(now.digest)).encode(),
        **state.template_records(root, now.templates),
    }
    changed = last.state is not None and last.state.entities != now.entities
    is_behind = (root / state.MIGRATED).exists()
    if (
        last.state
        and changed
        and not is_behind
        and any((root / MIGRATIONS).glob("*.py"))
    ):
        of_a_side = migrated.record_of_a_side(root) if last.branches else None
        known = of_a_side or state.to_record(last.state.entities)
        records[state.MIGRATED] = known
    return records


def show_plan(plan: merge.Plan) -> int:
    """Print what a run would do."""
    for change in plan.written:
        sys.stdout.writelines(_printable(line) for line in change.diff())
    show(plan)
    print(plan.access, end="")
    for place in plan.outdated_records if not plan.written else ():
        print(f"only the record of the last run would change: {place}")
    return 0 if plan.is_idle else WOULD_CHANGE


def _printable(line: str) -> str:
    """A line of a diff, whatever is in the file and whatever the terminal can show."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = line.encode(encoding, "backslashreplace").decode(encoding)
    return shown if line.endswith("\n") else f"{shown}\n\\ No newline at end of file\n"


def carry_out(plan: merge.Plan, *, allow_dirty: bool = False) -> int:
    """Do it, unless it would change edits that git could not bring back."""
    committed = partial(state.committed_files, plan.root)
    dirty = (
        []
        if allow_dirty
        else git_state.uncommitted(plan.root, plan.edited(), plan.base, committed)
    )
    if dirty:
        print(*(f"  {path}" for path in dirty), sep="\n", file=sys.stderr)
        print(DIRTY, file=sys.stderr, end="")
        return 1
    merge.carry_out(plan)
    show(plan)
    if _show_merge(plan.root) or plan.with_outcome(merge.CONFLICT):
        return 1
    broken = application.problems(plan) if plan.renames else []
    if broken:
        print(application.BROKEN.format("\n  ".join(broken)), file=sys.stderr, end="")
    return 1 if broken else 0


def _show_merge(root: Path) -> list[str]:
    """Say what git's merge leaves for a person; return the files to resolve first.

    openapi.json is written anew by the step that follows.
    """
    paths = git_state.unmerged(root)
    to_resolve = [
        path
        for path in paths
        if path not in (OPENAPI, state.ANSWERS, history.FILE, state.ENTITIES)
        and has_markers(decoded(atomic_writer.read(root / path) or b""))
    ]
    if to_resolve:
        print(TO_RESOLVE.format(", ".join(to_resolve)), file=sys.stderr, end="")
    elif paths:
        print(TO_ADD, file=sys.stderr, end="")
    return to_resolve


def show(plan: merge.Plan) -> None:
    """Print a line for each path that changes, and a summary."""
    if plan.note:
        print(plan.note, file=sys.stderr)
    for change in plan.changes:
        if change.outcome not in (merge.UNCHANGED, merge.REMOVED):
            moved = f"  (was {change.moved_from})" if change.moved_from else ""
            print(f"{change.outcome:>9}  {change.path}{moved}")
    counts = ((outcome, len(plan.with_outcome(outcome))) for outcome in merge.OUTCOMES)
    told = [f"{n} {outcome}" for outcome, n in counts if n or outcome in ALWAYS_TOLD]
    print(", ".join(told), flush=True)
    for outcome, text in ((merge.KEPT, KEPT), (merge.CONFLICT, CONFLICTS)):
        paths = ", ".join(change.path for change in plan.with_outcome(outcome))
        if paths:
            print(text.format(paths=paths), file=sys.stderr, end="")
