"""Storage of projects: queries of their own belong here."""

from src.models import entities
from src.repositories import base


class ProjectRepository(base.Repository[entities.ProjectEntity]):
    """Stores and finds projects."""

    entity = entities.ProjectEntity
