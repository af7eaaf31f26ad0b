"""The values that a field has in the rows of tests."""

import decimal
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """The values of a field: an expression of n, and a function with its results."""

    expression: str
    at: Callable[[int], object]


def from_units(units: int, scale: int) -> decimal.Decimal:
    """Return the exact decimal of a number of units of the last digit."""
    sign, digits = int(units < 0), tuple(map(int, str(abs(units))))
    return decimal.Decimal((sign, digits, -scale))
