"""`make golden`: writes the generator's output for some specifications to tests/golden.

Reviewers of a change to a template read the difference there first.
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / "{{cookiecutter.project_slug}}"
GOLDEN = ROOT / "tests" / "golden"
SPECS = {
    "simple_task_api": TREE / "scaffold" / "examples" / "simple_task_api.json",
    "projects_and_tasks": GOLDEN / "projects_and_tasks.json",
}


def rendered(name: str) -> dict[str, str]:
    """Return the generator's output for a specification: path to text."""
    if str(TREE) not in sys.path:
        sys.path.insert(0, str(TREE))
    from scaffold.rendering.app import generate_modular_app
    from scaffold.spec.loading import load

    return dict(generate_modular_app(load(SPECS[name])).files)


def kept(name: str) -> dict[str, str]:
    folder = GOLDEN / name
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write(name: str) -> None:
    shutil.rmtree(GOLDEN / name, ignore_errors=True)
    for path, text in rendered(name).items():
        target = GOLDEN / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())


if __name__ == "__main__":
    for spec in SPECS:
        write(spec)
