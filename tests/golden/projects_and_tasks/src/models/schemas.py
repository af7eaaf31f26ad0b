"""Every JSON shape of the service, on one page."""

import decimal
import typing
import uuid

import pydantic

from src.models import _base as base
from src.models import _types as types

ProjectStateChoice = typing.Literal["open", "on hold", "closed"]


class ProjectBase(base.Schema):
    """What a project says of itself."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "description": "What tasks belong to; it may be led by one of them."
        }
    )

    name: str = pydantic.Field(max_length=100)
    budget: types.Decimal = pydantic.Field(
        default=decimal.Decimal("0.00"), ge=0, max_digits=12, decimal_places=2
    )
    state: ProjectStateChoice = "open"
    milestone_id: uuid.UUID | None = None

    _exact = types.exact("budget")


class ProjectCreate(ProjectBase):
    """A new project."""


class ProjectUpdate(base.Changes):
    """Changes of a project; what is left out stays as it is."""

    name: str = pydantic.Field(default=base.UNSET, max_length=100)
    budget: types.Decimal = pydantic.Field(
        default=base.UNSET, ge=0, max_digits=12, decimal_places=2
    )
    state: ProjectStateChoice = base.UNSET
    milestone_id: uuid.UUID | None = base.UNSET

    _exact = types.exact("budget")


class Project(ProjectBase, base.Resource):
    """A project as it is stored."""


class TaskBase(base.Schema):
    """What a task says of itself."""

    title: str = pydantic.Field(min_length=1, max_length=200)
    class_: int | None = pydantic.Field(
        default=None, alias="class", ge=1, le=5, description='How "urgent" it is.'
    )
    due_at: types.DateTime | None = None
    notes: str | None = None
    project_id: uuid.UUID


class TaskCreate(TaskBase):
    """A new task."""


class TaskUpdate(base.Changes):
    """Changes of a task; what is left out stays as it is."""

    title: str = pydantic.Field(default=base.UNSET, min_length=1, max_length=200)
    class_: int | None = pydantic.Field(
        default=base.UNSET, alias="class", ge=1, le=5, description='How "urgent" it is.'
    )
    due_at: types.DateTime | None = base.UNSET
    notes: str | None = base.UNSET
    project_id: uuid.UUID = base.UNSET


class Task(TaskBase, base.Resource):
    """A task as it is stored."""
