"""The OpenAPI document: what it says of every operation."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from src.api.openapi import build_openapi
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


@pytest.mark.parametrize(
    ("removed", "line"),
    [
        (
            "services/base.py",
            "openapi: src/{}.py: No module named 'src.services.base'",
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
