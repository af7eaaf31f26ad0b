"""Queries of tasks: add your own here."""

from src.models import entities
from src.repositories import base


class TaskRepository(base.Repository[entities.TaskEntity]):
    """Stores and finds tasks."""

    entity = entities.TaskEntity
