"""Endpoint plans: what a client sees and what happens is the same with and without."""

import contextvars
import functools
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import fields, make_dataclass
from types import SimpleNamespace
from typing import Annotated, Any

import anyio.lowlevel
import fastapi._compat
import fastapi.dependencies.models
import fastapi.params
import httpx2
import pytest
import structlog
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Form,
    Header,
    HTTPException,
    Path,
    Query,
    Request,
    Response,
    Security,
    UploadFile,
    WebSocket,
    routing,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.routing import APIRoute, RouteContext
from fastapi.security import HTTPBearer, SecurityScopes
from pydantic import AfterValidator, BaseModel, Field, Json
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from src.api.endpoint_plans import PlannedRoutes, plan_endpoints
from src.api.error_handlers import handle_method_not_allowed
from src.api.http import StrictJSONRoute
from src.core.dispatch import dispatch_by_prefix

events: list[str] = []
current = contextvars.ContextVar("current", default="none")


class Thing(BaseModel):
    name: str = Field(max_length=9)
    size: int = 1


class Question(BaseModel, extra="forbid"):
    words: list[str] = []
    sort_by: str = Field("name", alias="sort", max_length=9)
    size: int | None = None


class ByName(BaseModel, validate_by_name=True):
    sort_by: str = Field("name", alias="sort")


class Packed(BaseModel):
    thing: Json[Thing] | None = None


def louder(question: Question) -> Question:
    return question.model_copy(update={"sort_by": question.sort_by.upper()})


class KnownError(Exception):
    """Has a handler."""


# Dependencies.


async def session(connection: HTTPConnection, fail: str = "") -> AsyncIterator[str]:
    events.append("session opened")
    token = current.set("session")
    try:
        yield f"session of {connection.scope['method']}"
        events.append("session committed")
        if fail == "commit":
            raise KnownError("commit")
    except BaseException as error:
        events.append(f"session rolled back: {type(error).__name__}")
        if fail == "translate":
            raise HTTPException(409, "translated") from error
        if fail == "swallow":
            return
        raise
    finally:
        current.reset(token)
        events.append("session closed")


async def audit(
    db: Annotated[str, Depends(session, scope="function")],
) -> AsyncIterator[str]:
    events.append("audit opened")
    try:
        yield "audit"
    finally:
        events.append(f"audit closed in {current.get()}")


SessionDep = Annotated[str, Depends(session, scope="function")]
AuditDep = Annotated[str, Depends(audit, scope="function")]


async def repository(db: SessionDep) -> str:
    events.append("repository")
    return f"repository on {db}"


async def service(
    repository: Annotated[str, Depends(repository)], db: SessionDep, audit: AuditDep
) -> str:
    events.append("service")
    return f"service of {repository}"


ServiceDep = Annotated[str, Depends(service)]


async def limit(request: Request, response: Response) -> None:
    events.append("limit")
    response.headers["X-Limit"] = "10"
    if "stop" in request.query_params:
        raise HTTPException(429, "slowly", headers={"Retry-After": "1"})


async def page(skip: int = 0, word: Annotated[str, Query(max_length=3)] = "all") -> str:
    events.append("page")
    return f"{skip} {word}"


async def until_the_end() -> AsyncIterator[str]:
    events.append("request scope opened")
    yield "request"
    events.append("request scope closed")


def in_a_thread() -> str:
    events.append("thread")
    return "thread"


def generator_in_a_thread() -> Iterator[str]:
    yield "generator"
    events.append("generator closed")


class Caller:
    async def __call__(self, request: Request) -> str:
        return request.method


