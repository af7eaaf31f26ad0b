"""HTTP routes of projects."""

import functools
import typing

import fastapi

from src.api import dependencies as deps
from src.api import entity_tags, http, idempotency, lists
from src.models import queries
from src.models.schemas import (
    Project,
    ProjectBatch,
    ProjectBatchCreate,
    ProjectCreate,
    ProjectInclude,
    ProjectPage,
    ProjectQuery,
    ProjectReplace,
    ProjectUpdate,
    TaskPage,
    TaskQuery,
)

router = fastapi.APIRouter(
    prefix="/api/v1/projects", tags=["projects"], route_class=http.StrictJSONRoute
)


@router.post(
    "",
    status_code=201,
    responses=entity_tags.LOCATED | http.problems(409),
    dependencies=idempotency.KEYED,
)
async def create_project(
    data: ProjectCreate,
    service: deps.ProjectServiceDep,
    request: fastapi.Request,
    response: fastapi.Response,
) -> Project:
    """Create a project."""
    created = await service.create_project(data)
    response.headers["Location"] = f"{request.url.path}/{created.id}"
    return entity_tags.tagged(response, created)


@router.post(
    "/batch",
    status_code=201,
    responses=http.problems(409),
    dependencies=idempotency.KEYED,
)
async def create_project_batch(
    batch: ProjectBatchCreate, service: deps.ProjectServiceDep
) -> ProjectBatch:
    """Create several projects, all or none."""
    return await service.create_project_batch(batch)


@router.get(
    "",
    response_model=ProjectPage,
    responses=lists.DOCUMENTED,
    dependencies=lists.CHECKED,
)
async def list_projects(
    query: typing.Annotated[ProjectQuery, fastapi.Query()],
    service: deps.ProjectServiceDep,
    request: fastapi.Request,
    response: fastapi.Response,
) -> typing.Any:
    """List projects, oldest first."""
    return await lists.respond(request, response, query, service.list_projects, service)


@router.get(
    "/{project_id}",
    response_model=Project,
    responses=entity_tags.CONDITIONAL | http.problems(404),
)
async def get_project(
    project_id: http.Id,
    service: deps.ProjectServiceDep,
    include: typing.Annotated[
        queries.Include[ProjectInclude], fastapi.Query(default_factory=list)
    ],
    response: fastapi.Response,
    if_none_match: entity_tags.IfNoneMatch = None,
) -> typing.Any:
    """Return one project."""
    found = await service.get_project(project_id, include)
    return entity_tags.unless_known(response, found, if_none_match)


@router.put(
    "/{project_id}", responses=entity_tags.TAGGED | http.problems(404, 409, 412, 428)
)
async def replace_project(
    project_id: http.Id,
    data: ProjectReplace,
    service: deps.ProjectServiceDep,
    precondition: entity_tags.PreconditionDep,
    response: fastapi.Response,
) -> Project:
    """Replace a project: omitted fields get their default or null."""
    changed = await service.replace_project(project_id, data, precondition)
    return entity_tags.tagged(response, changed)


@router.patch(
    "/{project_id}", responses=entity_tags.TAGGED | http.problems(404, 409, 412, 428)
)
async def update_project(
    project_id: http.Id,
    data: ProjectUpdate,
    service: deps.ProjectServiceDep,
    precondition: entity_tags.PreconditionDep,
    response: fastapi.Response,
) -> Project:
    """Update a project: only the fields that are sent change."""
    changed = await service.update_project(project_id, data, precondition)
    return entity_tags.tagged(response, changed)


@router.delete(
    "/{project_id}", status_code=204, responses=http.problems(404, 409, 412, 428)
)
async def delete_project(
    project_id: http.Id,
    service: deps.ProjectServiceDep,
    precondition: entity_tags.PreconditionDep,
) -> None:
    """Delete a project."""
    await service.delete_project(project_id, precondition)


@router.get(
    "/{project_id}/tasks",
    response_model=TaskPage,
    responses=lists.DOCUMENTED | http.problems(404),
    dependencies=lists.CHECKED,
)
async def list_project_tasks(
    project_id: http.Id,
    query: typing.Annotated[TaskQuery, fastapi.Query()],
    service: deps.ProjectServiceDep,
    sources: deps.TaskServiceDep,
    request: fastapi.Request,
    response: fastapi.Response,
) -> typing.Any:
    """List the tasks of a project, oldest first."""
    await service.get_project(project_id)
    list_page = functools.partial(sources.list_tasks, project_id=project_id)
    return await lists.respond(request, response, query, list_page, sources)
