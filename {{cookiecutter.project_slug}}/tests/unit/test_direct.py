"""Endpoints called by plan: they answer as FastAPI does, whatever a route is made of."""

import uuid
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Header, Query, Request, Response

from src.api import _http as http
from src.api._direct import DirectRoute, direct_route
from src.core.config import Settings
from src.core.dispatch import CHOSEN, dispatch_by_prefix
from src.core.errors import NotFoundError, register_error_handlers
from src.core.rate_limit import Budgets, enforce_rate_limit
from src.core.routing import handle_method_not_allowed
from src.models._base import Schema

calls: list[str] = []


class Thing(Schema):
    """What the routes answer."""

    name: str
    size: int = 1


async def unit() -> AsyncIterator[str]:
    """A unit of work, as the session's transaction is one."""
    calls.append("begun")
    try:
        yield "unit"
        calls.append("committed")
    except NotFoundError:
        calls.append("rolled back")
        raise


Unit = Annotated[str, Depends(unit, scope="function")]


async def worker(unit: Unit, request: Request) -> str:
    return f"{unit} of {request.method}"


Worker = Annotated[str, Depends(worker)]


def in_a_thread() -> str:
    return "thread"


async def until_the_answer() -> AsyncIterator[str]:
    yield "request"


class Caller:
    """A dependency that is an object, as security schemes are."""

    async def __call__(self, request: Request) -> str:
        return request.headers.get("authorization", "nobody")


router = http.router("things", tag="things")


@router.get("/{thing_id}")
async def get_thing(thing_id: http.Id, worker: Worker, unit: Unit) -> Thing:
    if thing_id.int == 0:
        raise NotFoundError("thing", thing_id)
    return Thing(name=f"{thing_id} {worker} {unit}")


@router.get("")
async def list_things(
    size: int, word: Annotated[str | None, Query(alias="q", max_length=3)] = None
) -> list[Thing]:
    return [Thing(name=word or "none", size=size)]


@router.post("", status_code=201)
async def create_thing(
    data: http.Body[Thing], worker: Worker, response: Response
) -> Thing:
    response.headers["Location"] = f"/things/{data.name}"
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    if data.size > 1:
        response.status_code = 202
    return data


@router.delete("/{thing_id}", status_code=204)
async def delete_thing(thing_id: http.Id, worker: Worker, response: Response) -> None:
    calls.append("deleted")
    response.headers["X-Deleted"] = str(thing_id)


@router.put("/own")
async def answer_for_oneself(who: Annotated[str, Depends(Caller())]) -> Thing:
    return Response(who, status_code=203)  # type: ignore[return-value]


# What no plan covers.


@router.get("/by/header")
async def by_header(accept: Annotated[str, Header()]) -> Thing:
    return Thing(name=accept)


@router.get("/by/list")
async def by_list(size: Annotated[list[int], Query()]) -> Thing:
    return Thing(name=str(size))


@router.get("/by/model")
async def by_model(thing: Annotated[Thing, Query()]) -> Thing:
    return thing


@router.get("/by/thread")
async def by_thread(where: Annotated[str, Depends(in_a_thread)]) -> Thing:
    return Thing(name=where)


@router.get("/by/request")
async def by_request(how: Annotated[str, Depends(until_the_answer)]) -> Thing:
    return Thing(name=how)


@router.get("/by/task")
async def by_task(tasks: BackgroundTasks) -> Thing:
    tasks.add_task(calls.append, "afterwards")
    return Thing(name="task")


@router.get("/by/option", response_model_exclude_unset=True)
async def by_option() -> Thing:
    return Thing(name="option")


@router.post("/by/two")
async def by_two(one: Thing, two: Thing) -> Thing:
    return one


def application(limit: str = "1000/minute") -> FastAPI:
    app = FastAPI(openapi_url=None, dependencies=[Depends(enforce_rate_limit)])
    url = "postgresql+asyncpg://app@localhost/app"
    app.state.budgets = Budgets(Settings(database_url=url, rate_limit=limit))
    register_error_handlers(app)
    app.add_exception_handler(405, handle_method_not_allowed)
    app.include_router(router)
    return app


def planned(limit: str = "1000/minute") -> FastAPI:
    app = application(limit)
    dispatch_by_prefix(app, direct_route)
    return app


@pytest.fixture
def direct() -> FastAPI:
    """The application with plans."""
    return planned()


async def seen(app: FastAPI, method: str, path: str, **sent: Any) -> Any:
    """Return what a caller sees, and what happened."""
    calls.clear()
    transport = httpx2.ASGITransport(app)
    url = path if "://" in path else f"http://test/api/v1/things{path}"
    async with httpx2.AsyncClient(transport=transport) as client:
        answer = await client.request(method, url, **sent)
    headers = sorted(answer.headers.multi_items())
    return answer.status_code, headers, answer.content, list(calls)


