"""Which tests of a project are collected."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

OWN = """
import pytest
from tests.support import Case
from tests.tables import _each

nothing = _each("field", lambda case: [])

@nothing
def test_generated(case: Case, field: str) -> None: ...

@pytest.mark.parametrize("row", [])
def test_own(row: str) -> None: ...
"""


def test_only_generated_tests_that_apply_to_no_entity_are_left_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(OWN)
    options = ["-p", "tests.conftest", "-c", "pytest.ini", "--no-cov", "-q", "--co"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    collected = [line for line in done.stdout.splitlines() if "::" in line]
    assert [line.rpartition("::")[2] for line in collected] == ["test_own[NOTSET]"]
