"""A project and the hooks use only the public API of other packages.

Underscore names and undocumented modules may change in any release, and a patched
class changes for everybody. EXCEPTIONS lists what is used nevertheless, and where
that is explained.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache

import pytest

from tests.harness.project import ROOT
from tests.harness.skeleton import EVERY_FLAG, TREE, modules

DECISIONS = ROOT / "docs" / "decisions"
FOLDERS = [
    ROOT / "hooks",
    *(TREE / name for name in ("alembic", "scripts", "src", "tests")),
    ROOT / "tests" / "live" / "suite" / "core",
]
OURS = {"hooks", "scaffold", "scripts", "src", "tests", "tools"}

# (file, what is used) -> the page in docs/decisions/ that says why
_LEANED_ON = {
    "0025-http-protocol.md": {
        "src/__main__.py": ["uvicorn.protocols.http.auto.AutoHTTPProtocol"],
        "src/core/protocol.py": [
            "uvicorn.protocols.http.auto.AutoHTTPProtocol",
            "uvicorn.server.ServerState",
        ],
        "tests/live/suite/core/test_protocol.py": ["uvicorn.server.ServerState"],
    },
    "0026-endpoint-plans.md": {
        "src/api/fastapi_internals.py": [
            "fastapi._compat",
            "fastapi._compat.field_annotation_is_sequence",
            "fastapi.dependencies.models.Dependant",
            "fastapi.params",
            "fastapi.params.Form",
            "fastapi.routing.get_request_handler",
            "fastapi.routing.request_response",
        ],
        "tests/live/suite/core/test_endpoint_plans.py": [
            "fastapi._compat",
            "fastapi.dependencies",
            "fastapi.dependencies.models",
            "fastapi.dependencies.models.Dependant",
            "fastapi.params",
            "fastapi.routing.get_request_handler",
        ],
    },
}
# File and what it uses, with the decision that explains it.
EXCEPTIONS: dict[tuple[str, str], str] = {
    (name, what): decision
    for decision, files in _LEANED_ON.items()
    for name, used in files.items()
    for what in used
}

# Modules that the documentation of their package does not name.
UNDOCUMENTED = {
    "alembic": "autogenerate.compare autogenerate.render ddl.base util.sqla_compat",
    "asyncio": "base_events proactor_events selector_events sslproto",
    "asyncpg": "connect_utils connresource protocol",
    "fastapi": "dependencies openapi.constants params types utils",
    "pydantic": "main type_adapter",
    "redis": "asyncio.utils utils",
    "sqlalchemy": "cyextension util",
    "sqlalchemy.dialects.postgresql": "asyncpg base pg_catalog",
    "sqlalchemy.engine": "base cursor default result row strategies util",
    "sqlalchemy.orm": """
        base bulk_persistence clsregistry context decl_base dependency identity
        instrumentation loading mapper path_registry persistence properties
        relationships session state state_changes strategies strategy_options sync
        unitofwork util
    """,
    "sqlalchemy.pool": "base impl",
    "sqlalchemy.sql": """
        base cache_key coercions compiler crud ddl default_comparator dml elements
        lambdas naming roles schema selectable sqltypes traversals type_api util
    """,
    "uvicorn": "lifespan loops main protocols supervisors",
}
HIDDEN = {
    f"{package}.{module}"
    for package, modules in UNDOCUMENTED.items()
    for module in modules.split()
}
# Modules of which only these names are documented.
DOCUMENTED = {
    "alembic.autogenerate": """
        api.AutogenContext comparators compare_metadata produce_migrations
        render_python_code renderers rewriter
    """,
    "fastapi.routing": "APIRoute APIRouter RouteContext iter_route_contexts",
    "pydantic_core": """
        PydanticCustomError PydanticKnownError ValidationError core_schema from_json
        to_json to_jsonable_python
    """,
    "uvicorn.server": "Server",
}

# Underscore names that are documented: of named tuples, enums, rows, os, Pydantic.
PUBLIC = {"_asdict", "_exit", "_field_defaults", "_fields", "_make", "_mapping"}
PUBLIC |= {"_missing_", "_replace", "_env_file", "_fields_set", "_secrets_dir"}
# Python's own names may be used, except those by which objects keep their state.
STATE: tuple[str, ...] = ("__builtins__", "__closure__", "__code__", "__defaults__")
STATE += ("__dict__", "__globals__", "__kwdefaults__", "__pydantic_")
HOOKS = {"__pydantic_init_subclass__", "__pydantic_on_complete__"}
BY_NAME = {"attrgetter", "delattr", "getattr", "hasattr", "patch", "setattr"}
BY_NAME |= {"__delattr__", "__getattribute__", "__setattr__", "import_module", "object"}


def is_private(name: str) -> bool:
    if name.startswith("__") and name.endswith("__"):
        return name.startswith(STATE) and name not in HOOKS
    return name.startswith("_") and name.strip("_") != "" and name not in PUBLIC


def is_ours(module: str) -> bool:
    return module.split(".")[0] in OURS


def own_names(trees: Iterable[ast.AST]) -> set[str]:
    """The underscore names that our code defines itself."""
    found: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                found.add(name)
            case ast.Attribute(value=ast.Name("self" | "cls"), ctx=ast.Store()):
                found.add(node.attr)
    return {name for name in found if is_private(name)}


def used_names(trees: Iterable[ast.AST]) -> set[str]:
    """The names that our code reads."""
    found: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                found.add(name)
            case ast.Attribute(attr=name, ctx=ast.Load()):
                found.add(name)
    return found


class Module:
    """Finds the private API of other packages in one module."""

    def __init__(self, tree: ast.Module, own: set[str], used: set[str]) -> None:
        self.tree = tree
        self.own = own
        self.used = used
        self.imported: dict[str, str] = {}  # of other packages, by the name here
        for node in ast.walk(tree):
            for name, path in _imports(node):
                if not is_ours(path):
                    self.imported[name] = path

    def find(self) -> Iterator[tuple[int, str]]:
        for node in ast.walk(self.tree):
            line = getattr(node, "lineno", 0)
            for what in dict.fromkeys(self._of(node)):
                yield line, what

    def _of(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Import() | ast.ImportFrom():
                for _, path in _imports(node):
                    if not is_ours(path):
                        yield from _of_path(path)
            case ast.Attribute():
                yield from self._of_attribute(node)
            case ast.Call():
                yield from self._of_call(node)
            case ast.ClassDef() if any(map(self._is_theirs, node.bases)):
                for item in node.body:
                    if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                        yield from self._of_method(item)

    def _path(self, node: ast.AST) -> str:
        """The dotted name of what another package has, or ""."""
        match node:
            case ast.Name(id=name):
                return self.imported.get(name, "")
            case ast.Attribute(value=value, attr=name):
                path = self._path(value)
                return path and f"{path}.{name}"
            case ast.Subscript(value=value):
                return self._path(value)
        return ""

    def _is_theirs(self, base: ast.expr) -> bool:
        path = self._path(base)
        return path != "" and not path.startswith("typing.")

    def _of_attribute(self, node: ast.Attribute) -> Iterator[str]:
        path = self._path(node)
        if path:
            yield from _of_path(path)
            top = path.split(".")[0]
            if isinstance(node.ctx, ast.Store) and top not in sys.stdlib_module_names:
                yield f"patches {path}"
        elif is_private(node.attr) and node.attr not in self.own:
            yield f".{node.attr}"

    def _of_call(self, node: ast.Call) -> Iterator[str]:
        """Names as keywords and in strings: f(_x=1), getattr(x, "_y")."""
        for keyword in node.keywords:
            if is_private(keyword.arg or "") and keyword.arg not in self.own:
                yield f"{keyword.arg}="
        function = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if function not in BY_NAME:
            return
        theirs = bool(node.args) and self._path(node.args[0])
        for argument in node.args[:2]:
            text = argument.value if isinstance(argument, ast.Constant) else None
            if not isinstance(text, str) or is_ours(text):
                continue
            if function == "import_module":
                yield from _of_path(text)
            for part in text.split("."):
                if is_private(part) and (theirs or part not in self.own):
                    yield f".{part}"
        if function == "setattr" and isinstance(node.func, ast.Name) and theirs:
            yield f"patches {theirs}"

    def _of_method(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
        """A private method that our code never calls overrides one of the base class."""
        private = is_private(node.name) and not node.decorator_list
        if private and node.name not in self.used:
            yield f"overrides {node.name}"


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Each name that an import binds, and what it names."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.split(".")[0]
            yield (alias.asname or top), (alias.name if alias.asname else top)
            yield "", alias.name
    elif isinstance(node, ast.ImportFrom) and not node.level:
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _of_path(path: str) -> Iterator[str]:
    """The dotted name itself, where it is private or nobody documents it."""
    if path.startswith("__future__."):
        return
    parts = path.split(".")
    modules = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    partly = [name for name in DOCUMENTED if f"{path}.".startswith(f"{name}.")]
    unlisted = any(not _is_listed(path.removeprefix(name), name) for name in partly)
    if unlisted or modules & HIDDEN or any(map(is_private, parts)):
        yield path


def _is_listed(rest: str, module: str) -> bool:
    """Whether it is one of a module's documented names, or on the way to one."""
    names = [f".{name}." for name in DOCUMENTED[module].split()]
    return any(
        name.startswith(f"{rest}.") or f"{rest}.".startswith(name) for name in names
    )


