"""The OpenAPI document: FastAPI's, with the error responses added."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from src.api import http
from src.api.routes import TAGS

WRITING = {"post", "put", "patch", "delete"}

PROBLEM = {
    "title": "Problem",
    "description": "An error (RFC 9457). `error` is a stable code.",
    "type": "object",
    "required": ["title", "status", "error", "message", "request_id"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "error": {"type": "string", "examples": ["resource_not_found"]},
        "message": {"type": "string"},
        "request_id": {"type": "string"},
        "resource": {"type": "string"},
        "resource_id": {"type": "string"},
        "fields": {"type": "array", "items": {"type": "string"}},
        "limit": {"type": ["integer", "string"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["in", "field", "message", "type"],
                "properties": {
                    "in": {"enum": ["body", "query", "path", "header", "cookie"]},
                    "field": {"type": "string", "description": "A JSON pointer."},
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                },
            },
        },
    },
}


def operation_id(route: APIRoute) -> str:
    """Return the operation's id, such as `tasks_create_task`, for generated clients."""
    tag = str(route.tags[0]) if route.tags else "service"
    return f"{tag}_{route.name}".replace("-", "_")


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document of all routes; it is built once, when it is first needed.

    `app.openapi` is replaced by this: FastAPI documents it as "Extending OpenAPI".
    """
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=TAGS,
        )
        _document_errors(app.openapi_schema)
    return app.openapi_schema


def _document_errors(document: dict[str, Any]) -> None:
    """Add the schema of errors, and the errors of every route."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for replaced in ("HTTPValidationError", "ValidationError"):
        schemas.pop(replaced, None)
    schemas["Problem"] = PROBLEM
    for path, operations in document["paths"].items():
        if path.startswith("/api/"):
            for method, operation in operations.items():
                _add_common_errors(method, operation)


def _add_common_errors(method: str, operation: dict[str, Any]) -> None:
    """Add the errors that any route with this method can return."""
    responses = operation["responses"]
    statuses = {400, 408, 431, 500, 503}
    if "422" in responses:
        statuses.add(422)
    if method in WRITING:
        statuses |= {413, 429}
    if "requestBody" in operation:
        statuses.add(415)
    for status in statuses:
        responses[str(status)] = http.problem(status)
    operation["responses"] = dict(sorted(responses.items()))
