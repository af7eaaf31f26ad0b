"""Turns the copied skeleton into a project: entities, code, environment, migration, git."""

import contextlib
import io
import json
import os
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # nothing may appear beside the template's modules
ROOT = Path.cwd()
# The answers are data: tojson escapes everything that could end the string.
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
SHOWN = 20  # names of entities
CACHES = {"__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


def find_tree() -> Path:
    """Return the template's folder that became the project, as the other hook does."""
    output = Path(ANSWERS["_output_dir"])
    for start in (os.environ.get("PWD", output), output, *output.parents):
        for found in Path(start, ANSWERS["_repo_dir"]).glob("*cookiecutter.*/scaffold"):
            return found.resolve().parent
    raise SystemExit("the template's folder is not found; give its absolute path")


TREE = find_tree()
sys.path.insert(0, str(TREE))

from scaffold.legacy import generation as legacy  # noqa: E402 - found a line above
from scaffold.project import (  # noqa: E402 - so is this
    answers,
    entities,
    generator,
    setup,
    template_source,
)


def keep_what_was_chosen() -> None:
    """Remove the copy of the generator, and the files of other options."""
    for path in generator.tree_files(TREE / "scaffold"):
        (ROOT / "scaffold" / path).unlink(missing_ok=True)
    for folder, _, _ in os.walk(ROOT / "scaffold", topdown=False):
        with contextlib.suppress(OSError):  # a folder of the team's own
            os.rmdir(folder)
    licences = ROOT / "licences"
    shutil.move(licences / f"{ANSWERS['license']}.txt", ROOT / "LICENSE")
    shutil.rmtree(licences)
    if ANSWERS["package_manager"] != "poetry":
        (ROOT / "poetry.toml").unlink()
    for folder, names, _ in os.walk(ROOT):  # left in the template by its developers
        names[:] = [name for name in names if name not in (".git", ".venv")]
        for name in CACHES.intersection(names):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    (ROOT / ".coverage").unlink(missing_ok=True)


def write_entities() -> None:
    target = ROOT / "entities.json"
    if ANSWERS["entities_file"] or not target.exists():
        source = answers.entities_source(ANSWERS, TREE)
        if not target.exists() or not source.samefile(target):
            shutil.copyfile(source, target)


def generate() -> None:
    """Write the code, the generator and the answers; stop if entities.json is invalid."""
    kept = {key: value for key, value in ANSWERS.items() if key[0] != "_"}
    del kept["entities_file"]  # a path of this machine; entities.json is its content
    kept["template_version"] = ANSWERS["_version"]
    kept |= template_source.origin(TREE.parent, ANSWERS["_template"])
    with contextlib.redirect_stdout(io.StringIO()):
        if ANSWERS["mode"] == "legacy":
            status = legacy.generate(ROOT, kept)
        else:
            status = entities.generate(ROOT, kept, generator.archive(TREE))
    if status:
        raise SystemExit(1)
    names = [one["name"] for one in answers.read_entities(ROOT)]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    print(f"{ROOT.name}: generated for {', '.join(names[:SHOWN])}{more}", flush=True)


if __name__ == "__main__":
    keep_what_was_chosen()
    try:
        write_entities()
    except answers.AnswerError as error:
        raise SystemExit(str(error)) from None
    generate()
    setup.finish_new(ROOT)
