"""Checks that the application of a project works: after a run that renamed something.

The project's own interpreter runs this module in the project.
"""

import ast
import json
import re
import traceback
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scaffold.merging import merge
from scaffold.merging.imports import unbound
from scaffold.merging.python_source import is_valid
from scaffold.merging.three_way import decoded
from scaffold.processes import Unfinished, project_python, run
from scaffold.project.generator import HOME

DOCUMENT = Path("scripts") / "openapi.py"
BROKEN = """\
The files are written, but the application does not work after the rename. Fix this,
then run `make entities` again:
  {}
"""
UNDEFINED = "{}:{}: the name {!r} is not defined; it may have a new name"
NO_PARAMETER = (
    "{}: {} {} has no parameter for {{{}}}; rename the placeholder or the parameter, so "
    "that both have one name"
)
NO_PLACEHOLDER = (
    "{}: the parameter {} of {} {} is not in the path; rename it or the placeholder, so "
    "that both have one name"
)


def problems(plan: merge.Plan) -> list[str]:
    """Return what a run broke, each with its place.

    Without an environment, only undefined names are found.
    """
    found = [problem for change in plan.written for problem in _undefined(change)]
    try:
        python = project_python(plan.root)
    except Unfinished:
        return found
    if found or not (plan.root / DOCUMENT).exists():
        return found
    command: list[str | Path] = [python, "-B", "-m", __name__]
    try:
        said = run(command, plan.root, extra={"PYTHONPATH": str(HOME)})
    except Unfinished as error:  # the interpreter itself does not work
        return [str(error)]
    lines = json.loads(said.splitlines()[-1])
    return [_with_new_name(str(line), plan) for line in lines]


def _with_new_name(problem: str, plan: merge.Plan) -> str:
    """The problem, and what the module that it misses is called now."""
    for change in plan.written:
        if (
            change.moved_from
            and f"No module named '{_module(change.moved_from)}'" in problem
        ):
            return f"{problem}; it is {_module(change.path)} now"
    return problem


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def _undefined(change: merge.Change) -> Iterator[str]:
    """Yield the names that a file uses and no longer defines."""
    is_merged = change.outcome == merge.MERGED and change.path.endswith(".py")
    if change.after is None or not is_merged:
        return
    before, after = decoded(change.before or b""), decoded(change.after)
    if not is_valid(after):
        return
    known = unbound(before) if is_valid(before) else set()
    places = {
        node.id: node.lineno
        for node in reversed(list(ast.walk(ast.parse(after))))
        if isinstance(node, ast.Name)
    }
    for name in sorted(unbound(after) - known):
        yield UNDEFINED.format(change.path, places.get(name, 1), name)


def main() -> None:
    """Print the problems of the application in the working directory, as JSON."""
    print(json.dumps(list(_application_problems())))


def _application_problems() -> Iterator[str]:
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            render = __import__("scripts.openapi", fromlist=["render"]).render
            document = json.loads(render())
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("src", "scripts"):
            yield _told(error)
        return  # else the environment lacks a package, and nothing can be said
    except Exception as error:  # whatever the project's modules raise
        yield _told(error)
        return
    for one in warned:
        if "Duplicate Operation ID" in str(one.message):
            yield " ".join(str(one.message).split())
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, dict):
                yield from _unbound_placeholders(path, method, operation)


def _unbound_placeholders(
    path: str, method: str, operation: Mapping[str, Any]
) -> Iterator[str]:
    place = _place(path, operation.get("operationId", ""))
    placeholders = re.findall(r"\{(\w+)", path)
    parameters = [
        one["name"]
        for one in operation.get("parameters", ())
        if one.get("in") == "path"
    ]
    for name in placeholders:
        if name not in parameters:
            yield NO_PARAMETER.format(place, method.upper(), path, name)
    for name in parameters:
        if name not in placeholders:
            yield NO_PLACEHOLDER.format(place, name, method.upper(), path)


def _place(path: str, operation: str) -> str:
    """Where the function of a route is."""
    for file in sorted(Path("src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            texts = {
                one.value
                for decorator in node.decorator_list
                for one in ast.walk(decorator)
                if isinstance(one, ast.Constant)
            }
            ends = any(isinstance(one, str) and path.endswith(one) for one in texts)
            if ends and operation.endswith(node.name):
                return f"{file.as_posix()}:{node.lineno}"
    return "src/api"


def _told(error: Exception) -> str:
    """An exception, with its last place in the project's own code."""
    frames = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    if isinstance(error, SyntaxError):
        frames.append((error.filename or "", error.lineno))
    own = [(path, line) for name, line in frames if (path := _own_path(name))]
    place = "{}:{}: ".format(*own[-1]) if own else ""
    return f"{place}{type(error).__name__}: {error}"


def _own_path(name: str) -> str:
    """A file's path in the project; "" for one of a library, or of the generator."""
    path = Path(name)
    if not path.is_relative_to(Path.cwd()):
        return ""
    inner = path.relative_to(Path.cwd()).as_posix()
    return "" if inner.startswith(".") else inner


if __name__ == "__main__":
    main()
