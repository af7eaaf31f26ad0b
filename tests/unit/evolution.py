"""Random specs, what becomes of them, and what people write into the code meanwhile."""

import ast
import copy
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from scaffold.spec.loading import SpecError, parse
from scaffold.spec.model import Spec
from scaffold.spec.vocabulary.keys import OPERATIONS

Document = dict[str, Any]
Change = Callable[[Document, Random], None]

ENTITIES = (
    "Task",
    "Project",
    "OrderItem",
    "Person",
    "HTTPRequest",
    "Class",
    "Category",
)
FIELDS = (
    "title",
    "price",
    "due",
    "class",
    "weight",
    "state",
    "notes",
    "metadata",
    "code",
)
RELATIONS = ("owner", "parent", "parts", "related", "tags")
KEYS: dict[str, tuple[Document, ...]] = {
    "string": (
        {"max_length": 40},
        {"required": True},
        {"default": "it's"},
        {"unique": True},
        {"required": True, "write_only": True},
        {"required": True, "immutable": True, "example": "A1"},
        {"array": True, "default": ["it's", 'a "b"'], "index": True},
        {"array": True, "min_items": 1, "max_items": 3, "max_length": 40},
    ),
    "text": ({}, {"max_length": 1000}, {"array": True}),
    "integer": (
        {"ge": 0},
        {"index": True},
        {"default": 3},
        {"multiple_of": 5},
        {"bits": 16, "ge": 5},
        {"read_only": True},
        {"array": True, "ge": 0, "multiple_of": 5, "default": []},
        {"array": True, "bits": 32, "required": True, "default": [1, 2]},
    ),
    "decimal": (
        {"precision": 8, "scale": 3},
        {"gt": 0},
        {"default": "1.50"},
        {"array": True, "gt": 0, "filter": True},
    ),
    "boolean": ({"default": False}, {}),
    "date": ({}, {"required": True}, {"index": True}),
    "datetime": (
        {},
        {"array": True},
        {"default": "2026-01-01T00:00:00Z"},
        {"default": "now"},
    ),
    "uuid": ({}, {"unique": True}, {"default": "random", "nullable": True}),
    "enum": (
        {"values": ["a", "b"]},
        {"values": ["b", "c c"], "default": "b"},
        {"values": ["a", "b", "c c"], "array": True, "default": ["b", "c c"]},
    ),
    "json": ({}, {"default": {"a": [1]}}),
    "float": ({}, {"lt": 10}, {"array": True, "lt": 10}),
    "binary": ({}, {"required": True, "max_length": 40}, {"default": "AAEC/w=="}),
}

# Names as databases and clients have them.
TABLES = ("film", "User", "order", "a table", "x$y", "select", "T" * 63)
SCHEMAS = ("public", "shop", "Other Shop", "user")
URLS = ("films", "my-things", "Things_2", "health", "docs")
COLUMNS = ("TheTitle", "orig lang", "user", "a-b", "x$y", "_id", "C" * 63, "class")
JSON_KEYS = ("film-title", "Class", "_links", "from", "self", "model_config", "J" * 63)
IDS: tuple[str | Document, ...] = (
    "uuid",
    "integer",
    "string",
    {"name": "key"},
    {"name": "class", "type": "integer", "bits": 16},
    {"name": "order", "type": "integer", "bits": 32, "generated": False},
    {"type": "integer", "generated": False},
    {"name": "code", "type": "string"},
    {"type": "string", "generated": False},
    {"name": "user", "type": "string", "generated": False, "max_length": 2},
    {"type": "string", "generated": False, "pattern": "^[A-Z]{3}-[0-9]{4}$"},
    {"type": "string", "generated": False, "pattern": "^[a-d][1-4]$"},
    {"name": "self", "type": "uuid", "generated": False},
)
TIMESTAMPS: tuple[bool | Document, ...] = (
    True,
    False,
    {},
    {"created_at": "inserted"},
    {"created_at": "from", "updated_at": "to"},
)


def spec_of(document: Document) -> Spec | None:
    """The checked spec, or nothing where the document is not legal."""
    try:
        return parse(json.dumps(document).encode())
    except SpecError:
        return None


def random_document(random: Random) -> Document:
    """A legal spec of one to four entities."""
    document: Document = {"entities": []}
    for _ in range(random.randint(1, 4)):
        _add_entity(document, random)
    for _ in range(random.randint(0, 3)):
        document = changed(document, random, _add_relation)
    return document


def named(document: Document, random: Random) -> Document:
    """The same spec with ids and names as databases have them."""
    for _ in range(random.choice([0, 8])):
        document = changed(document, random, random.choice([_choose_id, *NAMES]))
    return document


