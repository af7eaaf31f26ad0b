"""What a person writes from SQLAlchemy's documentation."""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from src.api.dependencies import SessionDep
from src.models.entities import CategoryEntity, ProductEntity
from src.repositories.product import ProductRepository

router = APIRouter(prefix="/orm")


async def assign(db: AsyncSession, product: ProductEntity) -> str:
    product.note = "assigned"
    return product.note


async def assign_and_commit(db: AsyncSession, product: ProductEntity) -> bool:
    product.note = "committed"
    await db.commit()
    return await db.scalar(select(ProductEntity.note)) == "committed"


async def refresh(db: AsyncSession, product: ProductEntity) -> str | None:
    await db.execute(text("UPDATE products SET note = 'from elsewhere'"))
    await db.refresh(product)
    return product.note


async def merge(db: AsyncSession, product: ProductEntity) -> bool:
    detached = ProductEntity(id=product.id, note="merged")
    return await db.merge(detached) is product


async def load(db: AsyncSession, product: ProductEntity) -> list[str]:
    statement = select(CategoryEntity).options(selectinload(CategoryEntity.products))
    category = (await db.scalars(statement)).one()
    return [product.name for product in category.products]


async def load_by_refresh(db: AsyncSession, product: ProductEntity) -> str | None:
    await db.refresh(product, ["category"])
    return product.category and product.category.name


async def not_loaded(db: AsyncSession, product: ProductEntity) -> str:
    try:
        return str(product.category)
    except InvalidRequestError as error:
        return str(error)


async def delete(db: AsyncSession, product: ProductEntity) -> bool:
    await db.delete(product)
    await db.flush()
    return product in db


Action = Callable[[AsyncSession, ProductEntity], Coroutine[Any, Any, object]]
ACTIONS: list[Action] = [
    *(assign, assign_and_commit, refresh, merge, load, load_by_refresh, not_loaded),
    delete,
]
BY_NAME = {action.__name__: action for action in ACTIONS}


@router.post("/{name}/{product_id}")
async def act(name: str, product_id: UUID, db: SessionDep) -> Any:
    """Do something with a row that a repository returned."""
    product = await ProductRepository(db).get(product_id)
    assert product is not None
    return await BY_NAME[name](db, product)
