"""Runs within a project: random lives of it, each with rows in a database.

python lives.py FIRST COUNT evolution.py prints a line for each life that ended badly.

A life is a random specification that changes at random a few times, as
tests/unit/evolution.py has it and with names that are exchanged, passed on and given
away; records are lost, and migrations squashed. After each change, every value must be
where entities.json has it now, or be kept as unused; on the way back, too.

Every entity, field and relation has a number in its description, by which it is known
whatever its name becomes. Each step runs in a process of its own, because it imports the
models anew.
"""

import asyncio
import copy
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import alembic.command
import asyncpg
import fastapi  # noqa: F401 - every step needs these, and forks this process
import prometheus_client  # noqa: F401
import pydantic_settings  # noqa: F401
import stored_rows
import structlog  # noqa: F401
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

PROJECT = Path.cwd()
sys.path.insert(0, str(PROJECT / ".devmatrix" / "generator.pyz"))

from scaffold import cli  # noqa: E402 - in the generator
from scaffold.spec.loading import parse  # noqa: E402 - in the generator
from scaffold.spec.model import Spec  # noqa: E402 - in the generator

Document = dict[str, Any]
Values = dict[str, Any]  # by row
STEPS = 2
# What a run may say instead of making a migration, and PostgreSQL instead of a change.
REFUSALS = re.compile(
    r"the field is required, and existing|relation is new and required|field is unique, and|"
    r"there is no cast from|its ids refer to|another entity of that name|"
    r"no migration knows a|and no migration renames the one to the other|"
    r"changed the same lines"
)
STOPS = re.compile(
    r"rows hold values|rows have values|contains null values|"
    r"could not create unique index|without a value|have none; fill|have no value|"
    r"rows have a value|Key \(.*\) is not present"
)
SQUASHED = re.compile(r"already exists")


