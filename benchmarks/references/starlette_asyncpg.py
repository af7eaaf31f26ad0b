"""L0: bare Starlette over asyncpg, near the upper limit of what Python can do."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.references import shared

JSON = "application/json"


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with shared.create_pool() as pool:
        app.state.pool = pool
        yield


async def get_task(request: Request) -> Response:
    task_id = uuid.UUID(request.path_params["task_id"])
    row = await request.app.state.pool.fetchrow(shared.GET, task_id)
    if row is None:
        return Response(status_code=404)
    return Response(_json(dict(row)), media_type=JSON)


async def list_tasks(request: Request) -> Response:
    limit = int(request.query_params.get("limit", 20))
    skip = int(request.query_params.get("skip", 0))
    rows = await request.app.state.pool.fetch(shared.LIST, limit, skip)
    return Response(_json([dict(row) for row in rows]), media_type=JSON)


async def create_task(request: Request) -> Response:
    body = orjson.loads(await request.body())
    values = body["title"], body.get("description"), body.get("completed", False)
    row = await request.app.state.pool.fetchrow(shared.INSERT, uuid.uuid4(), *values)
    return Response(_json(dict(row)), 201, media_type=JSON)


def _json(value: object) -> bytes:
    # asyncpg's UUID is a subclass, which orjson hands to `default`.
    return orjson.dumps(value, default=str)


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/tasks/{task_id}", get_task),
        Route("/tasks", list_tasks),
        Route("/tasks", create_task, methods=["POST"]),
    ],
)
