"""The Python code of a field: annotation, column, CHECK constraints, schema."""

import base64
import decimal
import json
import re
from collections.abc import Callable, Iterator

from scaffold.python_code.formatting import literal
from scaffold.spec import naming
from scaffold.spec.model import MISSING, Field
from scaffold.spec.vocabulary import reserved_names

# type -> (annotation in the table, in requests, in responses, column type)
PYTHON = {
    "string": ("str", "str", "str", 'sa.String({max_length}, collation="C")'),
    "text": ("str", "str", "str", "sa.Text"),
    "float": ("float", "float", "float", "sa.Double"),
    "decimal": (
        "decimal.Decimal",
        "decimal.Decimal",
        "decimal.Decimal",
        "sa.Numeric({precision}, {scale})",
    ),
    "boolean": ("bool", "bool", "bool", "sa.Boolean"),
    "date": ("dt.date", "types.Date", "dt.date", "sa.Date"),
    "time": ("dt.time", "types.Time", "types.Time", "sa.Time"),
    "datetime": (
        "dt.datetime",
        "types.DateTime",
        "dt.datetime",
        "sa.DateTime(timezone=True)",
    ),
    "uuid": ("uuid.UUID", "types.UUID", "uuid.UUID", "sa.Uuid"),
    "enum": ("str", "{choice}", "{choice}", 'sa.String({max_length}, collation="C")'),
    "email": ("str", "types.Email", "str", 'sa.String(320, collation="C")'),
    "url": ("str", "types.URL", "str", 'sa.String({max_length}, collation="C")'),
    "binary": ("bytes", "bytes", "types.StoredBinary", "sa.LargeBinary"),
    "json": (
        "typing.Any",
        "types.JSON",
        "typing.Any",
        "postgresql.JSONB(none_as_null=True)",
    ),
}
# bits -> the same of an integer, but for the annotation in the table
INTEGERS = {
    16: ("types.SmallInteger", "types.StoredInteger32", "sa.SmallInteger"),
    32: ("types.Integer32", "types.StoredInteger32", "sa.Integer"),
    64: ("types.Integer", "types.StoredInteger", "sa.BigInteger"),
}
ENUM_LENGTH = 255
LIMITED = ("string", "text", "url", "binary")  # by a max_length of their own
_PLAIN_NAME = re.compile("[a-z_][a-z0-9_]*")
OPERATORS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "ne": "<>"}
BOUNDS = tuple((key, OPERATORS[key]) for key in ("gt", "ge", "lt", "le"))


def quote_sql(name: str) -> str:
    """Return a column's name for SQL that the generator writes, quoted if necessary."""
    special = reserved_names.POSTGRESQL | reserved_names.POSTGRESQL_EXPRESSIONS
    is_plain = _PLAIN_NAME.fullmatch(name) and name not in special
    return name if is_plain else f'"{name}"'


def needs_quotes(name: str) -> bool:
    """Whether the name is reserved by PostgreSQL, but not quoted by SQLAlchemy."""
    return name in reserved_names.UNQUOTED_BY_SQLALCHEMY


def sql_name(name: str) -> str:
    """Return the Python expression for the name of a table or a column."""
    text = literal(name)
    return f"sa.quoted_name({text}, quote=True)" if needs_quotes(name) else text


def _python(field: Field) -> tuple[str, str, str, str]:
    """Return the annotations and the column type of a field."""
    if field.type == "integer":
        return ("int", *INTEGERS[field.bits])
    return PYTHON[field.type]


def table_annotation(field: Field) -> str:
    annotation = _python(field)[0]
    if field.array:
        annotation = f"list[{annotation}]"
    return f"{annotation} | None" if field.nullable else annotation


def request_annotation(field: Field, choice: str, item: str = "") -> str:
    """Return the type of a field in requests, with all of its limits.

    `choice` is the name of an enum's type, `item` that of the items of an array, if they
    have limits.
    """
    annotation = _python(field)[1].format(choice=choice)
    arguments = [*schema_arguments(field)]
    if field.array:
        annotation = f"list[{item or annotation}]"
        annotation = f"{annotation} | None" if field.nullable else annotation
        return _annotated(annotation, arguments) if arguments else annotation
    if field.nullable and not arguments:
        return f"{annotation} | None"
    return _limited(field, annotation, arguments)


