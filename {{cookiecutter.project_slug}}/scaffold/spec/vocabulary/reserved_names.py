"""Names that Python, its libraries, PostgreSQL or the generated service reserve."""

import keyword


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEYWORDS = frozenset(keyword.kwlist)

# The columns that every entity has.
COLUMNS = frozenset({"id", "created_at", "updated_at"})

# Segments of URLs that follow an entity or one of its rows.
SEGMENTS = frozenset({"batch", "history", "restore"})

# The ends of query parameters that filter by a field: price__gte.
OPERATORS = frozenset(
    {"eq", "ne", "gt", "gte", "lt", "lte", "in", "null", "has", "startswith"}
)

# PostgreSQL has these in every table, and quoting does not help.
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})

# PostgreSQL's own schemas, besides those that begin with pg_.
SCHEMAS = frozenset({"information_schema"})

# The service's own tables, with their indexes and sequences.
SERVICE_TABLES = frozenset(
    {"_idempotency_keys", "pk__idempotency_keys", "ix__idempotency_keys_expires_at"}
    | {"_history", "pk__history", "ix__history_row", "ix__history_deletion"}
    | {"_history_id_seq"}
    | {"_nulled_references", "pk__nulled_references", "ix__nulled_references_at"}
)
# Those, Alembic's table, and the index of its primary key.
TABLES = SERVICE_TABLES | {"alembic_version", "alembic_version_pkc"}

# Modules that generated class bodies use: an attribute of that name would hide them
# from the attributes after it.
_MODULES = frozenset(
    {"sa", "orm", "dt", "uuid", "pydantic", "base", "decimal", "typing"}
    | {"types", "postgresql"}
)

# Builtins in annotations and decorators of generated class bodies: after
# `int: int | None = None` the name means None.
_BUILTINS = _words("""
    bool bytes classmethod dict float frozenset int list object property set
    staticmethod str super tuple type
    """)

_SQLALCHEMY = frozenset({"metadata", "registry", "type_annotation_map"})

_PYDANTIC = _words("""
    construct copy dict from_orm json model_computed_fields model_config
    model_construct model_copy model_dump model_dump_json model_extra model_fields
    model_fields_set model_json_schema model_parametrized_name model_post_init
    model_rebuild model_validate model_validate_json model_validate_strings parse_file
    parse_obj parse_raw schema schema_json update_forward_refs validate
    """)

# SQLAlchemy's constructor takes the attributes as keyword arguments after `self`.
_ARGUMENTS = frozenset({"self", "cls"})

ATTRIBUTES = KEYWORDS | _MODULES | _BUILTINS | _SQLALCHEMY | _PYDANTIC | _ARGUMENTS

# Windows opens a device instead of a file of such a name, whatever its extension.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"com{number}" for number in range(10)}
    | {f"lpt{number}" for number in range(10)}
)

# Modules of the skeleton in the same packages as those of the entities.
MODULES = (
    KEYWORDS
    | _DEVICES
    | {"base", "links", "cursors", "idempotency", "row_history", "soft_delete"}
)
ROUTES_MODULES = KEYWORDS | _DEVICES | {"health", "metrics", "docs"}

# The tags of the skeleton's routes in OpenAPI.
TAGS = frozenset({"health", "metrics", "docs"})

# Generated functions use these names in the same scope as a variable for one row.
VARIABLES = (
    KEYWORDS
    | _MODULES
    | _BUILTINS
    | {"id", "len", "self", "cls", "db", "session", "request", "response", "status"}
    | {"service", "repository", "page", "data", "items", "total", "skip", "limit"}
)

# An entity is a class, and a class cannot have these names.
CLASSES = frozenset({"None", "True", "False"})
# Schemas that FastAPI puts into its OpenAPI document, in place of any of that name.
FASTAPI_SCHEMAS = frozenset({"ValidationError", "HTTPValidationError"})

# Reserved in PostgreSQL's own parser (pg_get_keywords, catcode R and T), 15 to 18.
POSTGRESQL = _words("""
    all analyse analyze and any array as asc asymmetric authorization binary both case
    cast check collate collation column concurrently constraint create cross
    current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except
    false fetch for foreign freeze from full grant group having ilike in initially inner
    intersect into is isnull join lateral leading left like limit localtime
    localtimestamp natural not notnull null offset on only or order outer overlaps
    placing primary references returning right select session_user similar some
    symmetric system_user table tablesample then to trailing true union unique user
    using variadic verbose when where window with
    """)

# Not reserved, but with a syntax of their own in expressions (catcode C): quoted in
# the SQL that the generator writes itself.
POSTGRESQL_EXPRESSIONS = _words("""
    between bigint bit boolean char character coalesce dec decimal exists extract float
    greatest grouping inout int integer interval json json_array json_arrayagg
    json_exists json_object json_objectagg json_query json_scalar json_serialize
    json_table json_value least merge_action national nchar none normalize nullif
    numeric out overlay position precision real row setof smallint substring time
    timestamp treat trim values varchar xmlattributes xmlconcat xmlelement xmlexists
    xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
    """)

# Reserved words that SQLAlchemy 2.1 does not quote by itself.
UNQUOTED_BY_SQLALCHEMY = frozenset(
    {"collation", "concurrently", "lateral", "system_user", "tablesample"}
)
