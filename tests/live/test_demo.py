"""`make demo`, at a terminal."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.harness.project import ROOT, clean_environment

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("demo")]

# The clone uses our environment, so its make must not create one.
DEMO = ("make", "--old-file=.venv/.ready", "demo")
PATIENCE = 240.0  # seconds: it generates a project first


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the repository with its environment, so that .demo is separate."""
    ignored = shutil.ignore_patterns(
        ".demo", ".git", ".venv", ".*_cache", ".hypothesis"
    )
    shutil.copytree(ROOT, tmp_path / "clone", ignore=ignored)
    (tmp_path / "clone" / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path / "clone"


# Its own process: a fork of this one, with its threads, could hang.
TERMINAL = """
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])) % 256)
"""


def at_a_terminal(folder: Path, *command: str, until: str = "") -> tuple[str, int]:
    """Run a command on a terminal, type Ctrl-C when a text appears; what was said."""
    with subprocess.Popen(
        [sys.executable, "-c", TERMINAL, *command],
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as terminal:
        assert terminal.stdin
        assert terminal.stdout
        alarm = threading.Timer(PATIENCE, terminal.kill)
        alarm.start()
        said = ""
        while part := os.read(terminal.stdout.fileno(), 4096):
            said += part.decode(errors="replace")
            if until and until in said:
                terminal.stdin.write(b"\x03")
                terminal.stdin.flush()
                until = ""
        alarm.cancel()
        return said, terminal.wait()


def test_demo_runs_until_ctrl_c(clone: Path) -> None:
    said, _ = at_a_terminal(clone, *DEMO, until="Ctrl-C stops it.")
    url = re.search(r"http://127\.0\.0\.1:\d+/docs", said)
    assert url, said
    after = said.partition("^C")[2]
    assert after
    for bad in ("Traceback", "Error", "Interrupt", "Exception"):
        assert bad not in after, after
    left = [path for path in Path("/proc").glob("[0-9]*") if str(clone) in cwd(path)]
    assert left == []


def cwd(process: Path) -> str:
    try:
        return os.readlink(process / "cwd")
    except OSError:
        return ""


def test_smoke_prints_what_it_did(clone: Path) -> None:
    said, status = at_a_terminal(clone, *DEMO, "SMOKE=1")
    assert status == 0, said
    assert "smoke: created, read, filtered, sorted, paged, replaced, " in said
    assert "changed and deleted 13 resources" in said
