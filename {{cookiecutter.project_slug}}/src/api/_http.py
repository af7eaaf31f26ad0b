"""What every route shares: strict JSON bodies, paging, and documented errors."""

import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar

import fastapi
import pydantic
from fastapi.routing import APIRoute
from pydantic_core import PydanticCustomError, core_schema
from starlette.requests import Request
from starlette.responses import Response

from src.core.errors import PROBLEM_JSON, UnsupportedMediaTypeError
from src.core.rate_limit import enforce_before_body, enforce_rate_limit
from src.models._base import Resource
from src.models._types import BIGINT_MAX
from src.repositories._paging import CURSOR_PATTERN, Cursor
from src.services._base import Creation, Paging

SchemaT = TypeVar("SchemaT", bound=pydantic.BaseModel)
ResourceT = TypeVar("ResourceT", bound=Resource)

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class _FromJSON:
    """Validate the body's bytes in Pydantic's JSON mode.

    FastAPI validates parsed Python objects, where a strict schema refuses what JSON
    can only say as a string: a UUID, a date, a decimal. The JSON schema, and with it
    OpenAPI, stays that of the model.
    """

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[pydantic.BaseModel], handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        def parse(value: Any, _: Any) -> pydantic.BaseModel:
            return source.model_validate_json(value)

        return core_schema.no_info_wrap_validator_function(parse, handler(source))


Body = Annotated[SchemaT, _FromJSON]


class _RawBodyRequest(Request):
    """Hands the body on as it came: the schema reads the JSON itself, once."""

    async def json(self) -> Any:
        return await self.body()


class JSONRoute(APIRoute):
    """A route whose body must be declared as JSON and is parsed strictly."""

    def get_route_handler(
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def handle_json(request: Request) -> Response:
            if not is_json(request):
                await enforce_rate_limit(request)
                raise UnsupportedMediaTypeError()
            await enforce_before_body(request)
            return await handle(_RawBodyRequest(request.scope, request.receive))

        return handle_json


def is_json(request: Request) -> bool:
    """Whether the body is declared as plain JSON, which is UTF-8 and not compressed."""
    declared = request.headers.get("content-type", "").replace(" ", "").lower()
    media_type, _, parameters = declared.partition(";")
    return (
        media_type == "application/json"
        and parameters.replace('"', "") in ("", "charset=utf-8")
        and request.headers.get("content-encoding", "identity") == "identity"
    )


def router(path: str, tag: str) -> fastapi.APIRouter:
    """Return the router of one resource, at /api/v1/<path>."""
    return fastapi.APIRouter(
        prefix=f"/api/v1/{path}", tags=[tag], route_class=JSONRoute
    )


def _written_as(pattern: str, advice: str) -> pydantic.BeforeValidator:
    """Refuse the other ways to write a value: 5.0, +5, 1_0 and yes."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(pattern, value):
            raise PydanticCustomError("query_value", advice)
        return value

    return pydantic.BeforeValidator(check)


_Number = _written_as("-?[0-9]+", "Write a whole number")
_Flag = _written_as("true|false", "Write true or false")


async def _paging(
    # The rule of the form stands last: around bounds, which OpenAPI would lose inside.
    skip: Annotated[
        int,
        fastapi.Query(ge=0, le=BIGINT_MAX, description="How many to leave out."),
        _Number,
    ] = 0,
    limit: Annotated[
        int,
        fastapi.Query(ge=1, le=100, description="How many to answer at most."),
        _Number,
    ] = 20,
    after: Annotated[
        str | None,
        fastapi.Query(
            pattern=CURSOR_PATTERN,
            description="The `next` of the page before: what `skip` does, as fast at "
            "any depth. With both, `skip` counts from there.",
        ),
    ] = None,
    total: Annotated[
        bool, fastapi.Query(description="Whether to count all there are."), _Flag
    ] = True,
) -> Paging:
    cursor = None if after is None else Cursor.decode(after)
    return Paging(skip, limit, cursor, total)


PageQuery = Annotated[Paging, fastapi.Depends(_paging)]


def _check_id(value: Any) -> Any:
    """Refuse the other ways to write a UUID: a resource has one URL."""
    if isinstance(value, str) and not _UUID.fullmatch(value):
        raise PydanticCustomError(
            "uuid_parsing", "Write the id as 0190d1e2-3f4a-7b5c-8d6e-7f8091a2b3c4"
        )
    return value


Id = Annotated[
    uuid.UUID,
    pydantic.BeforeValidator(_check_id),
    fastapi.Path(description="The id of the resource."),
]

DESCRIPTIONS = {
    400: "What arrived is no HTTP",
    404: "There is no such resource",
    408: "The request took too long to arrive",
    409: "The change collides with what is stored",
    413: "The body is too large",
    415: "The body is not declared as JSON",
    422: "The request is invalid",
    429: "Too many requests",
    431: "The head of the request is too large",
    500: "An error on our side",
    503: "Unavailable for the moment",
}


async def autocommitted(creating: Awaitable[ResourceT]) -> ResourceT:
    """Create a row as the last thing that a request does.

    A service that says no more than `return self._create(data)` has it committed by
    the INSERT itself. One that awaits it, to go on with something else, has all of it
    in one transaction, as ever.
    """
    if isinstance(creating, Creation):
        creating.autocommit = True
    return await creating


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the errors that are particular to a route."""
    return {status: problem(status) for status in statuses}


def problem(status: int) -> dict[str, Any]:
    """The OpenAPI response of an error."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": DESCRIPTIONS[status],
        "content": {PROBLEM_JSON: {"schema": schema}},
    }
