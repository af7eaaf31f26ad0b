"""`make test-containers` on a machine that has no container engine."""

import subprocess
import sys

import pytest

from tests.harness.project import ROOT, clean_environment


@pytest.mark.parametrize("asked", ["", "1"])
def test_command_is_skipped_with_the_reason(asked: str) -> None:
    nothing = {"PATH": "/nowhere", "INSTALL_ENGINE": asked}
    done = subprocess.run(
        [sys.executable, "-m", "tools.containers", "false"],
        cwd=ROOT,
        env={**clean_environment(), **nothing},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("SKIPPED: a container engine is not installed")
