"""Runs within a project, on the database of DATABASE_URL.

python fill.py store     stores rows of every entity
python fill.py show      prints all rows, as JSON by table, on the last line
"""

import asyncio
import json
import os
import sys

import asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from src.core.database import async_session_maker, transaction
from tests.cases import CASES

TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relname <> 'alembic_version'
AND relnamespace = current_schema()::regnamespace
"""


async def store(url: str) -> None:
    engine = create_async_engine(url)
    async_session_maker.configure(bind=engine)
    for case in CASES:
        async with transaction() as db:
            await case.factory.store_batch(db, case.rows(3))
    await engine.dispose()


async def read(url: str) -> dict[str, list[object]]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    rows = {}
    for (table,) in await connection.fetch(TABLES):
        # A table's name from the catalogue, not what somebody typed.
        query = f'SELECT to_jsonb(t)::text FROM "{table}" t ORDER BY 1'  # noqa: S608 - our own names
        rows[table] = [json.loads(text) for (text,) in await connection.fetch(query)]
    await connection.close()
    return rows


if __name__ == "__main__":
    url = os.environ["DATABASE_URL"]
    if sys.argv[1] == "store":
        asyncio.run(store(url))
    print(json.dumps(asyncio.run(read(url))))
