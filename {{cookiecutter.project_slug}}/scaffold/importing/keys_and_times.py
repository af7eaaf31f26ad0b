"""Writes the id and the times of an entity from its columns."""

import re

from scaffold.importing import names
from scaffold.importing.draft import Draft, Json
from scaffold.importing.found import Column, Computed, Found, Table
from scaffold.spec.model import MISSING, UUID_LENGTH
from scaffold.spec.vocabulary import keys

CREATED = ("created_at", "created_on", "created", "inserted_at", "date_created")
UPDATED = ("updated_at", "updated_on", "updated", "modified_at", "date_modified")
OWN_ID = "row_id"  # where a column that is not the key is called id


def write(draft: Draft, found: Found) -> None:
    """Write `id` and `timestamps`; their columns are not fields any more."""
    _times(draft, found)
    table = draft.table
    column = _key(table)
    if column is None:
        _own_id(draft, found)
        return
    written = _id(column, found)
    if table.is_own and written == {"type": "uuid"} and column.default is MISSING:
        written["generated"] = False  # the service's own tables have a default
    if written is None:
        what = f"a primary key of the type {column.type}"
        found.lose(column.place, what, "a unique field, beside an id that is a UUID")
        _take(draft, "id")
        return
    draft.left.add(column.name)
    name = _id_name(column, found)
    if name != "id":
        written = {"name": name, **written}
    if written == {"type": "integer"}:
        draft.json["id"] = "integer"
    elif written != {"type": "uuid"}:
        draft.json["id"] = written
    _take(draft, name)


def _take(draft: Draft, name: str) -> None:
    draft.taken |= {"id", name}


def _key(table: Table) -> Column | None:
    """Return the column of the primary key, if it is one and not a reference."""
    if len(table.primary_key) != 1:
        return None
    if any(table.primary_key == one.columns for one in table.references):
        return None
    return table.column(table.primary_key[0])


def _own_id(draft: Draft, found: Found) -> None:
    """Report a key that is not one column of its own; the entity gets an id."""
    table = draft.table
    name = OWN_ID if table.column("id") else "id"
    if name != "id":
        draft.json["id"] = {"name": name}
    _take(draft, name)
    became = f"the column {name}, a UUID"
    if not table.primary_key:
        found.lose(table.place, "no primary key", became)
        return
    what = "a composite primary key"
    kept = "a unique constraint"
    if len(table.primary_key) == 1:
        what, kept = "a primary key that is a reference", "a one_to_one relation"
    columns = ", ".join(table.primary_key)
    found.lose(table.place, f"{what} ({columns})", f"{became}, and {kept}")


def _id_name(column: Column, found: Found) -> str:
    """Return the name of an id, which is in snake_case in columns and in JSON."""
    if re.fullmatch(keys.NAME, column.name) and names.is_column(column.name):
        return column.name
    name = names.snake(column.name) or "id"
    found.lose(column.place, f"the name {column.name} of a key", f"the column {name}")
    return name


def _id(column: Column, found: Found) -> Json | None:
    """Return the type of an id and its keys, None where no id can have the type."""
    if column.type == "uuid":
        if column.default not in (MISSING, Computed.RANDOM):
            found.lose(column.place, "the default of a key", "a generated UUID")
        return {"type": "uuid"}
    if column.type in ("integer", "decimal"):
        return _integer(column, found)
    if column.type in ("string", "text"):
        return _string(column, found)
    return None


def _integer(column: Column, found: Found) -> Json | None:
    scale, precision = column.keys.get("scale"), column.keys.get("precision")
    if column.type == "decimal":
        if scale != 0 or not isinstance(precision, int) or precision > 18:
            return None
        found.lose(column.place, f"a key of the type numeric({precision})", "integer")
    written: Json = {"type": "integer"}
    if column.keys.get("bits", 64) != 64:
        written["bits"] = column.keys["bits"]
    if column.default is not Computed.SEQUENCE:
        written["generated"] = False
        if column.default is not MISSING:
            found.lose(column.place, "the default of a key", "ids that clients send")
    return written


def _string(column: Column, found: Found) -> Json:
    if column.default in (Computed.TEXT_ID, Computed.RANDOM):
        if column.keys != {"max_length": UUID_LENGTH}:
            became = "a generated string: a UUID as text, varchar(36)"
            what = f"a generated key of the type {column.type}"
            found.lose(column.place, what, became)
        return {"type": "string"}
    if column.default is not MISSING:
        found.lose(column.place, "the default of a key", "ids that clients send")
    if column.keys.get("case_insensitive"):
        what = "a key in which upper and lower case are the same"
        found.lose(column.place, what, "a string in which they differ")
    written: Json = {"type": "string", "generated": False}
    length = column.keys.get("max_length")
    if not isinstance(length, int) or length > keys.MAX_ID:
        kept = f"string, max_length {keys.MAX_ID}"
        found.lose(column.place, "a key of any length", kept)
    elif length < keys.MAX_ID:
        written["max_length"] = length
    return written


def _times(draft: Draft, found: Found) -> None:
    """Recognise the times of creation and of the last change by their names."""
    table = draft.table
    created, updated = _times_of_service(table)
    if created is None or updated is None:
        created, updated = _time(table, CREATED), _time(table, UPDATED)
    if created is None:
        draft.json["timestamps"] = False
        return
    if updated is None:
        is_usual = names.snake(created.json or created.name) == "created_at"
        if not is_usual or created.default is not Computed.NOW:
            draft.json["timestamps"] = False
            return
        found.lose(created.place, "created_at without updated_at", "both")
    draft.left.add(created.name)
    written = {"created_at": _time_name(created, "created_at", found)}
    if updated is not None:
        draft.left.add(updated.name)
        written["updated_at"] = _time_name(updated, "updated_at", found)
    usual = {key: name for key, name in written.items() if key != name}
    if usual:
        draft.json["timestamps"] = usual
    draft.taken |= {"created_at", "updated_at", *written.values()}
    for column, key in ((created, "created_at"), (updated, "updated_at")):
        if column is not None:  # an index may have it
            draft.members[column.name] = written[key]


def _times_of_service(table: Table) -> tuple[Column | None, Column | None]:
    """Return the times of a table that a generated service has made: its last two."""
    found = [
        column
        for column in table.columns
        if column.type == "datetime"
        and column.required
        and column.default is Computed.NOW
        and (column.name,) in table.indexes
    ]
    if not table.is_own or len(found) < 2:
        return None, None
    first, second = found[-2:]
    # A time with its usual name comes after one with a name of its own.
    if second.name == "created_at" or first.name == "updated_at":
        return second, first
    return first, second


def _time(table: Table, usual: tuple[str, ...]) -> Column | None:
    for column in table.columns:
        is_plain = column.type == "datetime" and not column.keys
        if is_plain and names.snake(column.json or column.name) in usual:
            return column
    return None


def _time_name(column: Column, usual: str, found: Found) -> str:
    """Return the name of a time, which is in snake_case in columns and in JSON."""
    name = names.snake(column.json or column.name)
    if column.name != name:
        what = f"the column {column.name} of a time that the service sets"
        found.lose(column.place, what, f"the column {name}")
    return name
