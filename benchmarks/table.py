"""Compares the service with reference services and peers, by kind of request."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import compare, peers, pieces, results, rival
from benchmarks.compare import BASELINE, Round
from benchmarks.systems import (
    COUNTED,
    DEFAULTS,
    OURS,
    REFERENCES,
    WORKS,
    Running,
    all_running,
    database,
    tasks,
)
from tests.harness.project import Project

ROWS = 10_000
CONNECTIONS = 32
# Figures that are compared as ratios to the baseline, with their titles.
FIGURES = {
    "rate": "requests/s",
    "cpu": "CPU",
    "p50": "p50",
    "p99": "p99",
    "database_cpu": "database CPU",
    "memory": "memory",
}


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Compare with references and peers, as ratios to L1."""
    systems = [(system, project) for system in (*REFERENCES, OURS, DEFAULTS, COUNTED)]
    systems += [(pieces.PLAIN, pieces.without_dispatcher(project, folder))]
    systems += peers.granian(folder, project) + peers.installed(folder)
    with (
        database(project, folder, tasks(ROWS)) as server,
        all_running(systems, server, folder) as known,
        rival.running(folder, project, server, ROWS) as others,
    ):
        found = compared([*known, *others], options, BASELINE)
    results.write("table", project.python, found)


def measure_pieces(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Measure the service without each speed piece, as ratios to all pieces."""
    systems = [(OURS, project), *pieces.without(project, folder)]
    with (
        database(project, folder, tasks(ROWS)) as server,
        all_running(systems, server, folder) as services,
    ):
        found = compared(services, options, OURS.name)
    results.write("pieces", project.python, found)


def measure_filters(
    project: Project, folder: Path, options: argparse.Namespace
) -> None:
    """Measure a filtered, sorted list, as ratios to the service's own."""
    query = f"{peers.FILTERED}&sort=-created_at"
    ours = replace(OURS, list_query=f"{query}&total=false")
    counted = replace(COUNTED, list_query=query)
    systems = [(ours, project), (counted, project)]
    systems += peers.installed(folder, peers.FILTERING)
    with (
        database(project, folder, tasks(ROWS)) as server,
        all_running(systems, server, folder) as services,
    ):
        found = compared(services, options, OURS.name, works=["list"])
    results.write("filters", project.python, found)


def compared(
    services: Sequence[Running],
    options: argparse.Namespace,
    baseline: str,
    works: Sequence[str] = WORKS,
) -> dict[str, Any]:
    """Send each kind of request to all services that support it, in turn."""
    measured: dict[str, Any] = {}
    for work in works:
        take_one = compare.taking(
            work, seconds=options.seconds, connections=CONNECTIONS
        )
        able = [one for one in services if work in one.system.works]
        made = compare.rounds(able, take_one, options.rounds)
        names = [one.system.name for one in able]
        measured[work] = {name: row(made, name, baseline) for name in names}
        show(work, measured[work], baseline)
    return {
        "rows": ROWS,
        "connections": CONNECTIONS,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "baseline": baseline,
        "systems": {one.system.name: one.system.about for one in services},
        "start": {s.system.name: results.rounded(s.started_in) for s in services},
        "works": measured,
    }


def row(made: list[Round], name: str, baseline: str) -> dict[str, Any]:
    """Return a service's figures as ratios to the baseline, and its rate to each other."""
    found: dict[str, Any] = {
        figure: results.spread(compare.ratios(made, name, figure, baseline))
        for figure in FIGURES
    }
    for other in made[0]:
        if other != name:
            against = compare.ratios(made, name, "rate", other)
            found.setdefault("rate_to", {})[other] = results.spread(against)
    # Milliseconds of CPU that a request takes on this machine.
    found["cpu_ms"] = results.spread([one[name].cpu for one in made])
    found["foreign"] = results.spread([one[name].foreign for one in made])
    return found


def show(work: str, rows: dict[str, Any], baseline: str) -> None:
    print(f"\n{work}: ratios to {baseline}, smallest and largest in brackets")
    print(f"{'':20}" + "".join(f"{title:>21}" for title in FIGURES.values()))
    for name, figures in rows.items():
        cells = ["{1:.2f} ({0:.2f}-{2:.2f})".format(*figures[f]) for f in FIGURES]
        print(f"{name:20}" + "".join(f"{cell:>21}" for cell in cells), flush=True)
