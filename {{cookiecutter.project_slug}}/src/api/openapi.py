"""The OpenAPI document: FastAPI's, with errors, headers and short operation ids added."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from src.api import http
from src.api.error_handlers import HTTP_CODES, OTHER_CODE
from src.api.routes import TAGS
from src.core.config import Settings
from src.core.errors import PROBLEM_JSON, ServiceError

WRITING = {"post", "put", "patch", "delete"}
ROUTES_AT_ONCE = 25  # routers, as the routes of an application are
NEVER_REJECTED = ("/health/", "/metrics/")  # not even under overload
SYSTEM_TAGS = [
    {"name": "health", "description": "Whether the process runs and is ready."},
    {"name": "metrics", "description": "Metrics for Prometheus."},
]
REQUEST_ID = {
    "description": "The id of the request, as in logs and errors.",
    "schema": {"type": "string"},
}

_TEXT = {"type": "string"}
_MEMBERS = {
    "type": {
        "type": "string",
        "format": "uri-reference",
        "description": "about:blank, unless the error has a page of its own.",
    },
    "title": _TEXT,
    "status": {"type": "integer", "format": "int32"},
    "detail": {"type": "string", "description": "What is wrong with this request."},
    "error": {"$ref": "#/components/schemas/ErrorCode"},
    "message": {"type": "string", "description": "The same as `detail`."},
    "request_id": _TEXT,
}
_FIELDS = {"type": "array", "items": _TEXT, "description": "The keys concerned."}
PROBLEM = {
    "title": "Problem",
    "description": "An error (RFC 9457). `error` is a stable code.",
    "type": "object",
    "required": [*_MEMBERS],
    "properties": {
        **_MEMBERS,
        "resource": _TEXT,
        "resource_id": _TEXT,
        "referrer": _TEXT,
        "fields": _FIELDS,
        "limit": {"type": ["integer", "string"]},
        "checks": {"type": "object", "additionalProperties": _TEXT},
    },
}
VALIDATION_PROBLEM = {
    "title": "ValidationProblem",
    "description": "The request is invalid: `errors` says where, or `fields` names the "
    "references to resources that do not exist.",
    "type": "object",
    "required": [*_MEMBERS],
    "properties": {
        **_MEMBERS,
        "fields": _FIELDS,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["in", "field", "message", "type"],
                "properties": {
                    "in": {
                        "type": "string",
                        "enum": ["body", "query", "path", "header", "cookie"],
                    },
                    "field": {"type": "string", "description": "A JSON pointer."},
                    "message": _TEXT,
                    "type": _TEXT,
                },
            },
        },
    },
}


def operation_id(route: APIRoute) -> str:
    """Return a unique id, such as `tasks_create_task`; the document shortens it."""
    return f"{_prefix(route.tags)}{route.name}".replace("-", "_")


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document of all routes; it is built once, when it is first needed.

    `app.openapi` is replaced by this: FastAPI documents it as "Extending OpenAPI".
    """
    if app.openapi_schema is None:
        app.openapi_schema = _build(app, app.state.settings)
    return app.openapi_schema


def _build(app: FastAPI, settings: Settings) -> dict[str, Any]:
    named = {tag["name"] for tag in TAGS}
    # FastAPI caches the fields of 128 query models, and needs those of a document twice.
    documents = [
        get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes[start : start + ROUTES_AT_ONCE],
            tags=TAGS + [tag for tag in SYSTEM_TAGS if tag["name"] not in named],
            servers=[{"url": url} for url in settings.servers or ["/"]],
        )
        for start in range(0, len(app.routes), ROUTES_AT_ONCE)
    ]
    document = documents[0]
    for other in documents[1:]:
        document["paths"] |= other["paths"]
        schemas = other.get("components", {}).get("schemas", {})
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
    contact = {"name": settings.contact_name, "email": settings.contact_email}
    if any(contact.values()):
        document["info"]["contact"] = {k: v for k, v in contact.items() if v}
    if settings.license:
        name = settings.license.removeprefix("LicenseRef-")
        document["info"]["license"] = {"name": name, "identifier": settings.license}
    document["tags"] = _used_tags(document)
    document.setdefault("security", [])  # none, unless a route has its own
    _shorten_operation_ids(document)
    _document_parameters(document, settings)
    _document_errors(document)
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield the path, the method and the document of each operation."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _document_parameters(document: Mapping[str, Any], settings: Settings) -> None:
    """Say what FastAPI cannot know of query parameters."""
    for _, _, operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            if parameter["in"] == "query":
                schema.pop("title", None)  # its name again: "Created At  Gte"
            if schema.get("default", ...) in (None, []):
                del schema["default"]  # it may be left out, and is never null or empty
            if schema.get("type") == "array":
                parameter["explode"] = False  # a,b
            if parameter["in"] == "query" and parameter["name"] == "limit":
                schema.setdefault("maximum", settings.max_page_size)


