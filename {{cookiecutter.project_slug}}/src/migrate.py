"""`python -m src.migrate`: waits for the database, then applies all migrations.

alembic/env.py limits how long they wait for locks, and tries them again.

With `--then-serve` the process then becomes the service, which is how the image starts.
In that case RUN_MIGRATIONS=false skips the migrations, for a separate job to run them.
"""

import asyncio
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationInfo
from alembic.script import Script
from alembic.util import CommandError
from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from src.core.config import Settings, get_settings
from src.core.logging import get_logger, setup_logging

ALEMBIC_INI = Path(__file__).parents[1] / "alembic.ini"
INTERVAL = 0.5
VERSIONS = ALEMBIC_INI.parent / "alembic" / "versions"
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
    "23505": (
        "Several rows have the same value. Find them with SELECT <columns>, count(*) "
        "FROM <table> GROUP BY <columns> HAVING count(*) > 1, change or delete them, and "
        "migrate again."
    ),
    "23503": "Rows refer to rows that do not exist. Change or delete them, and migrate again.",
    "23502": "Rows have no value in this column. Set one in them, and migrate again.",
    "23514": "Rows violate this constraint. Change or delete them, and migrate again.",
    "42501": (
        "The role of DATABASE_URL may not do this. Run the migrations with the role that "
        "owns the tables and may create some in the schema: GRANT USAGE, CREATE ON SCHEMA "
        "public TO <role>, ALTER TABLE <table> OWNER TO <role>. To create a schema: GRANT "
        "CREATE ON DATABASE <database> TO <role>."
    ),
    "57014": (
        "The statement was cancelled, or took longer than MIGRATION_STATEMENT_TIMEOUT "
        "seconds. Raise it, or set it to 0 for no limit, and migrate again."
    ),
    "55P03": (
        "Another transaction has held the lock for longer than MIGRATION_WAIT seconds. "
        "Find it with SELECT pid, state, xact_start, query FROM pg_stat_activity ORDER BY "
        "xact_start, wait for its end or end it with SELECT pg_terminate_backend(<pid>), "
        "and migrate again."
    ),
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
    if (settings.run_migrations or not then_serve) and not migrate(settings):
        return 1
    if then_serve:
        command = [sys.executable, "-m", "src"]
        os.execv(sys.executable, command)  # noqa: S606  # nosec B606
    return 0


def migrate(settings: Settings) -> bool:
    """Wait for the database and apply all migrations; return whether that succeeded.

    Logs a line for each migration, and one for the error that stopped them.
    """
    applied: list[str] = []

    def report(*, step: MigrationInfo, **_: Any) -> None:
        revision = step.up_revision
        title = revision.doc if isinstance(revision, Script) else ""
        applied.append(step.up_revision_id or "")
        logger.info("migration_applied", revision=applied[-1], title=title)

    config = Config(ALEMBIC_INI)
    config.attributes["on_version_apply"] = report  # for alembic/env.py
    try:
        asyncio.run(wait_for_database(settings))
        command.upgrade(config, "head")
    except (CommandError, NoDatabaseError) as error:
        logger.error("migration_failed", reason=str(error))
    except DBAPIError as error:
        logger.error("migration_failed", **_place(error), **_database_error(error))
    except Exception as error:
        logger.exception("migration_failed", **_place(error), reason=str(error))
    else:
        logger.info("migrated", applied=len(applied))
        return True
    return False


def _place(error: Exception) -> dict[str, str]:
    """Return the revision, file and line of the migration that raised the error."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = Path(frame.f_code.co_filename)
        if path.parent == VERSIONS:
            revision = frame.f_globals["revision"]
            return {"revision": revision, "file": f"{path.name}:{line}"}
    return {}


def _database_error(error: DBAPIError) -> dict[str, str]:
    """Return what the server says about a statement, and what to do."""
    driver = error.orig.__cause__ if error.orig else None
    state = str(getattr(driver, "sqlstate", "") or "")
    found = {
        "statement": error.statement,
        "sqlstate": state,
        "reason": str(driver or error.orig).partition("\n")[0],
        "detail": getattr(driver, "detail", None),
        "hint": getattr(driver, "hint", None),
        "advice": ADVICE.get(state),
    }
    return {name: text for name, text in found.items() if text}


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
