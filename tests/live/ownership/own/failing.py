"""A statement that fails, where the header `X-Fail` says."""

from contextlib import suppress
from contextvars import ContextVar
from typing import Annotated

from fastapi import Header
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

PLACE = ContextVar("PLACE", default="")
FAILING = text("SELECT 1 / 0")


async def note_place(x_fail: Annotated[str, Header()] = "") -> None:
    PLACE.set(x_fail)


async def fail(place: str, db: AsyncSession) -> None:
    """Run the failing statement if this is its place."""
    if PLACE.get() == place:
        await db.execute(FAILING)
    if PLACE.get() == f"{place}, suppressed":
        with suppress(DBAPIError):
            await db.execute(FAILING)
