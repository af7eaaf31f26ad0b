"""Services with any number of entities: their specification, bake and start."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.harness.project import ROOT, Project, clean_environment, cookiecutter

REQUESTS = 5  # for /openapi.json
FIELDS: list[dict[str, Any]] = [
    {"type": "string", "required": True, "max_length": 100},
    {"type": "text"},
    {"type": "integer", "ge": 0},
    {"type": "float"},
    {"type": "decimal", "ge": 0},
    {"type": "boolean", "default": False},
    {"type": "date"},
    {"type": "datetime", "index": True},
    {"type": "enum", "values": ["a", "b", "c"], "default": "a"},
    {"type": "email"},
]


def entities(count: int) -> list[dict[str, Any]]:
    """Return entities with ten fields; each refers to the previous one."""
    return [
        {
            "name": f"Thing{number}",
            "fields": [
                {"name": f"{field['type']}_{place}", **field}
                for place, field in enumerate(FIELDS)
            ],
            "relations": [
                {
                    "name": "previous",
                    "type": "many_to_one",
                    "target": f"Thing{number - 1}",
                    "back_populates": "following",
                }
            ][: number - 1],
        }
        for number in range(1, count + 1)
    ]


def write(folder: Path, count: int) -> Path:
    source = folder / f"{count}.json"
    source.write_text(json.dumps({"entities": entities(count)}))
    return source


def clock(
    command: Sequence[str | Path], environment: Mapping[str, str], folder: Path
) -> tuple[float, str]:
    """Run a command; return the seconds it took, and its output."""
    tools = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env={**clean_environment(), **tools, **environment},  # the locked uv first
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return seconds, done.stdout


def generate(
    folder: Path, count: int, environment: Mapping[str, str] | None = None
) -> tuple[Project, float, dict[str, float]]:
    """Bake a complete project; return it, the seconds, and those of each step."""
    source, slug = write(folder, count), f"things_{count}"
    answers = [f"project_slug={slug}", f"entities_file={source}"]
    command = cookiecutter(folder, *answers)
    seconds, said = clock(command, environment or {}, folder)
    if "  done  git" not in said:
        raise RuntimeError(said)
    found = re.findall(r"^  done  (\w+) .*\((\S+) s\)$", said, re.MULTILINE)
    return Project(folder / slug), seconds, {step: float(took) for step, took in found}


def baked(folder: Path, count: int) -> Project:
    """Bake the project, unless another part has done so."""
    project = Project(folder / f"things_{count}")
    return project if project.path.exists() else generate(folder, count)[0]


def start(project: Project) -> float:
    """Return the seconds from the command to the first response, the best of three."""
    measure = str(ROOT / "tests" / "live" / "measure_start.py")
    postgres = [project.python, "-m", "scripts.postgres", "--"]
    said = project.run(*postgres, project.python, measure)
    return float(min(json.loads(said.splitlines()[-1])["seconds"]))


def describe(project: Project) -> list[float]:
    """Return the seconds of each of REQUESTS requests for /openapi.json."""
    times = []
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        for _ in range(REQUESTS):
            began = time.monotonic()
            with urllib.request.urlopen(f"{url}/openapi.json", timeout=60) as answer:
                answer.read()
            times.append(time.monotonic() - began)
    return times
