"""The routers of the entities, and their tags in OpenAPI."""

from src.api.routes import projects, tasks

ROUTERS = [
    projects.router,
    tasks.router,
]

TAGS = [
    {
        "name": "projects",
        "description": "What tasks belong to; it may be led by one of them.",
    },
    {"name": "tasks", "description": "Operations on tasks."},
]
