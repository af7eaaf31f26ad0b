"""Every JSON shape of the service, on one page."""

import pydantic

from src.models import _base as base


class TaskBase(base.Schema):
    """What a task says of itself."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={"description": "A unit of work."}
    )

    title: str = pydantic.Field(
        min_length=1, max_length=200, description="What is to be done."
    )
    description: str | None = pydantic.Field(
        default=None, max_length=1000, description="Anything that helps to do it."
    )
    completed: bool = pydantic.Field(default=False, description="Whether it is done.")


class TaskCreate(TaskBase):
    """A new task."""


class TaskUpdate(base.Changes):
    """Changes of a task; what is left out stays as it is."""

    title: str = pydantic.Field(
        default=base.UNSET,
        min_length=1,
        max_length=200,
        description="What is to be done.",
    )
    description: str | None = pydantic.Field(
        default=base.UNSET, max_length=1000, description="Anything that helps to do it."
    )
    completed: bool = pydantic.Field(
        default=base.UNSET, description="Whether it is done."
    )


class Task(TaskBase, base.Resource):
    """A task as it is stored."""
