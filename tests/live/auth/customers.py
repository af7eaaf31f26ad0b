"""Rows of the customers and orders in tests/specs/good/access_to_fields.json."""

import uuid
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.database import Base
from src.models import entities as e
from tests.senders.callers import ENTITIES, owns, reach_of

Rows = dict[str, dict[str, Any]]  # by owner and entity
OWNERS = {"ada": 1, "bob": 2}
RULES: dict[str, dict[str, dict[str, Any]]] = {
    name: {field["name"]: field for field in entity["fields"]}
    for name, entity in ENTITIES.items()
}


def rows_of(owner: str) -> dict[str, Any]:
    """Return one row of each entity."""
    number = OWNERS[owner]
    customer = e.CustomerEntity(
        id=uuid.UUID(int=number << 8),
        owner_id=owner,
        name="Ada",
        email="a@example.com",
        rating=4,
        badge_code="B",
        internal="i",
        pin="1234",
        motto="Go",
    )
    order = e.OrderEntity(
        id=uuid.UUID(int=(number << 8) + 1),
        number="1",
        note="fragile",
        price=Decimal("2.50"),
        customer_id=customer.id,
    )
    return {"Customer": customer, "Order": order}


def may(action: str, name: str, field: str, caller: str, owner: str) -> bool:
    """Whether a caller may read or write a field of a row of this owner."""
    wanted = RULES[name][field].get(f"{action}_access", "public")
    rules = [wanted] if isinstance(wanted, str) else wanted
    found = reach_of(rules, caller)
    return found == "all" or (found == "own" and owns(caller, owner))


async def store(db: AsyncSession) -> Rows:
    """Replace all rows by those of ada and of bob."""
    for table in reversed(Base.metadata.sorted_tables):
        await db.execute(sa.delete(table))
    rows = {owner: rows_of(owner) for owner in OWNERS}
    for own in rows.values():
        for row in own.values():
            db.add(row)
            await db.flush()
    await db.commit()
    return rows
