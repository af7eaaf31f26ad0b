"""The rights that the service needs in its database: to read and write rows."""

import uuid
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from src.core.database import Base
from tests.support import Case, Link, read
from tests.tables import BY_NAME, each_case, each_link

SCHEMAS = {table.schema or "public" for table in Base.metadata.tables.values()}
RIGHTS = (
    "CREATE ROLE {role} NOSUPERUSER NOCREATEDB NOCREATEROLE",
    *(f'GRANT USAGE ON SCHEMA "{name}" TO {{role}}' for name in SCHEMAS),
    *(
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{name}" TO {{role}}'
        for name in SCHEMAS
    ),
    "SET LOCAL ROLE {role}",
)
SUPERUSER = sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")


@pytest.fixture
async def limited(connection: AsyncConnection) -> AsyncSession:
    """A session of a role with the rights that docs/scaling.md names."""
    if not await connection.scalar(SUPERUSER):
        pytest.skip("the role of TEST_DATABASE_URL cannot create another one")
    role = f"service_{uuid.uuid4().hex}"
    for statement in RIGHTS:
        await connection.execute(sa.text(statement.format(role=role)))
    assert await connection.scalar(SUPERUSER) is False
    return AsyncSession(connection, expire_on_commit=False)


@each_case
async def test_rights_to_rows_are_enough(
    case: Case, db_session: AsyncSession, limited: AsyncSession
) -> None:
    data = read(case.create, await case.factory.request(db_session))
    repository = case.repository(limited)
    row: Any = await repository.create(data)
    assert await repository.get(row.id) is not None
    assert list(await repository.list()) == [row]
    assert await repository.count() == 1
    assert await repository.replace(row.id, data) is not None
    assert await repository.delete(row.id)
    table = cast(sa.Table, case.factory.entity.__table__)
    for beyond in (sa.schema.DropTable(table), sa.text("CREATE ROLE another")):
        with pytest.raises(DBAPIError, match=r"must be owner|permission denied"):
            async with limited.begin_nested():
                await limited.execute(beyond)


@each_link
async def test_rights_to_rows_are_enough_for_links(
    case: Case, link: Link, db_session: AsyncSession, limited: AsyncSession
) -> None:
    own: Any = await case.factory.store(db_session)
    other: Any = await BY_NAME[link.target].factory.store(db_session)
    repository = case.repository(limited)
    await repository.link(link.name, own.id, other.id)
    await repository.unlink(link.name, own.id, other.id)
