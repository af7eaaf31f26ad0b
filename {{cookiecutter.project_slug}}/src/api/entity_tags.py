"""The entity tags of responses: the version of the row, and a hash of what is shown.

The hash differs for senders who see different fields, and for releases of the service
that show a row in another way.
"""

from hashlib import blake2b
from typing import Annotated, Any, TypeAlias, TypeVar

import fastapi
import pydantic
from starlette.requests import Request
from starlette.responses import Response

from src.core.preconditions import Precondition, is_known, precondition_of
from src.models.base import BareResource

ResourceT = TypeVar("ResourceT", bound=BareResource)

IF_MATCH = "if-match"
_TAG = '(W/)?"[!#-~]*"'
_Tags: TypeAlias = Annotated[
    list[str] | None,  # a header may be in several lines, which are one list
    pydantic.WithJsonSchema(
        {"type": "string", "pattern": rf"^(\*|{_TAG}(, *{_TAG})*)$"}
    ),
]
IfMatch = Annotated[
    _Tags,
    fastapi.Header(description="Entity tags: 412 if the resource has none of them."),
]
IfNoneMatch = Annotated[
    _Tags, fastapi.Header(description="Entity tags: 304 if the resource still has one.")
]
_ETAG = {
    "description": "The version of the resource, for If-Match and If-None-Match.",
    "schema": {"type": "string"},
}
_LOCATION = {
    "description": "The path of the new resource.",
    "schema": {"type": "string", "format": "uri-reference"},
}
# The responses of routes in OpenAPI.
Responses: TypeAlias = dict[int | str, dict[str, Any]]
TAGGED: Responses = {200: {"headers": {"ETag": _ETAG}}}
CREATED: Responses = {201: {"headers": {"ETag": _ETAG}}}
LOCATED: Responses = {201: {"headers": {"ETag": _ETAG, "Location": _LOCATION}}}
CONDITIONAL: Responses = {
    **TAGGED,
    304: {"description": "The resource still has an entity tag of If-None-Match"},
}


async def precondition(request: Request, if_match: IfMatch = None) -> Precondition:
    """Return what a request says of the version that it changes."""
    is_required = request.app.state.settings.require_if_match
    return precondition_of(_joined(if_match), is_required=is_required)


PreconditionDep = Annotated[Precondition, fastapi.Depends(precondition)]


def tagged(response: Response, resource: ResourceT) -> ResourceT:
    """Add the entity tag of the resource to the response, and return the resource.

    It has none if it embeds others, which have versions of their own.
    """
    version = resource._version
    if version is not None:
        shown = resource.model_dump_json(by_alias=True).encode()
        digest = blake2b(shown, digest_size=8).hexdigest()
        response.headers["ETag"] = f'"{version}-{digest}"'
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["Vary"] = "Authorization"
    return resource


def unless_known(
    response: Response, resource: ResourceT, if_none_match: list[str] | None
) -> ResourceT | Response:
    """Return the tagged resource; or a 304 if the sender has it already."""
    tagged(response, resource)
    tag = response.headers.get("ETag", "")
    known = _joined(if_none_match)
    if known is None or not is_known(known, tag):
        return resource
    return Response(status_code=304, headers=dict(response.headers))


def _joined(lines: list[str] | None) -> str | None:
    return None if lines is None else ", ".join(lines)
