"""A speed piece: resolves an endpoint's dependencies once, not for each request.

FastAPI resolves the dependencies of an endpoint for each request. A plan is the result:
the list of calls, in FastAPI's order. FastAPI's own request handler gets the plan in
place of the endpoint: a function with all the parameters and no dependencies. So all
parameters are validated before the first call; FastAPI validates those of a dependency
just before it calls the dependency. FastAPI looks for each parameter of a query model in
each request; a plan looks only at those that were sent.

An endpoint that needs more than plans cover has no plan. FastAPI itself handles a request
that is not valid, so the error is FastAPI's own. It also handles all requests while the
application has `dependency_overrides`, while FastAPI's telemetry is on, or while another
package has replaced a function of FastAPI.

`plan_endpoints(app)` in src/main.py switches it on.
"""

import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from anyio import CancelScope
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.telemetry import get_telemetry_data
from pydantic import BaseModel, Json, ValidationError
from starlette.datastructures import QueryParams, URLPath
from starlette.requests import Request
from starlette.routing import (
    BaseRoute,
    Match,
    NoMatchFound,
    Route,
    WebSocketRoute,
    compile_path,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.api.fastapi_internals import (
    ARGUMENTS,
    MISSING,
    OTHERS,
    PARAMETERS,
    REQUEST,
    RESPONSE,
    Internals,
    name_endpoint,
    shielded,
)
from src.api.http import StrictJSONRoute, respond_strictly
from src.core.dispatch import PrefixDispatcher
from src.core.logging import get_logger
from src.core.routing import route_path, route_table

BY_NAME = {"validate_by_name", "validate_by_alias", "populate_by_name"}
PLAN = "endpoint_plan"  # in the scope, between `matches` and `handle`
EXITS = "endpoint_plan_exits"  # in the scope, until the first call

logger = get_logger()


class NotCoveredError(Exception):
    """A plan does not cover the endpoint; FastAPI handles it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a dependency or, as the last step, of the endpoint."""

    call: Callable[..., Any]
    is_generator: bool
    values: list[tuple[str, str]]  # argument, name of the plan's parameter
    results: list[tuple[str, int]]  # argument, index of the step that returns it

    @classmethod
    def of(cls, dependant: Any, results: list[tuple[str, int]]) -> "Step":
        """Return the step of one call; raise NotCoveredError if it needs more."""
        call = dependant.call
        is_generator = (
            inspect.isasyncgenfunction(call) and dependant.scope == "function"
        )
        if (
            not (is_generator or inspect.iscoroutinefunction(call))
            or not inspect.isroutine(call)
            or hasattr(call, "__wrapped__")  # FastAPI inspects the wrapped function
            or any(getattr(dependant, name) for name in OTHERS)
        ):
            raise NotCoveredError
        values = [
            (f.name, f.name) for kind in PARAMETERS for f in getattr(dependant, kind)
        ]
        values += [
            (argument, name)
            for attribute, name in ARGUMENTS.items()
            if (argument := getattr(dependant, attribute))
        ]
        if is_generator:
            call = asynccontextmanager(call)
        return cls(call, is_generator, values, results)


@dataclass(frozen=True, slots=True)
class QueryModel:
    """A model of query parameters."""

    name: str  # of the plan's parameter
    model: type[BaseModel]
    lists: frozenset[str]  # the parameters that are lists

    @classmethod
    def of(cls, field: Any, internals: Internals) -> "QueryModel | None":
        """Return the model of a parameter; None if it is another one, or an unusual one."""
        model = field.field_info.annotation
        if (
            not isinstance(model, type)
            or not issubclass(model, BaseModel)
            or field.field_info.metadata
            or model.model_config.keys() & BY_NAME
        ):
            return None
        keys = {
            one.validation_alias or name: one
            for name, one in model.model_fields.items()
        }
        if any(
            not isinstance(key, str) or any(type(item) is Json for item in one.metadata)
            for key, one in keys.items()
        ):
            return None
        lists = [key for key, one in keys.items() if internals.is_list(one.annotation)]
        return cls(field.name, model, frozenset(map(str, lists)))

    def read(self, sent: QueryParams) -> BaseModel:
        """Return the model; raise RequestValidationError if FastAPI has to say why not."""
        pairs = sent.multi_items()
        values = {key: [value] if key in self.lists else value for key, value in pairs}
        if len(values) < len(pairs):
            raise RequestValidationError([])
        try:
            return self.model.model_validate(values)
        except ValidationError as error:
            raise RequestValidationError([]) from error


class Plan(Route):
    """Handles the requests of one route: each step comes after its dependencies."""

    def __init__(self, context: RouteContext, internals: Internals) -> None:
        route: Any = context.original_route
        if (
            type(route) not in (APIRoute, StrictJSONRoute)
            or context.max_body_size is not None
        ):
            raise NotCoveredError
        super().__init__(context.path or "", route.endpoint, methods=context.methods)
        self.route = route
        self.steps: list[Step] = []
        self._queries: list[QueryModel] = []
        self._internals = internals
        self._places: dict[Any, int] = {}
        self._flat = internals.dependant(
            call=self._call,
            path=context.dependant.path,
            request_param_name=REQUEST,
            response_param_name=RESPONSE,
        )
        self._add(context.dependant)
        self._check_endpoint(context, internals)
        self._fastapi: ASGIApp = context.app
        self._has_body = context.body_field is not None
        options = {name: getattr(context, name) for name in internals.options}
        self._handle = internals.request_handler(self._flat, **options)
        self.app = internals.request_response(self._answer)  # type: ignore[arg-type]

    def _add(self, dependant: Any) -> int:
        results = []
        for needed in dependant.dependencies:
            if not needed.use_cache:
                raise NotCoveredError
            key = (needed.call, needed.scope)  # FastAPI calls it once for each of these
            if key not in self._places:
                self._places[key] = self._add(needed)
            if needed.name is not None:
                results.append((needed.name, self._places[key]))
        self.steps.append(Step.of(dependant, results))
        for kind in PARAMETERS:
            fields = getattr(dependant, kind)
            if kind == "query_params":
                fields = self._without_models(fields)
            getattr(self._flat, kind).extend(fields)
        return len(self.steps) - 1

    def _without_models(self, fields: list[Any]) -> list[Any]:
        found = {one.name: QueryModel.of(one, self._internals) for one in fields}
        self._queries += [one for one in found.values() if one is not None]
        return [one for one in fields if found[one.name] is None]

    def _check_endpoint(self, context: RouteContext, internals: Internals) -> None:
        names = [f.name for kind in PARAMETERS for f in getattr(self._flat, kind)]
        names += [one.name for one in self._queries]
        body = [] if context.body_field is None else [context.body_field]
        if (
            len(names) != len(set(names))
            or self.steps[-1].is_generator  # a stream
            # With several fields, or `embed=True`, FastAPI combines them into another.
            or self._flat.body_params != body
            or any(isinstance(field.field_info, internals.form) for field in body)
        ):
            raise NotCoveredError

    async def _answer(self, request: Request) -> ASGIApp:
        # Dependencies with scope="function" end before the response is sent.
        with CancelScope() as cleanup:
            async with AsyncExitStack() as stack:
                request.scope[EXITS] = stack, cleanup
                if isinstance(self.route, StrictJSONRoute):
                    response = await respond_strictly(request, self._respond)
                else:
                    response = await self._respond(request)
        return response

    async def _respond(self, request: Request) -> ASGIApp:
        try:
            return await self._handle(request)
        except RequestValidationError:
            if request.scope.pop(EXITS, None) is None:  # raised by one of the calls
                raise
            body = await request.body() if self._has_body else None
            return _left_to(self._fastapi, body)
        except ResponseValidationError as error:
            name_endpoint(error, self.endpoint)
            raise

    async def _call(self, **values: Any) -> Any:
        """Make the calls of a valid request; return what the endpoint returns."""
        request = values[REQUEST]
        for query in self._queries:
            values[query.name] = query.read(request.query_params)
        stack, cleanup = request.scope.pop(EXITS)
        results: list[Any] = []
        for step in self.steps:
            arguments = {argument: values[name] for argument, name in step.values}
            for argument, place in step.results:
                arguments[argument] = results[place]
            made = step.call(**arguments)
            if step.is_generator:
                made = stack.enter_async_context(shielded(made, cleanup))
            results.append(await made)
        return results[-1]


def _left_to(app: ASGIApp, body: bytes | None) -> ASGIApp:
    """Return FastAPI's application of a route, with a body that was already read."""
    unread = [] if body is None else [body]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_again() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop()}
            return await receive()

        await app(scope, receive_again, send)

    return answer


