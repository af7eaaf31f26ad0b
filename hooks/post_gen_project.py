"""Turns the copied skeleton into a project: code, environment, migration, git."""

import json
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # nothing may appear beside the template's modules

# The answers are data: tojson escapes everything that could end the string.
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")


def find_tree() -> Path:
    """Return the template's folder that became the project, as the other hook does."""
    output = Path(ANSWERS["_output_dir"])
    for start in (os.environ.get("PWD", output), output, *output.parents):
        for found in Path(start, ANSWERS["_repo_dir"]).glob("*cookiecutter.*/scaffold"):
            return found.resolve().parent
    raise SystemExit("the template's folder is not found; give its absolute path")


if __name__ == "__main__":
    tree = find_tree()
    sys.path.insert(0, str(tree))
    from scaffold import new_project

    new_project.make(Path.cwd(), tree, ANSWERS)
