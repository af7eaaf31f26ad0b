"""Turns the skeleton that Cookiecutter copied into a project."""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from scaffold.legacy import generation as legacy
from scaffold.project import entities, generator, setup, skeleton
from scaffold.project.answers import AnswerError, entities_source
from scaffold.project.template_source import origin

SHOWN = 20  # names of entities
CACHES = {"__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


def make(root: Path, tree: Path, answers: Mapping[str, str]) -> None:
    """Generate the code and do the steps after it, given the template's folder.

    Ends the process with 1, and a message, if the entities cannot be used.
    """
    keep_what_was_chosen(root, tree, answers)
    try:
        write_entities(root, tree, answers)
    except AnswerError as error:
        raise SystemExit(str(error)) from None
    generate(root, tree, answers)
    setup.finish_new(root)


def keep_what_was_chosen(root: Path, tree: Path, answers: Mapping[str, str]) -> None:
    """Remove the copy of the generator, templates, and the files of other options."""
    for path in generator.tree_files(tree / "scaffold"):
        (root / "scaffold" / path).unlink(missing_ok=True)
    for folder, _, _ in os.walk(root / "scaffold", topdown=False):
        with contextlib.suppress(OSError):  # a folder of the team's own
            os.rmdir(folder)
    for path in generator.tree_files(tree):
        if path.endswith(skeleton.OPTIONAL):
            (root / path).unlink(missing_ok=True)
    licences = root / "licences"
    shutil.move(licences / f"{answers['license']}.txt", root / "LICENSE")
    shutil.rmtree(licences)
    if answers["package_manager"] != "poetry":
        (root / "poetry.toml").unlink()
    for folder, names, _ in os.walk(root):  # left in the template by its developers
        names[:] = [name for name in names if name not in (".git", ".venv")]
        for name in CACHES.intersection(names):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    (root / ".coverage").unlink(missing_ok=True)


def write_entities(root: Path, tree: Path, answers: Mapping[str, str]) -> None:
    """Copy entities.json; without `entities_file` an existing one stays."""
    target = root / "entities.json"
    if answers["entities_file"] or not target.exists():
        source = entities_source(answers, tree)
        if not target.exists() or not source.samefile(target):
            shutil.copyfile(source, target)


def generate(root: Path, tree: Path, answers: Mapping[str, str]) -> None:
    """Write the code, the generator and the answers."""
    kept = {key: value for key, value in answers.items() if key[0] != "_"}
    del kept["entities_file"]  # a path of this machine; entities.json is its content
    kept["year"] = answers["__year"]
    kept["template_version"] = answers["_version"]
    kept |= origin(tree.parent, answers["_template"])
    entities_json = (root / "entities.json").read_bytes()
    if not json.loads(entities_json).get("auth"):
        (root / "requirements" / "auth.txt").unlink(missing_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        if answers["mode"] == "legacy":
            status = legacy.generate(root, kept)
        else:
            status = entities.generate(root, kept, generator.archive(tree))
    if status:
        raise SystemExit(1)
    names = [entity["name"] for entity in json.loads(entities_json)["entities"]]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    print(f"{root.name}: generated for {', '.join(names[:SHOWN])}{more}", flush=True)
