"""A speed piece: finds the router of a path by its prefix instead of trying them all.

FastAPI asks one included router after the other, twice for each request: with fifty
entities that takes longer than everything else. This route stands before them and asks
the router with the path's prefix alone. Whatever it does not know is left to the others.

`dispatch_by_prefix(app)` in src/main.py is the line that switches it on.
"""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from src.core.routing import Key, first_segments, is_fixed, route_path

CHOSEN = "dispatched_to"  # in the scope, between `matches` and `handle`


class PrefixDispatcher(BaseRoute):
    """Stands for the included routers with a prefix of their own."""

    def __init__(self, entries: Mapping[Key, BaseRoute]) -> None:
        self.entries = entries

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Ask the router that the first segments of the path lead to."""
        if scope["type"] != "http":
            return Match.NONE, {}
        entry = self.entries.get(first_segments(route_path(scope)))
        if entry is None:
            return Match.NONE, {}
        match, child_scope = entry.matches(scope)
        return match, {**child_scope, CHOSEN: entry}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to the router that `matches` has found."""
        entry: BaseRoute = scope.pop(CHOSEN)
        await entry.handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """Leave names to the routers themselves."""
        raise NoMatchFound(name, dict(path_params))


def dispatch_by_prefix(app: FastAPI) -> None:
    """Put a dispatcher before the routers that are included so far."""
    routes = app.router.routes
    routes.insert(0, PrefixDispatcher(_entries(routes)))


def _entries(routes: Sequence[BaseRoute]) -> dict[Key, BaseRoute]:
    """Return the first entry of each prefix, up to one that may match any path."""
    entries: dict[Key, BaseRoute] = {}
    for route in routes:
        prefixes = {first_segments(c.path or "{") for c in iter_route_contexts([route])}
        if not all(is_fixed(prefix) for prefix in prefixes):
            break
        for prefix in prefixes:
            entries.setdefault(prefix, route)
    return entries
