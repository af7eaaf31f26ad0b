"""Judges the answers and the entities before a byte is written."""

import contextlib
import json
import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # nothing may appear beside the template's modules

# What a person typed is data: tojson escapes all that could end the string. The second
# item is the folder that the hook is rendered in, which is the template's own.
ANSWERS, RENDERED_IN = json.loads(r"""[{{ cookiecutter | tojson }},
    {{ cycler.__init__.__globals__.os.getcwd() | tojson }}]""")


def find_tree() -> Path | None:
    """The folder of the template that becomes the project; it holds the checker."""
    started_in = os.environ.get("PWD", os.curdir)
    for folder in (RENDERED_IN, os.path.join(started_in, ANSWERS["_repo_dir"])):
        for checker in Path(folder).glob("*/scaffold/spec.py"):
            return checker.parent.parent
    return None  # then the other hook checks, before it writes


def judge(tree: Path) -> None:
    sys.path.insert(0, str(tree))
    from scaffold.answers import AnswerError, entities_source, problems
    from scaffold.spec import SpecError, load, report

    root = Path.cwd()
    found = list(problems(ANSWERS, tree, root))
    if found:
        raise SystemExit("\n".join(found))
    existing = root / "entities.json"
    try:
        kept = existing.exists() and not ANSWERS["entities_file"]
        load(existing if kept else entities_source(ANSWERS, tree))
    except AnswerError as error:
        raise SystemExit(str(error)) from None
    except SpecError as error:
        raise SystemExit(report(error)) from None


def remove_new_parents() -> None:
    """Cookiecutter removes the folder that it made, but not the parents it made.

    A folder's time of access is that of its making, until somebody lists it.
    """
    folders = [Path.cwd()]
    made = folders[0].stat().st_atime
    if time.time() - made > 10 or any(folders[0].iterdir()):
        return
    for parent in folders[0].parents:
        if (
            parent.stat().st_atime < made - 0.1
            or list(parent.iterdir()) != folders[-1:]
        ):
            break
        folders.append(parent)
    if len(folders) > 1:
        os.chdir(folders[-1].parent)
        for folder in folders:
            folder.rmdir()


if __name__ == "__main__":
    try:
        tree = find_tree()
        if tree is not None:
            judge(tree)
    except SystemExit:
        with contextlib.suppress(OSError):
            remove_new_parents()
        raise
