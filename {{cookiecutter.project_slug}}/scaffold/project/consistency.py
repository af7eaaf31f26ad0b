"""Checks that entities.json, code, migrations, openapi.json and generator agree."""

import sys
from collections.abc import Sequence
from pathlib import Path

from scaffold.merging import merge
from scaffold.processes import Unfinished, project_python, run
from scaffold.project import generator, state
from scaffold.project.answers import read_answers

TAMPERED = (
    f"{state.GENERATOR} is not the file that {state.ANSWERS} names (sha256 {{}}); "
    f"restore both from git, or run `make upgrade`"
)


def check(root: Path, plan: merge.Plan) -> bool:
    """Print one line for each of them; return whether all agree."""
    _agrees("entities.json", "valid")
    results = [
        _generator(root),
        _code(plan),
        _tool(root, "migrations", [state.GENERATOR, "migrate"]),
        _tool(root, "openapi.json", ["-m", "scripts.openapi"]),
    ]
    return all(results)


def _generator(root: Path) -> bool:
    recorded = read_answers(root).get("generator_sha256")
    path = root / state.GENERATOR
    found = generator.sha256(path.read_bytes()) if path.exists() else "missing"
    if found != recorded:
        return _differs("generator", TAMPERED.format(recorded))
    return _agrees("generator", "as recorded")


def _code(plan: merge.Plan) -> bool:
    if plan.is_idle:
        return _agrees("code", "agrees with entities.json")
    paths = [change.path for change in plan.written] or plan.outdated_records
    few = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if paths[5:] else "")
    return _differs("code", f"differs, `make entities` fixes it: {few}")


def _tool(root: Path, name: str, command: Sequence[str]) -> bool:
    """Run a check in the project's own environment."""
    try:
        said = run([project_python(root), *command, "--check"], root)
    except Unfinished as reason:
        return _differs(name, _told(str(reason)))
    return _agrees(name, said.strip())


def _told(reason: str) -> str:
    """Return the output of a command, without the line that says that it failed."""
    first, _, rest = reason.partition("\n")
    return (rest or first).removeprefix("migration: ")


def _agrees(name: str, said: str) -> bool:
    print(f"{name:<15}{said}")
    return True


def _differs(name: str, said: str) -> bool:
    print(f"{name:<15}{said}", file=sys.stderr)
    return False
