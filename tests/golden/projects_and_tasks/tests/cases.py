"""Every entity as the tests need it: keys, values at their limits, relations."""

from src.models import schemas
from src.repositories import project as project_repository
from src.repositories import task as task_repository
from src.services import project as project_service
from src.services import task as task_service
from tests import factories, support

CASES = (
    support.Case(
        name="project",
        plural="projects",
        url="/api/v1/projects",
        factory=factories.ProjectFactory,
        create=schemas.ProjectCreate,
        update=schemas.ProjectUpdate,
        resource=schemas.Project,
        query=schemas.ProjectQuery,
        repository=project_repository.ProjectRepository,
        service=project_service.ProjectService,
        capacity=12,
        unique=[("name",)],
        indexes=[("created_at", "id"), ("updated_at", "id"), ("milestone_id", "id")],
        fields=[
            support.Field(
                "name",
                "string",
                required=True,
                accepted=["", "x" * 100, '"AT&T" isn\'t x < y; 50 % \\ 🙂'],
                refused=["x" * 101],
            ),
            support.Field(
                "budget",
                "decimal",
                accepted=["0.00", "9999999999.99", 0, 9999999999.99],
                refused=["-0.01", "10000000000", "-10000000000"],
                malformed=["0.001"],
                default="0.00",
            ),
            support.Field(
                "state",
                "enum",
                accepted=["open", "closed"],
                refused=["", "none of them"],
                default="open",
            ),
        ],
        references=[
            support.Reference(
                "milestone_id", "task", required=False, on_delete="set_null"
            )
        ],
        links=[],
    ),
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
        unique=[("project_id", "title")],
        indexes=[
            ("created_at", "id"),
            ("updated_at", "id"),
            ("due_at", "id"),
            ("project_id", "id"),
            ("project_id", "class", "created_at", "id"),
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
                "class", "integer", nullable=True, accepted=[1, 5], refused=[0, 6]
            ),
            support.Field("due_at", "datetime", nullable=True),
            support.Field(
                "notes",
                "text",
                nullable=True,
                accepted=["", '"AT&T" isn\'t x < y; 50 % \\ 🙂'],
            ),
        ],
        references=[
            support.Reference(
                "project_id",
                "project",
                required=True,
                on_delete="cascade",
                reverse="tasks",
            )
        ],
        links=[],
    ),
)
