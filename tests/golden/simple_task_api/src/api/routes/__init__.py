"""The routers of the entities, and their tags in OpenAPI."""

from src.api.routes import tasks

ROUTERS = [
    tasks.router,
]

TAGS = [
    {"name": "tasks", "description": "A unit of work."},
]
