"""How long the parts of generating take that are ours: check, render, write, merge.

`python -m benchmarks.scale` measures whole bakes, with environment and migration.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks import results
from benchmarks.scale import entities
from scaffold import merge
from scaffold.render import generate_modular_app
from scaffold.spec import load
from tools.project import Project

SIZES = (1, 20, 200)
TIMES = 3
T = TypeVar("T")


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Time each part for each size, the best of some runs."""
    found = {str(count): best(count) for count in SIZES}
    for count, parts in found.items():
        print(f"{count} entities:", parts, flush=True)
    results.write("generation", project.python, {"seconds": found})


def best(count: int) -> dict[str, float]:
    runs = []
    for _ in range(TIMES):
        with tempfile.TemporaryDirectory(prefix="generation-") as name:
            runs.append(once(Path(name), count))
    least = {part: min(run[part] for run in runs) for part in runs[0]}
    return {part: results.rounded(seconds) for part, seconds in least.items()}


def once(root: Path, count: int) -> dict[str, float]:
    """Generate into an empty folder, then once more over what stands there."""
    source = root / "entities.json"
    source.write_text(json.dumps({"entities": entities(count)}))
    parts: dict[str, float] = {}

    def timed(part: str, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        done = work()
        parts[part] = time.perf_counter() - began
        return done

    spec = timed("check", lambda: load(source))
    files = timed("render", lambda: generate_modular_app(spec).files)
    plan = merge.make_plan(root, files, {})
    timed("write", lambda: merge.carry_out(plan))
    timed("merge", lambda: merge.make_plan(root, files, {}))
    return {**parts, "all": sum(parts.values())}
