"""L1: FastAPI over asyncpg, with response models and without middleware."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request

from benchmarks.references import shared
from benchmarks.references.shared import Task, TaskCreate


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with shared.create_pool() as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/tasks/{task_id}", response_model=Task)
async def get_task(request: Request, task_id: uuid.UUID) -> Any:
    row = await request.app.state.pool.fetchrow(shared.GET, task_id)
    if row is None:
        raise HTTPException(404)
    return dict(row)


@app.get("/tasks", response_model=list[Task])
async def list_tasks(request: Request, skip: int = 0, limit: int = 20) -> Sequence[Any]:
    rows = await request.app.state.pool.fetch(shared.LIST, limit, skip)
    return [dict(row) for row in rows]


@app.post("/tasks", response_model=Task, status_code=201)
async def create_task(request: Request, data: TaskCreate) -> Any:
    values = data.title, data.description, data.completed
    row = await request.app.state.pool.fetchrow(shared.INSERT, uuid.uuid4(), *values)
    return dict(row)
