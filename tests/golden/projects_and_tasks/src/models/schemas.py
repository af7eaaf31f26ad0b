"""The schemas of requests and responses."""

import datetime as dt
import decimal
import typing
import uuid

import pydantic
import typing_extensions

from src.models import base, queries, types

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
    included_milestone: "Task | None" = base.embedded("milestone")


class ProjectBatchCreate(base.BatchCreate[ProjectCreate]):
    """New projects, at most 100."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"examples": [{"items": [PROJECT_EXAMPLE]}]}
    )


class ProjectBatch(base.Batch[Project]):
    """Created projects, in the order of the request."""


class ProjectPage(base.Page[Project]):
    """A page of projects."""


ProjectSort = typing.Literal[
    "id",
    "-id",
    "created_at",
    "-created_at",
    "updated_at",
    "-updated_at",
    "name",
    "-name",
    "milestone_id",
    "-milestone_id",
]
ProjectInclude = typing.Literal["milestone", "milestone.project"]


class ProjectQuery(queries.ListQuery):
    """What lists of projects can be asked for."""

    sort: queries.SortBy[ProjectSort] = pydantic.Field(default=[])
    include: queries.Include[ProjectInclude] = pydantic.Field(default=[])
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
    name: queries.Text = base.UNSET
    name__in: queries.ListOf[queries.Text] = base.UNSET
    name__ne: queries.Text = base.UNSET
    name__startswith: queries.Text = base.UNSET
    milestone_id: queries.UUID = base.UNSET
    milestone_id__in: queries.ListOf[queries.UUID] = base.UNSET
    milestone_id__ne: queries.UUID = base.UNSET
    milestone_id__null: queries.Flag = base.UNSET


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
    included_project: "Project | None" = base.embedded("project")


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
    "due_at",
    "-due_at",
    "project_id",
    "-project_id",
]
TaskInclude = typing.Literal["project", "project.milestone"]


class TaskQuery(queries.ListQuery):
    """What lists of tasks can be asked for."""

    sort: queries.SortBy[TaskSort] = pydantic.Field(default=[])
    include: queries.Include[TaskInclude] = pydantic.Field(default=[])
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
    due_at: queries.DateTime = base.UNSET
    due_at__in: queries.ListOf[queries.DateTime] = base.UNSET
    due_at__ne: queries.DateTime = base.UNSET
    due_at__gt: queries.DateTime = base.UNSET
    due_at__gte: queries.DateTime = base.UNSET
    due_at__lt: queries.DateTime = base.UNSET
    due_at__lte: queries.DateTime = base.UNSET
    due_at__null: queries.Flag = base.UNSET
    project_id: queries.UUID = base.UNSET
    project_id__in: queries.ListOf[queries.UUID] = base.UNSET
    project_id__ne: queries.UUID = base.UNSET


# Resources embed others that are defined below them. Without this, Pydantic would work
# out their schemas again in each place that uses them, which makes the start slow.
Project.model_rebuild()
Task.model_rebuild()
