"""Asks the project's own database how many rows a migration would take."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa
from dotenv import dotenv_values
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from scaffold.migrations.operations import Part, current
from scaffold.migrations.renames import Rename
from scaffold.spec import naming

SECONDS = 10.0


def database_url() -> str | None:
    """Return DATABASE_URL as the service reads it: the environment, then .env."""
    return os.environ.get("DATABASE_URL") or dotenv_values(".env").get("DATABASE_URL")


def count(
    url: str | None, parts: Sequence[Part], renames: Sequence[Rename]
) -> list[str]:
    """Say for each part how many rows it has, or why that is not known.

    `renames` are those that the database does not have yet.
    """
    if not url:
        return ["rows not counted, DATABASE_URL is not set"] * len(parts)
    back = [one.back for one in reversed(renames)]
    former = [current(part, back) for part in parts]
    work = asyncio.wait_for(_count(url, former), SECONDS)
    try:
        with ThreadPoolExecutor(1) as thread:  # Alembic's event loop has this one
            return thread.submit(asyncio.run, work).result()
    except (OSError, SQLAlchemyError, TimeoutError) as error:
        reason = str(getattr(error, "orig", error)).split("\n")[0] or "time-out"
        return [f"rows not counted, the database gives no answer: {reason}"] * len(
            parts
        )


async def _count(url: str, parts: Sequence[Part]) -> list[str]:
    engine = create_async_engine(url, poolclass=sa.NullPool)
    try:
        async with engine.connect() as connection:
            found = []
            for part in parts:
                if not await connection.run_sync(_exists, part):
                    found.append("not in the database of DATABASE_URL")
                    continue
                rows = await connection.scalar(_query(part))
                found.append(f"{rows:,} rows in the database of DATABASE_URL")
            return found
    finally:
        await engine.dispose()


def _query(part: Part) -> sa.Select[int]:
    """Count the rows of a table, or those that have a value in a column."""
    column: sa.ColumnClause[Any] = sa.column(sa.quoted_name(part.column, quote=True))
    name, schema = naming.split_key(part.table)
    table = sa.table(
        sa.quoted_name(name, quote=True),
        column,
        schema=schema and sa.quoted_name(schema, quote=True),
    )
    counted = table.c[part.column] if part.column else sa.text("*")
    return sa.select(sa.func.count(counted)).select_from(table)


def _exists(connection: sa.Connection, part: Part) -> bool:
    inspector = sa.inspect(connection)
    name, schema = naming.split_key(part.table)
    if not inspector.has_table(name, schema):
        return False
    columns = {column["name"] for column in inspector.get_columns(name, schema)}
    return not part.column or part.column in columns
