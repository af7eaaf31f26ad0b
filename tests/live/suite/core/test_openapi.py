"""The OpenAPI document: what it says of every operation."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from src.api.openapi import build_openapi


def operations(app: FastAPI) -> Iterator[dict[str, Any]]:
    """Yield the operations of the API."""
    for path, methods in build_openapi(app)["paths"].items():
        if path.startswith("/api/"):
            yield from methods.values()


def test_the_document_is_made_once(app: FastAPI) -> None:
    document = app.openapi()
    assert document is app.openapi()
    assert document["info"]["title"] == app.title
    assert "/health/ready" in document["paths"]


def test_errors_that_any_request_may_get_are_documented(app: FastAPI) -> None:
    """Those that are answered before there is a request among them."""
    assert list(operations(app))
    for operation in operations(app):
        for status in ("400", "408", "431", "500", "503"):
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"]
