"""Business rules of tasks."""

import uuid

from src.models.entities import TaskEntity
from src.models.schemas import (
    Task,
    TaskBatch,
    TaskBatchCreate,
    TaskCreate,
    TaskPage,
    TaskQuery,
    TaskUpdate,
)
from src.services import base


class TaskService(base.Service[TaskEntity, Task, TaskCreate, TaskUpdate]):
    """Creates, reads, changes and deletes tasks."""

    resource = Task
    plain_text = frozenset({"title"})
    rich_text = frozenset({"notes"})

    async def create_task(self, data: TaskCreate) -> Task:
        """Create a task and return it as stored."""
        return await self._create(data)

    async def create_task_batch(self, batch: TaskBatchCreate) -> TaskBatch:
        """Create several tasks, all or none; not by `create_task`."""
        return await self._create_all(TaskBatch, batch)

    async def get_task(self, task_id: uuid.UUID, include: base.Paths = ()) -> Task:
        """Return the task with this id, and what `include` embeds."""
        return await self._get(task_id, include)

    async def list_tasks(
        self, query: TaskQuery, *, project_id: uuid.UUID | None = None
    ) -> TaskPage:
        """Return a page of tasks, optionally of one parent."""
        return await self._list(TaskPage, query, {"project_id__eq": project_id})

    async def replace_task(
        self,
        task_id: uuid.UUID,
        data: TaskCreate,
        precondition: base.Precondition = base.ANY_VERSION,
    ) -> Task:
        """Replace every field; omitted ones get their default or null."""
        return await self._replace(task_id, data, precondition)

    async def update_task(
        self,
        task_id: uuid.UUID,
        data: TaskUpdate,
        precondition: base.Precondition = base.ANY_VERSION,
    ) -> Task:
        """Change only the fields that were sent."""
        return await self._update(task_id, data, precondition)

    async def delete_task(
        self, task_id: uuid.UUID, precondition: base.Precondition = base.ANY_VERSION
    ) -> None:
        """Delete the task."""
        await self._delete(task_id, precondition)
