"""Tests of products alone."""

from sqlalchemy.ext.asyncio import AsyncSession
from tests.factories import ProductFactory

from src.repositories.product import ProductRepository


async def test_a_product_is_found_by_its_number(db_session: AsyncSession) -> None:
    product = await ProductFactory.store(db_session, sku="SKU-OWN")
    assert await ProductRepository(db_session).find({"sku": "SKU-OWN"}) is product
