"""Measures generation: whole bakes by step, and the part of the generator.

The caches of packages are warm or empty. Those of the file system are always warm, because
only some systems can empty them.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from benchmarks import compare, results, rival, things
from scaffold.merging import merge
from scaffold.rendering import app
from scaffold.spec.loading import load
from tests.harness.project import Project

FEW, MANY = "2 entities", "200 entities"
SIZES = (1, 2, 20, 200)
# The steps that should grow less than the number of entities.
GROWING = ("files", "migration", "format")
CACHES = ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME")
BARE = (sys.executable, "-m", "cookiecutter", "--version")
T = TypeVar("T")

Figures = Mapping[str, float]
Round = Mapping[str, Figures]
Generator = Callable[[Path, Mapping[str, str]], Figures]


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Run all generators in turn, round after round; the first warm round is not counted."""
    generators: dict[str, Generator] = {}
    for count in SIZES:
        name = f"{count} entit{'y' if count == 1 else 'ies'}"
        generators[name] = partial(bake, count)
    other = rival.install(folder)
    if other:
        generators[rival.NAME] = partial(rival_project, folder)
    numbers = range(options.rounds + 1)
    warm = [one_round(generators, folder, n, cold=False) for n in numbers][1:]
    cold = [one_round(generators, folder, n, cold=True) for n in numbers[1:]]
    found = {
        "rounds": options.rounds,
        "tools": {
            **{name: version(name) for name in ("cookiecutter", "uv")},
            rival.NAME: other,  # empty if it is left out
        },
        "growth": results.spread([growth(one) for one in warm]),
        "warm": spreads(warm),
        "cold": spreads(cold),
    }
    print(
        "200 entities to 2, files, migration and format:", found["growth"], flush=True
    )
    results.write("generation", project.python, found)


def one_round(
    generators: Mapping[str, Generator], folder: Path, number: int, *, cold: bool
) -> Round:
    """Run each generator in a separate folder, if cold with empty caches."""
    began = time.monotonic()
    subprocess.run(BARE, check=True, stdout=subprocess.DEVNULL)
    bare = time.monotonic() - began
    found = {}
    for name in compare.turn([*generators], number):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            empty = {cache: str(Path(place, cache)) for cache in CACHES if cold}
            figures = generators[name](Path(place), empty)
        found[name] = {**figures, "to a bare start": figures["seconds"] / bare}
        seconds = f"{figures['seconds']:.1f} s"
        print("cold" if cold else "warm", name, seconds, flush=True)
    return {name: found[name] for name in generators}


def bake(count: int, folder: Path, environment: Mapping[str, str]) -> Figures:
    """Return the seconds of a bake, of its steps, and of the generator.

    `files` is the rest: Cookiecutter itself, and the generator.
    """
    _, seconds, steps = things.generate(folder, count, environment)
    side_by_side = min(steps["migration"], steps["openapi"])
    files = seconds - sum(steps.values()) + side_by_side
    (folder / "ours").mkdir()
    parts = {"files": files, **steps, **ours(folder / "ours", count)}
    return {"seconds": seconds, **parts}


def rival_project(
    installed: Path, folder: Path, environment: Mapping[str, str]
) -> Figures:
    return rival.generate(installed, folder, environment, rival.METRICS)


def ours(root: Path, count: int) -> dict[str, float]:
    """Generate the code into an empty folder, and then again over it."""
    app._finish.cache_clear()  # each bake is a new process
    source = things.write(root, count)
    parts: dict[str, float] = {}

    def timed(part: str, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        done = work()
        parts[part] = time.perf_counter() - began
        return done

    spec = timed("check", lambda: load(source))
    files = timed("render", lambda: app.generate_modular_app(spec).files)
    plan = merge.make_plan(root, {}, files)
    timed("write", lambda: merge.carry_out(plan))
    base = {path: text.encode() for path, text in files.items()}
    timed("merge", lambda: merge.make_plan(root, base, files))
    return {**parts, "all": sum(parts.values())}


def growth(one: Round) -> float:
    many, few = (sum(one[name][part] for part in GROWING) for name in (MANY, FEW))
    return many / few


def spreads(rounds: Sequence[Round]) -> dict[str, dict[str, list[float]]]:
    """Return each figure over the rounds."""
    return {
        name: {
            figure: results.spread([one[name][figure] for one in rounds])
            for figure in figures
        }
        for name, figures in rounds[0].items()
    }
