"""Makes a column one that entities.json can say; each key that it cannot is reported."""

from dataclasses import replace
from decimal import Decimal

from scaffold.importing import language
from scaffold.importing.found import Column, Computed, Found
from scaffold.spec.model import MISSING
from scaffold.spec.vocabulary.field_types import INDEXED_LENGTH, MAX_BINARY

Json = dict[str, object]
BITS = {16: "a smallint", 32: "an integer of 32 bits"}
TOGETHER_LENGTH = 255  # of a text in an index of several columns
COMPUTED = {
    Computed.NOW: "the default now()",
    Computed.RANDOM: "a random UUID as default",
    Computed.TEXT_ID: "a generated string as default",
    Computed.SEQUENCE: "a sequence as default",
}


def field(column: Column, found: Found, *, together: int) -> Json:
    """Return a field's type and the keys that depend on it.

    `together` is the number of columns of the largest index that has it.
    """
    column = replace(column, keys=dict(column.keys))
    _type(column, found)
    if together:
        _length(column, INDEXED_LENGTH if together == 1 else TOGETHER_LENGTH, found)
    if column.type in ("string", "text"):
        column.keys["markup"] = "keep"
    written: Json = {"type": column.type, **column.keys}
    for key in [*column.keys]:
        if not language.can_say(written):
            _without(written, key, column, found)
    written |= _default(column, written, found)
    return written


def _type(column: Column, found: Found) -> None:
    """Choose another type, or a limit, where this one cannot be said."""
    keys, place = column.keys, column.place
    values = {"type": "enum", "values": keys.get("values", [])}
    if column.type == "enum" and not language.can_say(values):
        column.type, column.keys = "text", {}
        found.lose(place, "an enum with such values", "text")
        return
    if keys.get("array") and keys.pop("case_insensitive", False):
        found.lose(place, "an array that ignores case", "an array")
    if keys.get("array") and not language.can_say({"type": column.type, **keys}):
        what = f"an array of {column.type}"
        # The default of an array is one of json, too.
        had_default = column.default is not MISSING and column.default != []
        if had_default:
            what += " with a default"
            column.default = MISSING
        column.type, column.keys = "json", {}
        column.required = column.required and not had_default
        found.lose(place, what, "json")
    if column.type == "binary" and "max_length" not in keys:
        keys["max_length"] = MAX_BINARY
        what = "binary data of any length"
        found.lose(place, what, f"binary, max_length {MAX_BINARY}")
    bits = keys.get("bits")
    if isinstance(bits, int) and not language.can_say({"type": "integer", "bits": 32}):
        del keys["bits"]
        if bits in BITS:
            found.lose(place, BITS[bits], "integer, of 64 bits")


def _length(column: Column, most: int, found: Found) -> None:
    """Limit the length of what has an index."""
    length = column.keys.get("max_length")
    is_long = isinstance(length, int) and length > most
    if column.type == "text" and length is not None and not is_long:
        column.type = "string"
    if column.type == "text" or (column.type == "string" and is_long):
        what = "a text with an index"
        if is_long:
            what = f"an index on {length} characters"
        column.type, column.keys["max_length"] = "string", most
        found.lose(column.place, what, f"string, max_length {most}")


def _without(written: Json, key: str, column: Column, found: Found) -> None:
    """Remove a key if the field can be said without it, or with fewer of its keys."""
    alone = {"type": written["type"], key: written[key]}
    if written["type"] == "enum":
        alone["values"] = written["values"]
    if not language.can_say(alone):
        value = written.pop(key)
        found.lose(column.place, f"{key} {_shown(value)}")


def _default(column: Column, written: Json, found: Found) -> Json:
    """Return the default and whether null is accepted: default, required, nullable."""
    if column.default is MISSING:
        return {"required": True} if column.required else {}
    value = column.default
    if isinstance(value, Computed):
        value = value.value
    if isinstance(value, Decimal):
        value = str(value)
    keys: Json = {"default": value}
    computed = column.default in (Computed.TEXT_ID, Computed.SEQUENCE)
    if computed or not language.can_say({**written, **keys}):
        what = f"the default {_shown(value)}"
        if isinstance(column.default, Computed):
            what = COMPUTED[column.default]
        null = ", and NOT NULL" if column.required else ""
        became = "no default"
        found.lose(
            column.place, what + null, became + (", and optional" if null else "")
        )
        return {}
    if column.required:
        return keys
    if language.can_say({**written, **keys, "nullable": True}):
        return {**keys, "nullable": True}
    found.lose(column.place, "null beside a default", "a default, and never null")
    return keys


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
