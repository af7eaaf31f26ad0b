"""Tests of products alone."""

from sqlalchemy.ext.asyncio import AsyncSession

from src.repositories.product import ProductRepository
from tests.factories import ProductFactory


async def test_a_product_is_found_by_its_number(db_session: AsyncSession) -> None:
    product = await ProductFactory.store(db_session, sku="SKU-OWN")
    assert await ProductRepository(db_session).find({"sku": "SKU-OWN"}) is product
