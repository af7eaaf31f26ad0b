"""What the service may do in its database: read and write rows, and no more."""

import uuid
from typing import cast

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from tests.answers import same, says, stored, walk
from tests.support import Case, Link
from tests.tables import BY_NAME, each_case, each_link

RIGHTS = (
    "CREATE ROLE {role} NOSUPERUSER NOCREATEDB NOCREATEROLE",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "SET LOCAL ROLE {role}",
)
SUPERUSER = sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")


@pytest.fixture
async def _reader_and_writer(connection: AsyncConnection) -> None:
    """A role with the rights that docs/scaling.md names; it goes with the test."""
    if not await connection.scalar(SUPERUSER):
        pytest.skip("the role of TEST_DATABASE_URL cannot make another one")
    role = f"service_{uuid.uuid4().hex}"
    for statement in RIGHTS:
        await connection.execute(sa.text(statement.format(role=role)))
    assert await connection.scalar(SUPERUSER) is False


@each_case
@pytest.mark.usefixtures("_reader_and_writer")
async def test_reading_and_writing_rows_is_all_that_it_takes(
    case: Case,
    client: httpx2.AsyncClient,
    connection: AsyncConnection,
    db_session: AsyncSession,
) -> None:
    body = await case.factory.request(db_session)
    created = says(await client.post(case.url, json=body), 201)
    url = f"{case.url}/{created['id']}"
    assert says(await client.get(url), 200) == created
    assert created in says(await client.get(case.url), 200)["items"]
    assert same(case, says(await client.patch(url, json=body), 200), body)
    assert same(case, says(await client.put(url, json=body), 200), body)
    says(await client.delete(url), 204)
    table = cast(sa.Table, case.factory.entity.__table__)
    for beyond in (sa.schema.DropTable(table), sa.text("CREATE ROLE another")):
        with pytest.raises(DBAPIError, match=r"must be owner|permission denied"):
            async with connection.begin_nested():
                await connection.execute(beyond)


@each_link
@pytest.mark.usefixtures("_reader_and_writer")
async def test_and_linking_them(
    case: Case, link: Link, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    other = await BY_NAME[link.target].factory.store(db_session)
    url = f"{await stored(case, db_session)}/{link.path}"
    says(await client.put(f"{url}/{other.id}"), 204)
    assert await walk(client, url) == [str(other.id)]
    says(await client.delete(f"{url}/{other.id}"), 204)
