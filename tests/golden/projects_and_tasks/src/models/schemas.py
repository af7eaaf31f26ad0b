"""The schemas of requests and responses."""

import datetime as dt
import decimal
import typing
import uuid

import pydantic
import typing_extensions

from src.models import base, types

ProjectStateChoice = typing_extensions.TypeAliasType(
    "ProjectStateChoice", typing.Literal["open", "on hold", "closed"]
)
ProjectName = typing.Annotated[str, pydantic.Field(max_length=100)]
ProjectBudget = typing.Annotated[
    decimal.Decimal,
    pydantic.Field(ge=0, max_digits=12, decimal_places=2),
    types.Digits(12, 2),
]
PROJECT_EXAMPLE: dict[str, typing.Any] = {
    "name": "Name 1",
    "budget": "1.99",
    "state": "on hold",
}


class ProjectBase(base.Schema):
    """The fields of a project in requests."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "description": "What tasks belong to; it may be led by one of them.",
            "examples": [PROJECT_EXAMPLE],
        }
    )

    name: ProjectName
    budget: ProjectBudget = decimal.Decimal("0.00")
    state: ProjectStateChoice = "open"
    milestone_id: types.UUID | None = None


class ProjectCreate(ProjectBase):
    """A new project."""


class ProjectReplace(ProjectCreate, base.Replacement):
    """A project that replaces the stored one."""


class ProjectUpdate(base.Changes):
    """Changes of a project; omitted fields keep their values."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"examples": [PROJECT_EXAMPLE]}
    )

    name: ProjectName = base.UNSET
    budget: ProjectBudget = base.UNSET
    state: ProjectStateChoice = base.UNSET
    milestone_id: types.UUID | None = base.UNSET


class Project(base.Resource):
    """A project as it is stored."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "description": "What tasks belong to; it may be led by one of them."
        }
    )

    name: str
    budget: decimal.Decimal
    state: ProjectStateChoice
    milestone_id: uuid.UUID | None


class ProjectPage(base.Page[Project]):
    """A page of projects."""


TaskTitle = typing.Annotated[str, pydantic.Field(min_length=1, max_length=200)]
TaskClass = typing.Annotated[
    int | None,
    pydantic.Field(alias="class", ge=1, le=5, description='How "urgent" it is.'),
    types.INT64,
]
TASK_EXAMPLE: dict[str, typing.Any] = {
    "title": "Title 1",
    "class": 2,
    "due_at": "2026-01-01T01:00:00Z",
    "notes": "Notes 1",
    "project_id": "08673beb-29f8-5989-8257-ba6c9bcd8682",
}


class TaskBase(base.Schema):
    """The fields of a task in requests."""

    model_config = pydantic.ConfigDict(json_schema_extra={"examples": [TASK_EXAMPLE]})

    title: TaskTitle
    class_: TaskClass = None
    due_at: types.DateTime | None = None
    notes: str | None = None
    project_id: types.UUID


class TaskCreate(TaskBase):
    """A new task."""


class TaskReplace(TaskCreate, base.Replacement):
    """A task that replaces the stored one."""


class TaskUpdate(base.Changes):
    """Changes of a task; omitted fields keep their values."""

    model_config = pydantic.ConfigDict(json_schema_extra={"examples": [TASK_EXAMPLE]})

    title: TaskTitle = base.UNSET
    class_: TaskClass = base.UNSET
    due_at: types.DateTime | None = base.UNSET
    notes: str | None = base.UNSET
    project_id: types.UUID = base.UNSET


class Task(base.Resource):
    """A task as it is stored."""

    title: str
    class_: types.StoredInteger | None = pydantic.Field(
        alias="class", description='How "urgent" it is.'
    )
    due_at: dt.datetime | None
    notes: str | None
    project_id: uuid.UUID


class TaskPage(base.Page[Task]):
    """A page of tasks."""
