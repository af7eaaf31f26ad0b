"""Dispatching by prefix: the same route answers as without it."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.routing import Match, NoMatchFound

from src.core.dispatch import dispatch_by_prefix
from tests.conftest import client_of

Answer = Callable[[], Coroutine[Any, Any, str]]


def answer(text: str) -> Answer:
    async def endpoint() -> str:
        return text

    return endpoint


def router(prefix: str, *routes: tuple[str, str, str]) -> APIRouter:
    made = APIRouter(prefix=prefix)
    for method, path, text in routes:
        made.add_api_route(path, answer(text), methods=[method])
    return made


def application() -> FastAPI:
    app = FastAPI(openapi_url=None)
    for made in (
        router("/v1/a/tasks", ("GET", "", "tasks"), ("GET", "/{id}", "task")),
        router("/v1/a/notes", ("GET", "/{id}", "note"), ("PUT", "/{id}", "put")),
        router("/v1/a/tasks", ("GET", "/{id}", "hidden"), ("PUT", "/{id}", "second")),
        router("/short", ("GET", "", "short")),
        router("", ("GET", "/{any}/a/tasks", "wild"), ("GET", "/{any}", "any")),
        router("/v1/a/later", ("GET", "", "later")),
    ):
        app.include_router(made)
    return app


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/a/tasks", "tasks"),
        ("GET", "/v1/a/tasks/1", "task"),
        ("GET", "/v1/a/notes/1", "note"),
        ("PUT", "/v1/a/notes/1", "put"),
        ("PUT", "/v1/a/tasks/1", "second"),
        ("GET", "/short", "short"),
        ("GET", "/v2/a/tasks", "wild"),
        ("GET", "/anything", "any"),
        ("GET", "/v1/a/later", "later"),
        ("DELETE", "/v1/a/tasks/1", 405),
        ("GET", "/v1/a/nothing", 404),
    ],
)
async def test_the_same_route_answers_with_and_without_the_dispatcher(
    method: str, path: str, expected: str | int
) -> None:
    plain, dispatched = application(), application()
    dispatch_by_prefix(dispatched)
    for app in (plain, dispatched):
        async with client_of(app) as client:
            got = await client.request(method, path)
        assert expected in (got.status_code, got.json())


def test_only_routers_that_no_earlier_route_can_shadow_are_looked_up() -> None:
    app = application()
    dispatch_by_prefix(app)
    dispatcher = app.router.routes[0]
    scope = {"type": "http", "method": "GET", "root_path": ""}
    assert dispatcher.matches({**scope, "path": "/v1/a/tasks"})[0] is Match.FULL
    assert dispatcher.matches({**scope, "path": "/v1/a/later"})[0] is Match.NONE


async def test_routes_that_are_added_later_are_found() -> None:
    app = FastAPI(openapi_url=None)
    dispatch_by_prefix(app)
    async with client_of(app) as client:
        assert (await client.get("/v1/a/late")).status_code == 404
        app.include_router(router("/v1/a/late", ("GET", "", "late")))
        assert (await client.get("/v1/a/late")).json() == "late"


async def test_websockets_and_names_are_left_to_the_routes() -> None:
    app = FastAPI(openapi_url=None)

    async def talk(socket: WebSocket) -> None:
        await socket.accept()

    app.add_api_websocket_route("/v1/a/socket", talk)
    app.add_api_route("/v1/a/named", answer("named"), name="named")
    dispatch_by_prefix(app)
    dispatcher = app.router.routes[0]
    assert dispatcher.matches({"type": "websocket"}) == (Match.NONE, {})
    with pytest.raises(NoMatchFound):
        dispatcher.url_path_for("named")
    assert app.url_path_for("named") == "/v1/a/named"
