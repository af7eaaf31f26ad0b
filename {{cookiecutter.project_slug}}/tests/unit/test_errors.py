"""Errors: how those of the database and the framework are answered."""

import json
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from fastapi import Request
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from src.api.error_handlers import handle_http_exception
from src.core.database import Base
from src.core.database_errors import translate
from src.core.errors import (
    ConflictError,
    InUseError,
    InvalidError,
    PayloadTooLargeError,
    RateLimitExceededError,
    ReferenceNotFoundError,
    ServiceError,
    UnavailableError,
    invalid,
    problem_response,
)
from src.models.base import compare

REQUEST = Request({"type": "http", "state": {"request_id": "r-1"}, "headers": []})


class ServerError(Exception):
    """Stands for what asyncpg raises: an error of the server, with its details."""

    def __init__(self, state: str | None, **details: str) -> None:
        self.sqlstate = state
        self.constraint_name = details.get("constraint")
        self.table_name = details.get("table")
        self.column_name = details.get("column")
        self.query = details.get("query")


def raised(cause: BaseException) -> DBAPIError:
    """Return the error in the two layers that SQLAlchemy puts around it."""
    driver = Exception("the driver's own words")
    driver.__cause__ = cause
    return DBAPIError("INSERT INTO t", {}, driver)


@pytest.mark.parametrize(
    ("state", "statement", "expected"),
    [
        ("23505", "INSERT", ConflictError),
        ("23503", "INSERT", ReferenceNotFoundError),
        ("23503", "UPDATE", ReferenceNotFoundError),
        ("23503", "DELETE", InUseError),
        ("23001", " delete", InUseError),
        ("23514", "INSERT", InvalidError),
        ("22003", "UPDATE", InvalidError),
        ("23P01", "INSERT", ConflictError),
        ("42601", "SELECT", ServiceError),
        ("P0001", "INSERT", ServiceError),
        ("40P01", "UPDATE", UnavailableError),
        ("XX000", "SELECT", ServiceError),
        ("42P01", "SELECT", UnavailableError),
        ("57014", "SELECT", UnavailableError),
        ("53300", "SELECT", UnavailableError),
        ("08006", "SELECT", UnavailableError),
    ],
)
def test_the_sqlstate_decides_which_error_it_is(
    state: str, statement: str, expected: type[ServiceError]
) -> None:
    cause = ServerError(state, query=f"{statement} …")
    for error in (translate(raised(cause)), translate(cause)):
        assert type(error) is expected
        assert "driver" not in error.message


@pytest.mark.parametrize(
    "cause",
    [
        OSError(),
        TimeoutError(),
        ConnectionResetError(),
        asyncpg.InternalClientError("another operation is in progress"),
    ],
)
def test_a_lost_connection_is_unavailable(cause: Exception) -> None:
    assert isinstance(translate(raised(cause)), UnavailableError)
    assert isinstance(translate(cause), UnavailableError)


def test_a_statement_that_a_migration_made_stale_is_unavailable() -> None:
    stale = asyncpg.InvalidCachedStatementError("cached plan must not change")
    assert isinstance(translate(raised(stale)), UnavailableError)
    unknown = asyncpg.FeatureNotSupportedError("no such feature")
    assert type(translate(raised(unknown))) is ServiceError


def test_an_error_of_the_driver_is_internal() -> None:
    assert type(translate(raised(ValueError("no such codec")))) is ServiceError


def test_an_unknown_table_is_shown_by_its_name() -> None:
    error = translate(raised(ServerError("23505", table="strangers", constraint="x")))
    assert error.extensions == {"resource": "strangers", "fields": []}
    assert translate(raised(ServerError("23505"))).extensions["resource"] == "resource"


def test_a_refused_column_is_named() -> None:
    error = translate(raised(ServerError("23502", table="t", column="c")))
    problems: Any = error.extensions["errors"]
    assert [problem["field"] for problem in problems] == ["/c"]


@pytest.mark.parametrize(
    ("operator", "meanings"),
    [
        ("lt", ("less than", "greater than")),
        ("ge", ("greater than or equal to", "less than or equal to")),
        ("ne", ("different from", "different from")),
    ],
)
def test_both_columns_of_a_comparison_are_named(
    operator: str, meanings: tuple[str, str]
) -> None:
    name = f"compared_{operator}"
    table = sa.Table(
        name,
        Base.metadata,
        sa.Column("a", sa.Integer),
        sa.Column("b", sa.Integer),
        compare("a", operator, "b", "a < b"),
    )
    constraint = f"ck_{name}_a_{operator}_b"
    try:
        error = translate(
            raised(ServerError("23514", table=name, constraint=constraint))
        )
    finally:
        Base.metadata.remove(table)
    problems: Any = error.extensions["errors"]
    assert [(one["field"], one["message"]) for one in problems] == [
        ("/a", f"The value must be {meanings[0]} that of b"),
        ("/b", f"The value must be {meanings[1]} that of a"),
    ]


def test_retry_after_is_whole_seconds() -> None:
    assert UnavailableError().headers == {"Retry-After": "1"}
    assert RateLimitExceededError(0.2).headers == {"Retry-After": "1"}
    assert RateLimitExceededError(61.5, "1/hour").headers == {"Retry-After": "62"}
    assert PayloadTooLargeError(5).extensions == {"limit": 5}


def test_the_body_of_an_error() -> None:
    error = ConflictError("order_item", ["order_id", "product_id"])
    response = problem_response(error, "r-1")
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "Another order item has this order_id and product_id",
        "error": "conflict",
        "message": "Another order item has this order_id and product_id",
        "resource": "order_item",
        "fields": ["order_id", "product_id"],
        "request_id": "r-1",
    }


def test_problems_are_capped_cut_and_escaped() -> None:
    problem = {
        "loc": ("body", "a/b~c", "x" * 100),
        "msg": "Value error, no",
        "type": "t",
    }
    error = invalid([problem] * 60)
    problems: Any = error.extensions["errors"]
    assert len(problems) == 50
    assert error.message == "The request is invalid: 60 problems"
    field = f"/a~1b~0c/{'x' * 64}"
    assert problems[0] == {"in": "body", "field": field, "message": "no", "type": "t"}
    assert invalid([problem]).message.endswith("1 problem")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (HTTPException(404), ("route_not_found", "Not Found")),
        (HTTPException(401, "Log in"), ("unauthorized", "Log in")),
        (HTTPException(418), ("http_error", "I'm a Teapot")),
    ],
)
async def test_http_exceptions_have_the_one_format(
    error: HTTPException, expected: tuple[str, str]
) -> None:
    body = json.loads(bytes((await handle_http_exception(REQUEST, error)).body))
    assert (body["error"], body["message"]) == expected
    assert body["request_id"] == "r-1"


async def test_the_detail_of_an_http_exception_becomes_members() -> None:
    detail: Any = {"error": "closed", "message": "Come back", "opens": "tomorrow"}
    error = HTTPException(403, detail, headers={"X-Door": "shut"})
    response = await handle_http_exception(REQUEST, error)
    body = json.loads(bytes(response.body))
    assert (body["error"], body["opens"]) == ("closed", "tomorrow")
    assert response.headers["x-door"] == "shut"