class Life:
    """One project, its database, and what is true of both."""

    def __init__(self, seed: int, evolution: Any, server: str) -> None:
        self.random = Random(seed)
        self.evolution = evolution
        self.server = server
        self.name = f"life_{os.getpid()}_{seed}"
        self.url = f"{server.rpartition('/')[0]}/{self.name}"
        self.root = Path(tempfile.mkdtemp(prefix="life_", dir=os.environ.get("LIVES")))
        self.numbers = 0
        self.is_squashed = False
        self.document: Document = {"entities": []}

    def run(self) -> None:
        ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", "*_cache")
        shutil.copytree(PROJECT, self.root, ignore=ignored, dirs_exist_ok=True)
        for migration in (self.root / "alembic" / "versions").glob("*.py"):
            migration.unlink()
        execute(self.server, f'CREATE DATABASE "{self.name}"')
        try:
            self._git("init", "--quiet")
            self._live()
        finally:
            execute(self.server, f'DROP DATABASE "{self.name}" WITH (FORCE)')
            shutil.rmtree(self.root)

    def _live(self) -> None:
        self._become(self.evolution.random_document(self.random))
        code, said = self._generator("apply", "--allow-dirty")
        assert code == 0, said
        code, said = self._generator("migrate")
        assert code == 0, said
        code, said = self._in_process(lambda: self._alembic("upgrade", "head"))
        assert code == 0, said
        code, said = self._in_process(self._store)
        assert code == 0, said
        self._commit()
        for _ in range(STEPS):
            self._step()

    def _step(self) -> None:
        document = self.document
        before, where = read(self.url), self._places()
        revision = asyncio.run(current_revision(self.url))
        self._become(self._evolved())
        code, said = self._generator("apply", "--allow-dirty")
        if code:
            assert REFUSALS.search(said), said
            return self._go_back(document)
        if self.random.random() < 0.2:
            self._lose_a_record()
        code, said = self._generator("migrate")
        if code:
            assert REFUSALS.search(said), said
            return self._go_back(document)
        if "none was written" not in said:
            code, said = self._in_process(lambda: self._alembic("upgrade", "head"))
            if code:
                expected = SQUASHED if self.is_squashed else STOPS
                assert STOPS.search(said) or expected.search(said), said
                # The first of two migrations may have been applied.
                self._go_down(revision, before, where)
                return self._go_back(document)
            self._compare(before, where, document)
            if self.random.random() < 0.4:
                self._go_down(revision, before, where)
                code, said = self._in_process(lambda: self._alembic("upgrade", "head"))
                assert code == 0, said
                self._compare(before, where, document)
        if self.random.random() < 0.5:
            code, said = self._generator("migrate", "--check")
            # A new entity may have exchanged names from the start: no migration tells.
            assert code == 0 or self._is_new(said, document), said
        self._commit()
        if self.random.random() < 0.15:
            self._squash()

    def _is_new(self, said: str, before: Document) -> bool:
        label = re.search(r"(\w+)\.\w+: there is a column", said)
        return bool(label) and label[1] not in {e["name"] for e in before["entities"]}

    def _evolved(self) -> Document:
        document = copy.deepcopy(self.document)
        keep = self.random.random() < 0.5
        for item in () if keep else items(document):
            item.pop("renamed_from", None)
        for _ in range(self.random.randint(1, 4)):
            change = self.random.choice(self._changes())
            document = self.evolution.changed(document, self.random, change)
            self._number(document)
        return document

    def _changes(self) -> list[Callable[[Document, Random], None]]:
        known = [
            change for change in self.evolution.CHANGES if "describe" not in str(change)
        ]
        return [*known, exchange, pass_on, give_away, exchange_plurals, to_many]

    def _number(self, document: Document) -> None:
        """Give every new part a number; one of a name that was there is the same."""
        former = {one["description"]: one for one in items(self.document)}
        for entity in document["entities"]:
            if "description" not in entity:
                entity["description"] = self._next()
            old = former.get(entity["description"], {})
            for key in ("fields", "relations"):
                known = {one["name"]: one["description"] for one in old.get(key, [])}
                taken = {one.get("description") for one in entity[key]}
                for member in entity[key]:
                    if "description" not in member:
                        number = known.get(member["name"])
                        fresh = number is None or number in taken
                        member["description"] = self._next() if fresh else number

    def _next(self) -> str:
        self.numbers += 1
        return f"#{self.numbers}"

    def _become(self, document: Document) -> None:
        self._number(document)
        self.document = document
        (self.root / "entities.json").write_text(json.dumps(document, indent=1))

    def _go_back(self, document: Document) -> None:
        self._git("reset", "--quiet", "--hard")
        folders = (".devmatrix", "alembic", "src", "tests")
        self._git("clean", "--quiet", "--force", "-d", *folders)
        self._become(document)

    def _lose_a_record(self) -> None:
        record = self.random.choice(["migrated.json", "runs"])
        (self.root / ".devmatrix" / record).unlink(missing_ok=True)
        if record == "runs":
            self._generator("apply", "--allow-dirty")

    def _squash(self) -> None:
        for migration in (self.root / "alembic" / "versions").glob("*.py"):
            migration.unlink()
        code, said = self._generator("migrate")
        assert code == 0, said
        code, said = self._in_process(
            lambda: self._alembic("stamp", "head", purge=True)
        )
        assert code == 0, said
        self.is_squashed = True
        self._commit()

    def _go_down(
        self, revision: str, before: dict[str, Any], where: dict[str, Any]
    ) -> None:
        """Go back to a revision, and check that the values are those of before."""
        code, said = self._in_process(lambda: self._alembic("downgrade", revision))
        assert code == 0, said
        back = read(self.url)
        for number, (table, column, type_) in where.items():
            if type_ != self._places().get(number, ("", "", type_))[2]:
                continue
            for row, value in values(before, table, column).items():
                found = values(back, table, column).get(row)
                assert value in (None, found), (number, table, column, value, found)

    def _compare(
        self, before: dict[str, Any], where: dict[str, Any], document: Document
    ) -> None:
        """Check that every value of before is where entities.json has it now."""
        after, now = read(self.url), self._places()
        for number, (table, column, type_) in where.items():
            expected = {
                row: value
                for row, value in values(before, table, column).items()
                if value is not None
            }
            if number in now and now[number][2] != type_:
                continue
            if number in now:
                found = values(after, *now[number][:2])
                lost = {r: v for r, v in expected.items() if found.get(r) != v}
                assert not lost, (number, table, column, now[number], lost)
            else:
                assert (
                    any(
                        expected.items() <= values(after, other, name).items()
                        for other, rows in after.items()
                        for name in (rows[0] if rows else {})
                    )
                    or not expected
                ), (number, table, column, expected)

    def _places(self) -> dict[str, tuple[str, str, str]]:
        """Where each field and relation is: table, column, type."""
        spec: Spec = parse(json.dumps(self.document).encode())
        found = {}
        for entity in spec.entities:
            document = next(
                one for one in self.document["entities"] if one["name"] == entity.name
            )
            numbers = {
                one["name"]: one["description"]
                for one in (*document["fields"], *document["relations"])
            }
            for field in entity.fields:
                shape = json.dumps([field.type, field.scale, field.values])
                found[numbers[field.name]] = (entity.table, field.name, shape)
            for reference in entity.references:
                if reference.name in numbers:
                    place = (
                        entity.table,
                        reference.column,
                        f"to {reference.kind[-3:]}",
                    )
                    found[numbers[reference.name]] = place
        return found

    def _generator(self, *words: str) -> tuple[int, str]:
        return self._in_process(lambda: cli.main(words, self.root))

    def _alembic(self, name: str, *words: str, **options: Any) -> None:
        getattr(alembic.command, name)(Config("alembic.ini"), *words, **options)

    def _store(self) -> None:
        from src.core.database import async_session_maker, transaction
        from tests.cases import CASES

        async def store() -> None:
            engine = create_async_engine(self.url)
            async_session_maker.configure(bind=engine)
            for case in CASES:
                async with transaction() as db:
                    await case.factory.store_batch(db, case.rows(3))
            await engine.dispose()

        asyncio.run(store())

    def _in_process(self, work: Callable[[], int | None]) -> tuple[int, str]:
        """Do it in a process of its own; return its exit code and output."""
        log = self.root.with_suffix(".log")
        if (child := os.fork()) == 0:
            with log.open("wb") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            os.chdir(self.root)
            sys.path.insert(0, str(self.root))
            os.environ.update(DATABASE_URL=self.url, TEST_DATABASE_URL=self.server)
            code = 3
            try:
                code = work() or 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        said = log.read_text()
        log.unlink()
        return os.waitstatus_to_exitcode(status), said

    def _commit(self) -> None:
        self._git("add", "--all")
        identity = ("-c", "user.name=Me", "-c", "user.email=me@example.com")
        words = ("commit", "--quiet", "--no-verify", "--allow-empty", "-m", "Step")
        self._git(*identity, *words)

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True)


