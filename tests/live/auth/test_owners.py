"""Owners of rows that are there already: turned on, given away, and turned off."""

import asyncio
import json
from collections.abc import Callable

import asyncpg
import pytest

from tests.harness.project import Project

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("auth"),
]


async def query(url: str, statement: str) -> list[str | None]:
    """Run a statement; return the first column of its rows."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return [row[0] for row in await connection.fetch(statement)]
    finally:
        await connection.close()


def test_rows_without_an_owner_are_given_to_one_and_never_lost(
    bake: Callable[..., Project],
) -> None:
    project = bake("owned", "example=simple_task_api")
    entities = project.path / "entities.json"
    plain = json.loads(entities.read_text())
    task = {**plain["entities"][0], "owner": True}
    owned = {"auth": True, "access": "owner", "entities": [task]}
    with project.database_server() as url:
        ask = {"DATABASE_URL": url}

        def run(*command: str) -> str:
            return project.run("make", *command, environment=ask)

        def rows(statement: str) -> list[str | None]:
            return asyncio.run(query(url, statement))

        run("migrate")
        rows("INSERT INTO tasks (id, title) VALUES (gen_random_uuid(), 'Old')")
        entities.write_text(json.dumps(owned))
        run("entities", "ARGS=--allow-dirty")
        with pytest.raises(AssertionError, match="nothing is changed"):
            run("assign-owner")  # the database is not migrated
        run("migrate")
        assert "tasks: 1 row of no one" in run("assign-owner")
        with pytest.raises(AssertionError, match="name the tables"):
            run("assign-owner", "SUB=ada")
        with pytest.raises(AssertionError, match="users has no owner_id"):
            run("assign-owner", "SUB=ada", "TABLES=users")
        run("assign-owner", "SUB=ada", "TABLES=tasks")
        run("assign-owner", "SUB=bob", "TABLES=tasks")  # which has an owner
        assert rows("SELECT owner_id FROM tasks") == ["ada"]

        entities.write_text(json.dumps(plain))
        run("entities", "ARGS=--allow-dirty")
        run("migrate")
        kept = "SELECT column_name FROM information_schema.columns "
        kept += "WHERE table_name = 'tasks' AND column_name LIKE 'owner_id%'"
        (column,) = rows(kept)
        assert rows(f"SELECT {column} FROM tasks") == ["ada"]  # noqa: S608
        run("entities", f"ARGS=--allow-dirty --allow-drop=tasks.{column}")
        run("migrate")
        assert rows(kept) == []
        assert rows("SELECT title FROM tasks") == ["Old"]
