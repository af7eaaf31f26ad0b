"""The keys of entities.json beside those of the field types: one table a level."""

from dataclasses import dataclass, field

Json = dict[str, object]


@dataclass(frozen=True)
class Key:
    """A key of entities.json: how the checker reads it, and what an editor shows."""

    kind: str
    description: str
    schema: Json = field(default_factory=dict)

    def limit(self, keyword: str) -> int:
        """Return a number of the schema, so that it stands in one place only."""
        number = self.schema[keyword]
        if not isinstance(number, int):
            raise TypeError(f"{keyword} is no integer")
        return number


NAME = "^[a-z][a-z0-9_]*$"
CLASS = "^[A-Z][A-Za-z0-9]*$"
MAX_NAME = 63
MAX_ENTITIES = 2_000
MAX_MEMBERS = 200
MAX_TOGETHER = 100
MAX_COLUMNS = 32
SET_BY_SERVICE = ("created_at", "updated_at")

_NAME: Json = {"type": "string", "pattern": NAME, "maxLength": MAX_NAME}
_CLASS: Json = {"type": "string", "pattern": CLASS, "maxLength": MAX_NAME}
_TEXT: Json = {"type": "string"}
_FLAG: Json = {"type": "boolean"}

_DESCRIPTION = Key(
    "text",
    "Any text; it ends up in docstrings and in OpenAPI.",
    {"type": "string", "pattern": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"},
)
_FORMER = "The former name, so that a migration renames instead of dropping."


def _together(what: str, but: list[str]) -> Key:
    names: Json = {
        "type": "array",
        "minItems": 2,
        "maxItems": MAX_COLUMNS,
        "uniqueItems": True,
        "items": {**_NAME, "not": {"enum": but}},
    }
    return Key(
        "together",
        f"{what}: lists of two or more names of fields or to-one relations.",
        {
            "type": "array",
            "maxItems": MAX_TOGETHER,
            "uniqueItems": True,
            "items": names,
        },
    )


TOP = {
    "$schema": Key(
        "text", "Where an editor finds the JSON Schema of this file.", _TEXT
    ),
    "entities": Key("list", "Everything that the service keeps and serves."),
}

ENTITY = {
    "name": Key("class", "A PascalCase singular such as OrderItem.", _CLASS),
    "plural": Key(
        "name",
        "The snake_case plural: the table and, with dashes, the URL. English rules "
        "where left out.",
        _NAME,
    ),
    "description": _DESCRIPTION,
    "fields": Key("list", "The columns that hold values of their own."),
    "relations": Key("list", "What points to other entities."),
    "unique": _together("Composite unique constraints", ["id", *SET_BY_SERVICE]),
    "indexes": _together("Composite indexes", ["id"]),
    "renamed_from": Key("class", _FORMER, _CLASS),
}

FIELD = {
    "name": Key("name", "The JSON key and the column, in snake_case.", _NAME),
    "type": Key("type", "The type of the value.", _TEXT),
    "required": Key(
        "flag", "The key must be sent, and null is no value; false by default.", _FLAG
    ),
    "default": Key("any", "The value where none is sent; the database's default too."),
    "unique": Key("flag", "No two rows have the same value; false by default.", _FLAG),
    "index": Key("flag", "An index on the column; false by default.", _FLAG),
    "description": _DESCRIPTION,
    "renamed_from": Key("name", _FORMER, _NAME),
}

RELATION_TYPES = {
    "many_to_one": "This entity holds <name>_id, indexed: many tasks, one project.",
    "one_to_one": "This entity holds <name>_id, unique, unless the other side does.",
    "one_to_many": "The target holds the key: one project, many tasks.",
    "many_to_many": "An association table; <name>_ids in requests and answers.",
}
TO_ONE = ("many_to_one", "one_to_one")
ON_DELETE = {
    "cascade": "Deleting the target deletes this row.",
    "set_null": "Deleting the target empties the key.",
    "restrict": "The target cannot be deleted while this row points to it.",
}

RELATION = {
    "name": Key("name", "The name of this side, in snake_case.", _NAME),
    "type": Key("relation", "How many stand on each side.", _TEXT),
    "target": Key("class", "The name of the other entity.", _CLASS),
    "required": Key(
        "flag", "There is always one; only to-one relations; false by default.", _FLAG
    ),
    "on_delete": Key(
        "on_delete",
        "What happens here when the target is deleted: restrict where required, else "
        "set_null.",
        _TEXT,
    ),
    "back_populates": Key(
        "name",
        "The name of the reverse side, made on the target unless declared there.",
        _NAME,
    ),
    "description": _DESCRIPTION,
    "renamed_from": Key("name", _FORMER, _NAME),
}
# Where a relation holds no column, nothing can be required of it.
ONLY_TO_ONE = ("required", "on_delete")
