"""What the API shows: read-only, write-only and immutable fields, operations, examples."""

import ast
import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scaffold.cli import main
from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import parse
from scaffold.spec.vocabulary.keys import OPERATIONS

Document = dict[str, Any]
FIELDS: list[Document] = [
    {"name": "number", "type": "string", "required": True, "max_length": 40},
    {"name": "pin", "type": "string", "required": True},
    {"name": "balance", "type": "integer", "default": 0},
    {"name": "state", "type": "enum", "values": ["new", "open", "done"]},
    {"name": "due", "type": "datetime"},
]
SHOWN: dict[str, Document] = {
    "number": {"immutable": True, "example": "AC-1"},
    "pin": {"write_only": True},
    "balance": {"read_only": True, "example": 7},
    "state": {"example": "done"},
    "due": {"example": "2026-01-31T09:30:00+01:00"},
}


def document(fields: list[Document] | None = None, **entity: Any) -> Document:
    return {"entities": [{"name": "Account", "fields": fields or FIELDS, **entity}]}


def with_access() -> list[Document]:
    return [{**field, **SHOWN[field["name"]]} for field in FIELDS]


def rendered(document: Document) -> dict[str, str]:
    return dict(generate_modular_app(parse(json.dumps(document).encode())).files)


def classes(source: str) -> dict[str, set[str]]:
    """Return the attributes that each class declares."""
    return {
        node.name: {
            item.target.id
            for item in node.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        }
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }


def routes(source: str) -> set[str]:
    """Return the names of the routes of a module."""
    found = ast.parse(source).body
    return {node.name for node in found if isinstance(node, ast.AsyncFunctionDef)}


def test_a_schema_has_the_fields_that_its_reader_or_writer_may_know() -> None:
    declared = classes(rendered(document(with_access()))["src/models/schemas.py"])
    others = {"state", "due"}
    assert declared["AccountBase"] == {"number", "pin", *others}
    assert declared["AccountUpdate"] == {"number", "pin", *others}
    assert declared["AccountReplace"] == {"number", "pin", "balance"}
    assert declared["Account"] == {"number", "balance", *others}


def test_the_repository_names_what_a_put_keeps() -> None:
    files = rendered(document(with_access()))
    repository = files["src/repositories/account.py"]
    assert '    immutable = frozenset({"number"})\n' in repository
    assert '    write_only = frozenset({"pin"})\n' in repository
    assert "or are kept" in files["src/services/account.py"]


def test_write_only_text_is_never_sanitised() -> None:
    service = rendered(document(with_access()))["src/services/account.py"]
    assert 'plain_text = frozenset({"number"})' in service


def test_examples_are_in_openapi_and_in_the_first_row() -> None:
    files = rendered(document(with_access()))
    schemas = files["src/models/schemas.py"]
    name = "ACCOUNT_EXAMPLE: dict[str, typing.Any] = "
    example = ast.literal_eval(re.split(r"\n\w", schemas.partition(name)[2])[0])
    assert example == {
        "number": "AC-1",
        "pin": "Pin 1",
        "state": "done",
        "due": "2026-01-31T08:30:00Z",
    }
    for shown in ('["AC-1"]', "[7]", '["done"]', '["2026-01-31T08:30:00Z"]'):
        assert f"examples={shown}" in schemas
    factories = files["tests/factories.py"]
    assert 'support.first(n, "AC-1", f"Number {n}")' in factories
    assert 'support.pick(n, "open", "done", "new")' in factories


def test_the_example_of_a_change_has_nothing_that_cannot_change() -> None:
    schemas = rendered(document(with_access()))["src/models/schemas.py"]
    name = "ACCOUNT_EXAMPLE_OF_CHANGES: dict[str, typing.Any] = "
    example = re.split(r"\n\w", schemas.partition(name)[2])[0]
    assert set(ast.literal_eval(example)) == {"pin", "state", "due"}


def test_no_table_depends_on_what_the_api_shows() -> None:
    """So no migration is needed when these keys change."""
    plain = rendered(document())["src/models/entities.py"]
    shown = rendered(document(with_access(), operations=["list"]))
    assert shown["src/models/entities.py"] == plain


SOME_OPERATIONS = [
    list(some)
    for count in range(len(OPERATIONS) + 1)
    for some in itertools.combinations(OPERATIONS, count)
]