@cache
def findings() -> dict[tuple[str, str], int]:
    """(file, what) -> line, over all that a project runs."""
    paths = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]
    texts = {
        path.relative_to(ROOT).as_posix().removeprefix(f"{TREE.name}/"): path.read_text(
            encoding="utf-8"
        )
        for path in paths
    }
    for folder in ("scripts", "src", "tests"):
        texts |= modules(TREE / folder, **EVERY_FLAG)
    trees = {name: ast.parse(text) for name, text in texts.items()}
    own, used = own_names(trees.values()), used_names(trees.values())
    found: dict[tuple[str, str], int] = {}
    for name, tree in trees.items():
        for line, what in Module(tree, own, used).find():
            found.setdefault((name, what), line)
    return found


def test_nothing_private_is_used() -> None:
    unknown = findings().keys() - EXCEPTIONS.keys()
    lines = {key: findings()[key] for key in sorted(unknown)}
    assert not lines, "\n".join(
        f"{name}:{line}: {what}" for (name, what), line in lines.items()
    )


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=" ".join)
def test_an_exception_is_needed_and_has_its_decision(
    exception: tuple[str, str],
) -> None:
    assert exception in findings()
    assert (DECISIONS / EXCEPTIONS[exception]).is_file()


def found_in(source: str) -> list[str]:
    tree = ast.parse(source)
    return [what for _, what in Module(tree, own_names([tree]), set()).find()]


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import re._parser", "re._parser"),
        ("from asyncio import _get_running_loop", "asyncio._get_running_loop"),
        ("from pydantic._internal import _fields", "pydantic._internal._fields"),
        ("from sqlalchemy.util import memoized_property", "sqlalchemy.util."),
        ("import sqlalchemy as sa\nsa.sql.compiler.SQLCompiler", "sqlalchemy.sql.comp"),
        ("from fastapi.routing import request_response", "fastapi.routing.request_"),
        ("from fastapi.dependencies.utils import solve", "fastapi.dependencies."),
        ("from uvicorn.protocols.http.auto import X", "uvicorn.protocols.http.auto.X"),
        ("from alembic.autogenerate import RevisionContext", "alembic.autogenerate."),
        ("import importlib\nimportlib.import_module('re._parser')", "re._parser"),
        ("def f(make): make(_loop=1)", "_loop="),
        ("def f(queue): queue._put(1)", "._put"),
        ("def f(x): x.y()._z = 1", "._z"),
        ("def f(self): self.app.router._routes", "._routes"),
        ("def f(self): self._unset()", "._unset"),
        ("def f(x): x.__dict__.update(y=1)", ".__dict__"),
        ("def f(x): return x.__init__.__globals__", ".__globals__"),
        ("def f(x): object.__setattr__(x, '__pydantic_extra__', {})", ".__pydantic_ex"),
        ("def f(x): getattr(x, '_queue', None)", "._queue"),
        (
            "import asyncio\nclass Q(asyncio.Queue):\n def _put(self, x): 0",
            "overrides ",
        ),
        (
            "from sqlalchemy import Table\nTable.quote = True",
            "patches sqlalchemy.Table.",
        ),
        ("from sqlalchemy import Table\nsetattr(Table, 'x', 1)", "patches sqlalchemy."),
        ("import queue\ndef _put(): 0\nqueue._put()", "queue._put"),
        ("def f(patch): patch.setattr('redis._x.y', 1)", "._x"),
    ],
)
def test_private_api_is_found(source: str, what: str) -> None:
    assert [one[: len(what)] for one in found_in(source)][:1] == [what]


