"""HTTP routes of tasks."""

import typing

import fastapi

from src.api import dependencies as deps
from src.api import entity_tags, http, idempotency, lists
from src.models import queries
from src.models.schemas import (
    Task,
    TaskBatch,
    TaskBatchCreate,
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


@router.post(
    "",
    status_code=201,
    responses=entity_tags.LOCATED | http.problems(409),
    dependencies=idempotency.KEYED,
)
async def create_task(
    data: TaskCreate,
    service: deps.TaskServiceDep,
    request: fastapi.Request,
    response: fastapi.Response,
) -> Task:
    """Create a task."""
    created = await service.create_task(data)
    response.headers["Location"] = f"{request.url.path}/{created.id}"
    return entity_tags.tagged(response, created)


@router.post(
    "/batch",
    status_code=201,
    responses=http.problems(409),
    dependencies=idempotency.KEYED,
)
async def create_task_batch(
    batch: TaskBatchCreate, service: deps.TaskServiceDep
) -> TaskBatch:
    """Create several tasks, all or none."""
    return await service.create_task_batch(batch)


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


@router.get(
    "/{task_id}",
    response_model=Task,
    responses=entity_tags.CONDITIONAL | http.problems(404),
)
async def get_task(
    task_id: http.Id,
    service: deps.TaskServiceDep,
    include: typing.Annotated[
        queries.Include[TaskInclude], fastapi.Query(default_factory=list)
    ],
    response: fastapi.Response,
    if_none_match: entity_tags.IfNoneMatch = None,
) -> typing.Any:
    """Return one task."""
    found = await service.get_task(task_id, include)
    return entity_tags.unless_known(response, found, if_none_match)


@router.put(
    "/{task_id}", responses=entity_tags.TAGGED | http.problems(404, 409, 412, 428)
)
async def replace_task(
    task_id: http.Id,
    data: TaskReplace,
    service: deps.TaskServiceDep,
    precondition: entity_tags.PreconditionDep,
    response: fastapi.Response,
) -> Task:
    """Replace a task: omitted fields get their default or null."""
    changed = await service.replace_task(task_id, data, precondition)
    return entity_tags.tagged(response, changed)


@router.patch(
    "/{task_id}", responses=entity_tags.TAGGED | http.problems(404, 409, 412, 428)
)
async def update_task(
    task_id: http.Id,
    data: TaskUpdate,
    service: deps.TaskServiceDep,
    precondition: entity_tags.PreconditionDep,
    response: fastapi.Response,
) -> Task:
    """Update a task: only the fields that are sent change."""
    changed = await service.update_task(task_id, data, precondition)
    return entity_tags.tagged(response, changed)


@router.delete(
    "/{task_id}", status_code=204, responses=http.problems(404, 409, 412, 428)
)
async def delete_task(
    task_id: http.Id,
    service: deps.TaskServiceDep,
    precondition: entity_tags.PreconditionDep,
) -> None:
    """Delete a task."""
    await service.delete_task(task_id, precondition)
