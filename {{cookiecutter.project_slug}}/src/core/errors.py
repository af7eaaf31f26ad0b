"""Every error of the service, and the one format in which they leave it.

ServiceError                      500  internal_server_error
├── NotFoundError                 404  resource_not_found
├── ConflictError                 409  conflict
├── InUseError                    409  resource_in_use
├── ReferenceNotFoundError        422  reference_not_found
├── InvalidError                  422  validation_error
├── UnsupportedMediaTypeError     415  unsupported_media_type
├── PayloadTooLargeError          413  payload_too_large
├── RateLimitExceededError        429  rate_limit_exceeded
└── UnavailableError              503  service_unavailable

An error carries its status, so no layer below the routes knows HTTP, and no route
holds an `if x is None`. The format is RFC 9457 (application/problem+json).
"""

import math
import socket
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import asyncpg
import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import Response

PROBLEM_JSON = "application/problem+json"
MAX_PROBLEMS = 50
MAX_NAME = 64


class ServiceError(Exception):
    """An error that its caller may see; extensions become members of the answer."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_server_error"
    default_message: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self,
        message: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extensions: object,
    ) -> None:
        self.message = message or self.default_message
        self.headers = dict(headers or {})
        self.extensions = extensions
        super().__init__(self.message)


class NotFoundError(ServiceError):
    """No row has this id, or none is there at all."""

    status = 404
    code = "resource_not_found"

    def __init__(self, resource: str, resource_id: object = None) -> None:
        name = resource.replace("_", " ").capitalize()
        if resource_id is None:
            super().__init__(f"{name} not found", resource=resource)
        else:
            super().__init__(
                f"{name} {resource_id} not found",
                resource=resource,
                resource_id=str(resource_id),
            )


class ConflictError(ServiceError):
    """Another row already has these values."""

    status = 409
    code = "conflict"

    def __init__(self, resource: str, fields: Sequence[str]) -> None:
        names = " and ".join(fields) or "value"
        super().__init__(
            f"Another {resource.replace('_', ' ')} has this {names}",
            resource=resource,
            fields=list(fields),
        )


class InUseError(ServiceError):
    """Other rows still refer to this one, and must not lose it."""

    status = 409
    code = "resource_in_use"
    default_message = "Other resources still refer to this one"


class ReferenceNotFoundError(ServiceError):
    """A relation's id does not exist."""

    status = 422
    code = "reference_not_found"

    def __init__(self, fields: Sequence[str]) -> None:
        names = " and ".join(fields) or "a relation"
        super().__init__(
            f"{names} refers to a resource that does not exist", fields=list(fields)
        )


class InvalidError(ServiceError):
    """The request breaks a rule of its schema or of the database."""

    status = 422
    code = "validation_error"
    default_message = "The request is invalid"


class UnsupportedMediaTypeError(ServiceError):
    """The body is not declared as JSON."""

    status = 415
    code = "unsupported_media_type"
    default_message = "Send the body as application/json"


class PayloadTooLargeError(ServiceError):
    """The body is larger than `max_body_size`."""

    status = 413
    code = "payload_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes", limit=limit)


class RateLimitExceededError(ServiceError):
    """The client has spent its budget; `retry_after` is in seconds."""

    status = 429
    code = "rate_limit_exceeded"
    default_message = "Too many requests"

    def __init__(self, retry_after: float, limit: str | None = None) -> None:
        extensions = {} if limit is None else {"limit": limit}
        super().__init__(
            headers={"Retry-After": str(max(1, math.ceil(retry_after)))}, **extensions
        )


class UnavailableError(ServiceError):
    """Something that the service needs does not answer; trying later may help."""

    status = 503
    code = "service_unavailable"
    default_message = "The service is unavailable for the moment"

    def __init__(self, message: str | None = None, retry_after: int = 1) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)})


