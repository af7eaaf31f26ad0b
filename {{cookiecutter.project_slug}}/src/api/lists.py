"""What the lists of all entities share: their headers, and their rows as CSV."""

import csv
import io
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote, unquote_to_bytes, urlencode

import fastapi
from fastapi.responses import StreamingResponse
from pydantic_core import to_json, to_jsonable_python
from starlette.requests import Request
from starlette.responses import Response

from src.core.database import reading
from src.core.errors import invalid
from src.models.base import BareResource, Page
from src.models.queries import ListQuery, included_in
from src.services.base import Service

CSV = "text/csv"
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs text that begins so
QueryT = TypeVar("QueryT", bound=ListQuery)
ListPage = Callable[[QueryT], Awaitable[Page[Any]]]

DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "X-Total-Count": {
                "description": "The number of rows, or `more` if there are more than "
                "are counted.",
                "schema": {"type": "string"},
            },
            "Link": {
                "description": 'The following page, as rel="next".',
                "schema": {"type": "string"},
            },
        },
        "content": {CSV: {"schema": {"type": "string"}}},
    }
}


async def check_query(request: Request) -> None:
    """Refuse a query that FastAPI would read in part.

    It uses the last one of repeated parameters, and replaces what is not UTF-8.
    """
    for part in request.scope["query_string"].split(b"&"):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            name = unquote(part.partition(b"=")[0].decode("latin-1"))
            problem = {"loc": ("query", name), "msg": "Send text as UTF-8"}
            raise invalid([problem | {"type": "encoding"}]) from None
    counts = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        problem = {"msg": "Send this parameter only once", "type": "repeated"}
        raise invalid([problem | {"loc": ("query", name)} for name in repeated])


CHECKED = [fastapi.Depends(check_query)]


async def respond(
    request: Request,
    response: Response,
    query: QueryT,
    list_page: ListPage[QueryT],
    service: Service[Any, Any, Any, Any],
) -> Any:
    """Return a page with its headers, or all of its rows as CSV if that is accepted.

    `list_page` is a method of `service`.
    """
    most = request.app.state.settings.max_page_size
    if "limit" not in query.model_fields_set:
        query.limit = min(query.limit, most)
    if query.limit > most:
        message = f"Input should be less than or equal to {most}"
        problem = {"loc": ("query", "limit"), "msg": message}
        raise invalid([problem | {"type": "less_than_equal"}])
    if _accepts_csv(request):
        return await _csv(query, list_page, service, most)
    page = await list_page(query)
    if query.total:
        count = "more" if page.total is None else str(page.total)
        response.headers["X-Total-Count"] = count
    if page.next is not None:
        sent = dict(request.query_params)
        sent.pop("skip", None)
        following = urlencode({**sent, "after": page.next})
        response.headers["Link"] = f'<{request.url.path}?{following}>; rel="next"'
    return page


def _accepts_csv(request: Request) -> bool:
    """Whether the first media type of Accept is CSV."""
    first = request.headers.get("accept", "").split(",")[0]
    return first.split(";")[0].strip().lower() == CSV


async def _csv(
    query: QueryT,
    list_page: ListPage[QueryT],
    service: Service[Any, Any, Any, Any],
    size: int,
) -> Response:
    """Stream all rows from the first page on, which is read before the answer begins."""
    if included_in(query):
        problem = {"loc": ("query", "include"), "type": "csv"}
        raise invalid([problem | {"msg": "CSV has no embedded resources"}])
    # Copied values count as sent: with `sort`, results of a search have a cursor as well.
    sent = {"limit": size, "total": False, "sort": query.sort}
    whole = query.model_copy(update=sent)
    first = await list_page(whole)
    return StreamingResponse(
        _lines(whole, first, list_page, service), media_type=f"{CSV}; charset=utf-8"
    )


async def _lines(
    query: QueryT,
    page: Page[Any],
    list_page: ListPage[QueryT],
    service: Service[Any, Any, Any, Any],
) -> AsyncIterator[str]:
    columns = [
        (name, field.alias or name)
        for name, field in service.resource.model_fields.items()
        if field.exclude_if is None
    ]
    yield _text([[key for _, key in columns]])
    while True:
        names = [name for name, _ in columns]
        yield _text(_row(item, names) for item in page.items)
        if page.next is None:
            return
        query = query.model_copy(update={"after": page.next, "skip": 0})
        # The request's session is closed. Each page has its own, so that no connection
        # is held while the client reads; `info` is what listeners know of the request.
        async with reading() as db:
            db.info.update(service.repository.db.info)
            service.repository.db = db
            page = await list_page(query)


def _row(item: BareResource, names: Sequence[str]) -> list[str]:
    return [_cell(getattr(item, name)) for name in names]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULAS) else value
    written = to_jsonable_python(value)
    if written is None or isinstance(written, str):
        return written or ""
    return to_json(value).decode()


def _text(rows: Iterator[list[str]] | Sequence[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
