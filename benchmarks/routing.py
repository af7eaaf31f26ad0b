"""What a service of many entities costs, once it is generated, beside one of two."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from benchmarks import compare, results, things
from benchmarks.systems import Running, database, generated, running
from tools.project import Project

SIZES = FEW, MANY = 2, 200
CONNECTIONS = 32
FIGURES = ("cpu", "rate", "memory")
FILL = (
    "INSERT INTO thing{last}s (string_0, integer_2, email_9) "
    "SELECT 'Thing ' || n, n, n || '@example.com' FROM generate_series(1, 10000) AS n",
    "VACUUM ANALYZE thing{last}s",
    "CHECKPOINT",
    "SELECT id FROM thing{last}s",
)


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Get the last entity of each, in turn; then start and describe them."""
    projects = {count: things.baked(folder, count) for count in SIZES}
    with ExitStack() as stack:
        services = [serve(stack, projects[count], folder, count) for count in SIZES]
        take_one = compare.taking(
            "get", seconds=options.seconds, connections=CONNECTIONS
        )
        made = compare.rounds(services, take_one, options.rounds)
    found = {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "connections": CONNECTIONS,
        **{
            figure: results.spread(compare.ratios(made, str(MANY), figure, str(FEW)))
            for figure in FIGURES
        },
        "start": {str(n): results.rounded(things.start(projects[n])) for n in SIZES},
        "openapi": {
            str(n): results.rounded(min(things.describe(projects[n]))) for n in SIZES
        },
    }
    print("200 entities to 2:", found, flush=True)
    results.write("routing", project.python, found)


def serve(stack: ExitStack, project: Project, folder: Path, count: int) -> Running:
    """Start a service of things on a database of its own."""
    filling = [statement.format(last=count) for statement in FILL]
    server = stack.enter_context(database(project, folder, filling))
    system = generated(str(count), f"{count} entities", f"thing{count}s")
    log = folder / f"routing-{count}.log"
    return stack.enter_context(running(system, project, server, log=log))
