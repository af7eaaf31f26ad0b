"""The chain from the database session to each service: session, repository, service."""

from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.database import get_db
from src.repositories.project import ProjectRepository
from src.repositories.task import TaskRepository
from src.services.project import ProjectService
from src.services.task import TaskService

# scope="function": the transaction is committed before the answer is sent.
SessionDep = Annotated[AsyncSession, Depends(get_db, scope="function")]


async def get_project_repository(db: SessionDep) -> ProjectRepository:
    """Storage of projects, within the request's transaction."""
    return ProjectRepository(db)


async def get_project_service(
    repository: Annotated[ProjectRepository, Depends(get_project_repository)],
) -> ProjectService:
    """What can be done with projects, within the request's transaction."""
    return ProjectService(repository)


ProjectServiceDep = Annotated[ProjectService, Depends(get_project_service)]


async def get_task_repository(db: SessionDep) -> TaskRepository:
    """Storage of tasks, within the request's transaction."""
    return TaskRepository(db)


async def get_task_service(
    repository: Annotated[TaskRepository, Depends(get_task_repository)],
) -> TaskService:
    """What can be done with tasks, within the request's transaction."""
    return TaskService(repository)


TaskServiceDep = Annotated[TaskService, Depends(get_task_service)]
