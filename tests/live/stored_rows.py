"""Reads every row of a database; imported by the scripts that run within a project."""

import json
from typing import Any

import asyncpg

TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relname <> 'alembic_version'
AND relnamespace = current_schema()::regnamespace
"""


async def read(url: str) -> dict[str, list[Any]]:
    """Return the rows of each table, as JSON has them, in a fixed order."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    rows = {}
    for (table,) in await connection.fetch(TABLES):
        # A table's name from the catalog, not what somebody typed.
        query = f'SELECT to_jsonb(t)::text FROM "{table}" t ORDER BY 1'  # noqa: S608 - our own names
        found = await connection.fetch(query)
        rows[table] = [json.loads(text) for (text,) in found]
    await connection.close()
    return rows
