"""Tests that strings from entities.json never become code."""

import ast
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import SpecError, parse, report
from tests.payloads import PAYLOADS, strings

LINE = re.compile(r"entities\.json:[1-9][0-9]*:[1-9][0-9]*: \S[^\n\r]*")
HARMLESS = [f"harmless {number}" for number in range(len(PAYLOADS))]


def entities(**changes: Any) -> dict[str, Any]:
    """Return a file with a field and a relation, and one value changed."""
    field = {"name": "title", "type": "string"}
    relation = {"name": "project", "type": "many_to_one", "target": "Project"}
    task = {"name": "Task", "fields": [field], "relations": [relation]}
    places = {"field": field, "relation": relation, "entity": task}
    for place, (key, value) in changes.items():
        places[place][key] = value
    return {"entities": [task, {"name": "Project"}]}


NAMES: dict[str, Callable[[str], dict[str, Any]]] = {
    "entity.name": lambda text: entities(entity=("name", text)),
    "entity.plural": lambda text: entities(entity=("plural", text)),
    "entity.renamed_from": lambda text: entities(entity=("renamed_from", text)),
    "entity.unique": lambda text: entities(entity=("unique", [[text, "title"]])),
    "entity.indexes": lambda text: entities(entity=("indexes", [["title", text]])),
    "entity.access": lambda text: entities(entity=("access", text)),
    "entity.owner": lambda text: entities(entity=("owner", text)),
    "entity key": lambda text: entities(entity=(text, 1)),
    "field.name": lambda text: entities(field=("name", text)),
    "field.type": lambda text: entities(field=("type", text)),
    "field.renamed_from": lambda text: entities(field=("renamed_from", text)),
    "field.required": lambda text: entities(field=("required", text)),
    "field.max_length": lambda text: entities(field=("max_length", text)),
    "field.read_access": lambda text: entities(field=("read_access", [text])),
    "field key": lambda text: entities(field=(text, 1)),
    "relation.name": lambda text: entities(relation=("name", text)),
    "relation.type": lambda text: entities(relation=("type", text)),
    "relation.target": lambda text: entities(relation=("target", text)),
    "relation.on_delete": lambda text: entities(relation=("on_delete", text)),
    "relation.back_populates": lambda text: entities(relation=("back_populates", text)),
    "relation.renamed_from": lambda text: entities(relation=("renamed_from", text)),
    "relation key": lambda text: entities(relation=(text, 1)),
    "key": lambda text: {**entities(), text: 1},
}


@pytest.mark.parametrize("slot", NAMES)
def test_names_with_code_are_refused(slot: str) -> None:
    for text in PAYLOADS:
        with pytest.raises(SpecError) as caught:
            parse(json.dumps(NAMES[slot](text)).encode())
        *lines, _ = report(caught.value).split("\n")
        assert lines
        for line in lines:
            assert LINE.fullmatch(line), line
            assert line.isprintable(), line


def document(texts: list[str]) -> bytes:
    """Return a file with these texts wherever any text is allowed."""
    described = [
        {
            "name": f"Thing{n}",
            "description": text,
            "relations": [
                {
                    "name": "line",
                    "type": "many_to_one",
                    "target": "Line",
                    "description": text,
                }
            ],
        }
        for n, text in enumerate(texts)
    ]
    return json.dumps({"entities": [*strings(texts), *described]}).encode()


# What an example consists of; a long text is "x" * 100.
DATA = (
    *(ast.Dict, ast.List, ast.Constant, ast.expr_context),
    *(ast.BinOp, ast.operator, ast.UnaryOp, ast.unaryop),
)


class Masked(ast.NodeTransformer):
    """A syntax tree without its strings and examples: what remains is code."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            self.texts.append(node.value)
            return ast.Constant("")
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Mask an example: it has those keys for which a valid text was found."""
        target = node.target
        if isinstance(target, ast.Name) and target.id.endswith("_EXAMPLE"):
            assert node.value is not None
            assert all(isinstance(part, DATA) for part in ast.walk(node.value))
            node.value = ast.Dict([], [])
        return self.generic_visit(node)


def masked(source: str) -> tuple[str, list[str]]:
    mask = Masked()
    return ast.dump(mask.visit(ast.parse(source))), mask.texts


def test_all_other_text_changes_no_code() -> None:
    """Check that the code does not depend on the strings, and that they are kept."""
    hostile = generate_modular_app(parse(document(PAYLOADS))).files
    harmless = generate_modular_app(parse(document(HARMLESS))).files
    assert hostile.keys() == harmless.keys()
    for path, source in hostile.items():
        if path.endswith(".py") and not path.startswith("tests/"):
            assert masked(source)[0] == masked(harmless[path])[0], path
    written = masked(hostile["src/models/schemas.py"])[1]
    assert {*written} >= {*PAYLOADS}


SPECIAL = re.compile(r"([\\.^$*+?{}\[\]|()])")


def patterns(texts: list[str]) -> dict[str, Any]:
    """Return fields with patterns that match what begins with these texts."""
    escaped = [SPECIAL.sub(r"\\\1", text) for text in texts]
    fields = [
        {"name": f"a{n}", "type": "string", "pattern": f"^{text}"}
        for n, text in enumerate(escaped)
    ]
    return {"entities": [{"name": "Task", "fields": fields}]}


def defaults(texts: list[str]) -> dict[str, Any]:
    """Return fields with defaults that contain as much of these texts as possible."""
    fields = []
    for n, text in enumerate(texts):
        local = re.sub(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~-]", "", text)[:60] or "x"
        address = f"{local}@example.org"
        path = re.sub("[^!-~]", "", text)
        fields += [
            {"name": f"a{n}", "type": "text", "default": text},
            {"name": f"b{n}", "type": "email", "default": address},
        ]
        link = {"name": f"c{n}", "type": "url", "default": f"http://a.example/{path}"}
        fields.append(link)
    halves = fields[: len(fields) // 2], fields[len(fields) // 2 :]
    return {
        "entities": [
            {"name": f"Task{n}", "fields": half} for n, half in enumerate(halves)
        ]
    }


@pytest.mark.parametrize("make", [patterns, defaults])
def test_patterns_and_defaults_do_not_change_code(
    make: Callable[[list[str]], dict[str, Any]],
) -> None:
    document = make(PAYLOADS)
    hostile = generate_modular_app(parse(json.dumps(document).encode())).files
    other = json.dumps(make(HARMLESS)).encode()
    harmless = generate_modular_app(parse(other)).files
    for path, source in hostile.items():
        if path.endswith(".py") and not path.startswith("tests/"):
            assert masked(source)[0] == masked(harmless[path])[0], path
        elif path.endswith(".py"):
            compile(source, path, "exec", dont_inherit=True)
    fields = [field for one in document["entities"] for field in one["fields"]]
    given = {field.get("pattern", field.get("default")) for field in fields}
    assert {*masked(hostile["src/models/schemas.py"])[1]} >= given


def test_the_path_of_the_schema_is_in_no_file() -> None:
    plain = generate_modular_app(parse(json.dumps(entities()).encode())).files
    for text in PAYLOADS:
        document = {"$schema": text, **entities()}
        assert generate_modular_app(parse(json.dumps(document).encode())).files == plain
