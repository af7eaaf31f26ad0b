"""Strict JSON for generated schemas, on every kind of router."""

import contextlib
import json
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.harness.project import HOST
from tests.live.ownership.conftest import Shop

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("ownership")]

GENERATED, STRICT, PLAIN = (
    *("/api/v1/products", "/strict/try/one"),
    "/plain/try/one",
)
OWN_ON_ENTITY = "/api/v1/products/try/one"
EVERY = [GENERATED, OWN_ON_ENTITY, STRICT, PLAIN]
# A plain APIRouter parses by the standard library, which takes UTF-16; FastAPI answers
# with a 400 what that cannot parse for another reason than its syntax.
STRICTLY_PARSED = [GENERATED, OWN_ON_ENTITY, STRICT]
DEEP = 100_000


def post(shop: Shop, path: str, body: bytes, *headers: tuple[str, str]) -> Any:
    """Send exactly these headers; return the status, and the error's code if any."""
    with contextlib.closing(HTTPConnection(HOST, shop.service.port)) as connection:
        connection.putrequest("POST", path)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, json.loads(response.read()).get("error")


JSON = ("Content-Type", "application/json")
INVALID = (422, "validation_error")


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "ratio": NaN}',
        b'{"name": "a", "ratio": Infinity}',
        b'{"name": "a", "ratio": 1e400}',
        b'{"name": "a", "details": [NaN]}',
        b'{"name": "a", "details": [1e400]}',
        b'{"name": "a", "details": "\\ud800"}',
        b'{"name": "a", "details": "\\u0000"}',
        b'{"name": "a", "amount": 18446744073709551616}',
        b'{"name": "a", "amount": "5"}',
        b'{"name": "a", "amount": 5.5}',
        b'{"name": "a", "amount": true}',
        b'{"name": "a", "flag": "yes"}',
        b'{"name": "a", "flag": 1}',
        b'{"name": 5}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\u0000"}',
        b'{"name": "a", "unknown": 1}',
        b'{"name": "a", "category_id": 5}',
        b'["name"]',
        b'"name"',
        b"null",
        b"5",
        b'{"name": "a"',
        b'{"name": "a"} {}',
        b"{'name': 'a'}",
        b'{"name": "a",}',
        b"",
    ],
)
@pytest.mark.parametrize("path", EVERY)
def test_invalid_body_is_rejected(shop: Shop, path: str, body: bytes) -> None:
    assert post(shop, path, body, JSON) == INVALID


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "details": ' + b"[" * DEEP + b"]" * DEEP + b"}",
        b"[" * DEEP,
        '{"name": "a"}'.encode("utf-16"),
        '{"name": "a"}'.encode("utf-32-le"),
        b'\xef\xbb\xbf{"name": "a"}',
        b'{"name": "\xff"}',
    ],
    ids=["deep", "open", "utf-16", "utf-32", "byte order mark", "not UTF-8"],
)
@pytest.mark.parametrize("path", STRICTLY_PARSED)
def test_body_that_is_not_valid_json_is_rejected(
    shop: Shop, path: str, body: bytes
) -> None:
    assert post(shop, path, body, JSON) == INVALID


@pytest.mark.parametrize("body", [b"[" * DEEP, b'{"name": "\xff"}'])
def test_plain_router_rejects_what_it_cannot_parse(shop: Shop, body: bytes) -> None:
    status, _ = post(shop, PLAIN, body, JSON)
    assert status in (400, 422)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "text/plain")],
        [("Content-Type", "text/json")],
        [("Content-Type", "application/x-www-form-urlencoded")],
    ],
)
@pytest.mark.parametrize("path", EVERY)
def test_body_that_is_not_declared_as_json_is_rejected(
    shop: Shop, path: str, headers: list[tuple[str, str]]
) -> None:
    found = post(shop, path, b'{"name": "a"}', *headers)
    assert found == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Type", "application/json; charset=utf-16")],
        [("Content-Type", "application/json; charset=latin-1")],
        [("Content-Type", "application/hal+json")],
        [JSON, ("Content-Encoding", "gzip")],
    ],
)
@pytest.mark.parametrize("path", STRICTLY_PARSED)
def test_unsupported_content_encoding_is_rejected(
    shop: Shop, path: str, headers: list[tuple[str, str]]
) -> None:
    found = post(shop, path, b'{"name": "a"}', *headers)
    assert found == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "declared",
    [
        "application/json",
        "Application/JSON;charset=UTF-8",
        'application/json; charset="utf-8"',
    ],
)
@pytest.mark.parametrize("path", EVERY)
def test_a_valid_body_is_accepted_and_kept_exactly(
    shop: Shop, path: str, declared: str
) -> None:
    body = {
        "name": "a & b",
        "amount": 2**63 - 1,
        "ratio": 0.1,
        "flag": None,
        "details": [9007199254740993, {"n": 1.5}, "\U0001f600"],
    }
    answer = shop.send("POST", path, body, {"Content-Type": declared})
    assert answer.status in (200, 201), answer
    assert {key: answer.json[key] for key in body} == body
