"""The undocumented parts of FastAPI that endpoint plans use.

`Internals()` looks them up when the application is created. It raises one of MISSING if
something was removed or has changed; the application then works without plans.
"""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import fields
from typing import Any

from anyio import CancelScope
from anyio.lowlevel import checkpoint_if_cancelled
from fastapi.exceptions import ResponseValidationError

MISSING = (AttributeError, ImportError, TypeError)
# The fields of FastAPI's Dependant: parameters of each kind, arguments that get the
# request or the response, others that a plan covers, and those that no plan covers.
PARAMETERS = ["path_params", "query_params", "header_params", "cookie_params"]
PARAMETERS += ["body_params"]
REQUEST, RESPONSE = "*request", "*response"  # not valid as names of parameters
ARGUMENTS = {"request_param_name": REQUEST, "http_connection_param_name": REQUEST}
ARGUMENTS |= {"response_param_name": RESPONSE}
COVERED = {"call", "name", "path", "scope", "use_cache", "dependencies"}
OTHERS = {"websocket_param_name", "background_tasks_param_name", "concurrency"}
OTHERS |= {"security_scopes_param_name", "own_oauth_scopes", "parent_oauth_scopes"}
# Arguments of `get_request_handler` that are not attributes of a route.
NOT_OF_THE_ROUTE = {"dependant", "dependency_overrides_provider", "embed_body_fields"}
NOT_OF_THE_ROUTE |= {"form_limits"}


class Internals:
    """FastAPI's functions and classes that plans use."""

    def __init__(self) -> None:
        from fastapi import _compat, params, routing
        from fastapi.dependencies.models import Dependant

        self.form = params.Form
        self.is_list = _compat.field_annotation_is_sequence
        self.dependant = Dependant
        self.request_response = routing.request_response
        self.request_handler = routing.get_request_handler
        handler_arguments = inspect.signature(self.request_handler).parameters
        self.options = [*handler_arguments.keys() - NOT_OF_THE_ROUTE]
        self._routing = routing
        self._called_by_name = self._look_up()
        known = {*PARAMETERS, *ARGUMENTS} | COVERED | OTHERS
        if {field.name for field in fields(Dependant)} != known:
            raise TypeError("Dependant has other fields")
        for call in (
            self.request_response,
            self.request_handler,
            self.is_list,
            *self._called_by_name,
        ):
            if not call.__module__.startswith("fastapi.") or hasattr(
                call, "__wrapped__"
            ):
                raise TypeError(f"another package has replaced {call.__name__}")

    def are_replaced(self) -> bool:
        """Whether another package, such as a tracer, has replaced a function since."""
        return self._look_up() != self._called_by_name

    def _look_up(self) -> tuple[Callable[..., Any], ...]:
        """Return the functions that FastAPI looks up by their names for each request."""
        at = self._routing
        return at.solve_dependencies, at.run_endpoint_function, at.serialize_response


@asynccontextmanager
async def shielded(
    block: AbstractAsyncContextManager[Any], scope: CancelScope
) -> AsyncIterator[Any]:
    """Shield the code after a `yield` from cancellation, as FastAPI does."""
    was_shielded = scope.shield
    try:
        async with block as value:
            try:
                yield value
            finally:
                scope.shield = True
    finally:
        scope.shield = was_shielded
    await checkpoint_if_cancelled()


def name_endpoint(error: ResponseValidationError, endpoint: Any) -> None:
    """Name the endpoint instead of the plan in the error message."""
    error.endpoint_file = None
    with suppress(OSError, TypeError):
        error.endpoint_function = endpoint.__name__
        error.endpoint_line = inspect.getsourcelines(endpoint)[1]
        error.endpoint_file = inspect.getsourcefile(endpoint)
