"""Whether entities.json, code, migrations and openapi.json say the same."""

import sys
from pathlib import Path

from scaffold.merging import merge
from scaffold.processes import Unfinished, project_python, run


def check(root: Path, plan: merge.Plan) -> bool:
    """Print a line for each; return whether all agree."""
    print("entities.json  no problem")
    results = [_code(plan)]
    results += [
        _tool(root, name, module)
        for name, module in (
            ("migrations", "scaffold.migrations.command"),
            ("openapi.json", "scripts.openapi"),
        )
    ]
    return all(results)


def _code(plan: merge.Plan) -> bool:
    if plan.is_idle:
        print("code           as entities.json has it")
        return True
    paths = [change.path for change in plan.written]
    paths = paths or list(map(str, plan.outdated_records)) or [str(plan.base)]
    few = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if paths[5:] else "")
    print(f"code           differs, `make entities` mends it: {few}", file=sys.stderr)
    return False


def _tool(root: Path, name: str, module: str) -> bool:
    """Let a script of the project judge, in the project's own environment."""
    try:
        said = run([project_python(root), "-m", module, "--check"], root)
    except Unfinished as reason:
        print(f"{name:<15}{_told(str(reason))}", file=sys.stderr)
        return False
    print(f"{name:<15}{said.strip()}")
    return True


def _told(reason: str) -> str:
    """What the script says, without the line that says that it failed."""
    first, _, rest = reason.partition("\n")
    return (rest or first).removeprefix("migration: ")
