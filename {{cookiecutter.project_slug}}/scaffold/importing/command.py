"""Writes entities.json from what exists: a database, a dump, or another tool's schema."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scaffold.importing import associations, document, layout, refusals, report, sources
from scaffold.importing.found import Found, SourceError
from scaffold.merging import git_state
from scaffold.processes import Unfinished
from scaffold.spec.vocabulary import keys

UNSAVED = (
    "entities.json has content that the last commit of git does not have, and an import "
    "overwrites it: commit it, or move it away, and run this again"
)
EMPTY = "{}: found no table or model to import"
TOO_MANY = "{}: has {} tables; entities.json has {} entities at most"
DONE = """\
Wrote entities.json: {entities} from {source}.
Next: `make entities-plan` shows what this changes, `make entities` generates it.
"""


def main(root: Path, words: Sequence[str]) -> int:
    """Import what a URL or a path names; return 1 for a problem, with nothing written."""
    parser = argparse.ArgumentParser(prog="import", description=__doc__)
    parser.add_argument(
        "source",
        help="postgresql://… (read from its catalog), a .sql file, a .prisma file or "
        "folder, or a .jdl file",
    )
    options = parser.parse_args(words)
    target = root / layout.FILE
    try:
        check_saved(root)
        source = sources.find(options.source)
        found = source.read()
        text = written(found, source.name)
    except (SourceError, Unfinished) as error:
        print(f"import: {error}\nNothing was written.", file=sys.stderr)
        return 1
    target.write_text(text, encoding="utf-8", newline="\n")
    for line in report.lines(found.losses):
        print(line)
    count = text.count("\n    {\n")
    entities = f"{count} entity" if count == 1 else f"{count} entities"
    print(DONE.format(entities=entities, source=source.name), end="")
    return 0


def written(found: Found, name: str) -> str:
    """Return the text of entities.json; what it does not say is added to the losses."""
    if not found.tables:
        raise SourceError("\n".join([EMPTY.format(name), *report.lines(found.losses)]))
    if len(found.tables) > keys.MAX_ENTITIES:
        raise SourceError(TOO_MANY.format(name, len(found.tables), keys.MAX_ENTITIES))
    for table in [*found.tables]:
        if len(table.columns) > keys.MAX_MEMBERS:
            found.tables.remove(table)
            what = f"a table of {len(table.columns)} columns"
            found.lose(table.place, f"{what}, of which {keys.MAX_MEMBERS} are allowed")
    made = document.write(found)
    spec = refusals.remove(made, found)
    associations.report_names(found, spec)
    return layout.text(made)


def check_saved(root: Path) -> None:
    """Raise Unfinished if git could not bring back what entities.json says."""
    target = root / layout.FILE
    if not target.exists():
        return
    committed = git_state.committed(root, "HEAD", layout.FILE)
    current = target.read_bytes().replace(b"\r\n", b"\n")
    if committed is None or committed.replace(b"\r\n", b"\n") != current:
        raise Unfinished(UNSAVED)