def _used_tags(document: Mapping[str, Any]) -> list[Any]:
    """Return the tags that an operation has: an entity may have no routes."""
    used = {tag for _, _, one in _operations(document) for tag in one.get("tags", ())}
    return [tag for tag in document["tags"] if tag["name"] in used]


def _prefix(tags: Any) -> str:
    return f"{tags[0]}_" if tags else "service_"


def _shorten_operation_ids(document: Mapping[str, Any]) -> None:
    """Remove the tag where the name of the function is unique: `create_task`."""
    names: dict[str, str] = {}
    for _, _, operation in _operations(document):
        prefix = _prefix(operation.get("tags")).replace("-", "_")
        whole = operation["operationId"]
        names[whole] = whole.removeprefix(prefix)
    counts = Counter([*names, *names.values()])
    for _, _, operation in _operations(document):
        name = names[operation["operationId"]]
        if counts[name] == 1:
            operation["operationId"] = name


def _document_errors(document: dict[str, Any]) -> None:
    """Add the schemas of errors, the errors of every route, and common headers."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    if "detail" in schemas.get("HTTPValidationError", {}).get("properties", {}):
        del schemas["HTTPValidationError"], schemas["ValidationError"]  # FastAPI's
    codes = {"title": "ErrorCode", "type": "string", "enum": sorted(_error_codes())}
    added = {"ErrorCode": codes, "Problem": PROBLEM}
    added["ValidationProblem"] = VALIDATION_PROBLEM
    # An entity may be called Problem, too.
    references = {
        f"{http.SCHEMAS}/{name}": f"{http.SCHEMAS}/{name}{'_' * (name in schemas)}"
        for name in added
    }
    for reference, schema in zip(references.values(), added.values(), strict=True):
        name = reference.removeprefix(f"{http.SCHEMAS}/")
        schemas[name] = _with_references(schema, references)
    document["components"]["headers"] = {"RequestID": REQUEST_ID}
    request_id = {"X-Request-ID": {"$ref": "#/components/headers/RequestID"}}
    for path, method, operation in _operations(document):
        _add_common_errors(path, method, operation)
        for response in operation["responses"].values():
            response["headers"] = request_id | response.get("headers", {})
            content = response.get("content", {})
            if PROBLEM_JSON in content:
                problem = _with_references(content[PROBLEM_JSON], references)
                content[PROBLEM_JSON] = problem


def _with_references(value: Any, references: Mapping[str, str]) -> Any:
    """Return a copy of a part of the document, with other references."""
    if isinstance(value, list):
        return [_with_references(item, references) for item in value]
    if not isinstance(value, dict):
        return value
    copied = {key: _with_references(item, references) for key, item in value.items()}
    if "$ref" in copied:
        copied["$ref"] = references.get(copied["$ref"], copied["$ref"])
    return copied


def _error_codes() -> set[str]:
    """Return the codes of all errors, also of subclasses of ServiceError in src/."""
    codes = {OTHER_CODE, *HTTP_CODES.values()}
    classes = [ServiceError]
    for one in classes:  # the list grows while it is read
        classes += one.__subclasses__()
        if one.__module__.startswith("src."):
            codes.add(one.code)
    return codes


def _add_common_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add the errors that any route with this method can return."""
    responses = operation["responses"]
    statuses = {400, 408, 431, 500}
    if not path.startswith(NEVER_REJECTED):
        statuses.add(503)
    if "422" in responses:
        statuses.add(422)
    if method in WRITING:
        statuses |= {413, 429}
    if "requestBody" in operation:
        statuses.add(415)
    for status in statuses:
        responses[str(status)] = http.problem(status)
    operation["responses"] = dict(sorted(responses.items()))
