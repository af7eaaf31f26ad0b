"""L2: FastAPI over SQLAlchemy's async ORM as its documentation shows it.

A session for each request, response models, the default pool, and no middleware.
"""

import os
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import DateTime, String, func, select
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


Session = Annotated[AsyncSession, Depends(get_session)]
app = FastAPI()


@app.get("/tasks/{task_id}", response_model=Task)
async def get_task(task_id: uuid.UUID, session: Session) -> TaskEntity:
    task = await session.get(TaskEntity, task_id)
    if task is None:
        raise HTTPException(404)
    return task


@app.get("/tasks", response_model=list[Task])
async def list_tasks(
    session: Session, skip: int = 0, limit: int = 20
) -> Sequence[TaskEntity]:
    query = select(TaskEntity).order_by(TaskEntity.created_at, TaskEntity.id)
    return (await session.scalars(query.offset(skip).limit(limit))).all()


@app.post("/tasks", response_model=Task, status_code=201)
async def create_task(data: TaskCreate, session: Session) -> TaskEntity:
    task = TaskEntity(**data.model_dump())
    session.add(task)
    await session.commit()
    await session.refresh(task)
    return task
