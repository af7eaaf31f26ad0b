"""The tables of the service."""

import datetime as dt
import decimal
import uuid

import sqlalchemy as sa
from sqlalchemy import orm

from src.models import base


class ProjectEntity(base.Entity):
    """What tasks belong to; it may be led by one of them."""

    __tablename__ = "projects"
    __resource__ = "project"
    __table_args__ = (
        base.check("budget", "ge", "budget >= 0"),
        base.check("budget", "finite", "budget <> 'NaN'"),
        base.check("state", "choice", "state IN ('open', 'on hold', 'closed')"),
        sa.Index(None, "created_at", "id"),
        sa.Index(None, "updated_at", "id"),
        sa.Index(None, "milestone_id", "id"),
    )

    name: orm.Mapped[str] = orm.mapped_column(
        sa.String(100, collation="C"), unique=True
    )
    budget: orm.Mapped[decimal.Decimal] = orm.mapped_column(
        sa.Numeric(12, 2), server_default="0.00"
    )
    state: orm.Mapped[str] = orm.mapped_column(
        sa.String(255, collation="C"), server_default="open"
    )
    milestone_id: orm.Mapped[uuid.UUID | None] = orm.mapped_column(
        sa.ForeignKey("tasks.id", ondelete="SET NULL")
    )

    milestone: orm.Mapped["TaskEntity | None"] = orm.relationship(
        lazy="raise", foreign_keys="ProjectEntity.milestone_id"
    )
    tasks: orm.Mapped[list["TaskEntity"]] = orm.relationship(
        lazy="raise",
        passive_deletes="all",
        foreign_keys="TaskEntity.project_id",
        back_populates="project",
    )


class TaskEntity(base.Entity):
    """A row of tasks."""

    __tablename__ = "tasks"
    __resource__ = "task"
    __table_args__ = (
        sa.UniqueConstraint("project_id", "title"),
        base.check("title", "min_length", "char_length(title) >= 1"),
        base.check("class", "ge", "class >= 1"),
        base.check("class", "le", "class <= 5"),
        sa.Index(None, "created_at", "id"),
        sa.Index(None, "updated_at", "id"),
        sa.Index(None, "due_at", "id"),
        sa.Index(None, "project_id", "id"),
        sa.Index(None, "project_id", "class", "created_at", "id"),
    )

    title: orm.Mapped[str] = orm.mapped_column(sa.String(200, collation="C"))
    class_: orm.Mapped[int | None] = orm.mapped_column("class", sa.BigInteger)
    due_at: orm.Mapped[dt.datetime | None] = orm.mapped_column(
        sa.DateTime(timezone=True)
    )
    notes: orm.Mapped[str | None] = orm.mapped_column(sa.Text)
    project_id: orm.Mapped[uuid.UUID] = orm.mapped_column(
        sa.ForeignKey("projects.id", ondelete="CASCADE")
    )

    project: orm.Mapped["ProjectEntity"] = orm.relationship(
        lazy="raise", foreign_keys="TaskEntity.project_id", back_populates="tasks"
    )