@pytest.mark.parametrize("operations", SOME_OPERATIONS, ids="+".join)
def test_only_operations_that_are_offered_have_a_route(operations: list[str]) -> None:
    files = rendered(document(operations=operations))
    source = files["src/api/routes/accounts.py"]
    plurals = {"list": "list_accounts"}
    expected = {plurals.get(one, f"{one}_account") for one in operations}
    expected |= {"create_account_batch"} if "create" in operations else set()
    assert routes(source) == expected
    assert ("Location" in source) == ({"create", "get"} <= {*operations})
    for name in ("create_account", "get_account", "list_accounts", "delete_account"):
        assert f"async def {name}(" in files["src/services/account.py"]


def related(**operations: list[str]) -> Document:
    """Return a project with tasks, a plan and tags, of which some have few operations."""
    relations = [
        {
            "name": "project",
            "type": "many_to_one",
            "target": "Project",
            "back_populates": "tasks",
        },
        {
            "name": "plan",
            "type": "one_to_one",
            "target": "Project",
            "back_populates": "task",
        },
        {
            "name": "tags",
            "type": "many_to_many",
            "target": "Tag",
            "back_populates": "tasks",
        },
    ]
    entities: list[Document] = [
        {"name": "Project"},
        {"name": "Task", "relations": relations},
        {"name": "Tag"},
    ]
    for entity in entities:
        if entity["name"] in operations:
            entity["operations"] = operations[entity["name"]]
    return {"entities": entities}


LISTS = {"list_project_tasks", "get_project_task", "list_task_tags", "list_tag_tasks"}
LINKS = {"link_task_tag", "unlink_task_tag", "link_tag_task", "unlink_tag_task"}


@pytest.mark.parametrize(
    ("operations", "left_out"),
    [
        ({}, set()),
        ({"Task": ["get", "update"]}, {"list_project_tasks", "list_tag_tasks"}),
        ({"Task": ["list", "update"]}, {"get_project_task"}),
        ({"Task": ["list", "get"]}, LINKS),
        ({"Tag": ["update"]}, {"list_task_tags"}),
        ({"Tag": []}, {"list_task_tags"}),
        ({"Project": []}, set()),
        ({"Task": []}, LINKS | LISTS - {"list_task_tags"}),
    ],
)
def test_routes_of_relations_follow_the_entity_whose_rows_they_show_or_change(
    operations: dict[str, list[str]], left_out: set[str]
) -> None:
    files = rendered(related(**operations))
    found = set().union(
        *(
            routes(text)
            for path, text in files.items()
            if path.startswith("src/api/routes/")
        )
    )
    assert (LISTS | LINKS) - found == left_out


# `make entities` with edits


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True)


def apply(root: Path, document: Document) -> int:
    (root / "entities.json").write_text(json.dumps(document))
    status = main(["apply"], root)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Work")
    return status


EDITS = {
    "src/models/schemas.py": ("class AccountUpdate(", "# mine\nclass AccountUpdate("),
    "src/repositories/account.py": (
        "    entity = entities.AccountEntity\n",
        "    entity = entities.AccountEntity\n    mine = 1\n",
    ),
    "src/services/account.py": (
        "        return await self._create(data)\n",
        "        self.mine = data\n        return await self._create(data)\n",
    ),
    "src/api/routes/accounts.py": (
        "    changed = await service.update_account(",
        "    # mine\n    changed = await service.update_account(",
    ),
    "tests/factories.py": ('"""Makes accounts."""', '"""Makes my accounts."""'),
}


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an edit in each file that the keys change."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git(tmp_path, "init", "--quiet")
    assert apply(tmp_path, document()) == 0
    for path, (old, new) in EDITS.items():
        text = (tmp_path / path).read_text()
        assert old in text, path
        (tmp_path / path).write_text(text.replace(old, new))
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Mine")
    return tmp_path


def test_keys_are_turned_on_changed_and_turned_off_around_edits(edited: Path) -> None:
    before = {path: (edited / path).read_text() for path in EDITS}
    others = [{**field, "immutable": True} for field in FIELDS]
    for fields, operations in (
        (with_access(), ["update"]),
        (others, ["create", "get", "update"]),
    ):
        assert apply(edited, document(fields, operations=operations)) == 0
        for path in EDITS:
            assert re.search(r"\b(mine|my)\b", (edited / path).read_text()), path
    assert apply(edited, document()) == 0
    assert {path: (edited / path).read_text() for path in EDITS} == before


def test_an_operation_whose_route_a_person_has_edited_is_a_conflict(
    edited: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert apply(edited, document(operations=["create"])) == 1
    assert "src/api/routes/accounts.py" in capsys.readouterr().err
    routes = (edited / "src/api/routes/accounts.py").read_text()
    assert "# mine" in routes
