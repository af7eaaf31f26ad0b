"""Derived names of hundreds of entities: no two of them are the same."""

import ast
import json
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from scaffold.rendering.app import generate_modular_app
from scaffold.spec import loading, naming
from scaffold.spec.index_names import index_names
from scaffold.spec.model import Spec
from tests.harness.meeting_names import entities


def parsed(seed: int) -> Spec:
    """Return the specification of the entities."""
    return loading.parse(json.dumps({"entities": entities(seed)}).encode())


def twice(names: Iterable[str]) -> list[str]:
    """Return the names that are there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


def bound(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Yield the names that the statements of a module or class bind."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (one.id for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


@pytest.mark.parametrize("seed", range(2))
def test_generated_modules_bind_each_name_once(seed: int) -> None:
    routes = []
    for path, text in generate_modular_app(parsed(seed)).files.items():
        if not path.endswith(".py"):
            continue
        tree = ast.parse(text)
        assert twice(bound(tree)) == [], path
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                assert twice(bound(node)) == [], f"{path}: {node.name}"
        if path.startswith("src/api/routes/"):
            functions = (n for n in tree.body if isinstance(n, ast.AsyncFunctionDef))
            routes += [function.name for function in functions]
    assert len(routes) > 1000
    assert twice(routes) == []


@pytest.mark.parametrize("seed", range(5))
def test_names_in_the_database_differ_and_fit(seed: int) -> None:
    spec = parsed(seed)
    owned = [link for one in spec.entities for link in one.links if link.owner]
    tables = [one.table for one in spec.entities] + [link.table for link in owned]
    stored = [*tables, *index_names(spec.entities).values()]
    stored += [naming.constraint("pk", table) for table in tables]
    assert twice(stored) == []
    columns = [one.column for entity in spec.entities for one in entity.references]
    columns += [link.left_column for link in owned]
    columns += [link.right_column for link in owned]
    assert [name for name in stored + columns if len(name) > naming.MAX_BYTES] == []


def test_an_entity_at_the_end_keeps_the_names_of_those_before_it() -> None:
    document = entities(seed=1)
    before = generate_modular_app(parsed(seed=1)).files
    document.append({"name": "Zebra", "fields": [{"name": "base", "type": "integer"}]})
    spec = loading.parse(json.dumps({"entities": document}).encode())
    after = generate_modular_app(spec).files
    folders = ("src/api/routes/", "src/services/", "src/repositories/")
    changed = {path for path in before if after[path] != before[path]}
    own = {path for path in changed if path.startswith(folders)}
    assert own == {"src/api/routes/__init__.py"}


def test_an_index_without_regard_to_case_has_a_name_of_its_own() -> None:
    """Turning case_insensitive on replaces the index: the name shows which one is there."""
    email = {"name": "email", "type": "email", "unique": True}
    other = {"name": "email_lower", "type": "string", "unique": True}
    names = []
    for one in (email, email | {"case_insensitive": True}):
        entity = {"name": "User", "fields": [one, other], "search": ["email_lower"]}
        spec = loading.parse(json.dumps({"entities": [entity]}).encode())
        names.append(index_names(spec.entities))
    assert names[0]["uq", "users", "email"] == "uq_users_email"
    assert names[1]["uq", "users", "email"] == "uq_users_email_lower"
    assert names[0]["ix", "users", "_search"] == "ix_users__search"
    assert [twice(known.values()) for known in names] == [[], []]
