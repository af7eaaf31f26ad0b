"""The OpenAPI document: what it says of every operation."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest
from fastapi import FastAPI

from src.api import http
from src.api.openapi import build_openapi
from src.core.config import Settings
from src.core.errors import ConflictError
from src.main import create_app
from tests.conftest import ROOT


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


def schema_of(app: FastAPI, name: str) -> dict[str, Any]:
    schema: dict[str, Any] = build_openapi(app)["components"]["schemas"][name]
    return schema


def test_an_invalid_request_has_a_schema_of_its_own(app: FastAPI) -> None:
    for operation in operations(app):
        for status, response in operation["responses"].items():
            if status >= "4":
                content = response["content"]["application/problem+json"]
                name = content["schema"]["$ref"].rpartition("/")[2]
                expected = "ValidationProblem" if status == "422" else "Problem"
                assert name == expected
    assert "errors" in schema_of(app, "ValidationProblem")["properties"]
    assert "errors" not in schema_of(app, "Problem")["properties"]


def test_error_codes_are_an_enum_with_those_of_the_team(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SoldOutError(ConflictError):
        code = "sold_out"

    SoldOutError.__module__ = "src.services.product"
    monkeypatch.setattr(app, "openapi_schema", None)
    codes = set(schema_of(app, "ErrorCode")["enum"])
    assert codes > {"sold_out", "validation_error", "request_timeout", "http_error"}
    error = schema_of(app, "Problem")["properties"]["error"]
    assert error == {"$ref": "#/components/schemas/ErrorCode"}


def test_an_entity_may_have_the_name_of_a_schema_of_the_service(
    settings: Settings,
) -> None:
    class Problem(pydantic.BaseModel):
        difficulty: int

    async def get_problem() -> Problem:
        return Problem(difficulty=1)

    app = create_app(settings)
    app.add_api_route("/api/v1/problems", get_problem, responses=http.problems(404))
    responses = app.openapi()["paths"]["/api/v1/problems"]["get"]["responses"]
    names = [
        content["schema"]["$ref"].rpartition("/")[2]
        for status in ("200", "404")
        for content in responses[status]["content"].values()
    ]
    assert "difficulty" in schema_of(app, names[0])["properties"]
    assert "message" in schema_of(app, names[1])["properties"]


def test_every_response_has_the_id_of_the_request(app: FastAPI) -> None:
    for operation in operations(app):
        for status, response in operation["responses"].items():
            assert "X-Request-ID" in response["headers"]
            is_created = status == "201" and "batch" not in operation["operationId"]
            assert ("Location" in response["headers"]) == is_created
            passes = ["429", "503"]
            if "Idempotency-Replayed" in response["headers"]:
                passes.append("409")  # a request with the same key is in progress
            assert ("Retry-After" in response["headers"]) == (status in passes)


@pytest.fixture
def shop(app: FastAPI) -> FastAPI:
    """The e-commerce example, whose products have what is tested with them."""
    if "Product" not in app.openapi()["components"]["schemas"]:
        pytest.skip("needs the e-commerce example, where it runs in make test")
    return app


@pytest.mark.usefixtures("shop")
def test_an_operation_has_the_name_of_its_function(settings: Settings) -> None:
    """With its tag, where two functions have one name."""

    async def search() -> None: ...

    app = create_app(settings)
    app.add_api_route("/api/v1/a", search, tags=["first-tag"])
    app.add_api_route("/api/v1/b", search, tags=["second-tag"])
    paths = app.openapi()["paths"]
    assert paths["/api/v1/products"]["post"]["operationId"] == "create_product"
    assert paths["/api/v1/a"]["get"]["operationId"] == "first_tag_search"
    assert paths["/api/v1/b"]["get"]["operationId"] == "second_tag_search"


def test_an_enum_is_one_component(shop: FastAPI) -> None:
    found = {
        str(schema_of(shop, name)["properties"]["status"].get("$ref"))
        for name in ("Product", "ProductCreate", "ProductReplace", "ProductUpdate")
    }
    assert found == {"#/components/schemas/ProductStatusChoice"}


def test_what_the_service_sets_is_read_only(shop: FastAPI) -> None:
    for name in ("Product", "ProductReplace"):
        properties = schema_of(shop, name)["properties"]
        found = {key for key in properties if properties[key].get("readOnly")}
        assert found == {"id", "created_at", "updated_at"}
    new = schema_of(shop, "ProductCreate")["properties"]
    assert not {"id", "created_at", "updated_at"} & new.keys()


def test_a_decimal_from_zero_has_no_sign(shop: FastAPI) -> None:
    _, text = schema_of(shop, "ProductCreate")["properties"]["price"]["anyOf"]
    assert re.search(text["pattern"], "12.50")
    assert not re.search(text["pattern"], "-12.50")


def test_contact_licence_and_servers_are_settings(settings: Settings) -> None:
    given = {
        "contact_name": "Ada",
        "contact_email": "ada@example.com",
        "license": "LicenseRef-Proprietary",
        "servers": ["https://api.example.com"],
    }
    document = create_app(settings.model_copy(update=given)).openapi()
    assert document["info"]["contact"] == {"name": "Ada", "email": "ada@example.com"}
    assert document["info"]["license"] == {
        "name": "Proprietary",
        "identifier": "LicenseRef-Proprietary",
    }
    assert document["servers"] == [{"url": "https://api.example.com"}]
    nothing = dict.fromkeys(("contact_name", "contact_email", "license"), "")
    document = create_app(settings.model_copy(update=nothing)).openapi()
    assert not document["info"].keys() & {"contact", "license"}
    assert document["servers"] == [{"url": "/"}]


def test_every_tag_is_declared(app: FastAPI) -> None:
    document = build_openapi(app)
    declared = [tag["name"] for tag in document["tags"]]
    used = {
        tag
        for methods in document["paths"].values()
        for operation in methods.values()
        for tag in operation["tags"]
    }
    assert len(declared) == len(set(declared))
    assert used == set(declared)


@pytest.mark.parametrize(
    ("removed", "line"),
    [
        (
            "services/base.py",
            "openapi: src/{}.py: cannot import name 'base' from 'src.services'",
        ),
        (
            "models/entities.py",
            "openapi: src/{}.py: cannot import name 'entities' from 'src.models'",
        ),
    ],
)
def test_a_removed_module_that_is_imported_is_one_line(
    tmp_path: Path, removed: str, line: str
) -> None:
    for name in ("src", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "src" / removed).unlink()
    done = subprocess.run(
        [sys.executable, "-m", "scripts.openapi"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    start, _, end = line.partition("{}")
    assert re.fullmatch(
        rf"{re.escape(start)}[\w/]+{re.escape(end)}; if the file was removed, "
        r"restore it with git, or remove what uses it\n",
        done.stderr,
    )
