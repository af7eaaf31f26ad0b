"""Looks up the template and the methods of a path in all routes of the application.

FastAPI does not copy included routers, so `scope["route"].path` has no prefix, and a 405
has the methods of only one route. Here all routes have their full paths.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.convertors import PathConvertor
from starlette.routing import Mount, compile_path
from starlette.types import Scope

UNMATCHED = "unmatched"  # one label for all paths that no route answers
DEPTH = 3  # /api/v1/tasks

Key = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A route with its full path."""

    endpoint: Callable[..., Any]
    template: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    takes_slashes: bool  # whether a parameter can have some, as in /{name:path}


class RouteTable:
    """The routes of an application, by the first segments of their paths."""

    def __init__(self, app: FastAPI) -> None:
        self.size = len(app.routes)
        self.count = 0  # with the routes of included routers
        self._mounts: list[re.Pattern[str]] = []
        self._by_endpoint: dict[Any, list[Place]] = {}
        places: list[Place] = []
        for context in iter_route_contexts(app.routes):
            self.count += 1
            if isinstance(context.original_route, Mount):
                self._mounts.append(context.path_regex)
            elif context.path and context.endpoint and context.methods:
                pattern, template, parameters = compile_path(context.path)
                methods = frozenset(context.methods)
                slashes = any(
                    isinstance(one, PathConvertor) for one in parameters.values()
                )
                places.append(
                    Place(context.endpoint, template, pattern, methods, slashes)
                )
        self._slashed = [
            place.pattern for place in places if place.template.endswith("/")
        ]
        keys = {first_segments(place.template) for place in places}
        self._index: dict[Key, list[Place]] = {k: [] for k in keys if is_fixed(k)}
        self._elsewhere: list[Place] = []
        for place in places:
            self._by_endpoint.setdefault(place.endpoint, []).append(place)
            near = self._index.get(first_segments(place.template))
            if near is not None:
                near.append(place)
                continue
            for found in (*self._index.values(), self._elsewhere):
                found.append(place)

    def at(self, path: str) -> list[Place]:
        """Return the routes that match a path, with any method."""
        near = self._index.get(first_segments(path), self._elsewhere)
        return [place for place in near if place.pattern.match(path)]

    def divides(self, path: str) -> bool:
        """Return whether a route matches a path by its slashes, encoded ones too."""
        return any(not place.takes_slashes for place in self.at(path))

    def knows(self, scope: Scope) -> bool:
        """Return whether the endpoint that handled the request is in the table."""
        endpoint = scope.get("endpoint")
        if endpoint is None or endpoint in self._by_endpoint:
            return True
        path = route_path(scope)  # a mounted application has routes of its own
        return any(pattern.match(path) for pattern in self._mounts)

    def template(self, scope: Scope) -> str:
        """Return the full template of the route that handled the request.

        If a middleware has responded instead, it is the template for the path.
        """
        places = self._by_endpoint.get(scope.get("endpoint"), [])
        if not places:
            places = self.at(self.canonical(route_path(scope)))[:1]
        if len(places) > 1:  # one function under several paths
            path = route_path(scope)
            places = [place for place in places if place.pattern.match(path)]
        return places[0].template if places else UNMATCHED

    def canonical(self, path: str) -> str:
        """Return the path with or without a trailing slash, as its route has it."""
        if not path.endswith("/") and not self._slashed:
            return path
        if any(pattern.match(path) for pattern in (*self._mounts, *self._slashed)):
            return path
        if any(pattern.match(f"{path}/") for pattern in self._slashed):
            return f"{path}/"
        return path.removesuffix("/") or "/"


def route_table(app: FastAPI, *, complete: bool = False) -> RouteTable:
    """Return the table of an application.

    It is rebuilt after a route or a router was added to the application. A route that was
    added to an included router is only noticed with `complete`, which counts all routes:
    that is too slow for every request.
    """
    table: RouteTable | None = getattr(app.state, "route_table", None)
    if (
        table is None
        or table.size != len(app.routes)
        or (complete and table.count != sum(1 for _ in iter_route_contexts(app.routes)))
    ):
        table = app.state.route_table = RouteTable(app)
    return table


def route_template(scope: Scope) -> str:
    """Return the full template of the route that handled the request."""
    table = route_table(scope["app"])
    if not table.knows(scope):
        table = route_table(scope["app"], complete=True)
    return table.template(scope)


def route_path(scope: Scope) -> str:
    """Return the path without the prefix that a proxy has added (root_path)."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def first_segments(path: str) -> Key:
    """Return the first segments of a path, in which most routes differ."""
    return tuple(path.split("/", DEPTH + 1)[1 : DEPTH + 1])


def is_fixed(key: Key) -> bool:
    """Return whether the first segments of a template have no parameter."""
    return not any("{" in segment for segment in key)


def allow(places: list[Place]) -> str:
    """Return the Allow header of a path: the methods of all its routes."""
    methods = frozenset[str]().union(*(place.methods for place in places))
    head = {"HEAD"} if "GET" in methods else set()
    return ", ".join(sorted({"OPTIONS"} | head | methods))
