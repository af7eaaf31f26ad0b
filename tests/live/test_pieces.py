"""The speed pieces of a service can be taken out, and its own tests pass without them."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.project import Project
from tests.live.suite.copying import add_core_tests

pytestmark = [pytest.mark.live, pytest.mark.slow]

# Each is one line of src/main.py, or a setting of the tests.
LINES = ("    dispatch_by_prefix(app)\n", "        freeze_garbage()\n")
SETTINGS = {"TEST_READ_TRANSACTIONS": "true", "TEST_ENDPOINT_PLANS": "false"}


@pytest.mark.xdist_group("simple_task_api")
def test_project_tests_pass_without_speed_pieces(
    baked: Callable[[str], Project], tmp_path: Path
) -> None:
    whole = baked("simple_task_api")
    project = Project(tmp_path / "plain")
    shutil.copytree(
        whole.path, project.path, ignore=shutil.ignore_patterns(".venv", ".git")
    )
    (project.path / ".venv").symlink_to(whole.path / ".venv")
    main = project.path / "src" / "main.py"
    text = main.read_text()
    for line in LINES:
        assert text.count(line) == 1
        text = text.replace(line, "")
    main.write_text(text)
    environment = {**SETTINGS, **add_core_tests(project)}
    output = project.run(
        project.python,
        *("-m", "pytest", "--no-cov", "-n", "2", "-q"),
        environment=environment,
        minutes=15,
    )
    assert re.search(r"\d+ passed", output)
    assert not re.search(r"\d+ (failed|error)", output)
