"""Finds the router of a path by its first segments instead of trying them all.

FastAPI asks one included router after the other, twice a request: with many entities
that takes longer than everything else. This route stands before them and looks the
router up; what it does not know is left to the others, as if it were not there.
"""

from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from src.core.routing import route_path

DEPTH = 3  # /api/v1/tasks
CHOSEN = "dispatched_route"

Key = tuple[str, ...]


class Dispatcher(BaseRoute):
    """Stands for the routers whose paths are fixed in their first segments."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes
        self._size = 0
        self._index: dict[Key, list[BaseRoute]] = {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Ask the routers of this path only; the first full match wins."""
        if scope["type"] != "http":
            return Match.NONE, {}
        if self._size != len(self._routes):
            self._size = len(self._routes)
            self._index = _index(self._routes)
        best: tuple[Match, Scope] = Match.NONE, {}
        for route in self._index.get(_key(route_path(scope)), ()):
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                return match, {**child_scope, CHOSEN: route}
            if match is Match.PARTIAL and best[0] is Match.NONE:
                best = match, {**child_scope, CHOSEN: route}
        return best

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to the router that `matches` chose."""
        await scope[CHOSEN].handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """Leave names to the routes themselves."""
        raise NoMatchFound(name, dict(path_params))


def dispatch_by_prefix(app: FastAPI) -> None:
    """Put a dispatcher before the routes of an application."""
    app.router.routes.insert(0, Dispatcher(app.router.routes))


def _index(routes: Sequence[BaseRoute]) -> dict[Key, list[BaseRoute]]:
    """Index routers in their order, up to the first route that could match anything."""
    index: dict[Key, list[BaseRoute]] = {}
    for route in routes:
        if isinstance(route, Dispatcher):
            continue
        keys = {_key(context.path or "{") for context in iter_route_contexts([route])}
        if any("{" in segment for key in keys for segment in key):
            break
        for key in keys:
            index.setdefault(key, []).append(route)
    return index


def _key(path: str) -> Key:
    return tuple(path.split("/", DEPTH + 1)[1 : DEPTH + 1])
