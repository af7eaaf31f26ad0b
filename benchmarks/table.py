"""The table: one kind of request after the other, against the reference services."""

import argparse
from pathlib import Path
from typing import Any

from benchmarks import compare, results, rival
from benchmarks.compare import Round
from benchmarks.systems import (
    AS_SHIPPED,
    OURS,
    REFERENCES,
    SMALL_POOL,
    WORKS,
    all_running,
    database,
    tasks,
)
from tools.project import Project

ROWS = 10_000
CONNECTIONS = 32
# What is compared as a ratio to the baseline, by its title.
FIGURES = {
    "rate": "requests/s",
    "cpu": "CPU",
    "p50": "p50",
    "p99": "p99",
    "database_cpu": "database CPU",
    "memory": "memory",
}


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Run the whole table."""
    systems = [*REFERENCES, OURS, SMALL_POOL, AS_SHIPPED]
    works: dict[str, Any] = {}
    with (
        database(project, folder, tasks(ROWS)) as server,
        all_running(systems, project, server, folder) as known,
        rival.running(folder, project, server, ROWS) as others,
    ):
        services = [*known, *others]
        for work in WORKS:
            take_one = compare.taking(
                work, seconds=options.seconds, connections=CONNECTIONS
            )
            able = [one for one in services if work in one.system.works]
            made = compare.rounds(able, take_one, options.rounds)
            works[work] = {one.system.name: row(made, one.system.name) for one in able}
            show(work, works[work])
        starts = {s.system.name: results.rounded(s.started_in) for s in services}
    about = {
        "rows": ROWS,
        "connections": CONNECTIONS,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "systems": {one.system.name: one.system.about for one in services},
    }
    results.write("table", project.python, {**about, "start": starts, "works": works})


def row(made: list[Round], name: str) -> dict[str, Any]:
    """Return a service's figures: ratios to the baseline, and one rate as it was."""
    found: dict[str, Any] = {
        figure: results.spread(compare.ratios(made, name, figure)) for figure in FIGURES
    }
    for other in made[0]:
        if other != name:
            against = compare.ratios(made, name, "rate", other)
            found.setdefault("rate_to", {})[other] = results.spread(against)
    found["foreign"] = results.spread([one[name].foreign for one in made])
    return found


def show(work: str, rows: dict[str, Any]) -> None:
    print(f"\n{work}: ratios to {compare.BASELINE}, smallest and largest in brackets")
    print(f"{'':20}" + "".join(f"{title:>21}" for title in FIGURES.values()))
    for name, figures in rows.items():
        cells = ["{1:.2f} ({0:.2f}-{2:.2f})".format(*figures[f]) for f in FIGURES]
        print(f"{name:20}" + "".join(f"{cell:>21}" for cell in cells), flush=True)
