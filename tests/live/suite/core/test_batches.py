"""What a batch costs the database."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import json_of
from tests.support import Case
from tests.tables import each_case


@each_case
@pytest.mark.needs("create")
async def test_the_rows_of_a_batch_are_inserted_by_one_statement(
    case: Case,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
    statements: list[str],
) -> None:
    sent = [await case.factory.request(db_session) for _ in range(case.rows(3))]
    statements.clear()
    json_of(await client.post(f"{case.url}/batch", json={"items": sent}), 201)
    inserted = [one for one in statements if one.startswith("INSERT INTO")]
    assert len(inserted) == 1, inserted
