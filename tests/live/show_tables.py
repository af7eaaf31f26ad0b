"""Prints the whole schema of DATABASE_URL, except indexes."""

import asyncio
import os

import asyncpg

QUERY = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'I')
UNION SELECT typname FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typtype NOT IN ('c', 'b')
ORDER BY 1
"""


async def main() -> None:
    url = os.environ["DATABASE_URL"].replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(QUERY)
    await connection.close()
    print("tables:", *[row[0] for row in rows])


asyncio.run(main())
