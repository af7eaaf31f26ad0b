"""The Idempotency-Key of a POST: sent again with the same key, it is done once.

A route has `dependencies=idempotency.KEYED`, `SessionDep`, a JSON body or none, and a
router with `route_class=http.StrictJSONRoute`. src/repositories/idempotency.py has what
happens in the transaction of the request.
"""

import datetime as dt
import json
import re
from hashlib import sha256
from typing import Annotated

import fastapi
from starlette.requests import Request
from starlette.responses import Response

from src.core.errors import BadRequestError, IdempotencyKeyRequiredError
from src.repositories.idempotency import KeyedRequest

HEADER = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
KEY = "[!-~]{1,255}"  # visible characters of ASCII; another one is a 400
SCHEMA = {"type": "string", "pattern": f"^{KEY}$"}  # in OpenAPI


async def note_key(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        fastapi.Header(
            description="A value that no other request of this sender has, such as a "
            "random UUID. With it, the request can be sent again: it is done once, and "
            "gets the same response."
        ),
    ] = None,
) -> None:
    """Note the request in the state of the request, for the session's dependency."""
    settings = request.app.state.settings
    if idempotency_key is None:
        if settings.idempotency_required:
            raise IdempotencyKeyRequiredError()
        return
    is_single = len(request.headers.getlist(HEADER)) == 1
    if not (is_single and re.fullmatch(KEY, idempotency_key)):
        raise BadRequestError(
            "Send one Idempotency-Key, of 1 to 255 visible ASCII characters"
        )
    # All senders without a token are one; without `auth`, these are all.
    principal = getattr(request.state, "principal", None)
    subject = principal.subject if principal else None
    place = [subject, request.method, request.url.path, idempotency_key]
    request.state.keyed_request = KeyedRequest(
        id=sha256(json.dumps(place).encode()).digest(),
        request_hash=_request_hash(request.url.query, await request.body()),
        request_id=getattr(request.state, "request_id", ""),
        lifetime=dt.timedelta(seconds=settings.idempotency_ttl),
    )


KEYED = [fastapi.Depends(note_key)]


def _request_hash(query: str, body: bytes) -> bytes:
    return sha256(query.encode() + b"\n" + body).digest()


def note_response(request: Request, response: object) -> None:
    """Note the response to a request that has a key, so that it is stored.

    A stream cannot be stored.
    """
    keyed: KeyedRequest | None = getattr(request.state, "keyed_request", None)
    if keyed is None or not isinstance(response, Response):
        return
    if not keyed.has_begun:
        raise RuntimeError("A route with idempotency keys must depend on SessionDep.")
    body = getattr(response, "body", None)
    if body is not None:
        keyed.note(response.status_code, response.headers, bytes(body))
