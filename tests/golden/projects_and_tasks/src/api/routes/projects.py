"""HTTP routes of projects."""

import fastapi

from src.api import dependencies as deps
from src.api import http
from src.models.schemas import (
    Project,
    ProjectCreate,
    ProjectPage,
    ProjectReplace,
    ProjectUpdate,
    TaskPage,
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


@router.get("")
async def list_projects(
    paging: http.PageQuery, service: deps.ProjectServiceDep
) -> ProjectPage:
    """List projects, oldest first."""
    return await service.list_projects(paging)


@router.get("/{project_id}", responses=http.problems(404))
async def get_project(project_id: http.Id, service: deps.ProjectServiceDep) -> Project:
    """Return one project."""
    return await service.get_project(project_id)


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


@router.get("/{project_id}/tasks", responses=http.problems(404))
async def list_project_tasks(
    project_id: http.Id,
    paging: http.PageQuery,
    service: deps.ProjectServiceDep,
    sources: deps.TaskServiceDep,
) -> TaskPage:
    """List the tasks of a project, oldest first."""
    await service.get_project(project_id)
    return await sources.list_tasks(paging, project_id=project_id)
