"""Writes the migration that the models lack, or says what is in its way."""

import argparse
import gc
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from scaffold.merging import git_state
from scaffold.migrations import join_heads, row_counts
from scaffold.migrations.revision import Outcome, Wish, Writer
from scaffold.migrations.scratch_databases import scratch
from scaffold.processes import Unfinished
from scaffold.project.entities import ENTITIES, is_current
from scaffold.spec.loading import SpecError, load, report
from src import migrate
from src.core.config import get_settings

MODELS = "src/models/entities.py"
LEFT = """\
Left out of the migration, so the database keeps it, unused: {what}.
To drop it for good: make entities ARGS=--allow-drop={names}
"""
FOREIGN = "Left alone, as it is not from entities.json: {what}.\n"
HEADS = "{} are both the newest migration, as two branches have it; `make entities` joins them"
AHEAD = (
    "the database is at revision {}, which this code does not have: newer code, another "
    "branch or a run that was reverted has migrated it. Check out the code that has it, "
    "or go back there first (alembic downgrade), or use another database."
)
INTERRUPTED = "The last run was interrupted; what it wrote is written again: {}"
STARTED = Path(".devmatrix") / "migrating"  # while a migration is being written
VERSIONS = join_heads.VERSIONS
NEXT = "wrote {}, which reads whole tables without blocking requests"
REFUSED = "No migration was written; fix entities.json and run `make entities` again."


def main(root: Path, words: Sequence[str]) -> int:
    """Write a migration; return 1 for a problem (with --check: if one is missing)."""
    options = _parser().parse_args(words)
    message = " ".join(options.message).strip()
    gc.disable()  # of all that comparing hundreds of tables makes, little is garbage
    try:
        join_heads.check_parents(root)
        if not options.check and (again := take_back(root)):
            print(INTERRUPTED.format(", ".join(again)), file=sys.stderr)
        drop = options.allow_drop
        names = None if drop is None else frozenset(filter(None, drop.split(",")))
        wish = Wish(load(root / ENTITIES), message, names, options.one_transaction)
        own_database = row_counts.database_url()
        if not is_current(root, MODELS):  # all that a migration is made of
            raise Unfinished("the code differs from entities.json: run `make entities`")
        heads = join_heads.heads(root)
        if options.check and len(heads) > 1:
            raise Unfinished(HEADS.format(" and ".join(heads)))
        with scratch() as databases:
            if len(heads) > 1:
                print(*join_heads.join(root, databases), sep="\n", flush=True)
            with nullcontext() if options.check else _started(root):
                writer = Writer(root, databases, wish, own_database)
                outcome = writer.run(write=not options.check)
        return _checked(outcome) if options.check else _tell(outcome)
    except SpecError as error:
        print(report(error), file=sys.stderr)
    except DBAPIError as error:
        place = f"migration: {_place(error)}"
        print(f"{place}{error.orig}\n{error.statement}", file=sys.stderr)
    except (CommandError, OSError, Unfinished) as error:
        print(f"migration: {error}", file=sys.stderr)
    return 1


def upgrade_database(root: Path, words: Sequence[str]) -> int:
    """Migrate the database of DATABASE_URL to the newest migration."""
    argparse.ArgumentParser(prog="database", description=__doc__).parse_args(words)
    try:
        join_heads.check_parents(root)
        if len(heads := join_heads.heads(root)) > 1:
            raise Unfinished(HEADS.format(" and ".join(heads)))
        url = get_settings().database_url
        if ahead := join_heads.unknown_revisions(root, url):
            raise Unfinished(AHEAD.format(" and ".join(ahead)))
        status: int = migrate.main([])
        return status
    except (CommandError, OSError, Unfinished) as error:
        print(f"migration: {error}", file=sys.stderr)
    return 1


@contextmanager
def _started(root: Path) -> Iterator[None]:
    """Note which migrations there are, until a new one is written, tried and formatted."""
    mark = root / STARTED
    names = sorted(path.name for path in (root / VERSIONS).glob("*.py"))
    mark.write_text("\n".join(names), encoding="utf-8")
    try:
        yield
    except BaseException:
        take_back(root)
        raise
    mark.unlink()


def take_back(root: Path) -> list[str]:
    """Remove what a killed run wrote, so that it is written again; return the names.

    A migration that git knows was looked at by a person.
    """
    mark = root / STARTED
    if not mark.exists():
        return []
    before = mark.read_text(encoding="utf-8").split("\n")
    found = [
        path
        for path in sorted((root / VERSIONS).glob("*.py"))
        if path.name not in before
        and not git_state.is_tracked(root, path.relative_to(root).as_posix())
    ]
    for path in found:
        path.unlink()
    mark.unlink()
    return [path.name for path in found]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="migrate", description=__doc__)
    parser.add_argument("message", nargs="*", help="its title; made up if left out")
    parser.add_argument(
        "--check", action="store_true", help="only say whether a migration is missing"
    )
    parser.add_argument(
        "--allow-drop",
        metavar="NAMES",
        nargs="?",
        const="",
        help="drop what entities.json has no longer: tables and columns, as in "
        "orders,products.weight; without names, say what there is to drop",
    )
    parser.add_argument(
        "--one-transaction",
        action="store_true",
        help="write one migration that is all or nothing, even if requests wait for it",
    )
    return parser


def _place(error: DBAPIError) -> str:
    """The line of somebody's migration that a statement stands in."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.parent.name == "versions":
            return f"{path.name}:{frame.lineno}: "
    return ""


def _checked(outcome: Outcome) -> int:
    if outcome.refusals:
        print(f"none is possible, fix entities.json: {_few(outcome.refusals)}")
    elif outcome.changes:
        print(f"behind the models, `make entities` writes one: {_few(outcome.changes)}")
    else:
        print("at the models' state")
        return 0
    return 1


def _few(lines: Sequence[str]) -> str:
    return ", ".join(lines[:5]) + (" ..." if lines[5:] else "")


def _tell(outcome: Outcome) -> int:
    if outcome.refusals:
        print(*outcome.refusals, REFUSED, sep="\n", file=sys.stderr)
        return 1
    for part, rows in zip(outcome.draft.destroyed, outcome.rows, strict=True):
        print(f"DESTRUCTIVE: the migration drops {part} ({rows})")
    if left := outcome.draft.left:
        words = {
            "what": ", ".join(map(str, left)),
            "names": ",".join(p.name for p in left),
        }
        print(LEFT.format(**words), end="")
    for warning in outcome.warnings:
        print(f"warning: {warning}")
    if outcome.draft.foreign:
        print(FOREIGN.format(what=", ".join(outcome.draft.foreign)), end="")
    if not outcome.paths:
        print("the migrations are up to date; none was written")
        return 0
    first, *second = [path.relative_to(Path.cwd()) for path in outcome.paths]
    if second:
        print(f"wrote {first}; apply it and the next one: make migrate")
        print(NEXT.format(second[0]))
    else:
        print(f"wrote {first}; apply it: make migrate")
    return 0
