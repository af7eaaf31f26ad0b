"""Rows of the shop in tests/specs/good/access_of_a_shop.json."""

import datetime as dt
import uuid
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.database import Base
from src.models import entities as e
from src.models.base import BareEntity
from tests.senders.callers import Rows

MOMENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def rows_of(owner: str, number: int) -> dict[str, BareEntity]:
    """Return one row of each entity; those of two owners differ in ids alone."""

    def key(place: int) -> uuid.UUID:
        return uuid.UUID(int=(number << 32) + place)

    label = e.LabelEntity(id=key(1), name="urgent", owner_id=owner)
    tag = e.TagEntity(id=key(2), name="new", owner_id=owner)
    coupon = e.CouponEntity(id=key(3), code=f"C{number}", owner_id=owner)
    customer = e.CustomerEntity(id=key(4), name="Ada", owner_id=owner)
    profile = e.ProfileEntity(id=key(5), motto="Go", customer_id=key(4))
    order = e.OrderEntity(
        id=key(6), number="1", note="blue shoes", customer_id=key(4), coupon_id=key(3)
    )
    product = e.ProductEntity(id=key(7), name="Shoe")
    item = e.OrderItemEntity(id=key(8), order_id=key(6), product_id=key(7), quantity=2)
    secret = e.SecretEntity(id=key(9), text="x")
    badge = e.BadgeEntity(id=key(10), level=1, customer_id=key(4))
    rows = [label, tag, coupon, customer, profile, order, product, item, badge, secret]
    return {type(row).__name__.removesuffix("Entity"): row for row in rows}


async def store(db: AsyncSession, *owners: str) -> Rows:
    """Store rows of these owners."""
    rows = {owner: rows_of(owner, ord(owner[0])) for owner in owners}
    for own in rows.values():
        for row in own.values():
            db.add(row)
            await db.flush()
        await link(db, own["Order"], own["Label"])
        await link(db, own["Product"], own["Tag"])
    await db.commit()
    return rows


async def link(db: AsyncSession, row: BareEntity, other: BareEntity) -> None:
    """Link an order to a label, or a product to a tag."""
    relation = (
        e.OrderEntity.labels if row.__resource__ == "order" else e.ProductEntity.tags
    )
    table = relation.property.secondary
    pair = {f"{one.__resource__}_id": one.id for one in (row, other)}
    await db.execute(sa.insert(table).values(pair))


async def store_alike(
    db: AsyncSession, *owners: str, shared: Callable[[str], bool]
) -> None:
    """Store rows of these owners, with links between them.

    Of entities that are shared, there is one row; all have that product.
    """
    rows = {owner: rows_of(owner, ord(owner[0])) for owner in owners}
    first = rows[owners[0]]
    product = first["Product"]
    for own in rows.values():
        setattr(own["OrderItem"], "product_id", product.id)  # noqa: B010
        for name, row in own.items():
            if own is first or not (shared(name) or name == "Product"):
                db.add(row)
                await db.flush()
    for own in rows.values():
        await link(db, product, own["Tag"])
        for others in rows.values():
            await link(db, own["Order"], others["Label"])
    for table in Base.metadata.tables.values():
        if "created_at" in table.c:
            times = dict.fromkeys(("created_at", "updated_at"), MOMENT)
            await db.execute(sa.update(table).values(times))
    await db.commit()
    db.expunge_all()
