"""Two branches with a migration each are merged: every database ends at the models.

Databases stand at the newest migration of either branch, with rows, or are empty.
"""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.project import Project

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("simple_task_api"),
]

Spec = dict[str, Any]
ROWS = "INSERT INTO tasks (title, description) VALUES ('one', 'first'), ('two', NULL)"
QUERY = """
import asyncio, json, os, sys
import asyncpg

async def main():
    url = os.environ["DATABASE_URL"].replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    for statement in sys.argv[1:-1]:
        await connection.execute(statement)
    rows = await connection.fetch(sys.argv[-1])
    print(json.dumps([list(row.values()) for row in rows], default=str))

asyncio.run(main())
"""


@dataclass(frozen=True)
class Case:
    """What each branch changes, and what the merged entities.json has.

    The rows are stored before the branches.
    """

    name: str
    mine: Callable[[Spec], object]
    other: Callable[[Spec], object]
    both: Callable[[Spec], object]
    before: Callable[[Spec], object] = lambda spec: None
    has_two: bool = True  # migrations to join
    is_plain: bool = False
    rows: str = ROWS
    query: str = "SELECT title, description FROM tasks ORDER BY title"


def fields(spec: Spec) -> list[Spec]:
    found: list[Spec] = spec["entities"][0]["fields"]
    return found


def set_keys(field: str, **keys: Any) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        next(one for one in fields(spec) if one["name"] == field).update(keys)

    return change


def add(name: str, **keys: Any) -> Callable[[Spec], None]:
    return lambda spec: fields(spec).append({"name": name, "type": "string", **keys})


def remove(name: str) -> Callable[[Spec], None]:
    return lambda spec: fields(spec).remove(
        next(one for one in fields(spec) if one["name"] == name)
    )


def rename_entity(name: str) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        entity = spec["entities"][0]
        entity.update(name=name, renamed_from=entity["name"])

    return change


def add_entity(name: str) -> Callable[[Spec], None]:
    entity = {"name": name, "fields": [{"name": "title", "type": "string"}]}
    return lambda spec: spec["entities"].append(entity)


def both(*changes: Callable[[Spec], object]) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        for one in changes:
            one(spec)

    return change


RENAMED = set_keys("description", name="summary", renamed_from="description")
TWO_FIELDS = both(add("code"), add("note"))
TWO_VALUES = """
INSERT INTO tasks (title, code, note) VALUES ('one', 'x', 'first'), ('two', 'x', NULL)
"""
EXCHANGED = both(
    set_keys("code", name="between", renamed_from="code"),
    set_keys("note", name="code", renamed_from="note"),
    set_keys("between", name="note"),
)
CASES = [
    Case(
        "different things",
        both(add_entity("Mine"), add("code")),
        both(add_entity("Other"), set_keys("title", max_length=300)),
        both(
            add_entity("Mine"),
            add_entity("Other"),
            add("code"),
            set_keys("title", max_length=300),
        ),
        is_plain=True,
    ),
    Case(
        "rules of one column, which the merge drops",
        both(set_keys("description", max_length=2000), add("code")),
        set_keys("description", max_length=3000),
        both(set_keys("description", max_length=4000), add("code")),
    ),
    Case(
        "the same column on both sides",
        both(add("code", max_length=10), add_entity("Mine")),
        both(add("code", max_length=20), add_entity("Other")),
        both(add("code", max_length=20), add_entity("Mine"), add_entity("Other")),
    ),
    Case(
        "a rename and a change of one column",
        RENAMED,
        set_keys("description", max_length=3000),
        both(set_keys("description", max_length=3000), RENAMED),
        query="SELECT title, summary FROM tasks ORDER BY title",
    ),
    Case(
        "two names for one column",
        RENAMED,
        set_keys("description", name="about", renamed_from="description"),
        both(
            set_keys("description", name="about", renamed_from="description"),
        ),
        query="SELECT title, about FROM tasks ORDER BY title",
    ),
    Case(
        "a removal and a rename of one column",
        RENAMED,
        remove("description"),
        RENAMED,
        query="SELECT title, summary FROM tasks ORDER BY title",
    ),
    Case(
        "a rule of a table on one branch, and the name of the table on the other",
        rename_entity("Job"),
        set_keys("title", unique=False),
        both(rename_entity("Job"), set_keys("title", unique=False)),
        before=set_keys("title", unique=True),
        query="SELECT title, description FROM jobs ORDER BY title",
    ),
    Case(
        "an exchange of names",
        EXCHANGED,
        add_entity("Other"),
        both(add_entity("Other"), EXCHANGED),
        before=TWO_FIELDS,
        is_plain=True,
        rows=TWO_VALUES,
        query="SELECT title, code FROM tasks WHERE note = 'x' ORDER BY title",
    ),
    Case(
        "an exchange of names, and no migration on the other branch",
        set_keys("title", description="What to do"),
        EXCHANGED,
        both(set_keys("title", description="What to do"), EXCHANGED),
        before=TWO_FIELDS,
        is_plain=True,
        has_two=False,
        rows=TWO_VALUES,
        query="SELECT title, code FROM tasks WHERE note = 'x' ORDER BY title",
    ),
]


