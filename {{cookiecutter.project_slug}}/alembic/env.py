"""Runs migrations on an async engine, one process at a time, and configures autogenerate.

Each migration is a transaction of its own. It waits for a lock only for a moment, because
the requests for the same table wait behind it; then it lets them pass and is tried again.
"""

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Iterable, Set
from contextlib import asynccontextmanager
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from src.core.config import get_settings
from src.core.database import Base
from src.models import entities, idempotency  # noqa: F401 - their tables are compared

# Any number that no other program uses for its own locks on the same database.
MIGRATION_LOCK = 5_318_008_119_742_611
INTERVAL = 0.5  # between two attempts to get it
# A lock is held by another transaction, or two of them wait for each other.
BUSY = ("55P03", "40P01")
PAUSE = 2.0  # in which the requests that waited behind the migration are served

# Sets the limits of a transaction or, with `false`, of the session. Not every version of
# PostgreSQL has all of them, and a role may have others.
LIMITS = """
SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN '{lock}'
    WHEN 'statement_timeout' THEN '{statement}' ELSE '0' END, {is_local})
FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout',
    'idle_in_transaction_session_timeout', 'transaction_timeout')
"""
NO_LIMIT = "SET LOCAL idle_in_transaction_session_timeout = 0"

# The schemas of the models, but for the default one.
SCHEMAS = {table.schema for table in Base.metadata.tables.values() if table.schema}

# A CREATE INDEX CONCURRENTLY that failed leaves an index that no query uses. With
# `if_not_exists`, the next attempt would take it for the index.
DROP_INVALID_INDEXES = """
DO $$ DECLARE name text; BEGIN
FOR name IN SELECT indexrelid::regclass FROM pg_index
    JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE NOT indisvalid AND relkind = 'i' AND relname ~ '^(ix|uq)_'
    AND nspname IN ({schemas})
LOOP EXECUTE 'DROP INDEX ' || name; END LOOP;
END $$
"""

logger = logging.getLogger("migrations")

# Reserved words of PostgreSQL that SQLAlchemy 2.1 does not quote. A foreign key in a table
# names its target as "lateral.id", where no quoted_name is possible.
UNQUOTED = {"collation", "concurrently", "lateral", "system_user", "tablesample"}

# The comment of columns and tables that are kept after they were removed from entities.json
# begins with this.
UNUSED = "unused: "
OUR_NAMES = ("ix_", "uq_", "fk_", "ck_")  # as NAMING_CONVENTION makes them


def is_compared(name: str | None, kind: str, _: Any) -> bool:
    """Return whether autogenerate looks at a schema: those of the models, and the default.

    `make entities` also looks at those that the models had at the last migration.
    """
    more = context.config.attributes.get("schemas", ())
    return kind != "schema" or name is None or name in {*SCHEMAS, *more}


def is_made_by_the_database(column: sa.Column[Any]) -> bool:
    """Return whether values of a column are always made by the database.

    Alembic cannot compare an identity where `compare_server_default` is a function, and
    it cannot change a generated column.
    """
    return column.identity is not None or column.computed is not None


