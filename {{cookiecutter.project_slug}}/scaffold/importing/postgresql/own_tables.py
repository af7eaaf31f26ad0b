"""Recognises what the migrations of a generated service make, to read it back."""

import re
from collections.abc import Mapping
from typing import Any

from scaffold.importing.found import Table
from scaffold.spec.vocabulary import field_types, keys, reserved_names

Row = Mapping[str, Any]
_COLUMNS = (keys.VERSION_COLUMN, keys.SEARCH_COLUMN)
_TYPES = {
    field_types.EMAIL_LENGTH: "email",
    field_types.URL_LENGTH: "url",
}
_TRIGGERS = ("raise_version", "write_history")
_RECORD = "write_history"
_LIVE = "(deleted_at IS NULL)"
_MARKED = "(deleted_at IS NOT NULL)"
_SEARCHED = re.compile(
    r"COALESCE\(\(?\"?([\w$ -]+?)\"?\)?(?:::text)?, ''::", re.IGNORECASE
)
_LOWER = re.compile(
    r'lower\(\(*(?:"([^"]+)"|([\w$]+))\)*(?:::text)?\)*(?: COLLATE "default")?\)'
)


def is_of_service(name: str) -> bool:
    """Whether the service has such a table or column for itself."""
    return name in _COLUMNS or name in reserved_names.SERVICE_TABLES


def column_of_service(table: Table, name: str, expression: str) -> None:
    """Read a column that the service has for itself."""
    if name == keys.SEARCH_COLUMN:
        table.search = tuple(_SEARCHED.findall(expression))
    else:
        table.is_own = True


def name_types(table: Table) -> None:
    """Recognise the types that have a length of their own in the service's tables."""
    for column in table.columns:
        length = column.keys.get("max_length")
        if table.is_own and column.keys.get("array") and length is not None:
            column.type = "string"  # texts in arrays have their length in a CHECK
        if table.is_own and column.type == "string" and length in _TYPES:
            column.type = _TYPES[length]
            del column.keys["max_length"]


def is_check_of_id(expression: str) -> bool:
    """Whether a CHECK is that of every id which is a string."""
    return "'^[A-Za-z0-9._~-]+$'" in expression


def is_trigger_of_service(table: Table, row: Row) -> bool:
    """Whether a trigger is the service's own; one of them writes the history."""
    name: str = row["name"]
    if name == _RECORD and len(row["arguments"]) >= 2:
        table.keys["history"] = True
    return name.startswith(_TRIGGERS)


def is_index_of_service(table: Table, row: Row) -> bool:
    """Whether an index is made by a key of entities.json that is read otherwise."""
    if row["columns"] == [keys.SEARCH_COLUMN]:
        return True
    return bool(_is_marked(table)) and row["condition"] == _MARKED


def lowered(table: Table, row: Row) -> tuple[str, ...]:
    """Return the columns of an index that ignores case, or rows that are deleted."""
    is_live = _is_marked(table) and row["is_unique"] and row["condition"] == _LIVE
    if row["method"] != "btree" or not (is_live or row["condition"] is None):
        return ()
    names = []
    for name, part in zip(row["columns"], row["parts"], strict=True):
        match = _LOWER.fullmatch(part)
        column = table.column(match[1] or match[2]) if match else None
        if name is not None:
            names.append(name)
        elif column is not None and column.type == "string":
            column.keys["case_insensitive"] = True
            names.append(column.name)
        else:
            return ()
    is_usual = None not in row["columns"] and not is_live
    return () if is_usual else tuple(names)


def _is_marked(table: Table) -> bool:
    """Whether the table has the columns of soft_delete."""
    is_marked = all(table.column(name) for name in keys.SOFT_DELETE)
    if is_marked:
        table.keys["soft_delete"] = True
    return is_marked
