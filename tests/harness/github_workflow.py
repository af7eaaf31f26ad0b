"""Runs the `run:` steps of a generated GitHub Actions job on this machine.

Actions (`uses:`) are not executed; the caller provides their results.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.harness.project import MINUTE, clean_environment


class StepFailed(Exception):
    """A step has failed; the message has its output."""


def job(project: Path, name: str) -> dict[str, Any]:
    """Return a job of the project's workflow."""
    text = (project / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["jobs"][name]
    return found


def run_steps(
    project: Path,
    name: str,
    *,
    environment: Mapping[str, str],
    replacements: Mapping[str, str],
) -> Iterator[str]:
    """Run the job's steps in a checkout, and yield the name of each."""
    described = job(project, name)

    def adapt(text: object) -> str:
        result = str(text)
        for old, new in replacements.items():
            result = result.replace(old, new)
        if "${{" in result:
            raise StepFailed(f"an expression without a replacement: {result}")
        return result

    given = {key: adapt(value) for key, value in described.get("env", {}).items()}
    for step in described["steps"]:
        if "run" not in step or "failure()" in step.get("if", ""):
            continue
        _run(
            adapt(step["run"]), project, {**clean_environment(), **environment, **given}
        )
        yield step["name"]


def _run(script: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Run a script as GitHub's runner does: with bash, until the first failure."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={"CI": "true", "GITHUB_ACTIONS": "true", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20 * MINUTE,
    )
    if done.returncode:
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)[-4000:]
        raise StepFailed(f"{script}\nended with {done.returncode}:\n{said}")
