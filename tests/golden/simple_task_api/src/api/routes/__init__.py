"""The routers of the entities, and what OpenAPI says of each."""

from src.api.routes import tasks

ROUTERS = [
    tasks.router,
]

TAGS = [
    {"name": "tasks", "description": "A unit of work."},
]
