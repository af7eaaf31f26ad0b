"""The types and defaults of Prisma's fields, in those of entities.json."""

import json
from decimal import Decimal

from scaffold.importing.found import Column, Computed, Found
from scaffold.importing.postgresql import types
from scaffold.importing.prisma.parsing import Attribute, Call, Member, Value
from scaffold.spec.model import MISSING

SCALARS = {
    "String": "text",
    "Boolean": "boolean",
    "Int": "integer",
    "BigInt": "integer",
    "Float": "float",
    "Decimal": "decimal",
    "DateTime": "datetime",
    "Json": "json",
    "Bytes": "binary",
}
# Of native types: the type, and its keys.
NATIVE: dict[str, tuple[str, dict[str, object]]] = {
    "Text": ("text", {}),
    "LongText": ("text", {}),
    "MediumText": ("text", {}),
    "Uuid": ("uuid", {}),
    "UniqueIdentifier": ("uuid", {}),
    "SmallInt": ("integer", {"bits": 16}),
    "Date": ("date", {}),
    "Time": ("time", {}),
    "Timetz": ("time", {}),
    "Money": ("decimal", {"precision": 19, "scale": 2}),
    "Citext": ("string", {"max_length": 600, "case_insensitive": True}),
    "Inet": ("string", {"max_length": 43}),
    "Xml": ("text", {}),
    "Oid": ("integer", {}),
    "UnsignedInt": ("integer", {}),
    "Json": ("json", {}),
}
_SIZED = ("VarChar", "Char", "NVarChar", "NChar", "Bit", "VarBit")
# What a native type means that the type here does not.
LOST = {
    "Char": "char, which fills up with spaces",
    "Timetz": "a time with a zone",
    "Timestamp": "a timestamp without a time zone",
    "Money": "the type money",
    "Inet": "the type inet",
    "Xml": "the type xml",
    "Bit": "a bit string",
    "VarBit": "a bit string",
    "Real": "a float of 32 bits",
    "Oid": "the type oid",
    "UnsignedInt": "an integer without a sign",
    "Json": "json, which keeps the order of keys",
}
# Native types that are those of their scalars here.
_SAME = {
    *(
        "Integer",
        "Int",
        "BigInt",
        "DoublePrecision",
        "Double",
        "Real",
        "Boolean",
        "Bool",
    ),
    *("Timestamp", "Timestamptz", "JsonB", "ByteA", "Decimal", "Numeric"),
}
_TEXT_IDS = ("cuid", "nanoid", "ulid")


def typed(
    column: Column, member: Member, values: tuple[str, ...], found: Found
) -> Column | None:
    """Set the type, the keys and the default; None if no type can hold the values."""
    if member.unsupported:
        found.lose(member.place, f"the type {member.type}")
        return None
    native = next((a for a in member.attributes if a.name.startswith("db.")), None)
    if values:
        column.type, column.keys = "enum", {"values": [*values]}
    else:
        column.type = SCALARS[member.type]
        column.keys = {"bits": 32} if member.type == "Int" else {}
        if member.type == "Decimal":
            column.keys = {"precision": 65, "scale": 30}  # Prisma's default
    if native is not None:
        _native(column, native, found)
    elif member.type == "DateTime":
        found.lose(member.place, LOST["Timestamp"], "datetime, in UTC")
    if member.many:
        column.keys["array"] = True
        column.required = True
    _default(column, member, found)
    return column


def _native(column: Column, native: Attribute, found: Found) -> None:
    name = native.name.removeprefix("db.")
    numbers = [int(one.value) for one in native.args if isinstance(one.value, Decimal)]
    if name in _SIZED:
        if numbers:
            column.type, column.keys = "string", {"max_length": numbers[0]}
    elif name in ("Decimal", "Numeric") and numbers:
        scale = numbers[1] if len(numbers) > 1 else 0
        column.keys = {"precision": numbers[0], "scale": scale}
    elif name in NATIVE:
        column.type, keys = NATIVE[name]
        column.keys = dict(keys)
    elif name not in _SAME:
        found.lose(native.place, f"the type {name}", column.type)
    if name in LOST:
        what = "datetime, in UTC" if name == "Timestamp" else column.type
        found.lose(native.place, LOST[name], what)


def _default(column: Column, member: Member, found: Found) -> None:
    """Read @default and @updatedAt."""
    attribute = member.attribute("default")
    if attribute is None:
        if member.attribute("updatedAt"):
            column.default = Computed.NOW
        elif column.keys.get("array"):
            column.default = []  # a list of Prisma is never null
        return
    value = attribute.get("value")
    if isinstance(value, Call) and value.args is not None:
        column.default = _computed(value, column)
        if column.default is MISSING:
            became = "no default, and optional" if column.required else "no default"
            column.required = False
            shown = ", ".join(str(one.value) for one in value.args)
            found.lose(attribute.place, f"the default {value.name}({shown})", became)
    elif value is not None:
        column.default = _constant(value, column)


def _computed(call: Call, column: Column) -> object:
    written = str(call.args[0].value) if call.args else ""
    if call.name == "autoincrement" or call.name == "sequence":
        return Computed.SEQUENCE
    if call.name == "now":
        return Computed.NOW
    if call.name == "uuid":
        return Computed.RANDOM if column.type == "uuid" else Computed.TEXT_ID
    if call.name in _TEXT_IDS:
        return Computed.TEXT_ID
    if call.name == "dbgenerated":
        return types.default(written, types.Typed(column.type, column.keys))
    return MISSING


def _constant(value: Value, column: Column) -> object:
    if isinstance(value, list):
        return [_constant(one, column) for one in value]
    if isinstance(value, Call):
        return {"true": True, "false": False}.get(value.name, value.name)
    if isinstance(value, Decimal):
        if column.type == "decimal":
            return str(value)
        return int(value) if value == value.to_integral_value() else float(value)
    if column.type == "json":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
