"""Lists send as many statements for many rows as for one."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import says
from tests.support import Case
from tests.tables import each_case

SOME = 3


@each_case
@pytest.mark.needs("list")
async def test_more_rows_need_no_more_statements(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
) -> None:
    counts = set()
    for _ in range(case.rows(SOME)):
        await case.factory.store(db_session)
        statements.clear()
        says(await client.get(case.url), 200)
        counts.add(len(statements))
    assert len(counts) == 1
