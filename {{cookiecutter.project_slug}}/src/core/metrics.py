"""What Prometheus sees of the service: requests, the database pool, the entities.

With several workers, PROMETHEUS_MULTIPROC_DIR must name a directory that is empty at
start (`python -m src` sees to it): each worker then writes its numbers there, and
whichever answers the scrape adds them up.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Literal

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

Operation = Literal["created", "updated", "deleted"]

MULTIPROCESS_DIRECTORY = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
POOL_INTERVAL = 1.0

# Untyped in prometheus_client, as the two below. Without it each counter of ours
# would get a second series, which is called <plural>_created_created.
disable_created_metrics()  # type: ignore[no-untyped-call]

http_requests_total = Counter(
    "http_requests_total", "Requests answered", ["method", "endpoint", "status"]
)
http_request_duration_seconds = Histogram(
    "http_request_duration_seconds",
    "Time from a request's arrival to the end of its answer",
    ["method", "endpoint"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
http_requests_in_progress = Gauge(
    "http_requests_in_progress", "Requests under way", multiprocess_mode="livesum"
)
database_pool_size = Gauge(
    "database_pool_size",
    "Connections that the pool keeps",
    ["pool"],
    multiprocess_mode="livesum",
)
database_pool_checked_out = Gauge(
    "database_pool_checked_out",
    "Connections in use",
    ["pool"],
    multiprocess_mode="livesum",
)
database_pool_limit = Gauge(
    "database_pool_limit",
    "Connections at the most",
    ["pool"],
    multiprocess_mode="livesum",
)
database_pool_overflow = Gauge(
    "database_pool_overflow",
    "Connections beyond the size",
    ["pool"],
    multiprocess_mode="livesum",
)

# A registry of their own: an entity HttpRequest must not meet http_requests_total.
_entity_registry = CollectorRegistry()
_entity_counters: dict[tuple[str, str], Counter] = {}


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    total = http_requests_total.labels(method, route, status)
    return total, http_request_duration_seconds.labels(method, route)


def observe(method: str, route: str, status: int, duration: float) -> None:
    """Note one request; its series are looked up once."""
    total, seconds = _series(method, route, status)
    total.inc()
    seconds.observe(duration)


def register(plurals: Iterable[str]) -> None:
    """Make the counters of these entities visible, at zero, before anything happens."""
    for plural in plurals:
        for operation in ("created", "updated", "deleted"):
            if (plural, operation) not in _entity_counters:
                _entity_counters[plural, operation] = Counter(
                    f"{plural}_{operation}_total",
                    f"{plural.replace('_', ' ').capitalize()} {operation}",
                    registry=_entity_registry,
                )


def count(plural: str, operation: Operation) -> None:
    """Count an operation whose transaction is committed."""
    register([plural])
    _entity_counters[plural, operation].inc()


def render() -> tuple[bytes, str]:
    """Return the exposition of all workers and its content type."""
    if MULTIPROCESS_DIRECTORY is None:
        page = generate_latest(REGISTRY) + generate_latest(_entity_registry)
        return page, CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # see above
    return generate_latest(registry), CONTENT_TYPE_LATEST


def sample_pools(engines: Iterable[tuple[str, AsyncEngine]]) -> None:
    """Read the gauges of the pools off the pools."""
    for name, engine in engines:
        pool = engine.pool
        if isinstance(pool, QueuePool):  # others, such as NullPool, keep nothing
            database_pool_size.labels(name).set(pool.size())
            database_pool_checked_out.labels(name).set(pool.checkedout())
            database_pool_overflow.labels(name).set(max(0, pool.overflow()))


@asynccontextmanager
async def shared_with_workers(
    engines: Iterable[tuple[str, AsyncEngine]],
) -> AsyncIterator[None]:
    """Keep this worker's part of the numbers fresh, and remove it at the end.

    Another worker may answer the scrape, and cannot look into this one's pools. Where
    there is one process only, the scrape itself looks, and nothing runs here.
    """
    if MULTIPROCESS_DIRECTORY is None:
        yield
        return
    _forget_dead_workers(Path(MULTIPROCESS_DIRECTORY))
    sampling = asyncio.create_task(_keep_sampling(engines))
    try:
        yield
    finally:
        sampling.cancel()
        _forget(os.getpid())


async def _keep_sampling(engines: Iterable[tuple[str, AsyncEngine]]) -> None:
    while True:
        sample_pools(engines)
        await asyncio.sleep(POOL_INTERVAL)


def _forget_dead_workers(directory: Path) -> None:
    """Drop the gauges of workers that were killed; their counters stay in the sums."""
    for path in directory.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            _forget(pid)
        except PermissionError:
            continue


def _forget(pid: int) -> None:
    mark_process_dead(pid)  # type: ignore[no-untyped-call]  # see above
