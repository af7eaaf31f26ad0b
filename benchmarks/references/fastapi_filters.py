"""A peer: fastapi-filter's filter and order, as its example for SQLAlchemy has them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import FastAPI
from fastapi_filter import FilterDepends
from fastapi_filter.contrib.sqlalchemy import Filter
from sqlalchemy import select

from benchmarks.references.fastapi_orm import Session, TaskEntity
from benchmarks.references.shared import Task


class TaskFilter(Filter):
    """What tasks can be filtered and sorted by."""

    completed: bool | None = None
    title__in: list[str] | None = None
    order_by: list[str] | None = None

    class Constants(Filter.Constants):
        """The entity."""

        model = TaskEntity


app = FastAPI()


@app.get("/tasks", response_model=list[Task])
async def list_tasks(
    session: Session,
    task_filter: Annotated[TaskFilter, FilterDepends(TaskFilter)],
    skip: int = 0,
    limit: int = 20,
) -> Sequence[TaskEntity]:
    query = task_filter.sort(task_filter.filter(select(TaskEntity)))
    return (await session.scalars(query.offset(skip).limit(limit))).all()
