"""Calls endpoints whose dependencies are worked out once, not for each request.

FastAPI looks through everything that an endpoint depends on whenever it is called,
which takes longer than the call. A plan keeps what it finds. It covers what the routes
of entities are made of, and leaves the rest to FastAPI: a route that has more, and a
request that is not valid, whose 422 is then FastAPI's own. `dependency_overrides` hold
either way.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from fastapi.exceptions import ResponseValidationError
from fastapi.routing import RouteContext
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.api._http import JSONRoute, is_json
from src.core.rate_limit import enforce_before_body

Call = Callable[..., Any]

JSON = "application/json"
MISSING: Any = object()
COMPOUND = (BaseModel, dict, frozenset, list, set, tuple)
OPTIONS = ("include", "exclude", "exclude_unset", "exclude_defaults", "exclude_none")


class Uncovered(Exception):
    """The route or the request needs FastAPI itself."""


@dataclass(frozen=True)
class Parameter:
    """One value of the path or the query, as FastAPI declares it."""

    name: str
    source: str
    key: str
    field: Any

    @classmethod
    def of(cls, source: str, declared: Any) -> "Parameter":
        info = declared.field_info
        options = typing.get_args(info.annotation) or (info.annotation,)
        if typing.get_origin(info.annotation) not in (
            None,
            typing.Union,
            types.UnionType,
        ):
            raise Uncovered
        if any(isinstance(o, type) and issubclass(o, COMPOUND) for o in options):
            raise Uncovered
        if declared.validation_alias not in (None, declared.alias):
            raise Uncovered
        if info.validate_default:
            raise Uncovered
        return cls(declared.name, source, declared.alias, declared)

    def read(self, request: Request) -> Any:
        """Return the value, or the default of one that was not sent."""
        sent = getattr(request, self.source).get(self.key, MISSING)
        if sent is MISSING and not self.field.field_info.is_required():
            return self.field.default
        value, problems = self.field.validate(sent)
        if problems or sent is MISSING:
            raise Uncovered
        return value


@dataclass
class Step:
    """One call: a dependency, or at last the endpoint."""

    call: Call
    is_generator: bool
    parameters: list[Parameter]
    request_name: str | None
    response_name: str | None
    body_name: str | None
    results: dict[str, int] = field(default_factory=dict)  # places of earlier steps

    @classmethod
    def of(cls, dependant: Dependant) -> "Step":
        call, is_generator = _callable(dependant)
        sources = {"path_params": dependant.path_params}
        sources["query_params"] = dependant.query_params
        return cls(
            call,
            is_generator,
            [Parameter.of(s, item) for s, items in sources.items() for item in items],
            dependant.request_param_name,
            dependant.response_param_name,
            dependant.body_params[0].name if dependant.body_params else None,
        )


class Plan:
    """The calls that answer a request, each behind what it depends on."""

    def __init__(self, endpoint: Dependant, overrides: Mapping[Call, Call]) -> None:
        self.steps: list[Step] = []
        self._overrides = overrides
        self._places: dict[Call, int] = {}
        self._add(endpoint)
        self.takes_response = any(step.response_name for step in self.steps)

    def read(self, request: Request) -> list[dict[str, Any]]:
        """Return what the request itself holds for each step."""
        return [
            {item.name: item.read(request) for item in step.parameters}
            if step.parameters
            else {}
            for step in self.steps
        ]

    async def run(
        self, request: Request, response: Response | None, given: list[dict[str, Any]]
    ) -> Any:
        """Make the calls; return what the endpoint returned.

        Generators end here, the one that commits among them: before the answer.
        """
        results: list[Any] = []
        async with AsyncExitStack() as stack:
            for step, arguments in zip(self.steps, given, strict=True):
                for name, place in step.results.items():
                    arguments[name] = results[place]
                if step.request_name:
                    arguments[step.request_name] = request
                if step.response_name:
                    arguments[step.response_name] = response
                made = step.call(**arguments)
                entered = stack.enter_async_context(made) if step.is_generator else made
                results.append(await entered)
        return results[-1]

    def _add(self, dependant: Dependant) -> int:
        step = Step.of(dependant)
        for dependency in dependant.dependencies:
            place = self._place(dependency)
            if dependency.name is not None:
                step.results[dependency.name] = place
        self.steps.append(step)
        return len(self.steps) - 1

    def _place(self, dependency: Dependant) -> int:
        """Return the place of a dependency's step, which several may share."""
        call = dependency.call
        if call is None:
            raise Uncovered
        if dependency.use_cache and call in self._places:
            return self._places[call]
        if call in self._overrides:
            dependency = get_dependant(
                path=dependency.path or "",
                call=self._overrides[call],
                name=dependency.name,
                scope=dependency.scope,
            )
        place = self._places[call] = self._add(dependency)
        return place


