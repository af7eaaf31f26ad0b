"""The table of idempotency keys in a project that has none yet, and `make purge`."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from tests.harness.project import Project

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

DROP = '''"""drop the table"""

from alembic import op

revision = "older"
down_revision = "{head}"


def upgrade() -> None:
    op.drop_table("_idempotency_keys")


def downgrade() -> None:
    raise NotImplementedError
'''
EXPIRED = """
INSERT INTO _idempotency_keys (id, request_hash, status, headers, body, expires_at)
SELECT number::text::bytea, '', 201, '{}', '', now() + number * interval '1 hour'
FROM generate_series(-1501, 2) number
"""


async def run(url: str, statement: str) -> str:
    """Run a statement; return what the server says of it."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        done: str = await connection.execute(statement)
    finally:
        await connection.close()
    return done


@pytest.mark.slow
def test_an_older_project_gets_the_table_and_can_purge_it(
    bake: Callable[..., Project],
) -> None:
    project = bake("keys", "example=simple_task_api")
    versions = project.path / "alembic" / "versions"
    (first,) = versions.glob("*.py")
    head = first.read_text().partition('\nrevision: str = "')[2].partition('"')[0]
    (versions / "older.py").write_text(DROP.format(head=head))
    with project.database_server() as url:
        ask = {"DATABASE_URL": url}
        project.run("make", "migrate", environment=ask)
        with pytest.raises(AssertionError, match=r"make purge: .*_idempotency_keys"):
            project.run("make", "purge", environment=ask)
        project.run("make", "entities", "ARGS=--allow-dirty")
        assert len([*versions.glob("*create__idempotency_keys.py")]) == 1
        project.run("make", "migrate", "entities-check", environment=ask)
        asyncio.run(run(url, EXPIRED))
        output = project.run("make", "purge", environment=ask)
        assert "idempotency keys: 1502 deleted" in output
        left = "SELECT FROM _idempotency_keys"
        assert asyncio.run(run(url, left)) == "SELECT 2"