class PlannedRoutes(BaseRoute):
    """A route in front of all others, which handles those that have a plan."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.plans: dict[tuple[str, str], Plan | None] = {}
        self._internals = Internals()
        for context in iter_route_contexts(app.router.routes):
            if isinstance(context.original_route, PrefixDispatcher | WebSocketRoute):
                continue
            if not context.path or not context.methods:
                break  # for example a mount, which may match the routes after it
            pattern = compile_path(context.path)[0].pattern
            plan = self._plan(context)
            for method in context.methods:
                self.plans.setdefault((pattern, method), plan)

    def _plan(self, context: RouteContext) -> Plan | None:
        try:
            return Plan(context, self._internals)
        except NotCoveredError:
            return None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the route that FastAPI would, if it has a plan."""
        if (
            scope["type"] != "http"
            or self.app.dependency_overrides
            or get_telemetry_data() is not None
            or self._internals.are_replaced()
        ):
            return Match.NONE, {}
        method = scope["method"]
        for place in route_table(self.app).at(route_path(scope)):
            if method in place.methods:
                plan = self.plans.get((place.pattern.pattern, method))
                if plan is None:
                    break
                match, child_scope = plan.matches(scope)
                return match, {**child_scope, "route": plan.route, PLAN: plan}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request to the plan that `matches` has found."""
        plan: Plan = scope.pop(PLAN)
        await plan.app(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """Raise NoMatchFound: the routes themselves build URLs."""
        raise NoMatchFound(name, dict(path_params))


def plan_endpoints(app: FastAPI) -> None:
    """Add plans for the routes that are included so far, in front of them."""
    try:
        routes = PlannedRoutes(app)
    except MISSING as error:
        logger.warning("endpoint_plans_not_possible", reason=str(error))
        return
    app.router.routes.insert(0, routes)
