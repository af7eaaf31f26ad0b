"""A peer: FastAPI over SQLModel, as in FastAPI's tutorial on SQL databases.

Synchronous functions in threads over psycopg, a session for each request, the default
pool, and no middleware.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy import DateTime
from sqlmodel import Field, Session, SQLModel, create_engine, select


def now() -> datetime:
    return datetime.now(UTC)


class TaskBase(SQLModel):
    """The fields that clients send."""

    title: str = Field(min_length=1, max_length=200)
    description: str | None = Field(default=None, max_length=1000)
    completed: bool = False


class Task(TaskBase, table=True):
    """A row."""

    __tablename__ = "tasks"

    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    created_at: datetime = Field(
        default_factory=now,
        sa_type=DateTime(timezone=True),  # type: ignore[call-overload]  # it takes an instance too
    )
    updated_at: datetime = Field(
        default_factory=now,
        sa_type=DateTime(timezone=True),  # type: ignore[call-overload]  # it takes an instance too
    )


class TaskCreate(TaskBase):
    """A new task."""


class TaskPublic(TaskBase):
    """A task as it is stored."""

    id: uuid.UUID
    created_at: datetime
    updated_at: datetime


engine = create_engine(os.environ["DATABASE_URL"].replace("+asyncpg", "+psycopg"))


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]
app = FastAPI()


@app.get("/tasks/{task_id}", response_model=TaskPublic)
def get_task(task_id: uuid.UUID, session: SessionDep) -> Task:
    task = session.get(Task, task_id)
    if not task:
        raise HTTPException(status_code=404, detail="Task not found")
    return task


@app.get("/tasks", response_model=list[TaskPublic])
def list_tasks(
    session: SessionDep, skip: int = 0, limit: Annotated[int, Query(le=100)] = 20
) -> Sequence[Task]:
    query = select(Task).order_by(Task.created_at, Task.id)
    return session.exec(query.offset(skip).limit(limit)).all()


@app.post("/tasks", response_model=TaskPublic, status_code=201)
def create_task(task: TaskCreate, session: SessionDep) -> Task:
    stored = Task.model_validate(task)
    session.add(stored)
    session.commit()
    session.refresh(stored)
    return stored
