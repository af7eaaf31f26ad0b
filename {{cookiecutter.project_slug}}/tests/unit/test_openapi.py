"""openapi.json: committed, current, and served as it is."""

import json
from pathlib import Path

import pytest
from fastapi import FastAPI

from scripts import openapi
from src.api.openapi import DOCUMENT, build_openapi, read_openapi


def test_the_committed_document_is_current() -> None:
    hint = "the routes have changed: make openapi"
    assert DOCUMENT.read_text("utf-8") == openapi.render(), hint


def test_it_is_served_under_the_name_that_is_set(app: FastAPI) -> None:
    document = read_openapi(app)
    assert document["info"]["title"] == app.title
    assert document["paths"] == json.loads(DOCUMENT.read_text("utf-8"))["paths"]


@pytest.mark.parametrize("text", [None, "", '{"paths": {"/gone": {"get": {}}}}'])
def test_without_a_useful_one_it_is_built(
    app: FastAPI, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "openapi.json"
    if text is not None:
        path.write_text(text)
    assert read_openapi(app, path)["paths"] == read_openapi(app)["paths"]


def test_errors_that_any_request_may_get_are_documented(app: FastAPI) -> None:
    """Those that are answered before there is a request among them."""
    paths = build_openapi(app)["paths"]
    operations = [
        operation
        for path, methods in paths.items()
        if path.startswith("/api/")
        for operation in methods.values()
    ]
    assert operations
    for operation in operations:
        for status in ("400", "408", "431", "500", "503"):
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"]