@pytest.mark.parametrize(
    "source",
    [
        "from src.models._base import Entity",
        "from . import _base\n_base.x",
        "from __future__ import annotations",
        "class A:\n def _a(self): self._b = self._a()\ndef f(a): a._b, a._a()",
        "def f(row): row._mapping, row._asdict(), type(row).__name__, _",
        "import os\nos._exit(1)",
        "import sys\nsys.dont_write_bytecode = True",
        "from fastapi.routing import APIRoute, iter_route_contexts",
        "import fastapi.routing\nfastapi.routing.APIRoute",
        "from alembic.autogenerate.api import AutogenContext",
        "import sqlalchemy as sa\nfrom sqlalchemy import orm\norm.attributes, sa.sql",
        "from sqlalchemy.dialects import postgresql\npostgresql.JSONB",
        "from pydantic_core import PydanticCustomError, from_json",
        "_cache = {}\ndef f(x): getattr(x, '_cache'), getattr(x, 'y')",
        "def f(patch): patch.setattr('src.core.pool._x', 1)",
        "class A(Exception):\n def _m(self): 0",
        "import enum\nclass A(enum.Enum):\n def _missing_(self): 0",
        "def f(app): app.state.ready = True",
    ],
)
def test_public_api_and_own_names_are_not_found(source: str) -> None:
    assert found_in(source) == []
