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


SORT_KEY = "^-?[a-z][a-z0-9_]*$"
NAME = "^[a-z][a-z0-9_]*$"
CLASS = "^[A-Z][A-Za-z0-9]*$"
MAX_NAME = 63
MAX_ENTITIES = 2_000
MAX_MEMBERS = 500
MAX_TOGETHER = 100
MAX_COLUMNS = 32
SET_BY_SERVICE = ("created_at", "updated_at")

# Names that a database has already; what PostgreSQL needs quotes for is allowed.
STORED = "^[A-Za-z_][A-Za-z0-9_$ -]*$"
URL_SEGMENT = "^[A-Za-z][A-Za-z0-9_-]*$"
JSON_KEY = "^[A-Za-z_][A-Za-z0-9_-]*$"
DEFAULT_SCHEMA = "public"
BITS = (16, 32, 64)
SEARCH_COLUMN = "_search"
VERSION_COLUMN = "_version"
SEARCHED = ("string", "text")
MAX_ID = 255  # characters of a string id
MIN_IDS = 12  # that match a pattern: the generated tests store several rows
ID_TYPES = {
    "uuid": "A UUID, made by the service.",
    "integer": "An integer from a sequence of the database: an identity column.",
    "string": "A string of A-Z, a-z, 0-9 and ._~-.",
}
OPERATIONS = {
    "create": "POST of a new row.",
    "list": "GET of a page of rows, and the lists of rows of a parent.",
    "get": "GET of one row.",
    "replace": "PUT of a whole row.",
    "update": "PATCH of some fields, and PUT and DELETE of links.",
    "delete": "DELETE of a row.",
}
ACCESS = {
    "read": "GET of rows, of lists of them and of what they embed; counts and searches.",
    "create": "POST of a new row, and batches.",
    "update": "PUT, PATCH and the links of the entity.",
    "delete": "DELETE of a row.",
}
PUBLIC, AUTHENTICATED, OWNER, NOBODY = "public", "authenticated", "owner", "nobody"
RULES = {
    PUBLIC: "Everyone, also without a token.",
    AUTHENTICATED: "Everyone with a valid token.",
    OWNER: "The owner of the row.",
    NOBODY: "No one.",
}
# The characters of a scope in RFC 6749, without the apostrophe.
NAMED_RULE = r"^(role|scope):[!#-&(-\[\]-~]{1,255}$"
MAX_RULES = 100
# The columns that the service sets to the subject of the request's token.
OWNER_ID = "owner_id"
ACTORS = ("created_by", "updated_by")
MAX_SUBJECT = 255  # characters
# The columns that mark a deleted row: the time, and the id of the deletion.
SOFT_DELETE = ("deleted_at", "deletion_id")
JSON_CASES = {
    "snake": "due_date, as in this file.",
    "camel": "dueDate.",
}

# Defaults that the database makes for each row.
MADE_DEFAULTS = {
    **dict.fromkeys(("datetime", "date", "time"), "now"),
    "uuid": "random",
}

# What `checks` compare by, and the types of fields that they compare.
COMPARISONS = {
    "lt": "less than",
    "le": "less than or equal to",
    "gt": "greater than",
    "ge": "greater than or equal to",
    "ne": "different from",
}
COMPARED = ("integer", "float", "decimal", "date", "time", "datetime")

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


