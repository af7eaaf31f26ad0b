"""Finds the route of a path by its first segments instead of trying them all.

FastAPI asks one included router after the other, twice a request: with many entities
that takes longer than everything else. This route stands before them and looks the
route up; what it does not know is left to the others, as if it were not there.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

from fastapi import FastAPI, HTTPException
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from src.core.routing import Key, first_segments, is_fixed, route_path

CHOSEN = "dispatched_route"
TRACED = "fastapi.telemetry"  # in the scope when FastAPI's own tracing is on


class Entry(NamedTuple):
    """A route with its full path, and what answers it."""

    matches: Callable[[Scope], tuple[Match, Scope]]
    app: ASGIApp
    route: BaseRoute


class Dispatcher(BaseRoute):
    """Stands for the routes whose paths are fixed in their first segments."""

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        answering: Callable[[RouteContext], ASGIApp],
    ) -> None:
        self._routes = routes
        self._answering = answering
        self._size = 0
        self._index: dict[Key, list[Entry]] = {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Ask the routes of this path only; the first full match wins."""
        if scope["type"] != "http" or TRACED in scope:
            return Match.NONE, {}
        if self._size != len(self._routes):
            self._size = len(self._routes)
            self._index = self._make_index()
        partial: tuple[Match, Scope] = Match.NONE, {}
        for entry in self._index.get(first_segments(route_path(scope)), ()):
            match, child_scope = entry.matches(scope)
            if match is Match.FULL:
                found = {"route": entry.route, CHOSEN: entry.app}
                return match, {**child_scope, **found}
            if match is Match.PARTIAL:
                partial = match, {**child_scope, CHOSEN: _refuse_method}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to the route that `matches` chose."""
        await scope[CHOSEN](scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """Leave names to the routes themselves."""
        raise NoMatchFound(name, dict(path_params))

    def _make_index(self) -> dict[Key, list[Entry]]:
        """Index routes in their order, up to the first that could match anything."""
        index: dict[Key, list[Entry]] = {}
        for context in iter_route_contexts(
            [route for route in self._routes if route is not self]
        ):
            key = first_segments(context.path or "{")
            is_plain = isinstance(context.original_route, APIRoute)
            if not is_plain or not is_fixed(key):
                break
            app = self._answering(context)
            entry = Entry(context.matches, app, context.original_route)
            index.setdefault(key, []).append(entry)
        return index


def dispatch_by_prefix(
    app: FastAPI,
    answering: Callable[[RouteContext], ASGIApp] = attrgetter("app"),
) -> None:
    """Put a dispatcher before the routes of an application.

    `answering` tells what answers a route; unless it is given, what FastAPI made.
    """
    app.router.routes.insert(0, Dispatcher(app.router.routes, answering))


async def _refuse_method(scope: Scope, receive: Receive, send: Send) -> None:
    raise HTTPException(405)
