"""What Prometheus scrapes, from one process and from several."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from src.core import metrics

URL = "postgresql+asyncpg://app@localhost/app"


def test_the_counters_of_an_entity_start_at_zero() -> None:
    metrics.register(["http_requests"])
    metrics.register(["http_requests"])
    before = shown("http_requests_created_total")
    metrics.count("http_requests", "created")
    assert shown("http_requests_created_total") == before + 1
    assert shown("http_requests_deleted_total") >= 0


def shown(name: str) -> float:
    """Return the value of a counter without labels."""
    page = metrics.render()[0].decode()
    return float(page.partition(f"\n{name} ")[2].partition("\n")[0])


async def test_a_pool_without_connections_has_no_gauges() -> None:
    engine = create_async_engine(URL, poolclass=NullPool)
    metrics.sample_pools([("write", engine)])
    await engine.dispose()


async def test_several_workers_share_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_async_engine(URL)
    own = tmp_path / f"gauge_livesum_{os.getpid()}.db"
    dead = tmp_path / "gauge_livesum_999999999.db"
    foreign = tmp_path / "gauge_livesum_1.db"
    for path in (own, dead, foreign):
        path.touch()
    monkeypatch.setattr(metrics, "MULTIPROCESS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    async with metrics.shared_with_workers([("write", engine)]):
        await asyncio.sleep(0)
        assert own.exists()
        assert not dead.exists()
    assert not own.exists()
    foreign.unlink()
    assert metrics.render()[0] == b""
    await engine.dispose()


async def test_a_worker_of_another_user_is_not_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    path = tmp_path / "gauge_livesum_1.db"
    path.touch()
    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setattr(metrics, "MULTIPROCESS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    async with metrics.shared_with_workers([]):
        assert path.exists()


async def test_one_process_shares_nothing() -> None:
    async with metrics.shared_with_workers([]):
        pass
