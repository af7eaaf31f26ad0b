"""What a service of many entities costs beside one of two: routing, load, start, memory."""

import argparse
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks import compare, pieces, results, things
from benchmarks.systems import Running, database, generated, running
from tests.harness.project import ROOT, Project

SIZES = FEW, MANY, MOST = 2, 50, 200
CONNECTIONS = 32
FIGURES = ("cpu", "rate", "memory")
Kind = tuple[Mapping[int, Project], Mapping[str, str]]  # projects by size, settings
FILL = (
    "INSERT INTO thing{last}s (string_0, integer_2, email_9) "
    "SELECT 'Thing ' || n, n, n || '@example.com' FROM generate_series(1, 10000) AS n",
    "VACUUM ANALYZE thing{last}s",
    "CHECKPOINT",
    "SELECT id FROM thing{last}s",
)


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Get the last entity of each: with all pieces, without plans, and with FastAPI alone.

    The plans find their routes by prefix too, so the dispatcher is measured without them.
    """
    baked = {count: things.baked(folder, count) for count in SIZES}
    plain = {n: pieces.without_dispatcher(baked[n], folder) for n in SIZES}
    kinds: dict[str, Kind] = {
        "dispatcher and endpoint plans": (baked, {}),
        "dispatcher": (baked, pieces.NO_PLANS),
        "FastAPI alone": (plain, pieces.NO_PLANS),
    }
    found = {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "connections": CONNECTIONS,
        "microseconds": {
            name: {str(n): results.rounded(route_cost(kind, n)) for n in SIZES}
            for name, kind in kinds.items()
        },
        "load": {
            name: under_load(kind, folder, options) for name, kind in kinds.items()
        },
        "start": {str(n): results.rounded(things.start(baked[n])) for n in SIZES},
        "openapi": {
            str(n): results.rounded(min(things.describe(baked[n]))) for n in SIZES
        },
    }
    print("many entities:", found, flush=True)
    results.write("routing", project.python, found)


def route_cost(kind: Kind, count: int) -> float:
    """Return the microseconds of a request to the last router that does nothing."""
    projects, settings = kind
    project = projects[count]
    script = str(ROOT / "benchmarks" / "references" / "route_cost.py")
    output = project.run(project.python, script, environment=settings)
    return float(output.splitlines()[-1])


def under_load(
    kind: Kind, folder: Path, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Return what gets of the last of many entities cost, as ratios to the last of few."""
    with ExitStack() as stack:
        services = [serve(stack, kind, folder, n) for n in (FEW, MANY)]
        take_one = compare.taking(
            "get", seconds=options.seconds, connections=CONNECTIONS
        )
        made = compare.rounds(services, take_one, options.rounds)
    return {
        figure: results.spread(compare.ratios(made, str(MANY), figure, str(FEW)))
        for figure in FIGURES
    }


def serve(stack: ExitStack, kind: Kind, folder: Path, count: int) -> Running:
    """Start a service of things on a database of its own."""
    projects, settings = kind
    project = projects[count]
    filling = [statement.format(last=count) for statement in FILL]
    server = stack.enter_context(database(project, folder, filling))
    path, name = f"thing{count}s", f"{count} entities"
    system = generated(str(count), name, path, **settings)
    log = folder / f"routing-{count}.log"
    return stack.enter_context(running(system, project, server, log=log))
