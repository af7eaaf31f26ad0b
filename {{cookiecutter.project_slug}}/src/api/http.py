"""Shared by the routes of all entities: JSON bodies, parameters, documented errors."""

import json
import re
import uuid
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import fastapi
import pydantic
from fastapi.routing import APIRoute
from pydantic_core import PydanticCustomError, from_json
from starlette.requests import Request
from starlette.responses import Response

from src.core.errors import PROBLEM_JSON
from src.models.queries import written_as
from src.models.types import INT16, INT32, INT64

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
JSON_MEDIA_TYPE = re.compile(
    r"""application/json(\s*;\s*charset="?utf-8"?)?""", re.IGNORECASE
)


class StrictJSONRequest(Request):
    """Parses JSON bodies strictly (RFC 8259): no NaN, no Infinity, UTF-8 only.

    Integers of any size are exact. The standard library's parser accepts NaN, and orjson
    parses large integers as floats.
    """

    async def json(self) -> Any:
        """Return the parsed body; FastAPI turns a JSONDecodeError into a 422."""
        declared = self.headers.get("content-type", "")
        coding = self.headers.get("content-encoding", "identity")
        if not JSON_MEDIA_TYPE.fullmatch(declared.strip()) or coding != "identity":
            raise fastapi.HTTPException(415, "Send the body as application/json")
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error


class StrictJSONRoute(APIRoute):
    """A route that parses JSON strictly: FastAPI's "Custom Request and APIRoute"."""

    def get_route_handler(
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(StrictJSONRequest(request.scope, request.receive))

        return handle_strictly


def _check_id(value: Any) -> Any:
    """Reject other notations of a UUID, so that a resource has one URL."""
    if isinstance(value, str) and not _UUID.fullmatch(value):
        raise PydanticCustomError(
            "uuid_parsing", "Write the id as 0190d1e2-3f4a-7b5c-8d6e-7f8091a2b3c4"
        )
    return value


ID = fastapi.Path(description="The id of the resource.")
Id = Annotated[uuid.UUID, pydantic.BeforeValidator(_check_id), ID]
_IntegerId = written_as("0|-?[1-9][0-9]*", "Write the id as an integer, such as 5")
SmallIntegerId = Annotated[int, INT16, _IntegerId, ID]
Integer32Id = Annotated[int, INT32, _IntegerId, ID]
IntegerId = Annotated[int, INT64, _IntegerId, ID]

SCHEMAS = "#/components/schemas"
DESCRIPTIONS = {
    400: "The request is not valid HTTP",
    404: "The resource does not exist",
    408: "The request took too long to arrive",
    409: "The request conflicts with stored data",
    413: "The body is too large",
    415: "The body is not declared as JSON",
    422: "The request is invalid",
    429: "Too many requests",
    431: "The head of the request is too large",
    500: "An internal error of the service",
    503: "The service is temporarily unavailable",
}


# The header of a create, in OpenAPI.
LOCATION: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {
            "Location": {
                "description": "The path of the new resource.",
                "schema": {"type": "string", "format": "uri-reference"},
            }
        }
    }
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of the errors that are specific to a route."""
    return {status: problem(status) for status in statuses}


def problem(status: int) -> dict[str, Any]:
    """Return the OpenAPI response of an error."""
    schema = "ValidationProblem" if status == 422 else "Problem"
    response: dict[str, Any] = {
        "description": DESCRIPTIONS[status],
        "content": {PROBLEM_JSON: {"schema": {"$ref": f"{SCHEMAS}/{schema}"}}},
    }
    if status in (429, 503):
        seconds = {"type": "integer", "format": "int32"}
        retry = {"description": "Seconds to wait.", "schema": seconds}
        response["headers"] = {"Retry-After": retry}
    return response
