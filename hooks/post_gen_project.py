"""Makes a service of the skeleton: entities, code, environment, migration, git."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path.cwd()
sys.path.insert(0, str(ROOT))

from scaffold.project import setup, skeleton  # noqa: E402 - it is in the project
from scaffold.project.answers import AnswerError, entities_source  # noqa: E402 - so is this
from scaffold.project.template_source import origin  # noqa: E402 - and this

# What a person typed is data: tojson escapes all that could end the string.
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
FEW = 20  # names are told
CACHES = {"__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


def keep_what_was_chosen() -> None:
    """Every option adds or removes whole files."""
    licences = ROOT / "licences"
    shutil.move(licences / f"{ANSWERS['license']}.txt", ROOT / "LICENSE")
    shutil.rmtree(licences)
    if ANSWERS["package_manager"] != "poetry":
        (ROOT / "poetry.toml").unlink()
    for folder, names, _ in os.walk(ROOT):  # the template's, if somebody works in it
        names[:] = [name for name in names if name not in (".git", ".venv")]
        for name in CACHES.intersection(names):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    (ROOT / ".coverage").unlink(missing_ok=True)


def write_entities() -> None:
    target = ROOT / "entities.json"
    if ANSWERS["entities_file"] or not target.exists():
        source = entities_source(ANSWERS, ROOT)
        if not target.exists() or not source.samefile(target):
            shutil.copyfile(source, target)


def find_tree() -> Path:
    """The template's folder that became the project, as the other hook finds it."""
    output = Path(ANSWERS["_output_dir"])
    for start in (os.environ.get("PWD", output), output, *output.parents):
        for found in Path(start, ANSWERS["_repo_dir"]).glob("*cookiecutter.*/scaffold"):
            return found.resolve().parent
    raise SystemExit("the template's folder is not found; give an absolute path")


def write_answers(tree: Path) -> None:
    kept = {key: value for key, value in ANSWERS.items() if key[0] != "_"}
    del kept["entities_file"]  # a path of this machine; entities.json is its content
    kept["template_version"] = ANSWERS["_version"]
    kept |= origin(tree.parent, ANSWERS["_template"])
    path = ROOT / ".devmatrix" / "answers.json"
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def generate() -> None:
    """With our interpreter: a bad file is refused before anything is installed."""
    module = "scaffold.legacy" if ANSWERS["mode"] == "legacy" else "scaffold"
    source = (ROOT / "entities.json").read_text(encoding="utf-8-sig")
    command = [sys.executable, "-B", "-m", module, "apply"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(1)
    names = [entity["name"] for entity in json.loads(source)["entities"]]
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    print(f"{ROOT.name}: generated for {', '.join(names[:FEW])}{more}", flush=True)


if __name__ == "__main__":
    keep_what_was_chosen()
    try:
        write_entities()
    except AnswerError as error:
        raise SystemExit(str(error)) from None
    tree = find_tree()
    write_answers(tree)
    if ANSWERS["mode"] != "legacy":
        skeleton.record(ROOT, tree)
    generate()
    setup.finish_new(ROOT)
