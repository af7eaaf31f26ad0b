"""Puts load on services in turn, so that other activity affects all in the same way."""

import os
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks import load, machine
from benchmarks.systems import Running

BASELINE = "L1"
CALM = 0.1  # the share of the machine that other processes may take
TRIES = 5
T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """One run of one service: its rate, and times of a request in milliseconds."""

    rate: float
    p50: float
    p99: float
    cpu: float
    database_cpu: float
    memory: float
    refused: float
    foreign: float  # CPU of other processes, as a share of the machine

    def ratio(self, other: "Sample", figure: str) -> float:
        below = getattr(other, figure)
        return float(getattr(self, figure) / below) if below else float("nan")


Round = Mapping[str, Sample]


def take(
    service: Running,
    work: str,
    *,
    seconds: int,
    connections: int,
    seed: int,
) -> Sample:
    """Put load on a service; repeat it up to TRIES times if other processes disturb it.

    If all are disturbed, the least disturbed one counts.
    """
    tries = []
    for _ in range(TRIES):
        tries.append(_once(service, work, seconds, connections, seed))
        if tries[-1].foreign <= CALM:
            break
    return min(tries, key=lambda sample: sample.foreign)


def taking(
    work: str, *, seconds: int, connections: int
) -> Callable[[Running, int], Sample]:
    """Return a function that takes the sample of a service in a round."""

    def take_one(service: Running, number: int) -> Sample:
        return take(
            service,
            work,
            seconds=seconds,
            connections=connections,
            seed=number,
        )

    return take_one


def _once(
    service: Running,
    work: str,
    seconds: int,
    connections: int,
    seed: int,
) -> Sample:
    root, database = service.process.pid, service.database.pid
    before = _clocks(root, database)
    try:
        result = load.run(
            service.target, work, seconds=seconds, connections=connections, seed=seed
        )
    except RuntimeError as error:
        name = service.system.name
        raise RuntimeError(f"{name}: {service.end_of_log()}") from error
    server, postgres, client, machine_ = (
        now - then for now, then in zip(_clocks(root, database), before, strict=True)
    )
    answered = max(1, result.requests)
    all_cores = result.seconds * (os.cpu_count() or 1)
    return Sample(
        rate=result.rate,
        p50=result.p50,
        p99=result.p99,
        cpu=server / answered * 1e3,
        database_cpu=postgres / answered * 1e3,
        memory=machine.memory_mib(root),
        refused=(result.refused + result.failed) / answered,
        foreign=max(0.0, machine_ - server - postgres - client) / all_cores,
    )


def _clocks(server: int, database: int) -> tuple[float, float, float, float]:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        machine.cpu_seconds(server),
        machine.cpu_seconds(database),
        children.ru_utime + children.ru_stime,
        machine.busy_seconds(),
    )


def turn(items: Sequence[T], number: int) -> list[T]:
    """Return the order of a round: A B C, then B C A, and so on."""
    shift = number % len(items)
    return [*items[shift:], *items[:shift]]


def rounds(
    services: Sequence[Running], take_one: Callable[[Running, int], Sample], count: int
) -> list[Round]:
    """Take the samples of `count` rounds, after one that only warms up."""
    made: list[Round] = []
    for number in range(count + 1):
        samples = {
            service.system.name: take_one(service, number)
            for service in turn(services, number)
        }
        for name, sample in samples.items():
            if sample.refused:
                raise RuntimeError(f"{name}: {sample.refused:.1%} rejected or failed")
        if number:
            made.append(samples)
    return made


def ratios(
    made: Sequence[Round], name: str, figure: str, baseline: str = BASELINE
) -> list[float]:
    """Return a figure of each round as a ratio to the baseline of the same round."""
    return [one[name].ratio(one[baseline], figure) for one in made]
