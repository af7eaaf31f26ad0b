"""Factories: rows and request bodies of every entity, realistic and all different."""

import datetime as dt
import decimal

from src.models import entities, schemas
from tests import support


class ProjectFactory(support.Factory[entities.ProjectEntity]):
    """Makes projects."""

    entity = entities.ProjectEntity
    schema = schemas.ProjectCreate

    @classmethod
    def values(cls, n: int) -> support.Body:
        """Return the attributes of the n-th project."""
        return {
            "name": f"Name {n}",
            "budget": decimal.Decimal("0.99") + n,
            "state": support.pick(n, "open", "on hold", "closed"),
        }


class TaskFactory(support.Factory[entities.TaskEntity]):
    """Makes tasks."""

    entity = entities.TaskEntity
    schema = schemas.TaskCreate

    @classmethod
    def values(cls, n: int) -> support.Body:
        """Return the attributes of the n-th task."""
        return {
            "title": f"Title {n}",
            "class_": 1 + n % 5,
            "due_at": dt.datetime(2026, 1, 1, n % 24, tzinfo=dt.UTC),
            "notes": f"Notes {n}",
        }

    @classmethod
    def parents(cls) -> support.Parents:
        """Return the factories of what tasks refer to."""
        return {"project_id": ProjectFactory}
