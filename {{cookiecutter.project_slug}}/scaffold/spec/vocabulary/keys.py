"""The keys of entities.json, one table for each level; field types add their own."""

from dataclasses import dataclass, field

Json = dict[str, object]


@dataclass(frozen=True)
class Key:
    """A key of entities.json: the kind of its value, and its JSON Schema."""

    kind: str
    description: str
    schema: Json = field(default_factory=dict)

    def limit(self, keyword: str) -> int:
        """Return a number of the schema, which is the only place that states it."""
        number = self.schema[keyword]
        if not isinstance(number, int):
            raise TypeError(f"{keyword} is not an integer")
        return number


NAME = "^[a-z][a-z0-9_]*$"
CLASS = "^[A-Z][A-Za-z0-9]*$"
MAX_NAME = 63
MAX_ENTITIES = 2_000
MAX_MEMBERS = 500
MAX_TOGETHER = 100
MAX_COLUMNS = 32
SET_BY_SERVICE = ("created_at", "updated_at")

_NAME: Json = {"type": "string", "pattern": NAME, "maxLength": MAX_NAME}
_CLASS: Json = {"type": "string", "pattern": CLASS, "maxLength": MAX_NAME}
_TEXT: Json = {"type": "string"}
_FLAG: Json = {"type": "boolean"}

_DESCRIPTION = Key(
    "text",
    "Any text; it is used in docstrings and in the OpenAPI documentation.",
    {"type": "string", "pattern": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"},
)
_FORMER = "The former name: the migration renames instead of dropping and creating."


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
        f"{what}: arrays of two or more names of fields or to-one relations.",
        {
            "type": "array",
            "maxItems": MAX_TOGETHER,
            "uniqueItems": True,
            "items": names,
        },
    )


TOP = {
    "$schema": Key("text", "The JSON Schema of this file, for editors.", _TEXT),
    "entities": Key("list", "The resources that the service stores and serves."),
}

ENTITY = {
    "name": Key("class", "A singular in PascalCase, such as OrderItem.", _CLASS),
    "plural": Key(
        "table",
        "The plural in snake_case: the name of the table and, with dashes, the URL. "
        "Derived from the name by English rules if omitted.",
        _NAME,
    ),
    "description": _DESCRIPTION,
    "fields": Key("list", "The fields: columns that are not references."),
    "relations": Key("list", "The relations to other entities."),
    "unique": _together("Composite unique constraints", ["id", *SET_BY_SERVICE]),
    "indexes": _together("Composite indexes", ["id"]),
    "renamed_from": Key("class", _FORMER, _CLASS),
}

FIELD = {
    "name": Key("member", "The JSON key and the column, in snake_case.", _NAME),
    "type": Key("type", "The type of the value.", _TEXT),
    "required": Key(
        "flag", "Whether the key must be sent, and not null; false by default.", _FLAG
    ),
    "default": Key(
        "any", "The value if none is sent; also the default of the column. A constant."
    ),
    "unique": Key("flag", "Whether values must be unique; false by default.", _FLAG),
    "index": Key("flag", "Whether the column has an index; false by default.", _FLAG),
    "description": _DESCRIPTION,
    "renamed_from": Key("member", _FORMER, _NAME),
}

MARKUP = {
    "strip": "Markup is removed.",
    "basic": "Markup is removed, except p, br and strong without attributes.",
    "keep": "The text is stored as it was sent.",
}

RELATION_TYPES = {
    "many_to_one": "This entity has the column <name>_id: many tasks, one project.",
    "one_to_one": "This entity or the other one has a unique column <name>_id.",
    "one_to_many": "The target has the column: one project, many tasks.",
    "many_to_many": "An association table; tag_ids for tags in requests and responses.",
}
TO_ONE = ("many_to_one", "one_to_one")
ON_DELETE = {
    "cascade": "Deleting the target deletes this row.",
    "set_null": "Deleting the target sets the column to null.",
    "restrict": "The target cannot be deleted while this row refers to it.",
}

RELATION = {
    "name": Key("member", "The name of the relation, in snake_case.", _NAME),
    "type": Key("relation", "The type of the relation.", _TEXT),
    "target": Key("class", "The name of the entity that it refers to.", _CLASS),
    "required": Key(
        "flag",
        "Whether null is refused; to-one relations only; false by default.",
        _FLAG,
    ),
    "on_delete": Key(
        "on_delete",
        "What happens to this row when the target is deleted; by default restrict if "
        "the relation is required, else set_null.",
        _TEXT,
    ),
    "back_populates": Key(
        "member",
        "The name of the reverse relation, added to the target if not declared there.",
        _NAME,
    ),
    "description": _DESCRIPTION,
    "renamed_from": Key("member", _FORMER, _NAME),
}
# These keys need a column, which only to-one relations have.
ONLY_TO_ONE = ("required", "on_delete")
