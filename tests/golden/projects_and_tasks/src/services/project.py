"""Business rules of projects."""

import uuid

from src.models.entities import ProjectEntity
from src.models.schemas import (
    Project,
    ProjectBatch,
    ProjectBatchCreate,
    ProjectCreate,
    ProjectPage,
    ProjectQuery,
    ProjectUpdate,
)
from src.services import base


class ProjectService(
    base.Service[ProjectEntity, Project, ProjectCreate, ProjectUpdate]
):
    """Creates, reads, changes and deletes projects."""

    resource = Project
    plain_text = frozenset({"name"})

    async def create_project(self, data: ProjectCreate) -> Project:
        """Create a project and return it as stored."""
        return await self._create(data)

    async def create_project_batch(self, batch: ProjectBatchCreate) -> ProjectBatch:
        """Create several projects, all or none; not by `create_project`."""
        return await self._create_all(ProjectBatch, batch)

    async def get_project(
        self, project_id: uuid.UUID, include: base.Paths = ()
    ) -> Project:
        """Return the project with this id, and what `include` embeds."""
        return await self._get(project_id, include)

    async def list_projects(
        self, query: ProjectQuery, *, milestone_id: uuid.UUID | None = None
    ) -> ProjectPage:
        """Return a page of projects, optionally of one parent."""
        return await self._list(ProjectPage, query, {"milestone_id__eq": milestone_id})

    async def replace_project(
        self,
        project_id: uuid.UUID,
        data: ProjectCreate,
        precondition: base.Precondition = base.ANY_VERSION,
    ) -> Project:
        """Replace every field; omitted ones get their default or null."""
        return await self._replace(project_id, data, precondition)

    async def update_project(
        self,
        project_id: uuid.UUID,
        data: ProjectUpdate,
        precondition: base.Precondition = base.ANY_VERSION,
    ) -> Project:
        """Change only the fields that were sent."""
        return await self._update(project_id, data, precondition)

    async def delete_project(
        self, project_id: uuid.UUID, precondition: base.Precondition = base.ANY_VERSION
    ) -> None:
        """Delete the project."""
        await self._delete(project_id, precondition)
