"""Queries of projects: add your own here."""

from src.models import entities
from src.repositories import base


class ProjectRepository(base.Repository[entities.ProjectEntity]):
    """Stores and finds projects."""

    entity = entities.ProjectEntity