def evolved(
    document: Document, random: Random, changes: Sequence[Change] = ()
) -> Document:
    """The same spec some time later: things are renamed, added, removed and changed."""
    document = copy.deepcopy(document)
    for entity in document["entities"]:
        for item in (entity, *entity["fields"], *entity["relations"]):
            item.pop("renamed_from", None)
    for _ in range(random.randint(1, 5)):
        document = changed(document, random, random.choice(changes or CHANGES))
    return document


def changed(document: Document, random: Random, change: Change) -> Document:
    """The document after a change, or as it was where that is not legal."""
    candidate = copy.deepcopy(document)
    change(candidate, random)
    return candidate if spec_of(candidate) else document


def _field(random: Random) -> Document:
    type_ = random.choice(list(KEYS))
    name = random.choice(FIELDS)
    return {"name": name, "type": type_, **random.choice(KEYS[type_])}


def _add_entity(document: Document, random: Random) -> None:
    taken = {entity["name"] for entity in document["entities"]}
    free = [name for name in ENTITIES if name not in taken]
    if not free:
        return
    fields = {field["name"]: field for field in (_field(random) for _ in range(4))}
    entity = {
        "name": random.choice(free),
        "fields": [*fields.values()],
        "relations": [],
    }
    document["entities"].insert(random.randint(0, len(taken)), entity)


def _add_relation(document: Document, random: Random) -> None:
    source, target = (random.choice(document["entities"]) for _ in range(2))
    relation = {
        "name": random.choice(RELATIONS),
        "type": random.choice(["many_to_one", "one_to_one", "many_to_many"]),
        "target": target["name"],
    }
    if random.random() < 0.5:
        relation["back_populates"] = f"{relation['name']}_of"
    source["relations"].append(relation)


def _remove_entity(document: Document, random: Random) -> None:
    gone = random.choice(document["entities"])
    document["entities"].remove(gone)
    for entity in document["entities"]:
        kept = [one for one in entity["relations"] if one["target"] != gone["name"]]
        entity["relations"] = kept


def _rename_entity(document: Document, random: Random) -> None:
    entity, name = random.choice(document["entities"]), random.choice(ENTITIES)
    old = entity["name"]
    entity |= {"name": name, "renamed_from": old}
    for one in document["entities"]:
        for relation in one["relations"]:
            if relation["target"] == old:
                relation["target"] = name


def _add_field(document: Document, random: Random) -> None:
    fields = random.choice(document["entities"])["fields"]
    fields.insert(random.randint(0, len(fields)), _field(random))


def _members(document: Document, random: Random) -> list[Document]:
    entity = random.choice(document["entities"])
    members: list[Document] = random.choice([entity["fields"], entity["relations"]])
    return members


def _remove_member(document: Document, random: Random) -> None:
    members = _members(document, random)
    if members:
        members.remove(random.choice(members))


def _rename_member(document: Document, random: Random) -> None:
    members = _members(document, random)
    if members:
        member = random.choice(members)
        name = random.choice(FIELDS if "target" not in member else RELATIONS)
        member |= {"name": name, "renamed_from": member["name"]}


def _change_field(document: Document, random: Random) -> None:
    fields = random.choice(document["entities"])["fields"]
    if fields:
        number = random.randrange(len(fields))
        fields[number] = {**_field(random), "name": fields[number]["name"]}


def _turn_array(document: Document, random: Random) -> None:
    """Make an array of a field, or one value of an array."""
    fields = random.choice(document["entities"])["fields"]
    if not fields:
        return
    field = random.choice(fields)
    was_array = field.pop("array", False)
    if not was_array:
        field["array"] = True
    for key in ("default", "example"):
        if key in field and not was_array:
            field[key] = [field[key]]
        elif key in field:
            field[key] = (field[key] or [None])[0]
    field.pop("min_items", None)
    field.pop("max_items", None)


def _offer(document: Document, random: Random) -> None:
    some = random.sample([*OPERATIONS], random.randint(0, len(OPERATIONS)))
    random.choice(document["entities"])["operations"] = some


def _describe(document: Document, random: Random) -> None:
    random.choice(document["entities"])["description"] = random.choice(
        ['Says "so".', "Two words", "A text that is long enough to be wrapped " * 3]
    )


CHANGES = (
    _add_entity,
    _add_field,
    _add_field,
    _add_relation,
    _remove_entity,
    _rename_entity,
    _remove_member,
    _rename_member,
    _change_field,
    _change_field,
    _turn_array,
    _describe,
    _offer,
)