def _together(what: str) -> Key:
    names: Json = {
        "type": "array",
        "minItems": 2,
        "maxItems": MAX_COLUMNS,
        "uniqueItems": True,
        "items": {**_NAME, "not": {"const": "id"}},
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


def _compared() -> Key:
    operator: Json = {
        "oneOf": [{"const": n, "description": d} for n, d in COMPARISONS.items()]
    }
    return Key(
        "list",
        'What must hold between two fields, such as ["starts_at", "lt", "ends_at"], or '
        "two to-one relations, unless one of them is null.",
        {
            "type": "array",
            "maxItems": MAX_TOGETHER,
            "items": {
                "type": "array",
                "minItems": 3,
                "maxItems": 3,
                "prefixItems": [_NAME, operator, _NAME],
            },
        },
    )


_STORED: Json = {"type": "string", "pattern": STORED, "maxLength": MAX_NAME}
_JSON_KEY = Key(
    "json_key",
    "The key in JSON; by default the name.",
    {"type": "string", "pattern": JSON_KEY, "maxLength": MAX_NAME},
)
_FILTER = Key(
    "flag",
    "Whether lists can be filtered by it; by default if it has an index. true makes the "
    "index.",
    _FLAG,
)
_SORT = Key(
    "flag",
    "Whether lists can be sorted by it; by default if it has an index. true makes the "
    "index.",
    _FLAG,
)
_COLUMN = Key(
    "column",
    "The name of the column; by default the name, for a relation <name>_id.",
    _STORED,
)


def _rules(description: str) -> Key:
    return Key("rules", description, {"$ref": "#/$defs/rules"})


_ACCESS = (
    "Who may read, create, update and delete rows: an object with a rule for each, or "
    "one rule for all."
)

TOP = {
    "$schema": Key("text", "The JSON Schema of this file, for editors.", _TEXT),
    "json_case": Key(
        "json_case", "How the keys of entities are written in JSON; snake by default."
    ),
    "auth": Key(
        "flag",
        "Whether the service verifies access tokens of an OpenID provider; false by "
        "default.",
        _FLAG,
    ),
    "access": Key("access", f"{_ACCESS} For entities without their own."),
    "entities": Key("list", "The resources that the service stores and serves."),
}

ID = {
    "name": Key("member_id", "The column and the key in JSON; id by default.", _NAME),
    "type": Key("id_type", "The type of the id; uuid by default.", _TEXT),
    "generated": Key(
        "flag",
        "Whether the service makes the id; true by default. If it does not, clients "
        "send it with a create, and it never changes.",
        _FLAG,
    ),
    "bits": Key(
        "bits",
        "Of an integer: 16 (smallint), 32 (integer) or 64 (bigint, the default).",
        {"enum": list(BITS)},
    ),
    "max_length": Key(
        "count",
        "Of a string that clients send: the maximum number of characters; 255 by "
        "default.",
        {"type": "integer", "minimum": 1, "maximum": MAX_ID},
    ),
    "pattern": Key(
        "pattern",
        "Of a string that clients send: a regular expression that must match a part "
        "of it.",
        {"type": "string", "maxLength": 4096},
    ),
}

TIMESTAMPS = {
    "created_at": Key("member_time", "The name of created_at.", _NAME),
    "updated_at": Key("member_time", "The name of updated_at.", _NAME),
}

ACCESS_OF = {name: _rules(description) for name, description in ACCESS.items()}

ENTITY = {
    "name": Key("class", "A singular in PascalCase, such as OrderItem.", _CLASS),
    "plural": Key(
        "table",
        "The plural in snake_case: the name of the table and, with dashes, the URL. "
        "Derived from the name by English rules if omitted.",
        _NAME,
    ),
    "table": Key("own_table", "The name of the table; by default the plural.", _STORED),
    "schema": Key(
        "schema", "The PostgreSQL schema of the table; public by default.", _STORED
    ),
    "url": Key(
        "url",
        "The segment of the URL; by default the plural with dashes.",
        {"type": "string", "pattern": URL_SEGMENT, "maxLength": MAX_NAME},
    ),
    "id": Key(
        "id",
        'The primary key: "uuid" (the default), "integer", or an object for another '
        "name or type.",
    ),
    "timestamps": Key(
        "timestamps",
        "Whether rows have created_at and updated_at, true by default; or an object "
        "with other names for them.",
    ),
    "operations": Key(
        "operations",
        "What the API offers, of create, list, get, replace, update and delete; all of "
        "them by default. The service keeps its methods.",
        {"type": "array", "uniqueItems": True, "items": {"enum": [*OPERATIONS]}},
    ),
    "access": Key("access", f"{_ACCESS} It replaces the access of the top level."),
    "owner": Key(
        "owner",
        "Whose the rows are: true for the caller who creates a row, whose subject is in "
        "the column owner_id; or the name of a required to-one relation, for the owner "
        "of the row that it refers to.",
    ),
    "actors": Key(
        "flag",
        "Whether rows have created_by and updated_by, the subjects of the callers; "
        "false by default.",
        _FLAG,
    ),
    "history": Key(
        "flag",
        "Whether the database records each change of a row, with its time, actor and "
        "request; false by default.",
        _FLAG,
    ),
    "soft_delete": Key(
        "flag",
        "Whether a DELETE only marks a row as deleted, so that it can be restored; false "
        "by default.",
        _FLAG,
    ),
    "description": _DESCRIPTION,
    "fields": Key("list", "The fields: columns that are not references."),
    "relations": Key("list", "The relations to other entities."),
    "unique": _together("Composite unique constraints"),
    "indexes": _together("Composite indexes"),
    "checks": _compared(),
    "default_sort": Key(
        "sort_key",
        "What lists are sorted by if a request does not say it: the name of a sortable "
        "field, with a - before it for descending order, such as -created_at.",
        {"type": "string", "pattern": SORT_KEY, "maxLength": MAX_NAME + 1},
    ),
    "search": Key(
        "search",
        "The string and text fields that lists search with the parameter q.",
        {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_COLUMNS,
            "uniqueItems": True,
            "items": _NAME,
        },
    ),
    "renamed_from": Key("class", _FORMER, _CLASS),
}

FIELD = {
    "name": Key("member", "The JSON key and the column, in snake_case.", _NAME),
    "type": Key("type", "The type of the value.", _TEXT),
    "required": Key(
        "flag", "Whether the key must be sent, and not null; false by default.", _FLAG
    ),
    "default": Key(
        "any",
        "The value if none is sent; also the default of the column. A constant, or what the "
        'database makes: "now" of a datetime, date or time, "random" of a uuid.',
    ),
    "nullable": Key(
        "flag",
        "Of a field with a default: whether null can be sent and stored instead; false by "
        "default.",
        _FLAG,
    ),
    "unique": Key("flag", "Whether values must be unique; false by default.", _FLAG),
    "index": Key("flag", "Whether the column has an index; false by default.", _FLAG),
    "filter": _FILTER,
    "sort": _SORT,
    "read_only": Key(
        "flag",
        "Whether the field is in responses only; the service or a default sets it. "
        "false by default.",
        _FLAG,
    ),
    "write_only": Key(
        "flag",
        "Whether the field is in requests only, and never in a response, an error or a "
        "log; false by default.",
        _FLAG,
    ),
    "immutable": Key(
        "flag",
        "Whether the value is set on create and cannot be changed; false by default.",
        _FLAG,
    ),
    "read_access": _rules(
        "Who may read the field, of those who may read the row; responses to others do "
        "not have it."
    ),
    "write_access": _rules(
        "Who may set the field, of those who may create or update the row; others get "
        "a 403."
    ),
    "example": Key(
        "any", "A value for the API's documentation and the first row of the tests."
    ),
    "column": _COLUMN,
    "json": _JSON_KEY,
    "description": _DESCRIPTION,
    "renamed_from": Key("member", _FORMER, _NAME),
}

# Keys of access that a flag leaves without an effect, and why.
NO_EFFECT = {
    "read_access": ("write_only", "no response has a write_only field"),
    "write_access": ("read_only", "no caller sets a read_only field"),
}

CASE_INSENSITIVE = Key(
    "flag",
    "Whether A and a are the same where values are unique, filtered or sorted; false by "
    "default.",
    _FLAG,
)

MAX_LEAST_ITEMS = 1_000
MAX_ITEMS = 10_000

ARRAY = {
    "array": Key(
        "flag",
        "Whether the value is an array of such values, without null; the other keys of "
        "the type hold for each item. false by default.",
        _FLAG,
    ),
    "min_items": Key(
        "count",
        "Of an array: the minimum number of items.",
        {"type": "integer", "minimum": 0, "maximum": MAX_LEAST_ITEMS},
    ),
    "max_items": Key(
        "count",
        "Of an array: the maximum number of items.",
        {"type": "integer", "minimum": 1, "maximum": MAX_ITEMS},
    ),
}

# What an array cannot be.
NO_ARRAY = {
    "unique": "unique",
    "sort": "sorted by",
    "case_insensitive": "case_insensitive",
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
    "index": Key(
        "flag",
        "Whether the column has an index; to-one relations only; true by default.",
        _FLAG,
    ),
    "filter": _FILTER,
    "sort": _SORT,
    "column": _COLUMN,
    "json": Key(
        "json_key", "The key of the id in JSON; by default <name>_id.", _JSON_KEY.schema
    ),
    "back_populates": Key(
        "member",
        "The name of the reverse relation, added to the target if not declared there.",
        _NAME,
    ),
    "description": _DESCRIPTION,
    "renamed_from": Key("member", _FORMER, _NAME),
}
# Where the keys of names and ids can be used, for messages about other places.
PLACES = {
    **dict.fromkeys(("id", "table", "schema", "url", "timestamps"), "an entity"),
    **dict.fromkeys(("read_only", "write_only", "immutable", "example"), "fields"),
    "nullable": 'fields (a relation is nullable unless it is "required")',
    **dict.fromkeys(("operations", "search", "checks"), "an entity"),
    **dict.fromkeys(
        ("column", "json"),
        'fields and to-one relations (an id has a "name" instead)',
    ),
    "generated": 'the "id" of an entity',
    "bits": 'integer fields and the "id" of an entity',
    **dict.fromkeys(ARRAY, "fields"),
    **dict.fromkeys(("filter", "sort"), "fields and to-one relations"),
    "default_sort": "an entity",
    "access": 'entities and the top level (a field has "read_access" and "write_access")',
    **dict.fromkeys(("owner", "actors", "history", "soft_delete"), "an entity"),
    **dict.fromkeys(("read_access", "write_access"), "fields"),
    "auth": "the top level",
    "json_case": "the top level",
}
# These keys need a column, which only to-one relations have.
ONLY_TO_ONE = ("required", "on_delete", "index", "filter", "sort", "column", "json")
