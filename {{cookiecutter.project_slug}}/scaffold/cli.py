"""The command: check, plan or apply entities.json."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scaffold.merging import merge
from scaffold.merging.entity_renames import Move, find_moves
from scaffold.merging.git_state import uncommitted
from scaffold.processes import Unfinished
from scaffold.project import consistency
from scaffold.rendering.app import generate_modular_app
from scaffold.spec import json_schema
from scaffold.spec.loading import Spec, SpecError, load, report

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = "entities.schema.json"  # for editors; beside the file that it is about
GENERATED = Path(".devmatrix") / "entities.json"  # what the code stands for
WOULD_CHANGE = 2
ALWAYS_TOLD = {merge.CREATED, merge.MERGED, merge.UPDATED, merge.UNCHANGED}
DIRTY = """\
These files have changes of yours that are not committed, and git is the way to take
a run back. Nothing was written: commit or stash them, or run this with --allow-dirty.
"""
CONFLICTS = """\
In these files you and the new rendering changed the same lines. Look for <<<<<<<,
leave what is right, and run this again: {paths}
"""
KEPT = """\
No longer generated, and edited by you, so they stay. Nothing uses them any more: move
what you still need, then delete them: {paths}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0, 1 for a problem, or 2 where `plan` finds something to change."""
    parser = argparse.ArgumentParser(prog="python -m scaffold", description=__doc__)
    parser.add_argument("command", choices=("check", "plan", "apply"))
    parser.add_argument(
        "--allow-dirty",
        action="store_true",
        help="touch files with uncommitted changes",
    )
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root: Path = options.root
    try:
        spec = load(root / "entities.json")
        plan = make_plan(root, spec)
        if options.command == "check":
            return 0 if consistency.check(root, plan) else 1
        if options.command == "plan":
            return show_plan(plan)
        return apply(plan, allow_dirty=options.allow_dirty)
    except SpecError as error:
        print(report(error), file=sys.stderr)
    except BrokenPipeError:  # who reads the plan has seen enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Unfinished as error:
        print(f"{error}\nNothing was written.", file=sys.stderr)
    return 1


def make_plan(root: Path, spec: Spec) -> merge.Plan:
    """What it takes to bring the generated code in line with a spec."""
    files = {**generate_modular_app(spec).files, SCHEMA: json_schema.render()}
    plan = merge.make_plan(root, files, _moves(root, spec))
    records = {GENERATED: (root / "entities.json").read_bytes()}
    return replace(plan, records=records)


def is_current(root: Path, spec: Spec, page: str) -> bool:
    """Whether a page of all entities is as a spec has it; the rest is not rendered."""
    files = generate_modular_app(spec, only=page).files
    plan = merge.make_plan(root, files)
    records = {GENERATED: (root / "entities.json").read_bytes()}
    return replace(plan, records=records).leaves(page)


def _moves(root: Path, spec: Spec) -> Mapping[str, Move]:
    try:
        return find_moves(load(root / GENERATED), spec)
    except SpecError:  # there is none yet, or it follows older rules
        return {}


def show_plan(plan: merge.Plan) -> int:
    """Print what a run would do; write nothing."""
    for change in plan.written:
        sys.stdout.writelines(_printable(line) for line in change.diff())
    show(plan)
    for place in plan.outdated_records if not plan.written else ():
        print(f"only the record of the last run would change: {place}")
    return 0 if plan.is_idle else WOULD_CHANGE


def _printable(line: str) -> str:
    """A line of a diff, whatever is in the file and whatever the terminal can show."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = line.encode(encoding, "backslashreplace").decode(encoding)
    return shown if line.endswith("\n") else f"{shown}\n\\ No newline at end of file\n"


def apply(plan: merge.Plan, *, allow_dirty: bool = False) -> int:
    """Do it, unless it would touch what git could not bring back."""
    dirty = [] if allow_dirty else uncommitted(plan.root, plan.base, plan.edited())
    if dirty:
        print(
            *(f"  {path}" for path in dirty), DIRTY, sep="\n", file=sys.stderr, end=""
        )
        return 1
    merge.carry_out(plan)
    show(plan)
    return 1 if plan.with_outcome(merge.CONFLICT) else 0


def show(plan: merge.Plan) -> None:
    """Print one line a path that is worth one, and a summary."""
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


if __name__ == "__main__":
    sys.exit(main())
