"""Two workers, deep pages of a large table, and overload."""

import argparse
import json
import statistics
import time
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import compare, load, results
from benchmarks.systems import (
    Database,
    Running,
    all_running,
    database,
    generated,
    running,
    tasks,
)
from tests.harness.project import Project

ROWS = 1_000_000
CONNECTIONS = 32
REQUESTS = 60  # for each page, in turn; the result is the median
BOUND = 24  # requests in progress, a few more than the pool; the peak is with as many
TIMES = (2, 5)  # the load, as multiples of the peak
FIRST, AFTER = "first page", "after=… at the same place"
CROWD = 1024  # connections of the overload


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Measure workers, overload and pages."""
    with database(project, folder, tasks(10_000)) as server:
        found = {
            "workers": workers(project, server, folder, options),
            "overload": overload(project, server, folder, options),
        }
    with database(project, folder, tasks(ROWS)) as server:
        found["depth"] = depth(project, server, folder)
    results.write("capacity", project.python, found)


def workers(
    project: Project, server: Database, folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Return the figures of two processes, as ratios to one."""
    one, two = "1 worker", "2 workers"
    systems = [
        (generated(one, "one process"), project),
        (generated(two, "two processes", WORKERS="2"), project),
    ]
    found: dict[str, Any] = {}
    with all_running(systems, server, folder) as services:
        for work in ("get", "create"):
            take_one = compare.taking(
                work, seconds=options.seconds, connections=CONNECTIONS
            )
            made = compare.rounds(services, take_one, options.rounds)
            found[work] = results.spread(compare.ratios(made, two, "rate", one))
        found["memory"] = results.spread(compare.ratios(made, two, "memory", one))
    print("two workers to one:", found, flush=True)
    return found


def overload(
    project: Project, server: Database, folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Send more requests than the peak from many clients; return the outcome."""
    system = generated("bounded", "", MAX_REQUESTS_IN_PROGRESS=str(BOUND))
    found: dict[str, list[dict[str, float]]] = {}
    push = dict.fromkeys(
        TIMES, 1.0
    )  # clients wait for responses too, not only between requests
    with running(system, project, server, log=folder / "overload.log") as service:
        for number in range(options.rounds + 1):
            for work in ("get", "mixed"):
                peak = _load(service, work, options.seconds, BOUND).rate
                for times in TIMES:
                    offered = times * peak
                    pushed = offered * push[times]
                    crowd = _load(service, work, options.seconds, CROWD, pushed)
                    push[times] *= offered / crowd.rate
                    if number:  # the first warms up
                        told = found.setdefault(f"{work}, {times} times the peak", [])
                        told.append(_outcome(crowd, peak))
    loads = {
        name: {
            figure: results.spread([one[figure] for one in told]) for figure in told[0]
        }
        for name, told in found.items()
    }
    print("overload:", loads, flush=True)
    return {"bound": BOUND, "connections": CROWD, "loads": loads}


def _outcome(crowd: load.Result, peak: float) -> dict[str, float]:
    good = (crowd.requests - crowd.refused) / crowd.seconds
    return {
        "offered": crowd.rate / peak,
        "goodput": good / peak,
        "refused": crowd.refused / crowd.requests,
        "failed": crowd.failed / crowd.requests,
        "p50": crowd.p50,
        "p99": crowd.p99,
    }


def _load(
    service: Running, work: str, seconds: int, connections: int, offered: float = 0
) -> load.Result:
    pause = round(1000 * connections / offered) if offered else 0
    return load.run(
        service.target, work, seconds=seconds, connections=connections, pause=pause
    )


def depth(project: Project, server: Database, folder: Path) -> dict[str, Any]:
    """Return the milliseconds of pages at both ends of a large table."""
    system = generated("deep", "")
    with running(system, project, server, log=folder / "depth.log") as service:
        path = system.path
        last = ROWS - 20
        cursor = _cursor(service, path, last)
        pages = {
            FIRST: f"{path}?limit=20&total=false",
            "first page, counted": f"{path}?limit=20",
            "skip=999980": f"{path}?limit=20&total=false&skip={last}",
            "skip=999980, counted": f"{path}?limit=20&skip={last}",
            AFTER: f"{path}?limit=20&total=false&after={cursor}",
        }
        # The fast ones in turn; requests after the slow ones find cold caches.
        quick = {name: pages.pop(name) for name in (FIRST, AFTER)}
        found = _milliseconds(service, quick)
        for name, page in pages.items():
            found |= _milliseconds(service, {name: page})
    told = {name: results.rounded(value) for name, value in found.items()}
    print("pages of a million rows, ms:", told, flush=True)
    return told


def _cursor(service: Running, path: str, skip: int) -> str:
    page = f"{service.target.url}{path}?limit=1&total=false&skip={skip - 1}"
    with urllib.request.urlopen(page, timeout=60) as answer:
        return str(json.load(answer)["next"])


def _milliseconds(service: Running, pages: Mapping[str, str]) -> dict[str, float]:
    """Return the time of each page, with requests for all of them in turn."""
    address = urlsplit(service.target.url)
    times: dict[str, list[float]] = {name: [] for name in pages}
    with closing(HTTPConnection(str(address.hostname), address.port)) as connection:
        for _ in range(REQUESTS):
            for name, page in pages.items():
                began = time.perf_counter()
                connection.request("GET", page)
                answer = connection.getresponse()
                body = answer.read()
                times[name].append((time.perf_counter() - began) * 1e3)
                assert answer.status == 200, body
    return {name: statistics.median(taken) for name, taken in times.items()}
