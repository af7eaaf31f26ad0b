"""Every entity as the tests need it: keys, values at their limits, relations."""

from src.models import schemas
from src.repositories import task as task_repository
from src.services import task as task_service
from tests import factories, support

CASES = (
    support.Case(
        name="task",
        plural="tasks",
        url="/api/v1/tasks",
        factory=factories.TaskFactory,
        create=schemas.TaskCreate,
        update=schemas.TaskUpdate,
        resource=schemas.Task,
        query=schemas.TaskQuery,
        repository=task_repository.TaskRepository,
        service=task_service.TaskService,
        capacity=12,
        unique=[],
        indexes=[
            ("created_at", "id"),
            ("updated_at", "id"),
            ("title", "id"),
            ("completed", "id"),
        ],
        fields=[
            support.Field(
                "title",
                "string",
                required=True,
                accepted=["x", "x" * 200, '"AT&T" isn\'t x < y; 50 % \\ 🙂'],
                refused=["", "x" * 201],
            ),
            support.Field(
                "description",
                "text",
                nullable=True,
                accepted=["", "x" * 1000, '"AT&T" isn\'t x < y; 50 % \\ 🙂'],
                refused=["x" * 1001],
            ),
            support.Field("completed", "boolean", default=False),
        ],
        references=[],
        links=[],
    ),
)