def is_wanted(
    item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
) -> bool:
    """Return whether autogenerate compares an object.

    Objects in the database without a model are skipped: a hand-written migration may have
    created them. `make entities` compares them, because it knows which of them came from
    entities.json, but never indexes and constraints whose names are not generated ones.
    It compares unused tables and columns only if they are to be dropped.
    """
    columns = (item, compare_to) if kind == "column" else ()
    if compare_to is not None and any(map(is_made_by_the_database, columns)):
        return False
    if compare_to is not None and kind == "index" and str(name).startswith(OUR_NAMES):
        # The database words expressions anew; an index with another one has another name.
        return all(isinstance(part, sa.Column) for part in item.expressions)
    if not reflected or compare_to is not None:
        return True
    if not context.config.attributes.get("show_foreign"):
        return False
    if kind not in ("table", "column") and not str(name).startswith(OUR_NAMES):
        return False
    if context.config.attributes.get("show_unused"):
        return True
    parts = [item] if kind in ("table", "column") else list(item.columns)
    return not any((part.comment or "").startswith(UNUSED) for part in parts)


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Render CHECKs and defaults so that colons and quotes in them are kept."""
    if kind == "check" and isinstance(item.sqltext, sa.TextClause):
        text = item.sqltext.text
        return f"sa.CheckConstraint({text!r}, name=op.f({str(item.name)!r}))"
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        if isinstance(item.arg, str):
            return repr(item.arg)
        if isinstance(item.arg, sa.TextClause):
            text = item.arg.text.replace("\\:", ":").replace(":", "\\:")
            return f"sa.text({text!r})"
    return False


def default_differs(
    migration: MigrationContext,
    inspected_column: Any,
    column: sa.Column[Any],
    inspected_default: str | None,
    column_default: Any,
    rendered_default: str | None,
) -> bool | None:
    """Compare a default with that of the database, in the database.

    Alembic's own comparison quotes a string wrongly if it contains quotes, and fails for
    a default of another type.
    """
    stated = getattr(column.server_default, "arg", None)
    if stated is None or inspected_default is None:
        return None
    if (
        inspected_default == rendered_default
    ):  # functions return another value each time
        return False
    assert migration.connection is not None  # noqa: S101 - compared online only
    if isinstance(stated, str):
        stated = sa.cast(sa.literal(stated, sa.String), column.type)
    same = sa.select(sa.literal_column(inspected_default) == stated)
    try:
        with migration.connection.begin_nested():
            return not migration.connection.scalar(same)
    except sa.exc.DBAPIError:  # values of two types, one of them new
        return True


def untangle(
    migration: MigrationContext,
    revision: str | Iterable[str | None] | Iterable[str],
    directives: list[Any],
) -> None:
    """Move foreign keys into separate steps if their tables come later or need quotes.

    Tables may refer to each other, so that no order of creation is right: autogenerate
    alone would write a migration that fails, or omit the foreign keys.
    """
    for script in directives:
        for step in script.upgrade_ops.ops + script.downgrade_ops.ops:
            if isinstance(step, ops.CreateTableOp):
                step.columns = _in_order(step.columns)
                step.info = {}  # for the service, not for the database
        up, down = script.upgrade_ops.ops, script.downgrade_ops.ops
        late = list(_take_keys(up, later=True))
        up += map(ops.CreateForeignKeyOp.from_constraint, late)
        back = list(_take_keys(down, later=False))
        down += map(ops.CreateForeignKeyOp.from_constraint, back)
        down[:0] = [_drop(key) for key in reversed(late)]


def _drop(key: sa.ForeignKeyConstraint) -> ops.DropConstraintOp:
    name, table = sa.schema.conv(str(key.name)), key.table
    return ops.DropConstraintOp(
        name, table.name, type_="foreignkey", schema=table.schema
    )


def _in_order(items: Iterable[Any]) -> list[Any]:
    """Sort columns first, then constraints by name: a table has them in a set."""
    return sorted(
        items,
        key=lambda item: "" if isinstance(item, sa.Column) else f"{item.name}",
    )


def _take_keys(steps: list[Any], *, later: bool) -> Iterable[sa.ForeignKeyConstraint]:
    """Remove such keys from the tables; with `later`, also those to later tables."""
    tables = [step for step in steps if isinstance(step, ops.CreateTableOp)]
    apart = {(step.schema, step.table_name) for step in tables} if later else set()
    for step in tables:
        apart.discard((step.schema, step.table_name))
        keys = [
            item
            for item in step.columns
            if isinstance(item, sa.ForeignKeyConstraint)
            and _is_apart(item.referred_table, apart)
        ]
        # Compared by identity: `==` of columns is SQL.
        step.columns = [i for i in step.columns if not any(i is k for k in keys)]
        yield from keys


def _is_apart(table: sa.Table, apart: Set[tuple[str | None, str]]) -> bool:
    names = {table.schema, table.name}
    return (table.schema, table.name) in apart or not UNQUOTED.isdisjoint(names)


def drop_invalid_indexes() -> str:
    """Return the statement for the schemas of the models."""
    names = ["'" + name.replace("'", "''") + "'" for name in sorted(SCHEMAS)]
    schemas = ", ".join(["current_schema()", *names])
    return DROP_INVALID_INDEXES.format(schemas=schemas).strip()


def run_migrations(connection: sa.Connection) -> None:
    """Migrate over this connection."""
    with connection.begin():
        connection.execute(sa.text(drop_invalid_indexes()))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        on_version_apply=context.config.attributes.get("on_version_apply"),
        compare_server_default=default_differs,
        include_schemas=True,
        include_name=is_compared,
        include_object=is_wanted,
        render_item=render_item,
        process_revision_directives=untangle,
    )
    with context.begin_transaction(), warnings.catch_warnings():
        # Raised for tables that refer to each other, which `untangle` handles.
        warnings.filterwarnings("ignore", "Cannot correctly sort", sa.exc.SAWarning)
        context.run_migrations()


def tell(_: Any, message: Any) -> None:
    """Log warnings of the server, such as rows that violate a new constraint."""
    if message.severity_en == "WARNING":
        logger.warning("migration: %s", message.message)


def set_limits(connection: sa.Connection) -> None:
    """Limit what a transaction waits for a lock, and the time of a statement.

    Outside of a transaction there are steps that block no request, such as CREATE INDEX
    CONCURRENTLY: they may wait for other transactions.
    """
    settings = get_settings()
    options = connection.get_execution_options()
    is_local = options.get("isolation_level") != "AUTOCOMMIT"
    lock = int(settings.migration_lock_timeout * 1000) if is_local else 0
    statement = int(settings.migration_statement_timeout * 1000)
    connection.exec_driver_sql(
        LIMITS.format(lock=lock, statement=statement, is_local=is_local)
    )


@asynccontextmanager
async def one_at_a_time(engine: AsyncEngine) -> AsyncIterator[None]:
    """Wait until no other process migrates the database, however long that takes.

    The lock belongs to a transaction on a connection of its own, so that it works behind
    PgBouncer, too. It is tried again and again: CREATE INDEX CONCURRENTLY would wait for a
    statement that waits for the lock.
    """
    attempt = sa.text("SELECT pg_try_advisory_xact_lock(:key)")
    async with engine.connect() as connection:
        is_waiting = False
        while not await connection.scalar(attempt, {"key": MIGRATION_LOCK}):
            await connection.rollback()
            if not is_waiting:
                logger.info("migration: another process migrates; waiting for it")
            is_waiting = True
            await asyncio.sleep(INTERVAL)
        # A query's snapshot lasts until the next statement of its transaction, and CREATE
        # INDEX CONCURRENTLY would wait for it, too. This statement has none.
        await connection.execute(sa.text(NO_LIMIT))
        yield


async def migrate() -> None:
    """Migrate; what waits for a lock is tried again for MIGRATION_WAIT seconds."""
    settings = get_settings()
    engine = create_async_engine(
        settings.database_url, poolclass=sa.NullPool, isolation_level="READ COMMITTED"
    )
    sa.event.listen(engine.sync_engine, "begin", set_limits)
    waited = 0.0
    async with one_at_a_time(engine):
        while True:
            try:
                async with engine.connect() as connection:
                    proxied = await connection.get_raw_connection()
                    driver: Any = proxied.driver_connection
                    driver.add_log_listener(tell)
                    await connection.run_sync(run_migrations)
                    await asyncio.sleep(0)  # lets the last message of the server arrive
                break
            except sa.exc.DBAPIError as error:
                waited += settings.migration_lock_timeout + PAUSE
                is_busy = getattr(error.orig, "sqlstate", None) in BUSY
                if not is_busy or waited > settings.migration_wait:
                    raise
                told = "migration: %s; trying again in %g s"
                logger.warning(told, error.orig, PAUSE)
            await asyncio.sleep(PAUSE)
    await engine.dispose()


def print_sql() -> None:
    """Print the statements, without a database: `alembic upgrade head --sql`."""
    settings = get_settings()
    context.configure(
        url=settings.database_url,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        for name, seconds in (
            ("lock_timeout", settings.migration_lock_timeout),
            ("statement_timeout", settings.migration_statement_timeout),
        ):
            context.execute(f"SET {name} = '{int(seconds * 1000)}ms'")
        context.execute(drop_invalid_indexes())
        context.run_migrations()


if context.is_offline_mode():
    print_sql()
else:
    asyncio.run(migrate())
