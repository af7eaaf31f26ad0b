"""Filters of a team's own, in a repository."""

from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from src.models.entities import CustomerEntity, OrderEntity
from src.repositories import cursors
from src.repositories.order import OrderRepository
from src.repositories.sorting import sort_of
from tests.factories import CustomerFactory, OrderFactory

SORT = sort_of(OrderEntity, ["-coupon_id"])  # of null alone: two parts of a list


class Orders(OrderRepository):
    """Has a filter whose name ends like an operator of the service's own."""

    filters: ClassVar = {
        "customer__startswith": lambda start: OrderEntity.customer.has(
            CustomerEntity.name.startswith(start)
        )
    }


async def test_a_filter_may_have_any_name_and_takes_part_in_pages_and_counts(
    db_session: AsyncSession,
) -> None:
    ada = await CustomerFactory.store(db_session, name="Ada")
    bob = await CustomerFactory.store(db_session, name="Bob")
    for customer in (ada, bob, ada):
        await OrderFactory.store(db_session, customer_id=customer.id, coupon_id=None)
    where = {"customer__startswith": "A", "customer_id__ne": bob.id}
    orders = Orders(db_session)
    assert await orders.count(where) == await orders.total(where) == 2
    first = await orders.list(0, 1, where=where, sort=SORT)
    after = cursors.encode(first[0], SORT, where)
    second = await orders.list(where=where, sort=SORT, after=after)
    assert [row.customer_id for row in (*first, *second)] == [ada.id, ada.id]
    assert first[0].id != second[0].id
