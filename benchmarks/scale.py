"""How long many entities take: to generate with everything, to start, to describe.

    python -m benchmarks.scale            20, 50, 100 and 200 entities, ten fields each
    python -m benchmarks.scale --keep     the same, into benchmarks/results/scale.json

A first bake warms the caches of pip, uv and the file system; it is not counted.
"""

import argparse
import datetime as dt
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.project import ROOT, Project, clean_environment, cookiecutter

RESULTS = ROOT / "benchmarks" / "results" / "scale.json"
SIZES = (20, 50, 100, 200)
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
    """Entities of ten fields, one of each common type; each belongs to the one before."""
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


def generate(folder: Path, count: int) -> tuple[Project, float, dict[str, float]]:
    """Bake with everything; return the project, the seconds, and those of each step."""
    source = folder / f"{count}.json"
    source.write_text(json.dumps({"entities": entities(count)}))
    answers = [f"project_slug=things_{count}", f"entities_file={source}"]
    tools = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    began = time.monotonic()
    done = subprocess.run(
        cookiecutter(folder, *answers),
        env=clean_environment() | tools,  # the locked uv before any other
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.monotonic() - began
    if "  done  git" not in done.stdout:
        raise SystemExit(done.stdout)
    found = re.findall(r"^  done  (\w+) .*\((\S+) s\)$", done.stdout, re.MULTILINE)
    steps = {name: float(spent) for name, spent in found}
    return Project(folder / f"things_{count}"), seconds, steps


def start(project: Project) -> float:
    """Return the seconds from the command to the first answer, the best of three."""
    measure = str(ROOT / "tests" / "live" / "measure_start.py")
    postgres = [project.python, "-m", "scripts.postgres", "--"]
    said = project.run(*postgres, project.python, measure)
    return float(min(json.loads(said.splitlines()[-1])["seconds"]))


def describe(project: Project) -> float:
    """Return the seconds that the first request for /openapi.json takes."""
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        began = time.monotonic()
        with urllib.request.urlopen(f"{url}/openapi.json", timeout=60) as answer:
            answer.read()
        return time.monotonic() - began


def measure(sizes: Sequence[int]) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        generate(Path(name), 1)
        for count in sizes:
            project, seconds, steps = generate(Path(name), count)
            rows.append(
                {
                    "entities": count,
                    "fields": count * len(FIELDS),
                    "generate": round(seconds, 1),
                    "steps": steps,
                    "start": round(start(project), 2),
                    "openapi": round(describe(project), 3),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--keep", action="store_true", help="write the results")
    options = parser.parse_args(arguments)
    rows = measure(options.sizes)
    if options.keep:
        about = {
            "date": dt.date.today().isoformat(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "seconds": rows,
        }
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(about, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
