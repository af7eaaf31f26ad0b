"""The metrics of the service: requests, the connection pools, and writes of entities.

With several workers, PROMETHEUS_MULTIPROC_DIR must name a directory that is empty at
start (`python -m src` ensures that). Each worker writes its metrics there, and the one
that handles the scrape adds them up.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
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
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

Operation = Literal["created", "updated", "deleted"]

MULTIPROCESS_DIRECTORY = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
POOL_INTERVAL = 1.0

# Untyped in prometheus_client, like the two below. Without this call, each counter would
# get a second series, with names such as <plural>_created_created.
disable_created_metrics()  # type: ignore[no-untyped-call]

http_requests_total = Counter(
    "http_requests_total", "Requests", ["method", "endpoint", "status"]
)
http_request_duration_seconds = Histogram(
    "http_request_duration_seconds",
    "Time from the start of a request to the end of its response",
    ["method", "endpoint", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
http_requests_in_progress = Gauge(
    "http_requests_in_progress", "Requests in progress", multiprocess_mode="livesum"
)
idempotency_replays_total = Counter(
    "idempotency_replays_total",
    "Requests that got the stored response to an earlier one",
)
database_pool_size = Gauge(
    "database_pool_size",
    "Connections that the pool keeps open",
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
    "Maximum number of connections",
    ["pool"],
    multiprocess_mode="livesum",
)
database_pool_overflow = Gauge(
    "database_pool_overflow",
    "Connections beyond the pool size",
    ["pool"],
    multiprocess_mode="livesum",
)

_entity_counters: dict[tuple[str, str], Counter] = {}


class _EntityCounters(Collector):
    """Collects the counters of all entities.

    They are not registered one by one: a registry reserves names that are never exposed,
    and would refuse `series_deleted_created_total` beside `series_deleted_total`, or
    `http_requests_created_total` beside `http_requests_total`.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield every counter's metric."""
        for counter in list(_entity_counters.values()):
            yield from counter.collect()


_entity_registry = CollectorRegistry()
_entity_registry.register(_EntityCounters())


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    labels = (method, route, status)
    return (
        http_requests_total.labels(*labels),
        http_request_duration_seconds.labels(*labels),
    )


def observe(method: str, route: str, status: int, duration: float) -> None:
    """Record one request."""
    total, seconds = _series(method, route, status)
    total.inc()
    seconds.observe(duration)


def register(plurals: Iterable[str]) -> None:
    """Register the counters of these entities, so that they are exposed as zero."""
    for plural in plurals:
        for operation in ("created", "updated", "deleted"):
            if (plural, operation) not in _entity_counters:
                _entity_counters[plural, operation] = Counter(
                    f"{plural}_{operation}_total",
                    f"{plural.replace('_', ' ').capitalize()} {operation}",
                    registry=None,  # see _EntityCounters
                )


def count(plural: str, operation: Operation) -> None:
    """Count an operation whose transaction is committed."""
    register([plural])
    _entity_counters[plural, operation].inc()


def render() -> tuple[bytes, str]:
    """Return the metrics of all workers as text, and its content type."""
    if MULTIPROCESS_DIRECTORY is None:
        page = generate_latest(REGISTRY) + generate_latest(_entity_registry)
        return page, CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # see above
    return generate_latest(registry), CONTENT_TYPE_LATEST


def sample_pools(engines: Iterable[tuple[str, AsyncEngine]]) -> None:
    """Set the gauges of the connection pools."""
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
    """With several workers, update this worker's gauges until the end of the block.

    Another worker may handle the scrape, and cannot read the pools of this one. With one
    worker this does nothing: the gauges are set at the scrape.
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
    """Drop the gauges of workers that were killed; their counters are kept."""
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
