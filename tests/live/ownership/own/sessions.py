"""Reading and writing sessions, used in GET."""

import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from src.api.dependencies import SessionDep, WriteSessionDep
from src.models.entities import ProductEntity
from src.own.failing import fail, note_place

router = APIRouter(prefix="/sessions")


async def core_update(db: AsyncSession) -> None:
    await db.execute(update(ProductEntity).values(note="written"))


async def core_insert(db: AsyncSession) -> None:
    await db.execute(insert(ProductEntity).values(name="written"))


async def text_update(db: AsyncSession) -> None:
    await db.execute(text("UPDATE products SET note = 'written'"))


async def flush(db: AsyncSession) -> None:
    db.add(ProductEntity(name="written"))
    await db.flush()


async def only_add(db: AsyncSession) -> None:
    db.add(ProductEntity(name="written"))


async def assign(db: AsyncSession) -> None:
    product = (await db.scalars(select(ProductEntity))).first()
    assert product is not None
    product.note = "written"


async def lock(db: AsyncSession) -> None:
    await db.scalars(select(ProductEntity).with_for_update())


async def savepoint(db: AsyncSession) -> None:
    async with db.begin_nested():
        await db.scalars(select(ProductEntity))


async def stream(db: AsyncSession) -> list[str]:
    result = await db.stream_scalars(select(ProductEntity.name))
    return [name async for name in result]


async def misfit(db: AsyncSession) -> None:
    """Ask with a parameter that the driver refuses: it is not a 64-bit integer."""
    await db.scalars(select(ProductEntity).where(ProductEntity.amount == 2**70))


WAYS = [core_update, core_insert, text_update, flush, only_add, assign, lock]
BY_NAME = {way.__name__: way for way in (*WAYS, misfit, savepoint, stream)}


@router.get("/reading/{way}")
async def write_while_reading(way: str, db: SessionDep) -> Any:
    return await BY_NAME[way](db)


@router.get("/writing/{way}")
async def write(way: str, db: WriteSessionDep) -> Any:
    return await BY_NAME[way](db)


@router.get("/where")
async def tell_server(db: SessionDep) -> Any:
    return await db.scalar(text("SELECT inet_server_port()"))


async def set_tenant(db: SessionDep, x_tenant: Annotated[str, Header()] = "") -> None:
    """Say for whom the rest of the transaction is: what a policy looks at."""
    statement = text("SELECT set_config('app.tenant', :tenant, true)")
    await db.execute(statement, {"tenant": x_tenant})


async def fail_after_yield(db: SessionDep) -> AsyncIterator[None]:
    yield
    await fail("dependency", db)


# What a person adds to an entity's router.
ENTITY_DEPENDENCIES = [
    Depends(note_place),
    Depends(fail_after_yield, scope="function"),
    *([Depends(set_tenant)] if "TENANTS" in os.environ else []),
]