def _choose_id(document: Document, random: Random) -> None:
    random.choice(document["entities"])["id"] = random.choice(IDS)


def _rename_id(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    key = entity.get("id", "uuid")
    key = {"type": key} if isinstance(key, str) else key
    entity["id"] = {**key, "name": random.choice(["id", "key", "no", "order", "Id"])}


def _lengthen_id(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    key = entity.get("id")
    if isinstance(key, dict) and key.get("type") == "string":
        entity["id"] = {**key, "max_length": key.get("max_length", 36) + 9}


def _name_table(document: Document, random: Random) -> None:
    _give(random.choice(document["entities"]), "table", TABLES, random)


def _name_schema(document: Document, random: Random) -> None:
    _give(random.choice(document["entities"]), "schema", SCHEMAS, random)


def _name_url(document: Document, random: Random) -> None:
    _give(random.choice(document["entities"]), "url", URLS, random)


def _name_times(document: Document, random: Random) -> None:
    _give(random.choice(document["entities"]), "timestamps", TIMESTAMPS, random)


def _name_member(document: Document, random: Random) -> None:
    """Give a field or relation a column or a key in JSON, or take that away."""
    entity = random.choice(document["entities"])
    members = entity["fields"] + entity["relations"]
    if members:
        key, values = random.choice([("column", COLUMNS), ("json", JSON_KEYS)])
        _give(random.choice(members), key, values, random)


def _leave_out_index(document: Document, random: Random) -> None:
    relations = random.choice(document["entities"])["relations"]
    if relations:
        _give(random.choice(relations), "index", [False], random)


def _change_case(document: Document, random: Random) -> None:
    _give(document, "json_case", ["camel"], random)


def _give(part: Document, key: str, values: Sequence[Any], random: Random) -> None:
    if key in part and random.random() < 0.5:
        del part[key]
    else:
        part[key] = random.choice(values)


NAMES = (
    _rename_id,
    _lengthen_id,
    _name_table,
    _name_table,
    _name_schema,
    _name_schema,
    _name_url,
    _name_times,
    _name_times,
    _name_member,
    _name_member,
    _name_member,
    _leave_out_index,
    _change_case,
)


Home = tuple[str, ...]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def _definitions(text: str) -> list[Definition]:
    tree = _parsed(text)
    return [n for n in ast.walk(tree) if isinstance(n, Definition)] if tree else []


def _imported(text: str) -> set[str]:
    tree = _parsed(text)
    return {
        alias.asname or alias.name
        for node in (tree.body if tree else ())
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _is_class(node: Definition) -> bool:
    return isinstance(node, ast.ClassDef)


def sources(text: str) -> dict[str, str]:
    """The classes and functions of a module, each with the lines that it consists of."""
    lines = text.split("\n")
    tree = _parsed(text)
    return {
        node.name: "\n".join(
            lines[
                min([node, *node.decorator_list], key=_line).lineno
                - 1 : node.end_lineno
            ]
        )
        for node in (tree.body if tree else ())
        if isinstance(node, Definition)
    }


def _line(node: ast.stmt | ast.expr) -> int:
    return node.lineno


def homes(text: str) -> list[tuple[str, Home]] | None:
    """Each line of a module, and the classes and functions around it."""
    tree = _parsed(text)
    if tree is None:
        return None
    found: list[Home] = [() for _ in text.split("\n")]

    def enter(node: ast.AST, home: Home) -> None:
        for child in ast.iter_child_nodes(node):
            inner = home
            if isinstance(child, Definition):
                inner = (*home, child.name)
                first = min([child, *child.decorator_list], key=_line).lineno
                for number in range(first - 1, child.end_lineno or first):
                    found[number] = inner
            enter(child, inner)

    enter(tree, ())
    return list(zip(text.split("\n"), found, strict=True))


class Person:
    """Edits a project as people do, and remembers what has to survive."""

    def __init__(
        self, root: Path, random: Random, ways: Sequence["Way"] | None = None
    ) -> None:
        self.root = root
        self.random = random
        self.ways = ways or self.WAYS
        self.marks: list[str] = []
        self.count = 0
        self.removed: list[str] = []

    def work(self, paths: list[str], edits: int) -> None:
        for _ in range(edits):
            path = self.random.choice(paths)
            if path not in self.removed:
                self.random.choice(self.ways)(self, path)

    def _mark(self) -> str:
        self.marks.append(f"mine{self.count}_")
        self.count += 1
        return self.marks[-1]

    def _text(self, path: str) -> str:
        return (self.root / path).read_text()

    def _lines(self, path: str) -> list[str]:
        return (self.root / path).read_text().split("\n")

    def _save(self, path: str, lines: list[str]) -> None:
        (self.root / path).write_text("\n".join(lines))

    def _insert_comment(self, path: str) -> None:
        lines = self._lines(path)
        at = self.random.randrange(len(lines))
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        self._save(path, [*lines[:at], f"{indent}# {self._mark()}", *lines[at:]])

    def _extend_line(self, path: str) -> None:
        lines = self._lines(path)
        at = self.random.randrange(len(lines))
        lines[at] += f"  # {self._mark()}"
        self._save(path, lines)

    def _append_function(self, path: str) -> None:
        name = self._mark()
        text = (self.root / path).read_text().rstrip("\n")
        function = f'def {name}() -> None:\n    """Mine."""\n'
        (self.root / path).write_text(f"{text}\n\n\n{function}")

    def _append_method(self, path: str) -> None:
        lines = self._lines(path)
        starts = [n for n, line in enumerate(lines) if line.startswith("class ")]
        if not starts or not path.startswith(("src/repositories", "src/services")):
            return self._append_function(path)
        text = (self.root / path).read_text().rstrip("\n")
        method = f'    def {self._mark()}(self) -> None:\n        """Mine."""\n'
        (self.root / path).write_text(f"{text}\n\n{method}")

    def _add_attribute(self, path: str) -> None:
        """At the end of a class, where the next one's removal comes close."""
        classes = [one for one in _definitions(self._text(path)) if _is_class(one)]
        if classes:
            end = self.random.choice(classes).end_lineno or 0
            lines = self._lines(path)
            self._save(path, [*lines[:end], f"    {self._mark()} = 1", *lines[end:]])

    def _decorate(self, path: str) -> None:
        found = _definitions(self._text(path))
        if found:
            one = self.random.choice(found)
            at = min([one.lineno, *(each.lineno for each in one.decorator_list)]) - 1
            line = f"{' ' * one.col_offset}@(lambda it: it)  # {self._mark()}"
            lines = self._lines(path)
            self._save(path, [*lines[:at], line, *lines[at:]])

    def _replace_line(self, path: str) -> None:
        """By a statement, wherever one may stand."""
        mark = self._mark()
        if not self._exchange(path, f"{mark} = 1"):
            self.marks.remove(mark)

    def _delete_line(self, path: str) -> None:
        self._exchange(path, None)

    def _exchange(self, path: str, statement: str | None) -> bool:
        """Replace some line of nobody's, if a program is left; imports stay in use."""
        lines = self._lines(path)
        imported = _imported(self._text(path))
        for at in self.random.sample(range(len(lines)), min(9, len(lines))):
            line = lines[at]
            words = set(re.findall(r"\w+", line))
            if "mine" in line.lower() or (statement and not words) or words & imported:
                continue
            indent = line[: len(line) - len(line.lstrip())]
            new = [] if statement is None else [indent + statement]
            changed = [*lines[:at], *new, *lines[at + 1 :]]
            if not path.endswith(".py") or _parsed("\n".join(changed)):
                self._save(path, changed)
                return True
        return False

    def _use_import(self, path: str) -> None:
        """Use a name that the module happens to import already."""
        text = (self.root / path).read_text().rstrip("\n")
        for name, use in (("uuid", "uuid.uuid4"), ("decimal", "decimal.Decimal")):
            if f"\nimport {name}\n" in text:
                line = f"{self._mark().upper()} = {use}"
                (self.root / path).write_text(f"{text}\n\n{line}\n")
                self.marks[-1] = self.marks[-1].upper()
                return

    def _save_as_windows_does(self, path: str) -> None:
        data = (self.root / path).read_bytes().replace(b"\r\n", b"\n")
        (self.root / path).write_bytes(data.replace(b"\n", b"\r\n"))

    def _remove_file(self, path: str) -> None:
        if self.random.random() < 0.2:
            text = (self.root / path).read_text()
            self.marks = [mark for mark in self.marks if mark not in text]
            (self.root / path).unlink()
            self.removed.append(path)

    WAYS: Sequence["Way"] = (
        _insert_comment,
        _insert_comment,
        _extend_line,
        _append_function,
        _append_method,
        _add_attribute,
        _add_attribute,
        _decorate,
        _replace_line,
        _delete_line,
        _use_import,
        _save_as_windows_does,
        _remove_file,
    )
    HARMLESS: Sequence["Way"] = (_append_function, _append_method, _use_import)


Way = Callable[[Person, str], None]
