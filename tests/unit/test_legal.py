"""Tests of random valid specs: the result is formatted Python."""

import ast
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from scaffold.rendering.app import generate_modular_app
from scaffold.spec import loading
from scaffold.spec.json_schema import build
from tests.unit.evolution import spec_of
from tests.unit.legal import legal

SEEDS = range(20)
GOOD = sorted((Path(__file__).parents[1] / "specs" / "good").glob("*.json"))


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_every_file_is_python(seed: int) -> None:
    document = legal(Random(seed))
    assert Draft202012Validator(build()).is_valid(document)
    parsed = spec_of(document)
    assert parsed
    is_python(parsed)


@pytest.mark.parametrize("path", GOOD, ids=[path.stem for path in GOOD])
def test_every_module_of_a_good_example_is_python(path: Path) -> None:
    is_python(loading.load(path))


def is_python(parsed: loading.Spec) -> None:
    """Compile every module, and look for two functions of the same name."""
    for path, text in generate_modular_app(parsed).files.items():
        if not path.endswith(".py"):
            continue
        compile(text, path, "exec", dont_inherit=True)
        for node in ast.walk(ast.parse(text)):
            body = node.body if isinstance(node, ast.Module | ast.ClassDef) else []
            names = [
                item.name
                for item in body
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            assert len(set(names)) == len(names), path


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("legal")
    for seed in SEEDS:
        parsed = spec_of(legal(Random(seed)))
        assert parsed
        for path, text in generate_modular_app(parsed).files.items():
            target = folder / f"of_{seed}" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    return folder


@pytest.mark.parametrize(
    "command",
    [["black", "--check", "-q"], ["ruff", "format", "--check"], ["ruff", "check"]],
    ids=" ".join,
)
def test_formatters_change_nothing(rendered: Path, command: list[str]) -> None:
    words = [sys.executable, "-m", *command, str(rendered)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
