"""Tests of the routes and rules that a person has added."""

from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from tests.answers import json_of, problem
from tests.factories import CouponFactory, TagFactory


async def test_routes(client: httpx2.AsyncClient, db_session: AsyncSession) -> None:
    tag = await TagFactory.store(db_session)
    assert json_of(await client.get("/api/v1/tags/count"), 200) == {"count": 1}
    (newest,) = json_of(await client.get("/api/v1/tags/newest"), 200)
    assert newest["id"] == str(tag.id)
    assert json_of(await client.get("/api/v1/shop/opening"), 200) == {"hour": 9}
    assert "motto" in json_of(await client.get("/api/v1/shop/motto"), 200)


@pytest.mark.parametrize(
    "changes", [{"discount": "0.95"}, {"valid_until": "2026-01-01T00:00:00Z"}]
)
async def test_rules_of_a_new_coupon(
    changes: dict[str, Any], client: httpx2.AsyncClient
) -> None:
    body = {**CouponFactory.payload(), "valid_from": "2026-01-01T00:00:00Z", **changes}
    problem(await client.post("/api/v1/coupons", json=body), 422, "validation_error")


async def test_a_coupon_cannot_end_in_the_past(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    coupon = await CouponFactory.store(db_session)
    changes = {"valid_until": "2025-01-01T00:00:00Z"}
    answer = await client.patch(f"/api/v1/coupons/{coupon.id}", json=changes)
    problem(answer, 422, "validation_error")
