"""Adds the template's own tests of a service to a project, as a folder of its tests."""

import shutil
import sys
from pathlib import Path

from tests.harness.project import Project

CORE = Path(__file__).parent / "core"
PACKAGES = ("hypothesis", "selectolax")  # which a project does not need


def add_core_tests(project: Project) -> dict[str, str]:
    """Copy the tests into a project; return the environment that they need.

    They have the project's fixtures and factories.
    """
    shutil.copytree(CORE, project.path / "tests" / "core")
    packages = str(project.path.with_name("packages"))
    install = ("-m", "uv", "pip", "install", "--quiet", "--python", project.python)
    project.run(sys.executable, *install, "--target", packages, *PACKAGES)
    return {"PYTHONPATH": packages}
