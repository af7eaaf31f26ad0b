"""Turns the catalog of a PostgreSQL database into what was found."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from scaffold.importing.found import Column, Computed, Found, Reference, Table
from scaffold.importing.postgresql import expressions, own_tables, queries, types
from scaffold.spec.model import MISSING
from scaffold.spec.vocabulary.keys import ARRAY, DEFAULT_SCHEMA

ON_DELETE = {"c": "cascade", "n": "set_null", "r": "restrict", "a": "restrict"}
ON_UPDATE = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
KINDS = {"v": "the view", "m": "the materialized view", "f": "the foreign table"}
# Tables in which other tools keep what they have done.
FOREIGN = frozenset(
    [
        "_prisma_migrations",
        "alembic_version",
        "ar_internal_metadata",
        "databasechangelog",
        "databasechangeloglock",
        "django_migrations",
        "flyway_schema_history",
        "knex_migrations",
        "knex_migrations_lock",
        "migrations",
        "schema_migrations",
        "sequelizemeta",
        "typeorm_migrations",
    ]
)
Row = Mapping[str, Any]

LENGTHS = {
    **dict.fromkeys(("string", "text"), ("min_length", "max_length")),
    "binary": ("max_length",),
}


_NULLS = ("UNIQUE NULLS NOT DISTINCT", "UNIQUE, which allows several nulls")
# Where the greater one of two limits of a column is the stricter one.
_LOWEST = ("min_length", "min_items", "gt", "ge")


def _limit(column: Column, key: str, value: object) -> None:
    """Add a limit, or keep the stricter one of two."""
    stricter = max if key in _LOWEST else min
    known = [column.keys[key]] if key in column.keys else []
    column.keys[key] = stricter([value, *known], key=lambda one: Decimal(str(one)))


class Connection(Protocol):
    """What this needs of a connection of asyncpg."""

    async def fetch(self, query: str, *args: object) -> Sequence[Any]: ...


async def read(
    connection: Connection, places: Mapping[str, str] | None = None
) -> Found:
    """Return the tables of the database, in the order in which they were made.

    `places` has what is before the names of tables where they are reported.
    """
    relations = await connection.fetch(queries.RELATIONS)
    listed = [row["oid"] for row in relations]
    type_rows = await connection.fetch(queries.TYPES)
    catalog = _Catalog(relations, {row["oid"]: row for row in type_rows}, places)
    for add, query in (
        (catalog.column, queries.COLUMNS),
        (catalog.constraint, queries.CONSTRAINTS),
        (catalog.index, queries.INDEXES),
        (catalog.trigger, queries.TRIGGERS),
    ):
        for row in await connection.fetch(query, listed):
            if row["relation"] in catalog.tables:
                add(catalog.tables[row["relation"]], row)
    for table in catalog.tables.values():
        own_tables.name_types(table)
    catalog.found.tables = list(catalog.tables.values())
    return catalog.found


class _Catalog:
    def __init__(
        self,
        relations: Sequence[Row],
        type_rows: Mapping[int, Row],
        places: Mapping[str, str] | None,
    ) -> None:
        self.places = places or {}
        self.found = Found(says_indexes=True)
        self.types = type_rows
        self.tables: dict[int, Table] = {}
        self.left_out: dict[str, set[str]] = defaultdict(set)
        for row in relations:
            self._relation(row)

    def _relation(self, row: Row) -> None:
        name, schema = row["name"], row["schema"]
        if name.lower() in FOREIGN or own_tables.is_of_service(name):
            return
        place = name if schema == DEFAULT_SCHEMA else f"{schema}.{name}"
        place = self.places.get(place, "") + place
        if row["kind"] in KINDS:
            self.found.lose(place, KINDS[row["kind"]])
            return
        if row["is_partition"]:
            self.found.lose(place, "a partition", "rows of its table")
            return
        if row["kind"] == "p":
            self.found.lose(place, "a partitioned table", "a plain table")
        elif row["inherits"]:
            self.found.lose(place, "inheritance of tables", "a table of its own")
        if row["has_policies"]:
            self.found.lose(place, "row-level security")
        self.tables[row["oid"]] = Table(
            key=str(row["oid"]),
            name=name,
            place=place,
            schema=schema,
            description=row["comment"] or "",
        )

    def column(self, table: Table, row: Row) -> None:
        name, place = row["name"], f"{table.place}.{row['name']}"
        if own_tables.is_of_service(name):
            own_tables.column_of_service(table, name, row["expression"] or "")
            self.left_out[table.key].add(name)
            return
        made = types.of(row["type"], row["modifier"], self.types)
        generated = row["generated"]
        if made is None or generated:
            what = f"the type {self.types[row['type']]['name']}"
            if generated:
                what = f"a generated column ({row['expression']})"
            if row["required"]:
                what += ", NOT NULL"
            self.found.lose(place, what)
            self.left_out[table.key].add(name)
            return
        for what, became in made.losses:
            self.found.lose(place, what, became)
        column = Column(
            name=name,
            place=place,
            type=made.type,
            keys=made.keys,
            required=row["required"] or made.required,
            description=row["comment"] or "",
        )
        table.columns.append(column)
        self._default(column, row, made)
        for check in made.checks:
            self._check(table, check, place, name)

    def _default(self, column: Column, row: Row, made: types.Typed) -> None:
        if row["identity"]:
            column.default = Computed.SEQUENCE
            return
        expression = row["expression"] or made.default
        if not expression or expressions.is_null(expression):
            return
        column.default = types.default(expression, made)
        if column.default is MISSING:
            what = f"the default {expression}"
            became = "no default"
            if column.required:
                column.required, became = False, "no default, and optional"
            self.found.lose(column.place, what, became)

    def constraint(self, table: Table, row: Row) -> None:
        place, columns = table.place, tuple(row["columns"])
        if row["kind"] == "c":
            self._check(table, row["expression"], f"{place} ({row['name']})")
            return
        if row["kind"] == "x":
            self.found.lose(f"{place} ({row['name']})", "an EXCLUDE constraint")
            return
        if self.left_out[table.key].intersection(columns):
            what = f"a constraint on {', '.join(columns)}"
            self.found.lose(f"{place} ({row['name']})", what)
            return
        if row["is_deferrable"]:
            what = "a deferrable constraint"
            self.found.lose(f"{place} ({row['name']})", what, "one that is immediate")
        if row["kind"] == "p":
            table.primary_key = columns
        elif row["kind"] == "u":
            if row["joins_nulls"]:
                self.found.lose(f"{place} ({row['name']})", *_NULLS)
            table.unique.append(columns)
        else:
            self._reference(table, row, columns)

    def _reference(self, table: Table, row: Row, columns: tuple[str, ...]) -> None:
        place = f"{table.place} ({row['name']})"
        on_delete = ON_DELETE.get(row["on_delete"], "")
        if not on_delete:
            self.found.lose(place, "ON DELETE SET DEFAULT", on_delete := "restrict")
        if what := ON_UPDATE.get(row["on_update"]):
            self.found.lose(place, f"ON UPDATE {what}", "keys that never change")
        table.references.append(
            Reference(
                columns=columns,
                target=str(row["target"]),
                place=place,
                target_columns=tuple(row["target_columns"]),
                on_delete=on_delete,
            )
        )

    def _check(
        self, table: Table, expression: str, place: str, domain_of: str = ""
    ) -> None:
        """Read a CHECK into the keys of its columns, all of it or nothing."""
        if own_tables.is_check_of_id(expression):
            return
        try:
            found = list(expressions.rules(expression))
        except expressions.Unknown:
            self.found.lose(place, f"CHECK {expression}")
            return
        for name, key, value in found:
            column = table.column(domain_of or name)
            if column is None or not self._rule(table, column, key, value):
                self.found.lose(place, f"CHECK {expression}")

    def _rule(self, table: Table, column: Column, key: str, value: object) -> bool:
        """Add what a CHECK says of a column; return whether it can be said."""
        kind = column.type
        if key == "finite":
            return True
        if key in ("array", "min_items", "max_items"):
            if key != "array":
                _limit(column, key, value)
            return column.keys.get("array") is True
        if key == "required":
            column.required = True
        elif key.startswith("checks."):
            if table.column(str(value)) is None:
                return False
            table.checks.append((column.name, key[7:], str(value)))
        elif key == f"{'items.' if column.keys.get('array') else ''}values" and (
            kind in ("string", "text")
        ):
            items = {name: column.keys[name] for name in ARRAY if name in column.keys}
            column.type, column.keys = "enum", {"values": value, **items}
        elif key.removeprefix("bytes.") in LENGTHS.get(kind, ()):
            key = key.removeprefix("bytes.") if kind == "binary" else key
            if key.startswith("bytes."):
                return False  # limits of texts count characters
            _limit(column, key, value)
        elif key == "pattern" and kind in ("string", "text"):
            return False  # the regular expressions of PostgreSQL are others
        elif key in ("gt", "ge", "lt", "le", "multiple_of") and kind in (
            "integer",
            "float",
            "decimal",
        ):
            bound = types.constant(str(value), kind)
            if bound is MISSING:
                return False
            if key == "multiple_of" and key in column.keys:
                return False
            _limit(column, key, bound)
        else:
            return False
        return True

    def index(self, table: Table, row: Row) -> None:
        place, columns = f"{table.place} ({row['name']})", row["columns"]
        if row["joins_nulls"]:
            self.found.lose(place, *_NULLS)
        if own_tables.is_index_of_service(table, row):
            return
        if lowered := own_tables.lowered(table, row):
            self._add_index(table, lowered, is_unique=row["is_unique"])
            return
        what = ""
        if row["condition"]:
            what = f"an index WHERE {row['condition']}"
        elif None in columns:
            what = f"an index on {', '.join(row['parts'])}"
        elif row["method"] == "gin" and self._is_array(table, columns):
            pass
        elif row["method"] != "btree":
            what = f"an index of the type {row['method']}"
        elif self.left_out[table.key].intersection(columns):
            what = f"an index on {', '.join(columns)}"
        if what:
            unique = "UNIQUE: " if row["is_unique"] else ""
            self.found.lose(place, unique + what)
        else:
            self._add_index(table, tuple(columns), is_unique=row["is_unique"])

    def _is_array(self, table: Table, columns: Sequence[str]) -> bool:
        found = table.column(columns[0]) if len(columns) == 1 else None
        return found is not None and found.keys.get("array") is True

    def _add_index(
        self, table: Table, columns: tuple[str, ...], *, is_unique: bool
    ) -> None:
        if is_unique:
            table.unique.append(columns)
            return
        if len(columns) > 1 and columns[-1:] == table.primary_key:
            columns = columns[:-1]  # every index of the service ends with the key
        if columns != table.primary_key:
            table.indexes.append(columns)

    def trigger(self, table: Table, row: Row) -> None:
        if not own_tables.is_trigger_of_service(table, row):
            self.found.lose(f"{table.place} ({row['name']})", "a trigger")
