"""The tables of the service."""

import sqlalchemy as sa
from sqlalchemy import orm

from src.models import base


class TaskEntity(base.Entity):
    """A unit of work."""

    __tablename__ = "tasks"
    __resource__ = "task"
    __table_args__ = (
        base.check("title", "min_length", "char_length(title) >= 1"),
        base.check("description", "max_length", "char_length(description) <= 1000"),
        sa.Index(None, "created_at", "id"),
        sa.Index(None, "updated_at", "id"),
        sa.Index(None, "title", "id"),
        sa.Index(None, "completed", "id"),
    )

    title: orm.Mapped[str] = orm.mapped_column(sa.String(200, collation="C"))
    description: orm.Mapped[str | None] = orm.mapped_column(sa.Text)
    completed: orm.Mapped[bool] = orm.mapped_column(
        sa.Boolean, server_default=sa.false()
    )
