"""The errors of the service, and the format of their responses.

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

Each error has its status, so services raise errors without using HTTP classes, and routes
need no `if x is None`. The format is RFC 9457 (application/problem+json).
"""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from starlette.responses import Response

PROBLEM_JSON = "application/problem+json"
MAX_PROBLEMS = 50
MAX_NAME = 64


class ServiceError(Exception):
    """An error that clients may see; extensions become members of the response."""

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
    """The requested resource does not exist."""

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
    """Another row already has these values, or another request changes the row."""

    status = 409
    code = "conflict"

    def __init__(
        self, resource: str, fields: Sequence[str], message: str | None = None
    ) -> None:
        names = " and ".join(fields) or "value"
        super().__init__(
            message or f"Another {resource.replace('_', ' ')} has this {names}",
            resource=resource,
            fields=list(fields),
        )


class InUseError(ServiceError):
    """The row cannot be deleted, because rows of `referrer` refer to it."""

    status = 409
    code = "resource_in_use"

    def __init__(self, referrer: str) -> None:
        super().__init__(
            f"It cannot be deleted while a {referrer.replace('_', ' ')} refers to it",
            referrer=referrer,
        )


class ReferenceNotFoundError(ServiceError):
    """The request refers to a resource that does not exist."""

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
    """The client has reached a rate limit; `retry_after` is in seconds."""

    status = 429
    code = "rate_limit_exceeded"
    default_message = "Too many requests"

    def __init__(self, retry_after: float, limit: str | None = None) -> None:
        extensions = {} if limit is None else {"limit": limit}
        super().__init__(
            headers={"Retry-After": str(max(1, math.ceil(retry_after)))}, **extensions
        )


class UnavailableError(ServiceError):
    """The service cannot respond now, but may be able to later."""

    status = 503
    code = "service_unavailable"
    default_message = "The service is temporarily unavailable"

    def __init__(
        self, message: str | None = None, retry_after: int = 1, **extensions: object
    ) -> None:
        headers = {"Retry-After": str(retry_after)}
        super().__init__(message, headers=headers, **extensions)


def problem_response(error: ServiceError, request_id: str) -> Response:
    """Return the response of an error; it contains only what the error says."""
    return render_problem(
        error.status,
        error.code,
        error.message,
        request_id,
        headers=error.headers,
        extensions=error.extensions,
    )


def render_problem(
    status: int,
    code: str,
    message: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, object] | None = None,
) -> Response:
    """Return a response in the format of all errors."""
    body = {
        **problem_members(status, code, message),
        **(extensions or {}),
        "request_id": request_id,
    }
    return Response(
        orjson.dumps(body),
        status_code=status,
        headers=dict(headers or {}),
        media_type=PROBLEM_JSON,
    )


def problem_members(status: int, code: str, message: str) -> dict[str, object]:
    """Return the members that every error has; `error` says more than a type would."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "error": code,
        "message": message,
    }


def invalid(
    problems: Sequence[Mapping[str, Any]], source: str = "body"
) -> InvalidError:
    """Return Pydantic's problems as one error, which never contains the input."""
    errors = []
    for problem in problems[:MAX_PROBLEMS]:
        location = [str(part)[:MAX_NAME] for part in problem["loc"]]
        if problem["type"] == "json_invalid":  # the position follows, in no field
            location = location[:1]
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
