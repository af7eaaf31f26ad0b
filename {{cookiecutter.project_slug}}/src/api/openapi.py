"""The OpenAPI document: what FastAPI derives, plus every error that can come."""

from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from src.api import _http as http
from src.api.routes import TAGS
from src.core.logging import get_logger
from src.models._types import BIGINT_MAX, BIGINT_MIN

logger = get_logger()

DOCUMENT = Path(__file__).parents[2] / "openapi.json"
BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
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
    """`tasks_create_task`: what a generated client calls the operation."""
    tag = str(route.tags[0]) if route.tags else "service"
    return f"{tag}_{route.name}".replace("-", "_")


def read_openapi(app: FastAPI, path: Path = DOCUMENT) -> dict[str, Any]:
    """Return the committed document; `make openapi` writes it.

    To build it takes seconds where there are hundreds of entities. That is done only
    where the file is missing, or knows nothing of a route that is being worked on.
    """
    try:
        document: dict[str, Any] = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return build_openapi(app)
    known = {path: set(methods) for path, methods in document["paths"].items()}
    if known != _operations(app):
        logger.warning("openapi_outdated", remedy="make openapi")
        return build_openapi(app)
    about = {"title": app.title, "version": app.version}
    document["info"] |= about | (
        {"description": app.description} if app.description else {}
    )
    return document


def _operations(app: FastAPI) -> dict[str, set[str]]:
    """The methods of each path that the document speaks of."""
    found: dict[str, set[str]] = {}
    for context in iter_route_contexts(app.routes):
        shown = isinstance(context.original_route, APIRoute)
        if shown and context.include_in_schema and context.path_format:
            methods = {method.lower() for method in context.methods or ()}
            found.setdefault(context.path_format, set()).update(methods)
    return found


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document of all routes; made once, before the first request."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=TAGS,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for replaced in ("HTTPValidationError", "ValidationError"):
        schemas.pop(replaced, None)
    schemas["Problem"] = PROBLEM
    _repair_integers(document)
    for path, operations in document["paths"].items():
        if path.startswith("/api/"):
            for method, operation in operations.items():
                _document_errors(method, operation)
    return document


def _repair_integers(node: Any) -> None:
    """Write bounds of integers as integers: FastAPI makes floats of them.

    2**63 - 1, the largest that the database holds, would read as 2**63.
    """
    if isinstance(node, dict):
        if node.get("type") == "integer":
            for key in BOUNDS & node.keys():
                node[key] = max(BIGINT_MIN, min(int(node[key]), BIGINT_MAX))
        for child in node.values():
            _repair_integers(child)
    elif isinstance(node, list):
        for child in node:
            _repair_integers(child)


def _document_errors(method: str, operation: dict[str, Any]) -> None:
    """Add the errors that any route of this kind can answer with."""
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
    for status in responses.keys() & {"429", "503"}:
        retry = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        responses[status]["headers"] = {"Retry-After": retry}
    operation["responses"] = dict(sorted(responses.items()))
