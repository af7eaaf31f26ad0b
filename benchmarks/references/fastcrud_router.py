"""A peer: FastCRUD's `crud_router`, which makes the routes from model and schemas.

A session for each request, the default pool, and no middleware. Its list always counts
all rows.
"""

import os
import uuid
from collections.abc import AsyncIterator
from datetime import datetime

from fastapi import FastAPI
from fastcrud import FilterConfig, crud_router
from sqlalchemy import DateTime, String, func
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.references.shared import Task, TaskCreate


class Base(DeclarativeBase):
    """The tables."""


class TaskEntity(Base):
    """A task."""

    __tablename__ = "tasks"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None]
    completed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )


engine = create_async_engine(os.environ["DATABASE_URL"])
session_maker = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with session_maker() as session:
        yield session


app = FastAPI()
app.include_router(
    crud_router(
        session=get_session,
        model=TaskEntity,
        create_schema=TaskCreate,
        update_schema=TaskCreate,
        select_schema=Task,
        path="/tasks",
        tags=["tasks"],
        filter_config=FilterConfig(completed=None),
    )
)
