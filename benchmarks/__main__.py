"""`make bench`: measures, and writes the results to benchmarks/results/."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import capacity, generation, routing, suite, table, tokens, writes
from benchmarks.systems import bake
from tests.harness.project import Project

EXAMPLE = "simple_task_api"  # unless BENCH_PROJECT names a project
PARTS = {
    "table": table.measure,
    "filters": table.measure_filters,
    "tokens": tokens.measure,
    "writes": writes.measure,
    "pieces": table.measure_pieces,
    "capacity": capacity.measure,
    "generation": generation.measure,
    "suite": suite.measure,
    "routing": routing.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the given parts, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=4)
    # Clients need a fifth of a second to connect, which must not become the p99.
    parser.add_argument("--seconds", type=int, default=8)
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the database may belong to another user
        given = os.environ.get("BENCH_PROJECT")
        project = Project(Path(given).resolve()) if given else bake(folder, EXAMPLE)
        for part in options.parts or PARTS:
            PARTS[part](project, folder, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
