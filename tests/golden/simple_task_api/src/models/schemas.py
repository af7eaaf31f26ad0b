"""The schemas of requests and responses."""

import typing

import pydantic

from src.models import base

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


class TaskPage(base.Page[Task]):
    """A page of tasks."""
