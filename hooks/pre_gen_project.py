"""Checks the answers and the entities before anything is written."""

import json
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # nothing may appear beside the template's modules

# The answers are data: tojson escapes everything that could end the string.
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")


def find_tree() -> Path:
    """Return the template's folder that becomes the project; it holds the generator.

    Cookiecutter's `_repo_dir` may be relative to the shell's folder, and a hook runs in
    the project. So try the shell's folder first, then the output folder and its parents.
    """
    # Its name is `cookiecutter.project_slug` in braces, which would be rendered here.
    output = Path(ANSWERS["_output_dir"])
    for start in (os.environ.get("PWD", output), output, *output.parents):
        for found in Path(start, ANSWERS["_repo_dir"]).glob("*cookiecutter.*/scaffold"):
            return found.resolve().parent
    raise SystemExit(
        f"the template's folder {ANSWERS['_repo_dir']!r} is not found from "
        f"{os.environ.get('PWD', output)}; give its absolute path"
    )


def check(tree: Path) -> None:
    sys.path.insert(0, str(tree))
    from scaffold.project.answers import AnswerError, entities_source, problems
    from scaffold.spec.loading import SpecError, load, report

    root = Path.cwd()
    found = list(problems(ANSWERS, tree, root))
    if found:
        raise SystemExit("\n".join(found))
    existing = root / "entities.json"
    try:
        kept = existing.exists() and not ANSWERS["entities_file"]
        spec = load(existing if kept else entities_source(ANSWERS, tree))
    except AnswerError as error:
        raise SystemExit(str(error)) from None
    except SpecError as error:
        raise SystemExit(report(error)) from None
    given = kept or ANSWERS["entities_file"]
    if spec.auth and given and ANSWERS["mode"] == "legacy":
        raise SystemExit(
            'mode: legacy cannot verify access tokens; remove "auth" from the entities, '
            "or choose production"
        )


if __name__ == "__main__":
    check(find_tree())