def item_annotation(field: Field, choice: str) -> str:
    """Return the type of an array's items in requests, with their limits."""
    annotation = _python(field)[1].format(choice=choice)
    return _limited(field.of_items, annotation, [*limits(field)])


def _limited(field: Field, annotation: str, arguments: list[str]) -> str:
    """Return the type of a single value with its limits."""
    if not arguments:
        return annotation
    if field.type == "integer":
        annotation = "int"  # its type is added after its limits
    if field.nullable:
        annotation = f"{annotation} | None"
    more = []
    if field.type == "decimal":
        more.append(f"types.Digits({field.precision}, {field.scale})")
    elif field.type == "integer":
        more.append(f"types.INT{field.bits}")
    elif field.type == "binary":
        more.append("types.BASE64")
    return _annotated(annotation, arguments, *more)


def _annotated(annotation: str, arguments: list[str], *more: str) -> str:
    limits = f"pydantic.Field({', '.join(arguments)})"
    return f"typing.Annotated[{', '.join([annotation, limits, *more])}]"


def response_annotation(field: Field, choice: str) -> str:
    """Return the type of a field in responses, without limits."""
    annotation = _python(field)[2].format(choice=choice)
    if field.array:
        annotation = f"list[{annotation}]"
    nullable = field.nullable and field.type != "json"  # Any includes None
    return f"{annotation} | None" if nullable else annotation


def column_type(field: Field) -> str:
    if field.array:
        return f"postgresql.ARRAY({_item_type(field)})"
    length = field.max_length
    if field.type == "enum":
        length = max(ENUM_LENGTH, *map(len, field.values))
    return _python(field)[3].format(
        max_length=length, precision=field.precision, scale=field.scale
    )


def _item_type(field: Field) -> str:
    """Return the type of an array's items, of texts without their lengths.

    SQLAlchemy casts a parameter to the type of its column: `varchar(5)[]` would cut items
    off instead of refusing them. And to change the length of items would write the whole
    table anew. So their lengths are in a CHECK.
    """
    if field.type == "text":
        return "sa.Text"
    if _python(field)[0] == "str":
        return 'sa.Text(collation="C")'
    return column_type(field.of_items)


def column(field: Field, *, unique: bool) -> str:
    """Return the attribute of the table's class, on one line."""
    arguments = [column_type(field)]
    if field.own_nullable:
        arguments = [_with_null(field)]
    if field.attribute != field.column or needs_quotes(field.column):
        arguments.insert(0, sql_name(field.column))
    if field.default is not MISSING:
        arguments.append(f"server_default={server_default(field)}")
    if unique:
        arguments.append("unique=True")
    if field.case_insensitive:
        arguments.append("info=base.CASE_INSENSITIVE")
    annotation = table_annotation(field)
    call = f"orm.mapped_column({', '.join(arguments)})"
    return f"{field.attribute}: orm.Mapped[{annotation}] = {call}"


def _with_null(field: Field) -> str:
    """Return the type of a column with a default that stores None as null.

    SQLAlchemy leaves None to the default otherwise.
    """
    if field.type == "json":
        return "base.NullableJSONB(none_as_null=True)"
    made = column_type(field)
    called = made if made.endswith(")") else f"{made}()"
    return f"{called}.evaluates_none()"


# What makes a default in the database, in its own words, by which it is compared.
_MADE = {
    "datetime": "sa.func.now()",
    "date": "sa.text(\"(timezone('UTC'::text, now()))::date\")",
    "time": "sa.text(\"(timezone('UTC'::text, now()))::time without time zone\")",
    "uuid": 'sa.text("gen_random_uuid()")',
}


def server_default(field: Field) -> str:
    """Return the server default; PostgreSQL casts the string."""
    if field.default_is_made:
        return _MADE[field.type]
    if isinstance(field.default, list) and field.array:
        items = (_array_item(item) for item in field.default)
        return literal(f"{{{','.join(items)}}}")
    if field.type == "boolean":
        return "sa.true()" if field.default else "sa.false()"
    if field.type == "json":
        return literal(json.dumps(field.default, ensure_ascii=False, default=float))
    if field.type == "binary":
        return literal(f"\\x{_bytes(field.default).hex()}")
    return literal(str(field.default))