JSON = {"Content-Type": "application/json"}
ID = uuid.UUID(int=1)


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("GET", f"/{ID}", {}),
        ("GET", f"/{uuid.UUID(int=0)}", {}),
        ("GET", "/nonsense", {}),
        ("GET", "?size=3", {}),
        ("GET", "?size=3&q=abc", {}),
        ("GET", "?size=3&size=4", {}),
        ("GET", "?size=three", {}),
        ("GET", "?size=3&q=abcd", {}),
        ("GET", "", {}),
        ("POST", "", {"json": {"name": "a"}}),
        ("POST", "", {"json": {"name": "a", "size": 2}}),
        ("POST", "", {"json": {"name": 5}}),
        ("POST", "", {"content": b"", "headers": JSON}),
        ("POST", "", {"content": b"{", "headers": JSON}),
        ("POST", "", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        ("DELETE", f"/{ID}", {}),
        ("PUT", "/own", {"headers": {"Authorization": "somebody"}}),
        ("PATCH", f"/{ID}", {}),
        ("GET", "/by/header", {"headers": {"Accept": "all"}}),
        ("GET", "/by/list?size=1&size=2", {}),
        ("GET", "/by/model?name=a&size=2", {}),
        ("GET", "/by/thread", {}),
        ("GET", "/by/request", {}),
        ("GET", "/by/task", {}),
        ("GET", "/by/option", {}),
        ("POST", "/by/two", {"json": {"one": {"name": "1"}, "two": {"name": "2"}}}),
    ],
)
async def test_the_answer_is_fastapis(
    direct: FastAPI, method: str, path: str, sent: dict[str, Any]
) -> None:
    expected = await seen(application(), method, path, **sent)
    assert await seen(direct, method, path, **sent) == expected


@pytest.mark.parametrize("has_plan", [True, False])
def test_plans_are_made_where_they_can_be(direct: FastAPI, has_plan: bool) -> None:
    dispatcher = direct.router.routes[0]
    covered = {"/things/x", "/things", "/things/own"}
    beyond = {f"/things/by/{what}" for what in ("header", "list", "model", "thread")}
    for path in covered if has_plan else beyond:
        for method in ("GET", "POST", "PUT", "DELETE"):
            scope = {"type": "http", "method": method, "path": f"/api/v1{path}"}
            _, child = dispatcher.matches(scope)
            if "route" in child:
                assert isinstance(child[CHOSEN], DirectRoute) is has_plan, (
                    method,
                    path,
                )


async def test_overrides_hold_and_have_dependencies_of_their_own(
    direct: FastAPI,
) -> None:
    async def other(
        request: Request, worker: Annotated[str, Depends(in_a_thread)]
    ) -> str:
        return f"other {worker}"

    async def fake_unit() -> AsyncIterator[str]:
        yield "fake"

    plain = application()
    for app in (direct, plain):
        app.dependency_overrides = {unit: fake_unit}
    answer = await seen(direct, "GET", f"/{ID}")
    assert b"fake of GET fake" in answer[2]
    assert answer == await seen(plain, "GET", f"/{ID}")
    for app in (direct, plain):
        app.dependency_overrides = {worker: other}
    answer = await seen(direct, "GET", f"/{ID}")
    assert b"other thread" in answer[2]
    assert answer == await seen(plain, "GET", f"/{ID}")


async def test_an_answer_that_is_not_as_declared_is_a_bug(direct: FastAPI) -> None:
    async def wrong() -> int:
        return 5

    local = http.router("wrong", tag="wrong")
    local.add_api_route("", wrong, response_model=Thing)
    direct.include_router(local)
    with pytest.raises(Exception, match="validation error"):
        await seen(direct, "GET", "http://test/api/v1/wrong")


class Untouched:
    """A body that nobody should read."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("somebody did")


@pytest.mark.parametrize("made", [application, planned])
@pytest.mark.parametrize(
    ("path", "status", "sent"),
    [
        ("", 201, {"json": {"name": "a"}}),
        ("", 422, {"json": {"name": 5}}),
        ("", 422, {"content": b"{", "headers": JSON}),
        ("", 415, {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        ("/by/two", 422, {"json": {"one": {"name": "1"}}}),
    ],
)
async def test_a_request_counts_once_and_a_refused_body_is_not_read(
    made: Callable[[str], FastAPI], path: str, status: int, sent: dict[str, Any]
) -> None:
    app = made("2/minute")
    for _ in range(2):
        assert (await seen(app, "POST", path, **sent))[0] == status
    over = await seen(app, "POST", path, content=Untouched(), headers=JSON)
    assert over[0] == 429


async def test_what_replaces_the_limit_is_called_once(direct: FastAPI) -> None:
    async def unlimited(request: Request) -> None:
        calls.append(f"unlimited {request.method}")

    plain = application()
    for app in (direct, plain):
        app.dependency_overrides = {enforce_rate_limit: unlimited}
    for name in ("a", 5):  # the second is FastAPI's to refuse
        answer = await seen(direct, "POST", "", json={"name": name})
        assert answer[-1].count("unlimited POST") == 1
        assert answer == await seen(plain, "POST", "", json={"name": name})
