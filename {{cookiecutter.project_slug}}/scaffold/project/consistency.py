"""Checks that entities.json, code, migrations, openapi.json and generator agree."""

import sys
from collections.abc import Sequence
from pathlib import Path

from scaffold.merging import merge
from scaffold.merging.atomic_writer import read
from scaffold.merging.definitions import defined_twice
from scaffold.merging.python_source import is_valid
from scaffold.merging.three_way import decoded
from scaffold.processes import Unfinished, project_python, run
from scaffold.project import generator, skeleton, state
from scaffold.project.answers import read_answers

TAMPERED = (
    f"{state.GENERATOR} is not the file that {state.ANSWERS} names (sha256 {{}}); "
    f"restore both from git, or run `make upgrade`"
)

DUPLICATE = "error:Duplicate Operation ID"  # FastAPI's: a route is registered twice
TWICE = "{}:{}: {} is there already, in line {}; delete one of them"


def check(root: Path, plan: merge.Plan) -> bool:
    """Print one line for each of them; return whether all agree.

    Nothing that another generator finds is of use.
    """
    _agrees("entities.json", "valid")
    if not _generator(root):
        return False
    results = [
        _code(plan),
        _tool(root, "migrations", [state.GENERATOR, "migrate"]),
        _tool(root, "openapi.json", ["-W", DUPLICATE, "-m", "scripts.openapi"]),
    ]
    return all(results)


def check_generator(root: Path) -> None:
    """Raise `Unfinished` if generator.pyz is not the file that was recorded."""
    recorded = read_answers(root).get("generator_sha256")
    packed = read(root / state.GENERATOR)
    if packed and recorded and generator.sha256(packed) != recorded:
        raise Unfinished(TAMPERED.format(recorded))


def _generator(root: Path) -> bool:
    try:
        check_generator(root)
    except Unfinished as reason:
        return _differs("generator", str(reason))
    return _agrees("generator", "as recorded")


def _code(plan: merge.Plan) -> bool:
    problems = _outdated(plan) + _defined_twice(plan)
    if problems:
        return _differs("code", f"\n{'':<15}".join(problems))
    return _agrees("code", "agrees with entities.json")


def _outdated(plan: merge.Plan) -> list[str]:
    if plan.is_idle:
        return []
    paths = [change.path for change in plan.written] or plan.outdated_records
    few = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if paths[5:] else "")
    return [f"differs, `make entities` fixes it: {few}"]


def _defined_twice(plan: merge.Plan) -> list[str]:
    """Where an edited file holds a generated class, function or route once more."""
    answers = read_answers(plan.root)
    fixed = skeleton.render(answers) if answers else {}
    generated = {**fixed, **plan.base}
    return [
        TWICE.format(path, again.first + 1, again.label, first.first + 1)
        for path, base in generated.items()
        if path.endswith(".py") and (text := _edited(plan.root / path, base))
        for first, again in defined_twice(text, decoded(base))
    ]


def _edited(path: Path, base: bytes) -> str:
    """The text of a file that a person has edited, if it is a program; else ""."""
    current = decoded((read(path) or b"").replace(b"\r\n", b"\n"))
    return current if current != decoded(base) and is_valid(current) else ""


def _tool(root: Path, name: str, command: Sequence[str]) -> bool:
    """Run a check in the project's own environment."""
    try:
        said = run([project_python(root), *command, "--check"], root)
    except Unfinished as reason:
        return _differs(name, _told(str(reason).replace(f"{root}/", "")))
    return _agrees(name, said.strip())


def _told(reason: str) -> str:
    """Return the output of a command, without the line that says that it failed."""
    first, _, rest = reason.partition("\n")
    if "\nTraceback " in reason or '\n  File "' in reason:
        return rest.splitlines()[-1].removeprefix("UserWarning: ")
    return (rest or first).removeprefix("migration: ")


def _agrees(name: str, said: str) -> bool:
    print(f"{name:<15}{said}")
    return True


def _differs(name: str, said: str) -> bool:
    print(f"{name:<15}{said}", file=sys.stderr)
    return False
