"""The results: one file for each part, with the machine and the versions."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import load, machine

FOLDER = Path(__file__).with_name("results")


def write(part: str, python: str, result: dict[str, Any]) -> Path:
    """Write the result of a part; it replaces that of the last run."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{part}.json"
    about = {"machine": machine.describe(python), "load": load.generator()}
    path.write_text(json.dumps({**about, **result}, indent=2) + "\n")
    return path


def read(part: str) -> dict[str, Any] | None:
    """Return the result of a part, if there is one."""
    path = FOLDER / f"{part}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def spread(values: Sequence[float]) -> list[float]:
    """Return the smallest, the middle and the largest, in three digits."""
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    if len(ordered) % 2 == 0:
        middle = (middle + ordered[len(ordered) // 2 - 1]) / 2
    return [rounded(value) for value in (ordered[0], middle, ordered[-1])]


def rounded(value: float) -> float:
    if not value or not math.isfinite(value):
        return value
    return round(value, 2 - math.floor(math.log10(abs(value))))