def _array_item(value: object) -> str:
    """Return an item as the text of an array has it."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if re.fullmatch("[A-Za-z0-9_.+-]+", text) and text.upper() != "NULL":
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def checks(field: Field) -> Iterator[tuple[str, str]]:
    """Yield the CHECK constraints of a field: a short name and the SQL of each."""
    if field.array:
        yield from _array_checks(field)
        return
    name = quote_sql(field.column)
    if field.type in ("string", "text"):
        if field.min_length:
            yield "min_length", f"char_length({name}) >= {field.min_length}"
        if field.type == "text" and field.max_length is not None:
            yield "max_length", f"char_length({name}) <= {field.max_length}"
    if field.type == "binary":
        yield "max_length", f"octet_length({name}) <= {field.max_length}"
    for key, operator in BOUNDS:
        bound = getattr(field, key)
        if bound is not None:
            yield key, f"{name} {operator} {_number(bound)}"
    if field.multiple_of is not None:
        yield "multiple_of", f"{name} % {field.multiple_of} = 0"
    if field.type == "enum":
        yield "choice", f"{name} IN ({_choices(field)})"
    if field.type == "float":
        yield "finite", f"{name} NOT IN ('NaN', 'Infinity', '-Infinity')"
    if field.type == "decimal":
        yield "finite", f"{name} <> 'NaN'"


def _choices(field: Field) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in field.values)


# The limits of items, from the other side: `0 <= ALL (prices)`.
_FROM_THE_OTHER_SIDE = {"gt": "<", "ge": "<=", "lt": ">", "le": ">="}
# Functions that CHECKs need, because these can have no query of their own. The migrations
# create those that a CHECK uses. Of an empty array they return null, which passes.
ITEM_FUNCTIONS = {
    "item_lengths": (
        "items text[]",
        "integer[]",
        "SELECT array_agg(char_length(item)) FROM unnest(items) AS item",
    ),
    "item_remainders": (
        "items bigint[], divisor bigint",
        "bigint[]",
        "SELECT array_agg(item % divisor) FROM unnest(items) AS item",
    ),
}


def _array_checks(field: Field) -> Iterator[tuple[str, str]]:
    """Yield the CHECK constraints of an array."""
    name = quote_sql(field.column)
    # Of an empty array there are no dimensions: null passes.
    yield "array", f"array_ndims({name}) = 1 AND num_nulls(VARIADIC {name}) = 0"
    if field.min_items:
        yield "min_items", f"cardinality({name}) >= {field.min_items}"
    if field.max_items is not None:
        yield "max_items", f"cardinality({name}) <= {field.max_items}"
    if field.min_length == 1:
        yield "min_length", f"'' <> ALL ({name})"
    elif field.min_length:
        yield "min_length", f"{field.min_length} <= ALL (item_lengths({name}))"
    if field.max_length is not None:
        yield "max_length", f"{field.max_length} >= ALL (item_lengths({name}))"
    for key, operator in _FROM_THE_OTHER_SIDE.items():
        bound = getattr(field, key)
        if bound is not None:
            yield key, f"{_number(bound)} {operator} ALL ({name})"
    if field.multiple_of is not None:
        remainders = f"item_remainders({name}, {field.multiple_of})"
        yield "multiple_of", f"0 = ALL ({remainders})"
    if field.type == "enum":
        yield "choice", f"{name} <@ ARRAY[{_choices(field)}]"
    if field.type == "float":
        yield "finite", f"NOT {name} && '{{NaN,Infinity,-Infinity}}'"
    if field.type == "decimal":
        yield "finite", f"'NaN' <> ALL ({name})"


def _number(value: object) -> str:
    text = str(value) if isinstance(value, decimal.Decimal) else repr(value)
    return f"({text})" if text.startswith("-") else text


def own_alias(attribute: str, key: str, *, camel: bool) -> str | None:
    """Return the argument for a JSON key that the attribute does not have by itself."""
    usual = naming.json_key(attribute.removesuffix("_"), camel=True)
    if key == (usual if camel else attribute):
        return None
    return f"alias={literal(key)}"


def schema_arguments(field: Field) -> Iterator[str]:
    """Yield the keyword arguments of pydantic.Field, except the default."""
    if alias := own_alias(field.attribute, field.json, camel=field.camel):
        yield alias
    if not field.array:
        yield from limits(field)
    if field.min_items:
        yield f"min_length={field.min_items}"
    if field.max_items is not None:
        yield f"max_length={field.max_items}"
    if field.description:
        yield f"description={literal(field.description)}"
    if field.write_only:
        yield "repr=False"
        yield 'json_schema_extra={"writeOnly": True}'


def limits(field: Field) -> Iterator[str]:
    """Yield the arguments that limit a value, or each item of an array."""
    if field.min_length and field.type in ("string", "text"):
        yield f"min_length={field.min_length}"
    if field.max_length is not None and field.type in LIMITED:
        yield f"max_length={field.max_length}"
    if field.pattern is not None:
        yield f"pattern={literal(field.pattern)}"
    yield from _bounds(field)
    if field.multiple_of is not None:
        yield f"multiple_of={field.multiple_of}"
    if field.type == "decimal":
        # Pydantic counts the 0 of 0.5 as a digit: see `_bounds`.
        digits = field.precision + (field.precision == field.scale)
        yield f"max_digits={digits}"
        yield f"decimal_places={field.scale}"


def _bounds(field: Field) -> Iterator[str]:
    bounds = {key: getattr(field, key) for key, _ in BOUNDS}
    if field.type == "decimal" and field.precision == field.scale:
        # There is no digit before the point, so the value is between -1 and 1.
        if bounds["gt"] is None and bounds["ge"] is None:
            bounds["gt"] = decimal.Decimal(-1)
        if bounds["lt"] is None and bounds["le"] is None:
            bounds["lt"] = decimal.Decimal(1)
    for key, bound in bounds.items():
        if bound is not None:
            yield f"{key}={_python_number(bound)}"


def _python_number(value: object) -> str:
    if isinstance(value, decimal.Decimal):
        if value == value.to_integral_value() and abs(value) < 10**9:
            return str(int(value))
        return f'decimal.Decimal("{value}")'
    return _plain(value)


def schema_default(field: Field, choice: str = "") -> str | None:
    """Return the Python expression of the default, or None if there is no default.

    `choice` is the name of an enum's type.
    """
    if field.required:
        return None
    if field.default is MISSING:
        return "None"
    if field.type == "binary":
        return literal(str(field.default))  # as OpenAPI shows it
    value = value_expression(field, field.default)
    if choice and field.array and field.nullable:
        return f"list[{choice}]({value})"  # mypy infers a list of str otherwise
    return value


def value_expression(field: Field, value: object) -> str:
    """Return the Python expression of a default or an example."""
    if isinstance(value, list) and field.array:
        items = (value_expression(field.of_items, item) for item in value)
        return f"[{', '.join(items)}]"
    return _DEFAULTS.get(field.type, _plain)(value)


def _plain(value: object) -> str:
    if isinstance(value, decimal.Decimal):  # a number in a JSON default
        value = float(value)
    if isinstance(value, str):
        return literal(value)
    return repr(value).replace("e+", "e")  # 1e308, as formatters write it


def _json_default(value: object) -> str:
    """Return JSON as a Python expression, formatted."""
    if isinstance(value, dict):
        items = (f"{literal(key)}: {_json_default(value[key])}" for key in value)
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json_default, value)) + "]"
    return _plain(value)


def _bytes(value: object) -> bytes:
    return base64.b64decode(str(value))


def _parsed(function: str) -> Callable[[object], str]:
    return lambda value: f"{function}({literal(str(value))})"


_DEFAULTS: dict[str, Callable[[object], str]] = {
    "decimal": lambda value: f'decimal.Decimal("{value}")',
    "date": _parsed("dt.date.fromisoformat"),
    "time": _parsed("dt.time.fromisoformat"),
    "datetime": _parsed("dt.datetime.fromisoformat"),
    "uuid": _parsed("uuid.UUID"),
    "binary": lambda value: f'bytes.fromhex("{_bytes(value).hex()}")',
    "json": _json_default,
}
