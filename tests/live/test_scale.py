"""Hundreds of entities, with three times the times of `make bench` as limits."""

from pathlib import Path

import pytest

from benchmarks.things import describe, generate, start

pytestmark = [pytest.mark.live, pytest.mark.slow]

ENTITIES = 200
GENERATING, STARTING, DESCRIBING = 3 * 20, 3 * 10, 3 * 0.2


def test_two_hundred_entities_are_generated_and_start_in_time(tmp_path: Path) -> None:
    project, seconds, steps = generate(tmp_path, ENTITIES)
    assert seconds < GENERATING, steps
    assert start(project) < STARTING
    assert max(describe(project)) < DESCRIBING
