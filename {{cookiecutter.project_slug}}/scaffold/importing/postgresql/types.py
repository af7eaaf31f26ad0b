"""PostgreSQL's types in those of entities.json."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scaffold.importing.found import Computed
from scaffold.importing.postgresql import expressions
from scaffold.spec.model import MISSING

TYPES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "int2": ("integer", {"bits": 16}),
    "int4": ("integer", {"bits": 32}),
    "int8": ("integer", {}),
    "float8": ("float", {}),
    "bool": ("boolean", {}),
    "date": ("date", {}),
    "time": ("time", {}),
    "timestamptz": ("datetime", {}),
    "uuid": ("uuid", {}),
    "text": ("text", {}),
    "jsonb": ("json", {}),
    "bytea": ("binary", {}),
    "citext": ("string", {"max_length": 600, "case_insensitive": True}),
}
# The text of an array, and its items with and without quotes.
_ITEM = re.compile(r'"((?:[^"\\]|\\.)*)"|([^,{}"\\]+)')
_ITEMS = re.compile(rf"\{{(?:(?:{_ITEM.pattern})(?:,(?:{_ITEM.pattern}))*)?\}}")
_VECTORS = ("vector", "halfvec", "sparsevec", "geometry", "geography")
# What the type here means less than the one there.
NEAREST: Mapping[str, tuple[str, Mapping[str, object], str]] = {
    "oid": ("integer", {}, "the type oid"),
    "float4": ("float", {}, "a float of 32 bits"),
    "money": ("decimal", {"precision": 19, "scale": 2}, "the type money"),
    "json": ("json", {}, "json, which keeps the order of keys"),
    "timetz": ("time", {}, "a time with a zone"),
    "timestamp": ("datetime", {}, "a timestamp without a time zone"),
    "name": ("string", {"max_length": 63}, "the type name"),
    "char": ("string", {"max_length": 1}, 'the type "char"'),
    "xml": ("text", {}, "the type xml"),
    "ltree": ("text", {}, "the type ltree"),
    "hstore": ("json", {}, "the type hstore"),
    "interval": ("string", {"max_length": 255}, "the type interval"),
    "inet": ("string", {"max_length": 43}, "the type inet"),
    "cidr": ("string", {"max_length": 43}, "the type cidr"),
    "macaddr": ("string", {"max_length": 17}, "the type macaddr"),
    "macaddr8": ("string", {"max_length": 23}, "the type macaddr8"),
    **{name: ("json", {}, f"the type {name}") for name in _VECTORS},
    **{
        name: ("text", {}, f"the type {name}")
        for name in ("point", "line", "lseg", "box", "path", "polygon", "circle")
    },
}
# Types of extensions, which are not there where a dump is read.
EXTENSIONS = ("citext", "hstore", "ltree", *_VECTORS)
_NO_MODIFIER = -1


@dataclass
class Typed:
    """A type with its keys, what it lost, and what its domain adds."""

    type: str
    keys: dict[str, object] = field(default_factory=dict)
    losses: list[tuple[str, str]] = field(default_factory=list)
    required: bool = False
    default: str | None = None
    checks: list[str] = field(default_factory=list)


def of(oid: int, modifier: int, types: Mapping[int, Any]) -> Typed | None:
    """Return the type of a column; None if no type can hold its values."""
    row = types[oid]
    name, kind = row["name"], row["kind"]
    if kind == "d" and name not in EXTENSIONS:  # else it stands for one
        return _domain(row, types)
    if row["category"] == "A" and row["element"]:
        inner = of(row["element"], modifier, types)
        if inner is not None:
            inner.keys["array"] = True
        return inner
    if kind == "e":
        shown = f"the native enum {name}"
        values: dict[str, object] = {"values": list(row["labels"])}
        return Typed("enum", values, [(shown, "varchar with a CHECK")])
    if kind == "c":
        return Typed("json", {}, [(f"the composite type {name}", "json")])
    if kind in ("r", "m"):
        what = (f"the range {name}", "string")
        return Typed("string", {"max_length": 255}, [what])
    return _sized(name, modifier) or _plain(name)


def _plain(name: str) -> Typed | None:
    if name in TYPES:
        kind, keys = TYPES[name]
        return Typed(kind, dict(keys))
    if name in NEAREST:
        kind, keys, what = NEAREST[name]
        became = "datetime, in UTC" if kind == "datetime" else kind
        return Typed(kind, dict(keys), [(what, became)])
    return None


def _sized(name: str, modifier: int) -> Typed | None:
    """Return a type with a length, or with digits."""
    length = modifier - 4
    if name == "varchar":
        if modifier == _NO_MODIFIER:
            return Typed("text")
        return Typed("string", {"max_length": length})
    if name == "bpchar":
        if modifier == _NO_MODIFIER:
            return Typed("text")
        loss = [("char, which fills up with spaces", "string")] * (length > 1)
        return Typed("string", {"max_length": length}, loss)
    if name in ("bit", "varbit"):
        most = 255 if modifier == _NO_MODIFIER else modifier
        return Typed("string", {"max_length": most}, [("a bit string", "string")])
    if name != "numeric":
        return None
    if modifier == _NO_MODIFIER:
        keys: dict[str, object] = {"precision": 38, "scale": 10}
        return Typed("decimal", keys, [("numeric without digits", "decimal(38, 10)")])
    precision, scale = length >> 16 & 0xFFFF, (length & 0x7FF ^ 0x400) - 0x400
    if 0 <= scale <= precision:
        return Typed("decimal", {"precision": precision, "scale": scale})
    what = f"numeric({precision}, {scale})"
    wide = max(precision, scale, precision - scale)
    scale = max(scale, 0)
    became = f"decimal({wide}, {scale})"
    return Typed("decimal", {"precision": wide, "scale": scale}, [(what, became)])


def _domain(row: Any, types: Mapping[int, Any]) -> Typed | None:
    """Return the type under a domain, with what the domain adds."""
    found = of(row["base"], row["modifier"], types)
    if found is None:
        return None
    found.losses.insert(0, (f"the domain {row['name']}", found.type))
    found.required = found.required or row["required"]
    found.default = row["expression"] or found.default
    found.checks += row["checks"]
    return found


def default(expression: str, made: Typed) -> object:
    """Return a default, MISSING if there is none that is understood."""
    computed = expressions.computed(expression)
    is_text = made.type in ("string", "text")
    if computed is Computed.RANDOM and made.type != "uuid":
        return Computed.TEXT_ID
    if computed and not (is_text and expression.startswith("'")):
        return computed
    text = expressions.literal(expression)
    if made.keys.get("array"):
        return _array(expression, text, made)
    return MISSING if text is None else constant(text, made.type)


def constant(text: str, kind: str) -> object:
    """Return a constant of a type, as entities.json has it; MISSING if it is none."""
    try:
        if kind == "integer":
            return int(text)
        if kind == "float":
            return float(text)
        if kind == "boolean":
            return {"true": True, "t": True, "false": False, "f": False}[text.lower()]
        if kind == "json":
            return json.loads(text)
        if kind == "binary":
            return base64.b64encode(bytes.fromhex(text.removeprefix("\\x"))).decode()
    except (ValueError, KeyError):
        return MISSING
    if kind == "datetime":
        return re.sub(r"([+-]\d\d)$", r"\1:00", text)
    return text


def _array(expression: str, text: str | None, made: Typed) -> object:
    items = None
    if text is None:
        items = expressions.items(expression)
    elif "NULL" not in re.split("[{,}]", text) and _ITEMS.fullmatch(text):
        items = [
            plain.strip() or re.sub(r"\\(.)", r"\1", quoted)
            for quoted, plain in _ITEM.findall(text[1:-1])
        ]
    if items is None:
        return MISSING
    return [constant(one, made.type) for one in items]
