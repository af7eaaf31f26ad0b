"""A random life of a project, with rows in a database; lives.py runs it.

A life is a random specification that changes at random a few times, as
tests/unit/evolution.py has it and with names that are exchanged, passed on and given
away (changes.py); records are lost, and migrations squashed. After each change, every
value must be where entities.json has it now, or be kept as unused; on the way back, too.

Each step runs in a process of its own, because it imports the models anew.
"""

import asyncio
import copy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import alembic.command
import asyncpg
import changes
import fastapi  # noqa: F401 - every step needs these, and forks this process
import forks
import prometheus_client  # noqa: F401
import pydantic_settings  # noqa: F401
import structlog  # noqa: F401
from alembic.config import Config
from changes import Document
from snapshots import Snapshot, current_revision, link_statements, stored_rows
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from scaffold import cli

PROJECT = Path.cwd()
# What a run may say instead of making a migration, and PostgreSQL instead of a change.
CONFLICT = "changed the same lines|a conflict is still open in it"
REFUSALS = re.compile(
    r"the field is required, and existing|relation is new and required|field is unique, and|"
    r"there is no cast from|its ids refer to|another entity of that name|"
    r"no migration knows a|and no migration renames the one to the other|"
    r"which entities.json no longer has|"
    rf"{CONFLICT}"
)
STOPS = re.compile(
    r"rows hold values|rows have values|contains null values|"
    r"could not create unique index|without a value|have none; fill|have no value|"
    r"rows have a value|Key \(.*\) is not present"
)
SQUASHED = re.compile(r"already exists")