def items(document: Document) -> Iterator[Document]:
    for entity in document["entities"]:
        yield entity
        yield from entity["fields"]
        yield from entity["relations"]


def _pair(document: Document, random: Random) -> list[Document]:
    entity = random.choice(document["entities"])
    members = random.choice([entity["fields"], entity["relations"]])
    return random.sample(members, min(2, len(members)))


def exchange(document: Document, random: Random) -> None:
    pair = _pair(document, random)
    if len(pair) == 2:
        one, other = pair[0]["name"], pair[1]["name"]
        pair[0].update(name=other, renamed_from=one)
        pair[1].update(name=one, renamed_from=other)


def pass_on(document: Document, random: Random) -> None:
    pair = _pair(document, random)
    if len(pair) == 2:
        one, other = pair[0]["name"], pair[1]["name"]
        pair[0].update(name=other, renamed_from=one)
        pair[1].update(name=f"{other}_2", renamed_from=other)


def give_away(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    members = random.choice([entity["fields"], entity["relations"]])
    if len(members) > 1:
        gone, taker = random.sample(members, 2)
        members.remove(gone)
        taker.update(name=gone["name"], renamed_from=taker["name"])


def exchange_plurals(document: Document, random: Random) -> None:
    if len(document["entities"]) > 1:
        pair = random.sample(document["entities"], 2)
        spec = parse(json.dumps(document).encode())
        plurals = {entity.name: entity.plural for entity in spec.entities}
        for one, other in (pair, pair[::-1]):
            one["plural"] = plurals[other["name"]]


def to_many(document: Document, random: Random) -> None:
    relations = random.choice(document["entities"])["relations"]
    ones = [one for one in relations if one["type"].endswith("_one")]
    if ones:
        random.choice(ones)["type"] = "many_to_many"


def values(rows: dict[str, Any], table: str, column: str) -> Values:
    """Return a column's values by the id of the row."""
    return {row["id"]: row.get(column) for row in rows.get(table, []) if row.get("id")}


def execute(url: str, statement: str) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        await connection.execute(statement)
        await connection.close()

    asyncio.run(work())


async def current_revision(url: str) -> str:
    """Return the revision that a database is at."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        revision: str = await connection.fetchval("SELECT * FROM alembic_version")
    finally:
        await connection.close()
    return revision


def read(url: str) -> dict[str, Any]:
    """Return the rows of every table."""
    return asyncio.run(stored_rows.read(url))


def main() -> None:
    first, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    module = importlib.util.spec_from_file_location("evolution", path)
    assert module is not None
    assert module.loader is not None
    evolution = importlib.util.module_from_spec(module)
    module.loader.exec_module(evolution)
    for seed in range(first, first + count):
        try:
            Life(seed, evolution, os.environ["TEST_DATABASE_URL"]).run()
        except Exception:
            print(f"life {seed}: {traceback.format_exc()}", flush=True)
    print(f"{count} lives", flush=True)


if __name__ == "__main__":
    main()
