"""The schemas of requests and responses."""

import typing

import pydantic

from src.models import base, queries

TaskTitle = typing.Annotated[
    str,
    pydantic.Field(
        min_length=1, max_length=200, description="Short title of the task."
    ),
]
TaskDescription = typing.Annotated[
    str | None, pydantic.Field(max_length=1000, description="Details of the task.")
]
TaskCompleted = typing.Annotated[
    bool, pydantic.Field(description="Whether the task is done.")
]
TASK_EXAMPLE: dict[str, typing.Any] = {
    "title": "Title 1",
    "description": "Description 1",
    "completed": False,
}


class TaskBase(base.Schema):
    """The fields of a task in requests."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"description": "A unit of work.", "examples": [TASK_EXAMPLE]}
    )

    title: TaskTitle
    description: TaskDescription = None
    completed: TaskCompleted = False


class TaskCreate(TaskBase):
    """A new task."""


class TaskReplace(TaskCreate, base.Replacement):
    """A task that replaces the stored one."""


class TaskUpdate(base.Changes):
    """Changes of a task; omitted fields keep their values."""

    model_config = pydantic.ConfigDict(json_schema_extra={"examples": [TASK_EXAMPLE]})

    title: TaskTitle = base.UNSET
    description: TaskDescription = base.UNSET
    completed: TaskCompleted = base.UNSET


class Task(base.Resource):
    """A task as it is stored."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"description": "A unit of work."}
    )

    title: str = pydantic.Field(description="Short title of the task.")
    description: str | None = pydantic.Field(description="Details of the task.")
    completed: bool = pydantic.Field(description="Whether the task is done.")


class TaskBatchCreate(base.BatchCreate[TaskCreate]):
    """New tasks, at most 100."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"examples": [{"items": [TASK_EXAMPLE]}]}
    )


class TaskBatch(base.Batch[Task]):
    """Created tasks, in the order of the request."""


class TaskPage(base.Page[Task]):
    """A page of tasks."""


TaskSort = typing.Literal[
    "id",
    "-id",
    "created_at",
    "-created_at",
    "updated_at",
    "-updated_at",
    "title",
    "-title",
    "completed",
    "-completed",
]


class TaskQuery(queries.ListQuery):
    """What lists of tasks can be asked for."""

    sort: queries.SortBy[TaskSort] = pydantic.Field(default=[])
    id: queries.UUID = base.UNSET
    id__in: queries.ListOf[queries.UUID] = base.UNSET
    id__ne: queries.UUID = base.UNSET
    created_at: queries.DateTime = base.UNSET
    created_at__in: queries.ListOf[queries.DateTime] = base.UNSET
    created_at__ne: queries.DateTime = base.UNSET
    created_at__gt: queries.DateTime = base.UNSET
    created_at__gte: queries.DateTime = base.UNSET
    created_at__lt: queries.DateTime = base.UNSET
    created_at__lte: queries.DateTime = base.UNSET
    updated_at: queries.DateTime = base.UNSET
    updated_at__in: queries.ListOf[queries.DateTime] = base.UNSET
    updated_at__ne: queries.DateTime = base.UNSET
    updated_at__gt: queries.DateTime = base.UNSET
    updated_at__gte: queries.DateTime = base.UNSET
    updated_at__lt: queries.DateTime = base.UNSET
    updated_at__lte: queries.DateTime = base.UNSET
    title: queries.Text = base.UNSET
    title__in: queries.ListOf[queries.Text] = base.UNSET
    title__ne: queries.Text = base.UNSET
    title__startswith: queries.Text = base.UNSET
    completed: queries.Flag = base.UNSET
    completed__in: queries.ListOf[queries.Flag] = base.UNSET
    completed__ne: queries.Flag = base.UNSET
