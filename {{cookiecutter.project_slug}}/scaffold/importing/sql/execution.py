"""Runs the statements of a .sql file on a server of their own, and reads its catalog.

They run one by one as a role without rights, in a database that is thrown away.
"""

import asyncio
import re
import secrets
import time
from pathlib import Path

import asyncpg

from scaffold.importing.found import Found, SourceError
from scaffold.importing.postgresql import catalog
from scaffold.importing.sql import kinds
from scaffold.importing.sql.statements import Statement, split
from scaffold.processes import Unfinished

SECONDS = 30.0  # for a statement
TOTAL = 300.0
MAX_STATEMENTS = 1_000_000
MAX_STUBS = 50  # schemas and types that a file does not create
ROLE = "import_reader"
SETTINGS = "SET check_function_bodies = off; SET client_min_messages = error"
TOO_MANY = (
    "{}: more than {:,} statements; import the schema only (pg_dump --schema-only)"
)
OTHER = (
    "{}: this is a dump of {}, and only those of PostgreSQL can be imported; load it "
    "into PostgreSQL (pgloader does this), and import that database by its URL"
)
TOO_LONG = "{}: took more than {:.0f} seconds; import the schema only, or a database"
# The functions of extensions that make ids.
STUBS = (
    "uuid_generate_v1()",
    "uuid_generate_v1mc()",
    "uuid_generate_v4()",
    "gen_random_uuid()",
)
_SCHEMA = re.compile(r"\bSCHEMA\s+(\"[^\"]+\"|[\w$]+)", re.IGNORECASE)
_MISSING = re.compile(r'(type|schema) "([^"]+?)(?:\[\])*" does not exist')


def read(path: Path, text: str) -> Found:
    """Return what the file creates; raise SourceError if it cannot be run."""
    if other := kinds.other_database(text):
        raise SourceError(OTHER.format(path, other))
    # Imported here, because they do not work on Windows.
    from scripts.binaries import PostgresError
    from scripts.postgres import EmbeddedPostgres

    try:
        with EmbeddedPostgres(database="postgres") as server:
            url = server.url.replace("+asyncpg", "")
            return asyncio.run(_File(path, url).read(text))
    except PostgresError as error:
        raise Unfinished(str(error)) from None


class _File:
    def __init__(self, path: Path, server: str) -> None:
        self.path = path
        self.server = server
        self.losses = Found()
        self.places: dict[str, str] = {}
        self.stubs = 0
        self.search_path = SETTINGS

    async def read(self, text: str) -> Found:
        self.database = f"import_{secrets.token_hex(4)}"
        admin = await asyncpg.connect(self.server)
        try:
            rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
            await admin.execute(f"CREATE ROLE {ROLE} {rights}")
            await admin.execute(f"CREATE DATABASE {self.database} OWNER {ROLE}")
        finally:
            await admin.close()
        await self._connect()
        try:
            await self._run_all(text)
            await self.connection.execute("SET search_path = pg_catalog")
            found = await catalog.read(self.connection, self.places)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise SourceError(f"{self.path}: {error}") from None
        finally:
            self.connection.terminate()
        found.losses[:0] = self.losses.losses
        return found

    async def _connect(self) -> None:
        self.connection = await asyncpg.connect(
            self.server, database=self.database, user=ROLE, command_timeout=SECONDS
        )
        await self.connection.execute(SETTINGS)
        await self.connection.execute(self.search_path)

    async def _run_all(self, text: str) -> None:
        deadline = time.monotonic() + TOTAL
        for number, statement in enumerate(split(text)):
            if number >= MAX_STATEMENTS:
                raise SourceError(TOO_MANY.format(self.path, MAX_STATEMENTS))
            if time.monotonic() > deadline:
                raise SourceError(TOO_LONG.format(self.path, TOTAL))
            await self._statement(statement)

    async def _statement(self, one: Statement) -> None:
        if one.kind == "meta":
            if not kinds.is_quiet(one.text):
                name = one.text.split(maxsplit=1)[0]
                self._lose(one, f"the command {name} of psql", "not executed")
            return
        if one.kind == "open":
            self._lose(one, f"{one.text[:1]} without an end, and all after it")
            return
        kind = kinds.kind_of(one.text, one.bare)
        if kind == kinds.RUN:
            await self._run(one)
        elif kind == kinds.EXTENSION:
            await self._stub_functions(one)
        elif kind != kinds.SKIP:
            words = " ".join(one.bare.split()[:4])
            is_named = kind.startswith(("a table", "a materialized"))
            name = f": {words}" if is_named else ""
            self._lose(one, f"{kind}{name}", "not executed")

    def _lose(self, one: Statement, what: str, became: str = "left out") -> None:
        self.losses.lose(f"{self.path}:{one.line}", what, became)

    async def _run(self, one: Statement) -> None:
        text = one.text
        if table := kinds.TABLE.match(one.bare):
            name = table["name"].replace('"', "").removeprefix("public.")
            self.places.setdefault(name, f"{self.path}:{one.line}: ")
        try:
            while (missing := await self._missing(text)) is not None:
                if not await self._stub(*missing):
                    break
                if missing[0] == "type":  # the stub has no length or dimensions
                    name = re.escape(missing[1].rpartition(".")[2])
                    text = re.sub(rf'({name}"?)\s*\([^()]*\)', r"\1", text)
        except asyncpg.PostgresError as error:
            self._failed(one, str(error))
            return
        except TimeoutError:
            self._failed(one, f"it took more than {SECONDS:.0f} seconds")
            self.connection.terminate()  # it may not stop when it is told to
            await self._connect()
            return
        if missing:
            self._failed(one, f'{missing[0]} "{missing[1]}" does not exist')
        elif kinds.is_search_path(one.text):
            self.search_path = one.text

    async def _missing(self, text: str) -> tuple[str, str] | None:
        """Run a statement; return the type or schema that it needs, if one is missing."""
        try:
            await self.connection.execute(text)
        except (asyncpg.UndefinedObjectError, asyncpg.InvalidSchemaNameError) as error:
            found = _MISSING.search(str(error))
            if found is None:
                raise
            return found[1], found[2]
        return None

    def _failed(self, one: Statement, said: str) -> None:
        if one.bare.upper().startswith("DROP"):
            return  # what is not there
        words = " ".join(one.bare.split()[:3])
        self._lose(one, f"{words}: {said}")

    async def _stub(self, kind: str, name: str) -> bool:
        """Create a schema or the type of an extension; return whether that worked."""
        self.stubs += 1
        if self.stubs > MAX_STUBS:
            return False
        if kind == "schema":
            return await self._try(f'CREATE SCHEMA "{name}"')
        schema, _, last = name.rpartition(".")
        where = schema or "public"
        return await self._try(f'CREATE DOMAIN "{where}"."{last}" AS text')

    async def _stub_functions(self, one: Statement) -> None:
        """Create the functions of an extension that make ids, which return nothing."""
        schema = _SCHEMA.search(one.bare)
        where = schema[1] if schema else "public"
        await self._try(
            f"CREATE SCHEMA IF NOT EXISTS {where}",
            *(
                f"CREATE OR REPLACE FUNCTION {where}.{call} RETURNS uuid"
                " LANGUAGE sql AS 'SELECT NULL::uuid'"
                for call in STUBS
            ),
        )

    async def _try(self, *statements: str) -> bool:
        try:
            for statement in statements:
                await self.connection.execute(statement)
        except asyncpg.PostgresError:
            return False
        return True
