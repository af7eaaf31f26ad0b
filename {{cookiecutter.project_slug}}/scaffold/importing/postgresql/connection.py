"""Reads the catalog of a database by its URL: one transaction, which writes nothing."""

import asyncio
import re

import asyncpg

from scaffold.importing.found import Found, SourceError
from scaffold.importing.postgresql import catalog

SECONDS = 60.0
ADVICE = "check the address, the name of the database and the password"


def read(url: str) -> Found:
    """Return what the catalog has; raise SourceError if it cannot be read."""
    dsn = re.sub(r"^\w+(\+\w+)?://", "postgresql://", url)
    try:
        return asyncio.run(_read(dsn))
    except (OSError, ValueError, TimeoutError, asyncpg.PostgresError) as error:
        said = str(error) or type(error).__name__
        raise SourceError(f"{without_password(url)}: {said}; {ADVICE}") from None
    except asyncpg.InterfaceError as error:
        raise SourceError(f"{without_password(url)}: {error}; {ADVICE}") from None


async def _read(dsn: str) -> Found:
    connection = await asyncpg.connect(dsn, timeout=SECONDS, command_timeout=SECONDS)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("SET LOCAL search_path = pg_catalog")
            return await catalog.read(connection)
    finally:
        await connection.close(timeout=SECONDS)


def without_password(url: str) -> str:
    """Return the URL for messages."""
    shown = re.sub(r"(://[^:/?#@]*):[^@]*@", r"\1:***@", url)
    return re.sub(r"(password=)[^&]*", r"\1***", shown)