@pytest.fixture(scope="module")
def server(baked: Callable[[str], Project]) -> Iterator[str]:
    """The URL of a server, where databases can be made."""
    with baked("simple_task_api").database_server() as url:
        yield url


@dataclass(frozen=True)
class Branches:
    """A project in the middle of a merge, and a database of each kind."""

    project: Project
    server: str
    databases: Mapping[str, str]

    def alembic(self, url: str, *arguments: str) -> None:
        environment = {"DATABASE_URL": url}
        command = [self.project.python, "-m", "alembic", *arguments]
        self.project.run(*command, environment=environment)

    def ask(self, url: str, *statements: str) -> Any:
        environment = {"DATABASE_URL": url}
        command = [self.project.python, "-c", QUERY, *statements]
        return json.loads(self.project.run(*command, environment=environment))


def git(project: Project, *arguments: str) -> str:
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    return project.run("git", *identity, *arguments)


def run(project: Project, server: str, *command: str) -> str:
    environment = {"TEST_DATABASE_URL": server}
    return project.run(*command, environment=environment)


def change(project: Project, server: str, changes: Callable[[Spec], object]) -> None:
    path = project.path / "entities.json"
    spec = json.loads(path.read_text())
    changes(spec)
    path.write_text(json.dumps(spec, indent=2) + "\n")
    run(project, server, "make", "entities")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--no-verify", "--message", "Change")


@pytest.fixture
def merging(
    request: pytest.FixtureRequest,
    baked: Callable[[str], Project],
    server: str,
    tmp_path: Path,
) -> Branches:
    """Both branches have run `make entities`; git has left its conflicts open."""
    case: Case = request.param
    original = baked("simple_task_api").path
    project = Project(tmp_path / "tasks")
    subprocess.run(["git", "clone", "--quiet", original, project.path], check=True)
    (project.path / ".venv").symlink_to(original / ".venv")
    change(project, server, case.before)
    git(project, "branch", "base")
    folder = server.rpartition("/")[0]
    names = {name: f"{name}_{tmp_path.name}" for name in ("base", "mine", "other")}
    databases = {name: f"{folder}/{names[name]}" for name in names}
    branches = Branches(project, server, databases)
    branches.ask(server, f'CREATE DATABASE "{names["base"]}"', "SELECT 1")
    branches.alembic(databases["base"], "upgrade", "head")
    branches.ask(databases["base"], case.rows, "SELECT 1")
    for name, changes in (("other", case.other), ("mine", case.mine)):
        git(project, "switch", "--quiet", "--create", name, "base")
        change(project, server, changes)
        copy = f'CREATE DATABASE "{names[name]}" TEMPLATE "{names["base"]}"'
        branches.ask(server, copy, "SELECT 1")
        branches.alembic(databases[name], "upgrade", "head")
    git(project, "switch", "--quiet", "mine")
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    merge = ["git", *identity, "merge", "--no-commit", "--quiet", "other"]
    subprocess.run(merge, cwd=project.path, capture_output=True)
    spec = json.loads(git(project, "show", "base:entities.json"))
    case.both(spec)
    (project.path / "entities.json").write_text(json.dumps(spec, indent=2) + "\n")
    empty = f"{server.rpartition('/')[0]}/empty_{tmp_path.name}"
    branches.ask(server, f'CREATE DATABASE "{empty.rpartition("/")[2]}"', "SELECT 1")
    return Branches(project, server, {**databases, "empty": empty})


@pytest.mark.parametrize(
    ("merging", "case"),
    [pytest.param(case, case, id=case.name) for case in CASES],
    indirect=["merging"],
)
def test_one_command_joins_two_branches_for_every_database(
    merging: Branches, case: Case
) -> None:
    project = merging.project
    said = run(project, merging.server, "make", "entities")
    assert ("joined the migrations" in said) is case.has_two
    assert ("are now left out" in said) is not case.is_plain, said
    for name, url in merging.databases.items():
        merging.alembic(url, "upgrade", "head")
        merging.alembic(url, "check")
        rows = [] if name == "empty" else [["one", "first"], ["two", None]]
        assert merging.ask(url, case.query) == rows
        if name == "empty":
            merging.alembic(url, "downgrade", "base")
            merging.alembic(url, "upgrade", "head")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--no-verify", "--message", "Merge")
    for words in (["format", "--check", "."], ["check", "."]):
        project.run(project.python, "-m", "ruff", *words)
    checked = run(project, merging.server, "make", "entities-check")
    assert "at the models' state" in checked
    again = run(project, merging.server, "make", "entities")
    assert "none was written" in again
    assert git(project, "status", "--porcelain") == ""
