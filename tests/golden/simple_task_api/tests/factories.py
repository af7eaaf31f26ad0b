"""Factories: rows and request bodies of every entity, realistic and all different."""

from src.models import entities, schemas
from tests import support


class TaskFactory(support.Factory[entities.TaskEntity]):
    """Makes tasks."""

    entity = entities.TaskEntity
    schema = schemas.TaskCreate

    @classmethod
    def values(cls, n: int) -> support.Body:
        """Return the attributes of the n-th task."""
        return {
            "title": f"Title {n}",
            "description": f"Description {n}",
            "completed": n % 2 == 0,
        }
