"""Runs within a project, on the database of DATABASE_URL.

python fill.py store     stores rows of every entity
python fill.py show      prints all rows, as JSON by table, on the last line
"""

import asyncio
import json
import os
import sys

from sqlalchemy.ext.asyncio import create_async_engine

from src.core.database import async_session_maker, transaction
from tests.cases import CASES

from stored_rows import read  # isort: skip - a module beside this script


async def store(url: str) -> None:
    engine = create_async_engine(url)
    async_session_maker.configure(bind=engine)
    for case in CASES:
        async with transaction() as db:
            await case.factory.store_batch(db, case.rows(3))
    await engine.dispose()


if __name__ == "__main__":
    url = os.environ["DATABASE_URL"]
    if sys.argv[1] == "store":
        asyncio.run(store(url))
    print(json.dumps(asyncio.run(read(url))))
