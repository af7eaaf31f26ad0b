"""Dependencies: the database session, and the repository and service of each entity.

Repositories come before services, so that a service of your own may depend on any of
them.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.database import get_db, get_write_db
from src.repositories.project import ProjectRepository
from src.repositories.task import TaskRepository
from src.services.project import ProjectService
from src.services.task import TaskService

# scope="function": the transaction is committed before the answer is sent.
SessionDep = Annotated[AsyncSession, Depends(get_db, scope="function")]
# For a GET route that writes: the session of SessionDep is read-only there.
WriteSessionDep = Annotated[AsyncSession, Depends(get_write_db, scope="function")]

RepositoryT = TypeVar("RepositoryT")
ServiceT = TypeVar("ServiceT")


def repository_of(
    make: Callable[[AsyncSession], RepositoryT],
) -> Callable[[AsyncSession], Awaitable[RepositoryT]]:
    """Return a dependency that creates a repository with the request's session."""

    async def get_repository(db: SessionDep) -> RepositoryT:
        return make(db)

    return get_repository


def service_of(
    make: Callable[[Any], ServiceT], get_repository: Callable[..., Awaitable[Any]]
) -> Callable[[Any], Awaitable[ServiceT]]:
    """Return a dependency that creates a service with its repository."""

    async def get_service(
        repository: Annotated[Any, Depends(get_repository)],
    ) -> ServiceT:
        return make(repository)

    return get_service


get_project_repository = repository_of(ProjectRepository)
get_task_repository = repository_of(TaskRepository)

get_project_service = service_of(ProjectService, get_project_repository)
get_task_service = service_of(TaskService, get_task_repository)

ProjectServiceDep = Annotated[ProjectService, Depends(get_project_service)]
TaskServiceDep = Annotated[TaskService, Depends(get_task_service)]
