"""How long a project's own tests take, and one test in a project of many entities."""

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks import compare, results, things
from benchmarks.systems import bake
from tests.harness.project import Project

LONGEST = 4  # test files are listed
FEW, MANY = 2, 200


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Run everything in turn, round after round."""
    shop = bake(folder, "ecommerce_api")
    projects = {"simple_task_api": project, "ecommerce_api": shop}
    few, many = (things.baked(folder, count) for count in (FEW, MANY))
    whole: dict[str, list[dict[str, Any]]] = {name: [] for name in projects}
    single = []
    for number in range(options.rounds):
        for name in compare.turn([*projects], number):
            whole[name].append(suite(projects[name], folder))
            print(name, whole[name][-1], flush=True)
        single.append((a_test(few, FEW, folder), a_test(many, MANY, folder)))
        print("a test of the last of 2 and of 200, ms:", single[-1], flush=True)
    found = {name: summary(runs) for name, runs in whole.items()}
    per_test = {
        "ms": {
            str(count): results.spread([one[place] for one in single])
            for place, count in enumerate((FEW, MANY))
        },
        "ratio": results.spread([late / early for early, late in single]),
    }
    about = {"rounds": options.rounds, "suites": found, "per_test": per_test}
    results.write("suite", project.python, about)


def suite(project: Project, folder: Path) -> dict[str, Any]:
    """Time `make test` with and without coverage, and its files both ways."""
    whole, files = timed(project, folder)
    bare, files_bare = timed(project, folder, "ARGS=tests")
    longest = sorted(files, key=lambda name: -files[name])[:LONGEST]
    return {
        "seconds": whole,
        "without coverage": bare,
        "longest": {name: (files[name], files_bare[name]) for name in longest},
    }


def timed(
    project: Project, folder: Path, *arguments: str
) -> tuple[float, dict[str, float]]:
    """Return the seconds of `make test`, and those that each test file takes."""
    report = folder / "suite.xml"
    options = {"PYTEST_ADDOPTS": f"--junitxml={report}"}
    began = time.monotonic()
    project.run("make", "test", *arguments, environment=options)
    seconds = time.monotonic() - began
    files: dict[str, float] = defaultdict(float)
    for name, spent in times(report):
        files[name.rpartition(".")[2]] += spent
    return seconds, files


def a_test(project: Project, count: int, folder: Path) -> float:
    """Return the mean milliseconds of the tests of the last entity.

    The first one is left out: it waits for server, tables and application.
    """
    report = folder / f"{count}.xml"
    options = ["--no-cov", "--quiet", "-k", f"thing{count}", f"--junitxml={report}"]
    project.run(project.python, "-m", "pytest", *options)
    _, *seconds = (seconds for _, seconds in times(report))
    return sum(seconds) / len(seconds) * 1e3


def times(report: Path) -> list[tuple[str, float]]:
    """Return the module of each test, in their order, with its seconds."""
    tests = ElementTree.parse(report).iter("testcase")
    return [(test.attrib["classname"], float(test.attrib["time"])) for test in tests]


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    figures = ("seconds", "without coverage")
    spreads = {key: results.spread([run[key] for run in runs]) for key in figures}
    longest = {
        name: [results.rounded(seconds) for seconds in both]
        for name, both in runs[-1]["longest"].items()
    }
    return {**spreads, "longest": longest}
