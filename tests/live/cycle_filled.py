"""Runs within a project: its newest change up, down and up, on tables with rows.

The change is one migration or two.

The last line of its output is JSON: what every table held before, after, after going
back, and after going up again.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from stored_rows import read

sys.path[:0] = [str(Path.cwd()), str(Path(".devmatrix/generator.pyz").resolve())]

from scaffold.migrations import catalog  # noqa: E402 - in the generator
from scaffold.migrations.revision import Wish, Writer  # noqa: E402 - in the generator
from scaffold.migrations.scratch_databases import scratch  # noqa: E402 - in the generator
from scaffold.spec.loading import load  # noqa: E402 - in the generator
from src.core.config import get_settings  # noqa: E402 - in the project


async def execute(url: str, script: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(script)
    await connection.close()


def shape(url: str) -> dict[str, object]:
    """What a database holds, but for nullability and comments."""
    return {
        name: (sorted(table.columns), {k: v.meaning for k, v in table.items.items()})
        for name, table in catalog.run(url, catalog.read).items()
    }


def stop(work: Callable[[], None]) -> None:
    try:
        work()
    except DBAPIError as error:
        print(error.orig)
    else:
        raise AssertionError("it did not stop")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=Path)
    parser.add_argument("--then", default="", help="SQL of the new service")
    parser.add_argument("--stops", action="store_true", help="it is to fail")
    parser.add_argument("--stays", action="store_true", help="the way back is to fail")
    options = parser.parse_args()
    config = Config("alembic.ini", cmd_opts=argparse.Namespace(quiet=True))
    scripts = ScriptDirectory.from_config(config)
    last = scripts.get_revision("head")
    is_second = last.doc.startswith("finish: ")
    first = scripts.get_revision(last.down_revision) if is_second else last
    with scratch() as databases:
        os.environ["DATABASE_URL"] = url = databases.create()
        get_settings.cache_clear()
        command.upgrade(config, str(first.down_revision))
        asyncio.run(execute(url, options.rows.read_text()))
        states = {"before": asyncio.run(read(url))}
        before = shape(url)
        if options.stops:
            stop(lambda: command.upgrade(config, "head"))
            assert shape(url) == before
            assert asyncio.run(read(url)) == states["before"]
            return
        command.upgrade(config, "head")
        command.check(config)
        states["after"] = asyncio.run(read(url))
        if options.then:
            asyncio.run(execute(url, options.then))
        if options.stays:
            after = shape(url)
            stop(lambda: command.downgrade(config, str(first.down_revision)))
            assert shape(url) == after
            if is_second:  # it is refused as well where only the first one is left
                command.stamp(config, first.revision)
                stop(lambda: command.downgrade(config, str(first.down_revision)))
                assert shape(url) == after
            return
        command.downgrade(config, str(first.down_revision))
        states["back"] = asyncio.run(read(url))
        back = shape(url)
        other = {n: (before.get(n), back.get(n)) for n in before.keys() | back.keys()}
        assert back == before, {
            n: pair for n, pair in other.items() if pair[0] != pair[1]
        }
        command.upgrade(config, "head")
        command.check(config)
        states["again"] = asyncio.run(read(url))
        # CHECKs too: Alembic compares none of them.
        wish = Wish(load(Path("entities.json")))
        outcome = Writer(Path(), databases, wish).run(write=False)
        assert not outcome.changes, outcome.changes
    print(json.dumps(states))


if __name__ == "__main__":
    main()