def problem_response(error: ServiceError, request_id: str) -> Response:
    """Render an error; nothing but what the error itself says leaves the service."""
    return _problem(
        error.status,
        error.code,
        error.message,
        request_id,
        headers=error.headers,
        extensions=error.extensions,
    )


def _problem(
    status: int,
    code: str,
    message: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, object] | None = None,
) -> Response:
    body = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "error": code,
        "message": message,
        **(extensions or {}),
        "request_id": request_id,
    }
    return Response(
        orjson.dumps(body),
        status_code=status,
        headers=dict(headers or {}),
        media_type=PROBLEM_JSON,
    )


def invalid(
    problems: Sequence[Mapping[str, Any]], source: str = "body"
) -> InvalidError:
    """Turn Pydantic's problems into ours; the input is never echoed."""
    errors = []
    for problem in problems[:MAX_PROBLEMS]:
        location = [str(part)[:MAX_NAME] for part in problem["loc"]]
        place = source
        if location and location[0] in ("body", "query", "path", "header", "cookie"):
            place, *location = location
        errors.append(
            {
                "in": place,
                "field": "".join(f"/{_pointer(part)}" for part in location),
                "message": problem["msg"].removeprefix("Value error, "),
                "type": problem["type"],
            }
        )
    found = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return InvalidError(f"The request is invalid: {found}", errors=errors)


def _pointer(part: str) -> str:
    """Escape one step of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")


# Some come unwrapped: the driver's own, the pool's and the system's while connecting.
DATABASE_ERRORS: tuple[type[Exception], ...] = (
    DBAPIError,
    PoolTimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    EmulatedDBAPIException,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)

HTTP_CODES = {
    401: "unauthorized",
    403: "forbidden",
    404: "route_not_found",
    405: "method_not_allowed",
    413: PayloadTooLargeError.code,
    415: UnsupportedMediaTypeError.code,
    429: RateLimitExceededError.code,
    503: UnavailableError.code,
}


def request_id_of(request: Request) -> str:
    """The id that RequestIDMiddleware gave this request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


async def handle_service_error(request: Request, error: Exception) -> Response:
    """Render an error that a layer of the service raised."""
    assert isinstance(error, ServiceError)  # noqa: S101  # nosec B101
    return problem_response(error, request_id_of(request))


async def handle_validation_error(request: Request, error: Exception) -> Response:
    """Render what FastAPI or a schema found wrong with the request."""
    assert isinstance(error, RequestValidationError | ValidationError)  # noqa: S101  # nosec B101
    return problem_response(invalid(error.errors()), request_id_of(request))


async def handle_http_exception(request: Request, error: Exception) -> Response:
    """Render an HTTPException, the framework's own 404 and 405 among them."""
    assert isinstance(error, HTTPException)  # noqa: S101  # nosec B101
    detail: Any = error.detail  # Starlette says str, but hands on what it was given
    members: dict[str, Any] = dict(detail) if isinstance(detail, dict) else {}
    code = str(members.pop("error", HTTP_CODES.get(error.status_code, "http_error")))
    fallback = HTTPStatus(error.status_code).phrase
    message = members.pop("message", detail if isinstance(detail, str) else fallback)
    return _problem(
        error.status_code,
        code,
        str(message),
        request_id_of(request),
        headers=error.headers,
        extensions=members,
    )


async def handle_database_error(request: Request, error: Exception) -> Response:
    """Render what the database said, judged by its SQLSTATE."""
    from src.core.database_errors import translate

    return problem_response(translate(error), request_id_of(request))


def register_error_handlers(app: FastAPI) -> None:
    """Give every error of the service, and of what it builds on, the one format."""
    app.add_exception_handler(ServiceError, handle_service_error)
    app.add_exception_handler(RequestValidationError, handle_validation_error)
    app.add_exception_handler(HTTPException, handle_http_exception)
    for database_error in DATABASE_ERRORS:
        app.add_exception_handler(database_error, handle_database_error)
