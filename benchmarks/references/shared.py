"""Shared by the reference services: the table, its JSON and its SQL."""

import os
import uuid
from datetime import datetime
from typing import Annotated

import asyncpg
from pydantic import BaseModel, ConfigDict, Field

DSN = os.environ["DATABASE_URL"].replace("+asyncpg", "")
POOL_SIZE = 20

COLUMNS = "id, title, description, completed, created_at, updated_at"
# They contain only constant names.
GET = f"SELECT {COLUMNS} FROM tasks WHERE id = $1"  # noqa: S608 - our own names
LIST = f"SELECT {COLUMNS} FROM tasks ORDER BY created_at, id LIMIT $1 OFFSET $2"  # noqa: S608 - our own names
VALUES = "(id, title, description, completed) VALUES ($1, $2, $3, $4)"
INSERT = f"INSERT INTO tasks {VALUES} RETURNING {COLUMNS}"


class TaskCreate(BaseModel):
    """A new task."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str | None, Field(max_length=1000)] = None
    completed: bool = False


class Task(BaseModel):
    """A task as it is stored."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    title: str
    description: str | None
    completed: bool
    created_at: datetime
    updated_at: datetime


def create_pool() -> asyncpg.pool.Pool:
    return asyncpg.create_pool(DSN, min_size=1, max_size=POOL_SIZE)