class Life:
    """One project, its database, and what is true of both."""

    STEPS = 2

    def __init__(self, seed: int, evolution: Any, server: str) -> None:
        self.random = Random(seed)
        self.evolution = evolution
        self.server = server
        self.name = f"life_{os.getpid()}_{seed}"
        self.root = Path(tempfile.mkdtemp(prefix="life_", dir=os.environ.get("LIVES")))
        self.numbers = 0
        self.is_squashed = False
        self.document: Document = {"entities": []}
        self.happened: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return self._url(self.name)

    def run(self) -> None:
        ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", "*_cache")
        shutil.copytree(PROJECT, self.root, ignore=ignored, dirs_exist_ok=True)
        for migration in (self.root / "alembic" / "versions").glob("*.py"):
            migration.unlink()
        self._execute(f'CREATE DATABASE "{self.name}"')
        try:
            self._git("init", "--quiet", "--initial-branch=main")
            self._git("config", "user.name", "Me")
            self._git("config", "user.email", "me@example.com")
            self._begin()
            for _ in range(self.STEPS):
                self._step()
        finally:
            self._execute(f'DROP DATABASE "{self.name}" WITH (FORCE)')
            shutil.rmtree(self.root)

    def _begin(self) -> None:
        self._become(self._first())
        self._succeed(self._generator("apply", "--allow-dirty"))
        self._succeed(self._generator("migrate"))
        self._succeed(self._upgraded())
        self._succeed(self._in_process(self._store))
        self._commit()

    def _first(self) -> Document:
        document: Document = self.evolution.random_document(self.random)
        return document

    def _step(self) -> None:
        document, before = self.document, self._snapshot()
        revision = current_revision(self.url)
        self._become(self._evolved())
        if self._is_refused(self._generator("apply", "--allow-dirty")):
            return self._go_back(document)
        self._look_at_code()
        if self.random.random() < 0.2:
            self._lose_a_record()
        done = self._generator("migrate")
        if self._is_refused(done):
            return self._go_back(document)
        if "none was written" not in done[1]:
            if self._is_stopped(self._upgraded()):
                # The first of two migrations may have been applied.
                self._go_down(revision, before)
                return self._go_back(document)
            before.compare(self._snapshot())
            if self.random.random() < 0.4:
                self._go_down(revision, before)
                self._succeed(self._upgraded())
                before.compare(self._snapshot())
                self.happened["ways back"] += 1
        if self.random.random() < 0.5:
            code, said = self._generator("migrate", "--check")
            # A new entity may have exchanged names from the start: no migration tells.
            assert code == 0 or self._is_new(said, document), said
        self._commit()
        self.happened["changes"] += 1
        if self.random.random() < 0.15:
            self._squash()

    def _look_at_code(self) -> None:
        """Check what people wrote; here nobody did."""

    def _is_refused(self, done: tuple[int, str]) -> bool:
        code, said = done
        if code:
            assert REFUSALS.search(said), said
            is_conflict = re.search(CONFLICT, said)
            self.happened["conflicts" if is_conflict else "refusals"] += 1
        return bool(code)

    def _is_stopped(self, done: tuple[int, str]) -> bool:
        code, said = done
        if code:
            expected = SQUASHED if self.is_squashed else STOPS
            assert STOPS.search(said) or expected.search(said), said
            self.happened["stopped migrations"] += 1
        return bool(code)

    def _succeed(self, done: tuple[int, str]) -> None:
        code, said = done
        assert code == 0, said

    def _is_new(self, said: str, before: Document) -> bool:
        label = re.search(r"(\w+)\.\w+: there is a column", said)
        return bool(label) and label[1] not in {e["name"] for e in before["entities"]}

    def _evolved(self) -> Document:
        document = copy.deepcopy(self.document)
        keep = self.random.random() < 0.5
        for item in () if keep else changes.items(document):
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
        return [*known, *changes.CHANGES]

    def _number(self, document: Document) -> None:
        """Give every new part a number; one of a name that was there is the same."""
        former = {one["description"]: one for one in changes.items(self.document)}
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
        self.happened["lost records"] += 1
        if record == "runs":
            self._generator("apply", "--allow-dirty")

    def _squash(self) -> None:
        for migration in (self.root / "alembic" / "versions").glob("*.py"):
            migration.unlink()
        self._succeed(self._generator("migrate"))
        stamp = self._in_process(lambda: self._alembic("stamp", "head", purge=True))
        self._succeed(stamp)
        self.is_squashed = True
        self.happened["squashes"] += 1
        self._commit()

    def _go_down(self, revision: str, before: Snapshot) -> None:
        """Go back to a revision, and check that the values are those of before."""
        self._succeed(self._in_process(lambda: self._alembic("downgrade", revision)))
        before.compare_back(stored_rows(self.url), self.document)

    def _snapshot(self, name: str = "") -> Snapshot:
        return Snapshot.taken(self._url(name or self.name), self.document)

    def _url(self, name: str) -> str:
        return f"{self.server.rpartition('/')[0]}/{name}"

    def _generator(self, *words: str) -> tuple[int, str]:
        return self._in_process(lambda: cli.main(words, self.root))

    def _upgraded(self, name: str = "") -> tuple[int, str]:
        url = self._url(name or self.name)
        return self._in_process(lambda: self._alembic("upgrade", "head"), url)

    def _alembic(self, name: str, *words: str, **options: Any) -> None:
        getattr(alembic.command, name)(Config("alembic.ini"), *words, **options)

    def _store(self) -> None:
        """Store rows in every table that has none, and links between them."""
        from src.core.database import async_session_maker, transaction
        from tests.cases import CASES

        async def store() -> None:
            engine = create_async_engine(os.environ["DATABASE_URL"])
            async_session_maker.configure(bind=engine)
            for case in CASES:
                async with transaction() as db:
                    if not await case.repository(db).count():
                        await case.factory.store_batch(db, case.rows(3))
            async with engine.begin() as connection:
                for statement in link_statements(self.document):
                    await connection.execute(text(statement))
            await engine.dispose()

        asyncio.run(store())

    def _in_process(
        self, work: Callable[[], int | None], url: str = ""
    ) -> tuple[int, str]:
        """Do it in a process of its own; return its exit code and output."""

        def here() -> int | None:
            os.chdir(self.root)
            sys.path.insert(0, str(self.root))
            os.environ.update(
                DATABASE_URL=url or self.url, TEST_DATABASE_URL=self.server
            )
            return work()

        return forks.in_fork(here, self.root.with_suffix(".log"))

    def _execute(self, statement: str) -> None:
        async def work() -> None:
            connection = await asyncpg.connect(self.server.replace("+asyncpg", ""))
            await connection.execute(statement)
            await connection.close()

        asyncio.run(work())

    def _commit(self) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--no-verify", "--allow-empty", "-m", "Step")

    def _git(self, *words: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["git", "-c", "core.editor=true", *words],
            cwd=self.root,
            capture_output=True,
            text=True,
        )
        assert fails or done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout
