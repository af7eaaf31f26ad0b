"""The cases as parameters: a test is written once, and runs for whom it concerns."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.cases import CASES
from tests.support import Case, Field, Link, Reference

BY_NAME = {case.name: case for case in CASES}
LONGEST_ID = 40

Part = Callable[[Case], Iterable[Any]]


def _each(names: str, part: Part) -> pytest.MarkDecorator:
    rows = [
        pytest.param(case, item, id=f"{case}-{_short(item)}")
        for case in CASES
        for item in part(case)
    ]
    return pytest.mark.parametrize(("case", *names.split()), rows)


def _each_value(part: Callable[[Field], Iterable[Any]]) -> pytest.MarkDecorator:
    rows = [
        pytest.param(case, field, value, id=f"{case}-{field.name}-{_short(value)}")
        for case in CASES
        for field in case.keys
        for value in part(field)
    ]
    return pytest.mark.parametrize(("case", "field", "value"), rows)


def _short(item: Any) -> str:
    if isinstance(item, Field | Reference | Link):
        return item.name
    if isinstance(item, tuple):
        return "+".join(item)
    return ascii(item)[:LONGEST_ID]


def _unique(case: Case) -> Iterator[tuple[str, ...]]:
    """Yield the keys of which two rows and the parents among them can be told apart."""
    for names in case.unique:
        parents = [item for item in case.references if item.name in names]
        narrower = [other for other in case.unique if set(other) < set(names)]
        if case.capacity >= 2 + len(parents) and not narrower:
            yield tuple(names)


each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_key = _each("field", lambda case: case.keys)
each_field = _each("field", lambda case: case.fields)
each_type = _each(
    "field",
    lambda case: [item for item in case.fields if case.is_first_of_type(item)],
)
each_text = _each(
    "field",
    lambda case: [item for item in case.fields if item.type in ("string", "text")],
)
each_reference = _each("reference", lambda case: case.references)
each_reverse = _each(
    "reference", lambda case: [item for item in case.references if item.reverse]
)
each_link = _each("link", lambda case: case.links)
each_own_link = _each("link", lambda case: [item for item in case.links if item.key])
each_unique = _each("names", _unique)
each_accepted_value = _each_value(Field.taken)
each_refused_value = _each_value(Field.not_taken)
