"""HTTP routes of tasks."""

import typing

import fastapi

from src.api import dependencies as deps
from src.api import http, lists
from src.models import queries
from src.models.schemas import (
    Task,
    TaskCreate,
    TaskInclude,
    TaskPage,
    TaskQuery,
    TaskReplace,
    TaskUpdate,
)

router = fastapi.APIRouter(
    prefix="/api/v1/tasks", tags=["tasks"], route_class=http.StrictJSONRoute
)


@router.post("", status_code=201, responses=http.LOCATION | http.problems(409))
async def create_task(
    data: TaskCreate,
    service: deps.TaskServiceDep,
    request: fastapi.Request,
    response: fastapi.Response,
) -> Task:
    """Create a task."""
    created = await service.create_task(data)
    response.headers["Location"] = f"{request.url.path}/{created.id}"
    return created


@router.get(
    "", response_model=TaskPage, responses=lists.DOCUMENTED, dependencies=lists.CHECKED
)
async def list_tasks(
    query: typing.Annotated[TaskQuery, fastapi.Query()],
    service: deps.TaskServiceDep,
    request: fastapi.Request,
    response: fastapi.Response,
) -> typing.Any:
    """List tasks, oldest first."""
    return await lists.respond(request, response, query, service.list_tasks, service)


@router.get("/{task_id}", responses=http.problems(404))
async def get_task(
    task_id: http.Id,
    service: deps.TaskServiceDep,
    include: typing.Annotated[
        queries.Include[TaskInclude], fastapi.Query(default_factory=list)
    ],
) -> Task:
    """Return one task."""
    return await service.get_task(task_id, include)


@router.put("/{task_id}", responses=http.problems(404, 409))
async def replace_task(
    task_id: http.Id, data: TaskReplace, service: deps.TaskServiceDep
) -> Task:
    """Replace a task: omitted fields get their default or null."""
    return await service.replace_task(task_id, data)


@router.patch("/{task_id}", responses=http.problems(404, 409))
async def update_task(
    task_id: http.Id, data: TaskUpdate, service: deps.TaskServiceDep
) -> Task:
    """Update a task: only the fields that are sent change."""
    return await service.update_task(task_id, data)


@router.delete("/{task_id}", status_code=204, responses=http.problems(404, 409))
async def delete_task(task_id: http.Id, service: deps.TaskServiceDep) -> None:
    """Delete a task."""
    await service.delete_task(task_id)
