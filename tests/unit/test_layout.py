"""Tests of docstrings: any text is laid out as the formatters do."""

import ast
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from scaffold.python_code.formatting import docstring, wrap
from tests.payloads import PAYLOADS

CHARACTERS = ['""\'\\ a{é漢\n', '"\\ab \t']
WIDTHS = range(70, 90)


def texts() -> list[str]:
    """Return hostile texts, texts of every width near the limit, and random ones."""
    dice = Random(1)
    near = [f"{'x ' * (n // 2)}{'x' * (n % 2)}{end}" for n in WIDTHS for end in '"\\.']
    quotes = ['"' * n for n in range(1, 9)]
    random = [
        "".join(dice.choices(CHARACTERS[n % 2], k=dice.randint(1, 130)))
        for n in range(400)
    ]
    return [text for text in PAYLOADS + near + quotes + random if text.strip()]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    classes = (
        f"class C{n}:\n    {docstring(text, 4)}\n\n    x = 1\n"
        for n, text in enumerate(texts())
    )
    path = tmp_path_factory.mktemp("layout") / "module.py"
    path.write_text(wrap('"""Texts."""\n\n\n' + "\n\n".join(classes)))
    return path


@pytest.mark.parametrize("command", [["black", "-q"], ["ruff", "format", "--isolated"]])
def test_formatters_do_not_change_docstrings(module: Path, command: list[str]) -> None:
    words = [sys.executable, "-m", *command, "--diff", str(module)]
    assert subprocess.run(words, capture_output=True, text=True).stdout == ""


def test_docstrings_keep_every_word(module: Path) -> None:
    classes = ast.parse(module.read_text()).body[1:]
    for text, found in zip(texts(), classes, strict=True):
        assert isinstance(found, ast.ClassDef)
        said = ast.get_docstring(found) or ""
        visible = "".join(c if c.isprintable() or c.isspace() else " " for c in text)
        assert said.split() == visible.split()
