"""The smoke test of one list, by the parameters that its OpenAPI document declares."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from tests.harness.schema_samples import Schema
from tools.smoke_client import Client, Unexpected

Row = dict[str, Any]
UNKNOWN = "no_such_parameter"
# A filter by a key of the same name is written with `__eq`.
OURS = {"skip", "limit", "after", "total", "sort", "include", "q"}


def key_of(row: Row) -> str:
    """Return the name of the id: the first key, unless there is an `id`."""
    return "id" if "id" in row else next(iter(row))


class ListCheck:
    """A list and some of its rows, to which requests are narrowed by `id__in`."""

    def __init__(
        self, client: Client, path: str, operation: Schema, rows: Sequence[Row]
    ) -> None:
        self.client = client
        self.path = path
        self.rows = rows
        self.schemas: dict[str, Schema] = {
            parameter["name"]: parameter["schema"]
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        }
        self.key = key_of(rows[0]) if rows else ""
        ids = ",".join(_escaped(_written(row[self.key])) for row in rows)
        self.narrowed = {f"{self.key}__in": ids} if rows else {}

    def run(self) -> None:
        """Raise Unexpected if the list does not answer as it should."""
        self.refuse_unknown()
        self.leave_out_total()
        for key in self.choices("sort"):
            if not key.startswith("-"):
                self.sort(key)
        for path in self.choices("include"):
            self.include(path)
        for key in self.rows[0] if self.rows else ():
            self.filter(key)
        self.page_by_cursor()

    def get(self, query: Mapping[str, str], status: int = 200) -> Any:
        url = f"{self.path}?{urlencode({**self.narrowed, **query})}"
        return self.client.call("GET", url, status)

    def choices(self, name: str) -> Sequence[str]:
        """Return the words that a parameter may contain."""
        words = self.schemas.get(name, {}).get("items", {})
        return words.get("enum") or [words["const"]] if words else []

    def refuse_unknown(self) -> None:
        errors = self.get({UNKNOWN: "1"}, 422)["errors"]
        self.require([one["field"] for one in errors] == [f"/{UNKNOWN}"], UNKNOWN)

    def leave_out_total(self) -> None:
        self.require(self.get({})["total"] == len(self.rows) or not self.rows, "total")
        self.require(self.get({"total": "false"})["total"] is None, "total=false")

    def sort(self, key: str) -> None:
        """Sort in both directions; null comes last in both."""
        orders = []
        for word in (key, f"-{key}"):
            items = self.get({"sort": word})["items"]
            self.require_all(items, f"sort={word}", self.rows)
            values = [row[key] for row in items]
            known = [value for value in values if value is not None]
            self.require(values[: len(known)] == known, f"nulls of sort={word}")
            orders.append(known)
        self.require(orders[0] == orders[1][::-1], f"sort={key}, in both directions")

    def include(self, path: str) -> None:
        first, _, second = path.partition(".")
        for row in self.get({"include": path})["items"]:
            self.require(first in row, f"include={path}")
            if second and row[first] is not None:
                self.require(second in row[first], f"include={path}")

    def filter(self, key: str) -> None:
        """Filter by a value that a row has, where the list has such a filter."""
        name = key if key in self.schemas and key not in OURS else f"{key}__eq"
        known = [row[key] for row in self.rows if row[key] is not None]
        if f"{key}__has" in self.schemas:
            self.filter_items(f"{key}__has", key)
        if name not in self.schemas or not known:
            return
        equal = [row for row in self.rows if row[key] == known[0]]
        items = self.get({name: _written(known[0])})["items"]
        self.require_all(items, f"{name}={known[0]}", equal)

    def filter_items(self, name: str, key: str) -> None:
        """Filter by an item of an array that a row has."""
        arrays = [row[key] or [] for row in self.rows]
        for item in [item for array in arrays for item in array][:1]:
            having = [row for row in self.rows if item in (row[key] or [])]
            items = self.get({name: _written(item)})["items"]
            self.require_all(items, f"{name}={item}", having)

    def page_by_cursor(self) -> None:
        """Read pages of one row, in the order of the list and of its last sort."""
        for sort in ("", *self.choices("sort")[-1:]):
            query = {"limit": "1"} | ({"sort": sort} if sort else {})
            page = self.get(query)
            items = page["items"]
            while page["next"] is not None and len(items) < len(self.rows):
                page = self.get({**query, "after": page["next"]})
                items += page["items"]
            self.require(page["next"] is None, f"pages of 1, sort={sort}: no last one")
            self.require_all(items, f"pages of 1, sort={sort}", self.rows)

    def require_all(
        self, items: Sequence[Row], what: str, expected: Sequence[Row]
    ) -> None:
        """Raise Unexpected unless these are the expected rows, each of them once."""
        if not self.rows:
            return
        ids = [sorted(str(row[self.key]) for row in rows) for rows in (items, expected)]
        self.require(ids[0] == ids[1], f"{what}: {ids[0]} are not {ids[1]}")

    def require(self, holds: bool, what: str) -> None:
        if not holds:
            raise Unexpected(f"GET {self.path}: {what}")


def _written(value: Any) -> str:
    """Return a value as parameters have it: as in JSON, and text without quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def _escaped(text: str) -> str:
    """Return a value as it is written between the commas of `__in`."""
    return re.sub(r"([,\\])", r"\\\1", text)
