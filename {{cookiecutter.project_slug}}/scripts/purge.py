"""`make purge`: deletes what has expired, in batches that hold up no request.

These are idempotency keys whose responses are not kept any longer.
"""

import asyncio
import sys

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from src.core.config import Settings, get_settings
from src.core.engines import create_engine
from src.repositories.idempotency import DELETE_EXPIRED

BATCH = 1_000  # rows that a transaction deletes
PURGES = {"idempotency keys": DELETE_EXPIRED}


async def purge(settings: Settings) -> dict[str, int]:
    """Delete all that has expired; return how many rows of each kind that were."""
    engine = create_engine(settings)
    try:
        return {kind: await _delete(engine, PURGES[kind]) for kind in PURGES}
    finally:
        await engine.dispose()


async def _delete(engine: AsyncEngine, statement: sa.Delete) -> int:
    """Run the statement until it finds fewer than BATCH rows; each is a transaction."""
    total, deleted = 0, BATCH
    while deleted == BATCH:
        async with engine.begin() as connection:
            deleted = (await connection.execute(statement, {"most": BATCH})).rowcount
        total += deleted
    return total


def main() -> int:
    """Run `python -m scripts.purge`; return its exit status."""
    try:
        found = asyncio.run(purge(get_settings()))
    except (OSError, DBAPIError) as error:
        print(f"make purge: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    for kind, count in found.items():
        print(f"{kind}: {count} deleted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
