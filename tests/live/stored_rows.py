"""Reads every row of a database; imported by the scripts that run within a project."""

import json
from typing import Any

import asyncpg

TABLES = """
SELECT CASE WHEN nspname <> current_schema() THEN nspname || '.' ELSE '' END || relname,
    format('%I.%I', nspname, relname)
FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND relname <> 'alembic_version'
AND nspname !~ '^pg_' AND nspname <> 'information_schema'
"""


async def read(url: str) -> dict[str, list[Any]]:
    """Return the rows of each table, as JSON has them, in a fixed order."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    rows = {}
    for table, quoted in await connection.fetch(TABLES):
        # A table's name from the catalog, not what somebody typed.
        # What a search reads is made of other columns, and filling one raises the version.
        columns = "to_jsonb(t) - '_search' - '_version'"
        query = f"SELECT ({columns})::text FROM {quoted} t ORDER BY 1"  # noqa: S608 - our own names
        found = await connection.fetch(query)
        rows[table] = [json.loads(text) for (text,) in found]
    await connection.close()
    return rows
