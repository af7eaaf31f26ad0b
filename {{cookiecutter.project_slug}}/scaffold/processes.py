"""Calls external tools: never through a shell, and never without a time limit."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MINUTES = 60.0
# What belongs to the process that called us, and would lead a tool astray.
FOREIGN = (
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)


class Unfinished(Exception):
    """A step cannot be done here and now; the message says why."""


def find(name: str) -> str:
    """The tool's path; a tool that is not there leaves the step for later."""
    path = shutil.which(name)
    if path is None:
        raise Unfinished(f"{name} is not installed")
    return path


def environment() -> dict[str, str]:
    """Our environment, as a tool should see it."""
    return {k: v for k, v in os.environ.items() if k not in FOREIGN}


def run(
    command: Sequence[str | Path],
    root: Path,
    *,
    minutes: float = 10,
    extra: Mapping[str, str] | None = None,
) -> str:
    """Run the command in the project and return its output."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=root,
            env={**environment(), **(extra or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=minutes * MINUTES,
            check=False,
        )
    except OSError as error:
        raise Unfinished(f"{words[0]} does not start: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Unfinished(f"{_shown(words)} took over {minutes:g} minutes") from error
    if done.returncode:
        lines = done.stdout.strip().splitlines()[-12:]
        raise Unfinished("\n".join([f"{_shown(words)} failed:", *lines]))
    return done.stdout


def base_python() -> str:
    """The interpreter behind ours, which outlives the environment we may run in."""
    return getattr(sys, "_base_executable", "") or sys.executable


def project_python(root: Path) -> Path:
    """The project's own interpreter."""
    for name in ("bin/python", "Scripts/python.exe"):
        path = root / ".venv" / name
        if path.exists():
            return path
    raise Unfinished("there is no .venv yet")


def _shown(words: Sequence[str]) -> str:
    return " ".join([Path(words[0]).name, *words[1:]])