def decorated(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        events.append("decorator")
        return await call(*args, **kwargs)

    return wrapper


async def scopes(security: SecurityScopes) -> list[str]:
    return security.scopes


# Endpoints that have a plan.


async def get_thing(
    thing_id: Annotated[int, Path(le=99)], service: ServiceDep, audit: AuditDep
) -> Thing:
    events.append(f"endpoint in {current.get()}")
    if thing_id == 1:
        raise KnownError("endpoint")
    if thing_id == 2:
        raise HTTPException(404, "none", headers={"X-None": "2"})
    if thing_id == 3:
        raise RuntimeError("unknown")
    if thing_id == 4:
        raise RequestValidationError([{"loc": ("own",), "msg": "own", "type": "own"}])
    return Thing(name=str(thing_id)) if thing_id != 5 else {"size": service}  # type: ignore[return-value]


async def list_things(
    page: Annotated[str, Depends(page)],
    service: ServiceDep,
    sizes: Annotated[list[int] | None, Query()] = None,
    agent: Annotated[str, Header(alias="X-Agent")] = "none",
    color: Annotated[str | None, Cookie()] = None,
) -> list[str]:
    return [page, service, str(sizes), agent, str(color)]


async def create_thing(
    data: Thing, service: ServiceDep, response: Response, request: Request
) -> Thing:
    response.headers["Location"] = f"/things/{data.name}"
    response.set_cookie("a", "1")
    response.set_cookie("b", (await request.body()).decode()[:1])
    if data.size > 1:
        response.status_code = data.size
    return data


async def delete_thing(thing_id: int, service: ServiceDep) -> None:
    events.append("deleted")


async def own_response(service: ServiceDep, response: Response) -> Response:
    response.headers["X-Lost"] = "1"
    return PlainTextResponse("own", 203)


async def several_models(data: list[Thing] | None = None) -> list[Thing]:
    return data or []


async def any_model(thing: Annotated[Thing, Query()]) -> Any:
    return thing


async def question(asked: Annotated[Question, Query()]) -> Question:
    return asked


async def question_and_page(
    asked: Annotated[Question, Query()], page: Annotated[str, Depends(page)]
) -> list[Any]:
    return [asked, page]


async def changed_question(
    asked: Annotated[Question, Query(), AfterValidator(louder)],
) -> Question:
    return asked


async def by_name(asked: Annotated[ByName, Query()]) -> ByName:
    return asked


async def packed(asked: Annotated[Packed, Query()]) -> Packed:
    return asked


async def optional(asked: Annotated[Thing | None, Query()] = None) -> Thing | None:
    return asked


PLANNED: dict[str, Callable[..., Any]] = {
    "GET /{thing_id}": get_thing,
    "GET ": list_things,
    "POST ": create_thing,
    "DELETE /{thing_id}": delete_thing,
    "PUT /own": own_response,
    "PUT /several": several_models,
    "PUT /model": any_model,
    "PUT /question": question,
    "PUT /question-and-page": question_and_page,
    "PUT /changed-question": changed_question,
    "PUT /by-name": by_name,
    "PUT /packed": packed,
    "PUT /optional": optional,
}

# Endpoints without one.


def sync(service: ServiceDep) -> str:
    return "sync"


async def thread(where: Annotated[str, Depends(in_a_thread)]) -> str:
    return where


async def threads(where: Annotated[str, Depends(generator_in_a_thread)]) -> str:
    return where


async def request_scope(
    db: SessionDep, end: Annotated[str, Depends(until_the_end)]
) -> str:
    return end


async def without_cache(
    one: Annotated[str, Depends(page)],
    two: Annotated[str, Depends(page, use_cache=False)],
) -> str:
    return one + two


async def security(
    found: Annotated[list[str], Security(scopes, scopes=["admin"])],
    token: Annotated[Any, Depends(HTTPBearer())],
) -> list[str]:
    return [*found, token.credentials]


async def tasks(tasks: BackgroundTasks, service: ServiceDep) -> str:
    tasks.add_task(events.append, "background task")
    return "tasks"


async def two_bodies(one: Thing, two: Thing) -> Thing:
    return one


async def embedded(one: Annotated[Thing, Body(embed=True)]) -> Thing:
    return one


async def same_name(
    word: Annotated[str, Query(max_length=1)], page: Annotated[str, Depends(page)]
) -> str:
    return word + page


async def lines() -> AsyncIterator[Thing]:
    yield Thing(name="1")
    yield Thing(name="2")


async def object_called(method: Annotated[str, Depends(Caller())]) -> str:
    return method


@decorated
async def wrapped(page: Annotated[str, Depends(page)]) -> str:
    return page


OTHERS: dict[str, Callable[..., Any]] = {
    "PATCH /sync": sync,
    "PATCH /thread": thread,
    "PATCH /threads": threads,
    "PATCH /request": request_scope,
    "PATCH /cache": without_cache,
    "PATCH /security": security,
    "PATCH /tasks": tasks,
    "PATCH /two": two_bodies,
    "PATCH /embedded": embedded,
    "PATCH /same": same_name,
    "PATCH /lines": lines,
    "PATCH /object": object_called,
    "PATCH /wrapped": wrapped,
}


def application(
    *, planned: bool, route_class: type[APIRoute] = StrictJSONRoute
) -> FastAPI:
    """Make an application of its own from all these endpoints."""
    router = APIRouter(prefix="/api/v1/things", route_class=route_class)
    for place, endpoint in {**OTHERS, **PLANNED}.items():
        method, _, path = place.partition(" ")
        statuses = {"POST": 201, "DELETE": 204}
        router.add_api_route(
            path, endpoint, methods=[method], status_code=statuses.get(method)
        )
    router.add_api_route(
        "/unset", any_model, methods=["PUT"], response_model_exclude_unset=True
    )
    router.add_api_websocket_route("/socket", socket)
    app = FastAPI(openapi_url=None, dependencies=[Depends(limit)])
    app.add_exception_handler(KnownError, handle_known)
    app.add_exception_handler(Exception, note_unknown)
    app.add_exception_handler(405, handle_method_not_allowed)
    app.include_router(router)
    dispatch_by_prefix(app)
    if planned:
        plan_endpoints(app)
    return app


@functools.cache
def shared(*, planned: bool, strict: bool) -> FastAPI:
    """Return an application that no test changes."""
    route_class = StrictJSONRoute if strict else APIRoute
    return application(planned=planned, route_class=route_class)


async def socket(websocket: WebSocket, db: SessionDep) -> None:
    raise NotImplementedError


async def handle_known(request: Request, error: Exception) -> Response:
    events.append(f"handler: {error}")
    body = (await request.body()).decode() if "body" in request.query_params else ""
    return PlainTextResponse(f"known {body}", 418)


async def note_unknown(request: Request, error: Exception) -> Response:
    events.append(f"handler: {type(error).__name__} {error}")
    return PlainTextResponse("unknown", 500)


async def seen(app: FastAPI, method: str, path: str, **sent: Any) -> Any:
    """Return what a client sees, and what happened in which order."""
    events.clear()

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            events.append(f"{message['type']} {message.get('status', '')}")
            await send(message)

        await app(scope, receive, note)

    transport = httpx2.ASGITransport(noting, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as client:
        answer = await client.request(method, f"/api/v1/things{path}", **sent)
    headers = sorted(answer.headers.multi_items())
    return answer.status_code, headers, answer.content, list(events)


JSON = {"Content-Type": "application/json"}
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    *(("GET", f"/{number}", {}) for number in range(7)),
    ("GET", "/100", {}),
    ("GET", "/x?stop=1", {}),
    ("GET", "/6?stop=1", {}),
    *(
        ("GET", f"/{n}?fail={how}", {})
        for how in ("commit", "translate")
        for n in (3, 6)
    ),
    ("GET", "/1?fail=swallow", {}),
    ("GET", "", {"headers": {"X-Agent": "tests", "Cookie": "color=red"}}),
    ("GET", "?skip=3&word=abc&sizes=1&sizes=2", {}),
    ("GET", "?skip=three&word=abcd&sizes=x", {}),
    ("POST", "", {"json": {"name": "a"}}),
    ("POST", "", {"json": {"name": "a", "size": 202}}),
    ("POST", "", {"json": {"name": "a", "size": 304}}),
    ("POST", "", {"json": {"name": "far too long"}}),
    ("POST", "?fail=commit", {"json": {"name": "a"}}),
    ("POST", "", {"content": b"", "headers": JSON}),
    ("POST", "", {"content": b"{", "headers": JSON}),
    ("POST", "", {"content": b'{"name": NaN}', "headers": JSON}),
    ("POST", "", {"content": b"{}"}),
    ("POST", "", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
    ("POST", "", {"data": {"name": "a"}}),
    ("PUT", "/several", {"json": [{"name": "a"}]}),
    ("PUT", "/several", {}),
    ("PUT", "/model?name=a&size=2", {}),
    ("PUT", "/model?size=2", {}),
    ("PUT", "/unset?name=a", {}),
    *(
        ("PUT", f"/{path}?{query}", {})
        for path in ("question", "question-and-page", "changed-question")
        for query in (
            "",
            "words=a&sort=b&size=1",
            "words=a&words=b",
            "sort=a&sort=b",
            "size=",
            "sort_by=a",
            "other=1",
            "sort=far-too-long&size=x",
        )
    ),
    *(("PUT", f"/by-name?{query}", {}) for query in ("", "sort=a", "sort_by=a")),
    *(("PUT", f"/packed?thing={value}", {}) for value in ("", '{"name":"a"}', "{}")),
    *(("PUT", f"/optional?{query}", {}) for query in ("", "name=a", "size=1")),
    ("PUT", "/own", {}),
    ("DELETE", "/6", {}),
    ("POST", "/6", {}),
    ("GET", "/6/7", {}),
    *(
        ("PATCH", f"/{w}", {})
        for w in ("sync", "thread", "threads", "request", "cache")
    ),
    *(("PATCH", f"/{w}", {}) for w in ("tasks", "lines", "object", "wrapped", "same")),
    ("PATCH", "/same?word=a", {}),
    ("PATCH", "/security", {"headers": {"Authorization": "Bearer me"}}),
    ("PATCH", "/two", {"json": {"one": {"name": "1"}, "two": {"name": "2"}}}),
    ("PATCH", "/embedded", {"json": {"one": {"name": "1"}}}),
]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(("method", "path", "sent"), REQUESTS)
async def test_answers_and_events_are_the_same_with_plans(
    method: str, path: str, sent: dict[str, Any], strict: bool
) -> None:
    planned = shared(planned=True, strict=strict)
    expected = await seen(shared(planned=False, strict=strict), method, path, **sent)
    assert await seen(planned, method, path, **sent) == expected


def planned_routes(app: FastAPI) -> PlannedRoutes:
    routes = app.router.routes[0]
    assert isinstance(routes, PlannedRoutes)
    return routes


def test_only_endpoints_that_are_covered_have_a_plan() -> None:
    plans = planned_routes(application(planned=True)).plans.values()
    endpoints = {plan.endpoint for plan in plans if plan}
    assert endpoints == set(PLANNED.values())
    assert not endpoints & set(OTHERS.values())


async def test_commits_come_before_the_response_is_sent() -> None:
    *_, happened = await seen(application(planned=True), "GET", "/6")
    assert happened == [
        "limit",
        "session opened",
        "repository",
        "audit opened",
        "service",
        "endpoint in session",
        "audit closed in session",
        "session committed",
        "session closed",
        "http.response.start 200",
        "http.response.body ",
    ]


def test_routes_of_other_classes_and_with_limits_have_no_plan() -> None:
    class OwnRoute(StrictJSONRoute):
        """May do anything with a request."""

    app = application(planned=True, route_class=OwnRoute)
    assert not any(planned_routes(app).plans.values())
    app = FastAPI()
    router = APIRouter()
    router.add_api_route("/limited", list_things, max_body_size=5)
    app.include_router(router)
    plan_endpoints(app)
    limited = [p for (k, _), p in planned_routes(app).plans.items() if "limited" in k]
    assert limited == [None]


def test_forms_and_uploads_have_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    async def form(name: Annotated[str, Form()]) -> str:
        return name

    async def upload(file: UploadFile) -> str:
        return (await file.read()).decode()

    parser = SimpleNamespace(__version__="1.0")  # needed by what is not called here
    monkeypatch.setitem(sys.modules, "python_multipart", parser)
    app = FastAPI(openapi_url=None)
    app.add_api_route("/form", form, methods=["POST"])
    app.add_api_route("/upload", upload, methods=["POST"])
    plan_endpoints(app)
    assert list(planned_routes(app).plans.values()) == [None, None]


async def test_a_mount_and_an_earlier_route_answer_first() -> None:
    async def text() -> str:
        return "app"

    def streamed() -> StreamingResponse:
        return StreamingResponse(iter([b"stream"]))

    def made(*, planned: bool) -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.add_api_route("/api/v1/things/first", streamed)
        app.add_api_route("/api/v1/things/{name}", text)
        sub = FastAPI(openapi_url=None)
        sub.add_api_route("/things/{one}/{two}", streamed)
        app.mount("/api/v1", sub)
        app.add_api_route("/api/v1/things/{one}/{two}", text)
        if planned:
            plan_endpoints(app)
        return app

    for path, expected in ("/first", b"stream"), ("/x", b'"app"'), ("/x/y", b"stream"):
        answer = await seen(made(planned=True), "GET", path)
        assert answer[2] == expected
        assert answer == await seen(made(planned=False), "GET", path)


async def test_path_convertors_and_route_in_the_scope() -> None:
    async def endpoint(number: float, request: Request) -> list[Any]:
        scope = request.scope
        return [
            number,
            scope["route"].path,
            scope["endpoint"].__name__,
            scope["path_params"],
        ]

    answers = []
    for planned in (True, False):
        app = FastAPI(openapi_url=None)
        router = APIRouter(prefix="/api/v1/things")
        router.add_api_route("/{number:float}", endpoint)
        app.include_router(router)
        if planned:
            plan_endpoints(app)
            assert all(planned_routes(app).plans.values())
        answers.append(await seen(app, "GET", "/1.5"))
        assert app.url_path_for("endpoint", number=2.5) == "/api/v1/things/2.5"
    assert answers[0] == answers[1]


async def test_exception_handlers_can_read_the_body_again() -> None:
    answers = [
        await seen(
            application(planned=planned, route_class=APIRoute),
            "POST",
            "?fail=commit&body=1",
            json={"name": "a"},
        )
        for planned in (True, False)
    ]
    assert answers[0] == answers[1]
    assert b"known {" in answers[0][2]


async def other_session() -> str:
    return "override"


async def test_overrides_go_to_fastapi() -> None:
    answers = []
    for planned in (True, False):
        app = application(planned=planned)
        app.dependency_overrides[session] = other_session
        answers.append(await seen(app, "GET", ""))
    assert answers[0] == answers[1]
    assert b"on override" in answers[0][2]


async def test_cancelled_requests_clean_up_as_with_fastapi() -> None:
    async def cleaning() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await anyio.lowlevel.checkpoint()  # would be cancelled
            events.append("cleaned")

    async def wait(end: Annotated[None, Depends(cleaning, scope="function")]) -> str:
        events.append("waiting")
        await anyio.sleep_forever()
        return ""

    happened = []
    for planned in (True, False):
        app = FastAPI(openapi_url=None)
        app.add_api_route("/api/v1/things/wait", wait)
        if planned:
            plan_endpoints(app)
        with anyio.move_on_after(0.05):
            await seen(app, "GET", "/wait")
        happened.append(list(events))
    assert happened == [["waiting", "cleaned"]] * 2


def replaced(call: Callable[..., Any]) -> Callable[..., Any]:
    async def tracer(*args: Any, **kwargs: Any) -> Any:
        events.append("traced")
        return await call(*args, **kwargs)

    return tracer


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("name", ["solve_dependencies", "run_endpoint_function"])
async def test_functions_that_a_tracer_replaces_are_called(
    monkeypatch: pytest.MonkeyPatch, name: str, early: bool
) -> None:
    app = None if early else application(planned=True)
    monkeypatch.setattr(routing, name, replaced(getattr(routing, name)))
    with structlog.testing.capture_logs() as logs:
        app = app or application(planned=True)
    assert len(logs) == early
    traced = await seen(app, "GET", "/6")
    assert "traced" in traced[-1]
    assert traced == await seen(application(planned=False), "GET", "/6")


async def test_telemetry_goes_to_fastapi(monkeypatch: pytest.MonkeyPatch) -> None:
    app = application(planned=True)
    scope = {"type": "http", "method": "GET", "path": "/api/v1/things/6"}
    assert planned_routes(app).matches(dict(scope))[0].name == "FULL"
    name = "src.api.endpoint_plans.get_telemetry_data"
    monkeypatch.setattr(name, lambda: "a request's data")
    assert planned_routes(app).matches(dict(scope))[0].name == "NONE"


def without_field() -> Any:
    names = [field.name for field in fields(fastapi.dependencies.models.Dependant)]
    return make_dataclass("Dependant", [name for name in names if name != "use_cache"])


def with_field() -> Any:
    names = [field.name for field in fields(fastapi.dependencies.models.Dependant)]
    return make_dataclass("Dependant", [*names, "novelty"])


def with_option() -> Any:
    handler = routing.get_request_handler

    def changed(*args: Any, **kwargs: Any) -> Any:
        return handler(*args, **kwargs)

    parameters = [*inspect.signature(handler).parameters.values()]
    novelty = inspect.Parameter("novelty", inspect.Parameter.KEYWORD_ONLY)
    changed.__signature__ = inspect.Signature([*parameters, novelty])  # type: ignore[attr-defined]
    changed.__module__ = handler.__module__
    return changed


def attribute_gone(name: str) -> Any:
    get = RouteContext.__getattr__

    def changed(self: RouteContext, wanted: str) -> Any:
        if wanted == name:
            raise AttributeError(name)
        return get(self, wanted)

    return changed


GONE: list[tuple[Any, str, Any]] = [
    (routing, "request_response", None),
    (routing, "get_request_handler", None),
    (routing, "solve_dependencies", None),
    (routing, "run_endpoint_function", None),
    (routing, "serialize_response", None),
    (fastapi.params, "Form", None),
    (fastapi._compat, "field_annotation_is_sequence", None),
    (fastapi.dependencies.models, "Dependant", None),
    (fastapi.dependencies.models, "Dependant", without_field()),
    (fastapi.dependencies.models, "Dependant", with_field()),
    (routing, "get_request_handler", with_option()),
    *(
        (RouteContext, "__getattr__", attribute_gone(name))
        for name in ("app", "body_field", "dependant", "max_body_size", "status_code")
    ),
]


@pytest.mark.parametrize(("owner", "name", "instead"), GONE)
async def test_without_a_part_of_fastapi_one_warning_says_so_and_fastapi_answers(
    owner: Any, name: str, instead: Any
) -> None:
    app = application(planned=False)
    with (
        pytest.MonkeyPatch.context() as patch,
        structlog.testing.capture_logs() as logs,
    ):
        if instead is None:
            patch.delattr(owner, name)
        else:
            patch.setattr(owner, name, instead)
        plan_endpoints(app)
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("endpoint_plans_not_possible", "warning")
    ]
    assert await seen(app, "GET", "/6") == await seen(
        application(planned=False), "GET", "/6"
    )