def _callable(dependant: Dependant) -> tuple[Call, bool]:
    """Return what to call, and whether it is a generator."""
    call = dependant.call
    beyond = (
        dependant.header_params
        or dependant.cookie_params
        or dependant.websocket_param_name
        or dependant.http_connection_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
        or dependant.own_oauth_scopes
        or dependant.concurrency
        or len(dependant.body_params) > 1
    )
    if call is None or beyond:
        raise Uncovered
    if inspect.isasyncgenfunction(call) and dependant.scope == "function":
        return asynccontextmanager(call), True
    of_object = getattr(call, "__call__", None)  # noqa: B004 - such as HTTPBearer()
    if not any(map(inspect.iscoroutinefunction, (call, of_object))):
        raise Uncovered
    return call, False


class _Extra(Response):
    """What calls may set of the answer: its status, headers, cookies."""

    def __init__(self) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.status_code = 0  # until a call sets another


class DirectRoute:
    """Answers one route by its plan, or as FastAPI does."""

    def __init__(self, context: RouteContext) -> None:
        self._fallback: ASGIApp = context.app
        self._endpoint: Dependant = context.dependant
        self._body = context.body_field
        self._result = context.response_field
        self._status: int = context.status_code or 200
        self._plan = Plan(self._endpoint, {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body: bytes | None = None
        try:
            overrides = scope["app"].dependency_overrides
            plan = Plan(self._endpoint, overrides) if overrides else self._plan
            given = plan.read(request)
            if self._body is not None:
                if not is_json(request):
                    raise Uncovered
                await enforce_before_body(request)
                body = await request.body()
                self._give_body(plan, given, body)
        except Uncovered:
            return await self._fallback(scope, _replayed(body, receive), send)
        extra = _Extra() if plan.takes_response else None
        result = await plan.run(request, extra, given)
        await self._response(result, extra)(scope, receive, send)

    def _give_body(self, plan: Plan, given: list[dict[str, Any]], body: bytes) -> None:
        value, problems = self._body.validate(body)
        if problems:
            raise Uncovered
        for step, arguments in zip(plan.steps, given, strict=True):
            if step.body_name:
                arguments[step.body_name] = value

    def _response(self, result: Any, extra: Response | None) -> Response:
        if isinstance(result, Response):
            return result
        status = (extra.status_code if extra else 0) or self._status
        content = self._result and self._content(self._result, result)
        response = Response(content, status, media_type=JSON)
        if extra:
            response.raw_headers.extend(extra.raw_headers)
        return response

    @staticmethod
    def _content(declared: Any, result: Any) -> bytes:
        value, problems = declared.validate(result)
        if problems:
            raise ResponseValidationError(problems, body=result)
        content: bytes = declared.serialize_json(value)
        return content


def _replayed(body: bytes | None, receive: Receive) -> Receive:
    """Hand a body that was read already to whoever reads next."""
    if body is None:
        return receive
    message: Message | None = {"type": "http.request", "body": body}

    async def receive_again() -> Message:
        nonlocal message
        again, message = message, None
        return again or await receive()

    return receive_again


def direct_route(context: RouteContext) -> ASGIApp:
    """Return what answers a route: its plan where there can be one."""
    ordinary = (
        isinstance(context.original_route, JSONRoute)
        and isinstance(context.response_class, DefaultPlaceholder)
        and context.response_model_by_alias
        and not any(getattr(context, f"response_model_{name}") for name in OPTIONS)
        and context.max_body_size is None
        and (context.response_field is not None or context.status_code == 204)
    )
    try:
        return DirectRoute(context) if ordinary else context.app
    except Uncovered:
        app: ASGIApp = context.app
        return app
