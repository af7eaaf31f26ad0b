"""The values that a field has in the rows of tests."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """The values of a field: an expression of n, and a function with its results."""

    expression: str
    at: Callable[[int], object]
