"""Storage of tasks: queries of their own belong here."""

from src.models import entities
from src.repositories import _base as base


class TaskRepository(base.Repository[entities.TaskEntity]):
    """Stores and finds tasks."""

    entity = entities.TaskEntity
