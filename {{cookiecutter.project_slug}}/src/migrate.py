"""`python -m src.migrate`: waits for the database, then applies all migrations.

With `--then-serve` the process then becomes the service, which is how the image starts.
In that case RUN_MIGRATIONS=false skips the migrations, for a separate job to run them.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from src.core.config import Settings, get_settings
from src.core.logging import get_logger, setup_logging

ALEMBIC_INI = Path(__file__).parents[1] / "alembic.ini"
INTERVAL = 0.5
# SQLSTATE classes of errors that may pass: 08 connections, 53 resources, 57 shutting
# down or starting up.
PASSING = ("08", "53", "57")
ADVICE = {
    "28P01": (
        "PostgreSQL keeps the password with which its data directory was created. With "
        "Docker, the usual cause is the volume of an earlier project of the same name. "
        "See 'The database refuses the password' in docs/operations.md: how to keep "
        "the data, and how to start over."
    ),
    "3D000": "Create the database, or correct its name in DATABASE_URL.",
}

logger = get_logger()


class NoDatabaseError(Exception):
    """The database cannot be migrated; the message says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Apply the migrations, and start the service if that is asked for."""
    then_serve = list(sys.argv[1:] if arguments is None else arguments) == [
        "--then-serve"
    ]
    settings = get_settings()
    setup_logging(settings.log_level, json_logs=settings.json_logs)
    # The first process of a container has no default action for signals.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if settings.run_migrations or not then_serve:
        try:
            migrate(settings)
        except NoDatabaseError as error:
            logger.error("migration_failed", reason=str(error))
            return 1
    if then_serve:
        command = [sys.executable, "-m", "src"]
        os.execv(sys.executable, command)  # noqa: S606  # nosec B606
    return 0


def migrate(settings: Settings) -> None:
    """Wait for the database and apply all migrations."""
    asyncio.run(wait_for_database(settings))
    command.upgrade(Config(ALEMBIC_INI), "head")
    logger.info("migrated")


async def wait_for_database(settings: Settings) -> None:
    """Return when the database responds; raise NoDatabaseError if it does not."""
    engine = create_async_engine(
        settings.database_url,
        poolclass=NullPool,
        connect_args={
            "timeout": settings.connect_timeout,
            "command_timeout": settings.command_timeout,
        },
    )
    deadline = time.monotonic() + settings.migration_wait
    waiting = False
    while True:
        try:
            async with engine.connect() as connection:
                await connection.execute(sa.text("SELECT 1"))
            return
        except (OSError, TimeoutError, PostgresError, DBAPIError) as error:
            _give_up_on(error, late=time.monotonic() >= deadline)
        if not waiting:
            logger.info("waiting_for_database", seconds=settings.migration_wait)
            waiting = True
        await asyncio.sleep(INTERVAL)


def _give_up_on(error: Exception, *, late: bool) -> None:
    """Raise NoDatabaseError unless the error may pass and there is time left."""
    driver = error.orig if isinstance(error, DBAPIError) else error
    state = str(getattr(driver, "sqlstate", "") or "")
    if state and not state.startswith(PASSING):
        advice = ADVICE.get(state, "")
        raise NoDatabaseError(f"{driver}. {advice}".strip()) from error
    if late:
        raise NoDatabaseError(
            f"the database does not respond: {driver!r}. Start it, correct "
            "DATABASE_URL, or wait longer with MIGRATION_WAIT"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
