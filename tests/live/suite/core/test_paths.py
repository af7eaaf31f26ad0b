"""Paths: slashes, HEAD, OPTIONS, 405 and preflights."""

import fastapi
import httpx2
from starlette.middleware import Middleware

from src.core.routing import UNMATCHED, route_table, route_template
from src.core.security import CORSMiddleware
from tests.conftest import client_of as client_of_app
from tests.core.probe import LAYERS, application, client_of, echo


async def test_paths_with_and_without_a_slash_are_the_same() -> None:
    async with client_of(*LAYERS) as client:
        for bare in ("/v1/things/x", "/slashed"):
            for path in (bare, f"{bare}/"):
                assert (await client.get(path)).status_code == 200
        assert (await client.get("/mounted/")).status_code == 404


async def test_a_prefix_that_a_proxy_adds_is_respected() -> None:
    app = application(*LAYERS)
    transport = httpx2.ASGITransport(app, root_path="/prefix")
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as client:
        assert (await client.get("/prefix/v1/things/x/")).status_code == 200
        refused = await client.delete("/prefix/v1/things/x")
    assert refused.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"


async def test_a_path_with_a_line_end_is_not_found() -> None:
    async with client_of(*LAYERS) as client:
        for path in ("/v1/things/x/%0A", "/slashed%0A", "/%0A", "/fail%0A"):
            answer = await client.get(path)
            assert (path, answer.status_code) == (path, 404)


async def test_an_encoded_slash_does_not_end_a_parameter() -> None:
    app = application(*LAYERS)
    app.add_api_route("/v1/things/{name}/parts", echo, methods=["GET"])
    app.add_api_route("/files/{name:path}", echo, methods=["GET"])
    async with client_of_app(app) as client:
        for path in ("/v1/things/x%2F", "/v1/things/x%2Fparts", "/v1%2fthings/x"):
            for method in ("GET", "PUT", "HEAD", "DELETE"):
                answer = await client.request(method, path)
                assert (path, answer.status_code) == (path, 404)
        assert (await client.get("/files/a%2Fb")).status_code == 200


async def test_head_is_get_without_a_body() -> None:
    async with client_of(*LAYERS) as client:
        answer = await client.head("/v1/things/x")
        expected = await client.get("/v1/things/x")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["Content-Length"] == expected.headers["Content-Length"]


async def test_options_and_405_name_every_method_of_the_path() -> None:
    async with client_of(*LAYERS) as client:
        options = await client.options("/v1/things/x")
        refused = await client.post("/v1/things/x")
        writes_only = await client.get("/body")
    assert (options.status_code, options.content) == (204, b"")
    assert refused.status_code == 405
    assert refused.json()["error"] == "method_not_allowed"
    assert options.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"
    assert refused.headers["Allow"] == options.headers["Allow"]
    assert writes_only.headers["Allow"] == "OPTIONS, POST"


async def test_a_route_that_is_added_later_is_known() -> None:
    app = application(*LAYERS)
    size = route_table(app).size
    app.add_api_route("/later", echo, methods=["GET"])
    assert route_table(app).size == size + 1
    assert route_table(app).at("/later")


async def test_a_route_that_an_included_router_gets_later_is_known() -> None:
    app = application(*LAYERS)
    router = fastapi.APIRouter()
    router.add_api_route("/late/{name}", echo, methods=["GET"])
    app.include_router(router, prefix="/v1")
    async with client_of_app(app) as client:
        assert (await client.get("/v1/late/x")).status_code == 200

        async def put(name: str) -> str:
            return name

        router.add_api_route("/late/{name}", put, methods=["PUT"])
        refused = await client.post("/v1/late/x")
        assert refused.status_code == 405
        assert refused.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"
        router.add_api_route("/later/{name}", put, methods=["PUT"])
        options = await client.options("/v1/later/x")
        assert options.headers["Allow"] == "OPTIONS, PUT"

        async def patch(name: str) -> str:
            return name

        router.add_api_route("/last/{name}", patch, methods=["PATCH"])
        assert (await client.patch("/v1/last/x")).status_code == 200
    scope = {"app": app, "endpoint": patch, "path": "/v1/last/x"}
    assert route_template(scope) == "/v1/last/{name}"


def test_a_mounted_application_does_not_rebuild_the_table() -> None:
    app = application(*LAYERS)
    table = route_table(app)
    scope = {"app": app, "endpoint": object(), "path": "/mounted/x"}
    assert route_template(scope) == UNMATCHED
    assert route_table(app) is table


def test_a_path_leads_to_its_routes_in_their_order() -> None:
    app = application(*LAYERS)
    app.add_api_route("/{any}/things/{name}", echo, methods=["GET"])
    app.add_api_route("/v1/things/{name}", echo, methods=["PATCH"])

    def templates(path: str) -> list[str]:
        return [place.template for place in route_table(app).at(path)]

    thing, any_thing = "/v1/things/{name}", "/{any}/things/{name}"
    assert templates("/v1/things/x") == [thing, thing, any_thing, thing]
    assert templates("/v2/things/x") == [any_thing]
    assert templates("/v1/things/x/y") == templates("/v1/other") == []


CORS = Middleware(
    CORSMiddleware,
    allow_origins=["https://app.test"],
    allow_methods=["GET", "PUT"],
    expose_headers=["X-Request-ID"],
)


async def test_a_preflight_from_an_allowed_origin_is_answered() -> None:
    headers = {
        "Origin": "https://app.test",
        "Access-Control-Request-Method": "PUT",
    }
    async with client_of(LAYERS[0], CORS, *LAYERS[1:]) as client:
        answer = await client.options("/v1/things/x", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test"


async def test_a_preflight_from_another_origin_has_no_cors_headers() -> None:
    headers = {
        "Origin": "https://evil.test",
        "Access-Control-Request-Method": "PUT",
    }
    async with client_of(LAYERS[0], CORS, *LAYERS[1:]) as client:
        answer = await client.options("/v1/things/x", headers=headers)
        plain = await client.options("/v1/things/x")
    assert answer.status_code == plain.status_code == 204
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


async def test_a_500_can_be_read_by_an_allowed_origin() -> None:
    async with client_of(LAYERS[0], CORS, *LAYERS[1:]) as client:
        answer = await client.get("/fail", headers={"Origin": "https://app.test"})
    assert answer.status_code == 500
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test"
