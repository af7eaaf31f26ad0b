"""`make golden`: writes what the generator makes of the specs in tests/golden.

Whoever reviews a change of a template reads its difference there first.
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
    """What the generator makes of one of the specs: path to text."""
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
