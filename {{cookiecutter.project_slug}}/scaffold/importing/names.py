"""Names of entities and members, from those that a source has."""

import re
from collections.abc import Collection

from scaffold.spec import naming
from scaffold.spec.vocabulary import keys, reserved_names

_RESERVED = reserved_names.SYSTEM_COLUMNS | {"id"}
_LIMIT = keys.MAX_NAME - 8  # leaves room for a number, or for _id


def snake(name: str) -> str:
    """Return a name in snake_case, or "" if nothing of it can be used."""
    text = naming.snake(name.encode("ascii", "ignore").decode()).strip("_")
    return text[:_LIMIT].rstrip("_") if re.match("[a-z]", text) else ""


def member(name: str, taken: Collection[str]) -> str:
    """Return the name of a field, which no other member has."""
    wanted = snake(name) or f"field_{snake(f'x{name}')[1:]}".rstrip("_")
    if wanted in _RESERVED or (wanted in reserved_names.COLUMNS and wanted in taken):
        wanted = f"own_{wanted}"
    return _free(wanted, taken)


def relation(name: str, taken: Collection[str]) -> str:
    """Return the name of a to-one relation; <name>_id must be free as well."""
    wanted = snake(name) or "related"
    stem = wanted.removesuffix("_id") or wanted
    if stem in _RESERVED:
        stem = f"own_{stem}"
    ends = {one.removesuffix("_id") for one in taken}
    return _free(stem, ends)


def many(name: str, taken: Collection[str]) -> str:
    """Return the name of a relation with many rows."""
    wanted = snake(name) or "related"
    if wanted in _RESERVED | reserved_names.SEGMENTS:
        wanted = f"own_{wanted}"
    return _free(wanted, taken)


def entity(name: str, taken: Collection[str]) -> str:
    """Return the name of an entity: a singular in PascalCase, which is free."""
    words = snake(name) or f"table_{snake(f'x{name}')[1:]}".rstrip("_")
    wanted = naming.pascal(words)[:_LIMIT]
    if wanted in reserved_names.CLASSES | reserved_names.FASTAPI_SCHEMAS:
        wanted += "Row"
    if words.startswith("pg_"):  # PostgreSQL reserves tables of such names
        wanted = f"Own{wanted}"
    return _free(wanted, taken)


def is_column(name: str) -> bool:
    """Whether a column or a table can keep its name."""
    fits = len(name) <= keys.MAX_NAME and name not in reserved_names.SYSTEM_COLUMNS
    return fits and bool(re.fullmatch(keys.STORED[1:-1], name))


def is_table(name: str) -> bool:
    return is_column(name) and not name.startswith("pg_")


def is_json_key(name: str) -> bool:
    fits = len(name) <= keys.MAX_NAME
    return fits and bool(re.fullmatch(keys.JSON_KEY[1:-1], name))


def _free(wanted: str, taken: Collection[str]) -> str:
    used = {one.lower() for one in taken}
    free, number = wanted, 2
    while free.lower() in used:
        free = f"{wanted}{number}" if wanted[:1].isupper() else f"{wanted}_{number}"
        number += 1
    return free
