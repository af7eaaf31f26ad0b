"""A peer: Litestar with Advanced Alchemy's plugin, repository and audit columns.

A session for each request that commits before the answer, the default pool, and no
middleware.
"""

import os
from collections.abc import Sequence
from uuid import UUID, uuid4

from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
    base,
    filters,
    mixins,
    repository,
)
from litestar import Controller, Litestar, get, post
from litestar.di import Provide
from pydantic import TypeAdapter
from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from benchmarks.references.shared import Task, TaskCreate


class TaskEntity(base.DefaultBase, mixins.AuditColumns):
    """A task."""

    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None]
    completed: Mapped[bool] = mapped_column(default=False)


class TaskRepository(repository.SQLAlchemyAsyncRepository[TaskEntity]):
    """Stores and finds tasks."""

    model_type = TaskEntity


async def provide_tasks(db_session: AsyncSession) -> TaskRepository:
    return TaskRepository(session=db_session)


many = TypeAdapter(list[Task])


class TaskController(Controller):
    """The routes of tasks."""

    path = "/tasks"
    dependencies = {"tasks": Provide(provide_tasks)}  # noqa: RUF012 - as documented

    @get("/{task_id:uuid}")
    async def get_task(self, tasks: TaskRepository, task_id: UUID) -> Task:
        return Task.model_validate(await tasks.get(task_id))

    @get("/")
    async def list_tasks(
        self, tasks: TaskRepository, skip: int = 0, limit: int = 20
    ) -> Sequence[Task]:
        order = [filters.OrderBy("created_at"), filters.OrderBy("id")]
        rows = await tasks.list(filters.LimitOffset(limit, skip), *order)
        return many.validate_python(rows)

    @post("/")
    async def create_task(self, tasks: TaskRepository, data: TaskCreate) -> Task:
        task = await tasks.add(TaskEntity(**data.model_dump()))
        return Task.model_validate(task)


config = SQLAlchemyAsyncConfig(
    connection_string=os.environ["DATABASE_URL"],
    before_send_handler="autocommit",
    session_config=AsyncSessionConfig(expire_on_commit=False),
)
app = Litestar(
    route_handlers=[TaskController], plugins=[SQLAlchemyPlugin(config=config)]
)
