"""HTTP routes of projects."""

import functools
import typing

import fastapi

from src.api import dependencies as deps
from src.api import http, lists
from src.models import queries
from src.models.schemas import (
    Project,
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


@router.post("", status_code=201, responses=http.LOCATION | http.problems(409))
async def create_project(
    data: ProjectCreate,
    service: deps.ProjectServiceDep,
    request: fastapi.Request,
    response: fastapi.Response,
) -> Project:
    """Create a project."""
    created = await service.create_project(data)
    response.headers["Location"] = f"{request.url.path}/{created.id}"
    return created


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


@router.get("/{project_id}", responses=http.problems(404))
async def get_project(
    project_id: http.Id,
    service: deps.ProjectServiceDep,
    include: typing.Annotated[
        queries.Include[ProjectInclude], fastapi.Query(default_factory=list)
    ],
) -> Project:
    """Return one project."""
    return await service.get_project(project_id, include)


@router.put("/{project_id}", responses=http.problems(404, 409))
async def replace_project(
    project_id: http.Id, data: ProjectReplace, service: deps.ProjectServiceDep
) -> Project:
    """Replace a project: omitted fields get their default or null."""
    return await service.replace_project(project_id, data)


@router.patch("/{project_id}", responses=http.problems(404, 409))
async def update_project(
    project_id: http.Id, data: ProjectUpdate, service: deps.ProjectServiceDep
) -> Project:
    """Update a project: only the fields that are sent change."""
    return await service.update_project(project_id, data)


@router.delete("/{project_id}", status_code=204, responses=http.problems(404, 409))
async def delete_project(project_id: http.Id, service: deps.ProjectServiceDep) -> None:
    """Delete a project."""
    await service.delete_project(project_id)


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
