"""The Idempotency-Key of a POST: sent again with the same key, it is done once.

A route has `dependencies=idempotency.KEYED`, a JSON body or none, and a router with
`route_class=http.StrictJSONRoute`. Its work is done with the session of `SessionDep`, in
whose transaction src/repositories/idempotency.py stores the response.
"""

import datetime as dt
import json
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Annotated

import fastapi
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from src.core.database import get_db
from src.core.errors import BadRequestError, IdempotencyKeyRequiredError
from src.repositories.idempotency import KeyedRequest

HEADER = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
KEY = "[!-~]{1,255}"  # visible characters of ASCII; another one is a 400
SCHEMA = {"type": "string", "pattern": f"^{KEY}$"}  # in OpenAPI


async def do_once(
    request: Request,
    db: Annotated[AsyncSession, fastapi.Depends(get_db, scope="function")],
    idempotency_key: Annotated[
        str | None,
        fastapi.Header(
            description="A value that no other request of this sender has, such as a "
            "random UUID. With it, the request can be sent again: it is done once, and "
            "gets the same response."
        ),
    ] = None,
) -> AsyncIterator[None]:
    """Do the work of the request behind a savepoint of its session, unless it is done.

    The session is that of SessionDep.
    """
    settings = request.app.state.settings
    if idempotency_key is None:
        if settings.idempotency_required:
            raise IdempotencyKeyRequiredError()
        yield
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
    keyed = KeyedRequest(
        id=sha256(json.dumps(place).encode()).digest(),
        request_hash=_request_hash(request.url.query, await request.body()),
        request_id=getattr(request.state, "request_id", ""),
        lifetime=dt.timedelta(seconds=settings.idempotency_ttl),
    )
    request.state.keyed_request = keyed
    async with keyed.once(db):
        yield


KEYED = [fastapi.Depends(do_once, scope="function")]


def _request_hash(query: str, body: bytes) -> bytes:
    return sha256(query.encode() + b"\n" + body).digest()


def note_response(request: Request, response: object) -> None:
    """Note the response to a request that has a key, so that it is stored.

    A stream cannot be stored.
    """
    keyed: KeyedRequest | None = getattr(request.state, "keyed_request", None)
    if keyed is None or not isinstance(response, Response):
        return
    body = getattr(response, "body", None)
    if body is not None:
        keyed.note(response.status_code, response.headers, bytes(body))
