"""The exception handlers: the response for each kind of exception."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp

from src.core.database_errors import DATABASE_ERRORS, translate
from src.core.errors import (
    PayloadTooLargeError,
    RateLimitExceededError,
    ServiceError,
    UnavailableError,
    UnsupportedMediaTypeError,
    invalid,
    problem_response,
    render_problem,
)
from src.core.logging import get_logger, mark_logged
from src.core.rate_limit import enforce_rate_limit
from src.core.routing import allow, route_path, route_table
from src.core.security import DEFAULT_HEADERS, FIXED_HEADERS, with_cors

CLIENT_CLOSED_REQUEST = 499  # as nginx logs it
REFUSED_BODIES = (413, 415)  # raised before dependencies are called
OTHER_CODE = "http_error"  # of statuses that HTTP_CODES does not name
# Starlette's error if a handler has a response for an exception, such as a timeout, but
# another response has begun, such as a stream.
RESPONSE_STARTED = "Caught handled exception, but response already started."
HTTP_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "route_not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: PayloadTooLargeError.code,
    415: UnsupportedMediaTypeError.code,
    429: RateLimitExceededError.code,
    431: "header_too_large",
    503: UnavailableError.code,
}

logger = get_logger()


def register_error_handlers(app: FastAPI) -> None:
    """Register the handlers, so that all errors have the same format."""
    # Starlette calls the result of the handler, which may be any ASGI application.
    app.add_exception_handler(Exception, global_exception_handler)  # type: ignore[arg-type]
    app.add_exception_handler(ServiceError, handle_service_error)
    app.add_exception_handler(RequestValidationError, handle_invalid_request)
    app.add_exception_handler(HTTPException, handle_http_exception)
    app.add_exception_handler(405, handle_method_not_allowed)
    app.add_exception_handler(ClientDisconnect, handle_client_disconnect)
    for database_error in DATABASE_ERRORS:
        app.add_exception_handler(database_error, handle_database_error)


async def global_exception_handler(request: Request, error: Exception) -> ASGIApp:
    """Log an unhandled exception and return a 500.

    Starlette calls this outside of all middleware, so their headers are added here. It
    raises the exception again afterwards, so error trackers see it.
    """
    request_id = request_id_of(request)
    log = logger.bind(
        method=request.method, path=request.url.path, request_id=request_id
    )
    cause = error.__cause__
    if cause and str(error) == RESPONSE_STARTED:
        log.error("response_cut", reason=str(cause) or repr(cause))
    else:
        log.error(
            "unhandled_exception",
            exception_type=type(error).__name__,
            exception_message=str(error),
            exc_info=error,
        )
    mark_logged(error)  # the server need not log it once more
    response = problem_response(ServiceError(), request_id)
    response.headers.update(FIXED_HEADERS | DEFAULT_HEADERS)
    response.headers["X-Request-ID"] = request_id
    return with_cors(response, request.app.state.settings)


async def handle_service_error(request: Request, error: Exception) -> Response:
    """Return the response of an error that the service raised."""
    assert isinstance(error, ServiceError)  # noqa: S101  # nosec B101
    return problem_response(error, request_id_of(request))


async def handle_invalid_request(request: Request, error: Exception) -> Response:
    """Return a 422 with the problems that FastAPI found, or a 415.

    FastAPI validates the body before it calls dependencies, so the rate limit of an
    invalid request is checked here. If a body was not declared as JSON, `error.body` is
    bytes.
    """
    assert isinstance(error, RequestValidationError)  # noqa: S101  # nosec B101
    await enforce_rate_limit(request)
    if isinstance(error.body, bytes):
        return problem_response(UnsupportedMediaTypeError(), request_id_of(request))
    return problem_response(invalid(error.errors()), request_id_of(request))


async def handle_http_exception(request: Request, error: Exception) -> Response:
    """Return the response of an HTTPException, including Starlette's own 404 and 405."""
    assert isinstance(error, HTTPException)  # noqa: S101  # nosec B101
    if error.status_code in REFUSED_BODIES:
        await enforce_rate_limit(request)
    detail: Any = error.detail  # typed as str, but any value may be passed
    members: dict[str, Any] = dict(detail) if isinstance(detail, dict) else {}
    code = str(members.pop("error", HTTP_CODES.get(error.status_code, OTHER_CODE)))
    fallback = HTTPStatus(error.status_code).phrase
    message = members.pop("message", detail if isinstance(detail, str) else fallback)
    return render_problem(
        error.status_code,
        code,
        str(message),
        request_id_of(request),
        headers=error.headers,
        extensions=members,
    )


async def handle_method_not_allowed(request: Request, error: Exception) -> Response:
    """Return a 405 whose Allow header has all methods of the path."""
    table = route_table(request.app, complete=True)
    places = table.at(route_path(request.scope))
    headers = {"Allow": allow(places)}
    return await handle_http_exception(request, HTTPException(405, headers=headers))


async def handle_database_error(request: Request, error: Exception) -> Response:
    """Return the response for a database error; raise it again if it is a bug."""
    translated = translate(error)
    if type(translated) is ServiceError:
        raise error
    return problem_response(translated, request_id_of(request))


async def handle_client_disconnect(request: Request, error: Exception) -> Response:
    """Log that the client disconnected; the response is not read."""
    logger.info("client_disconnected", path=request.url.path)
    return Response(status_code=CLIENT_CLOSED_REQUEST)


def request_id_of(request: Request) -> str:
    """Return the request's id, as RequestIDMiddleware has set it."""
    return str(request.scope.get("state", {}).get("request_id", ""))
