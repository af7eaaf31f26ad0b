"""Parameters of tests: a test is written once, and runs for each entity it applies to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from tests.cases import CASES
from tests.support import (
    Body,
    Case,
    Check,
    Field,
    Link,
    Reference,
    as_json,
    routes,
)

BY_NAME = {case.name: case for case in CASES}
LONGEST_ID = 40

Part = Callable[[Case], Iterable[Any]]


def _each(names: str, part: Part) -> pytest.MarkDecorator:
    rows = [
        pytest.param(case, item, id=f"{case}-{_short(item)}")
        for case in CASES
        for item in part(case)
    ]
    return _parametrize(("case", *names.split()), rows)


def _each_value(part: Callable[[Field], Iterable[Any]]) -> pytest.MarkDecorator:
    rows = [
        pytest.param(case, field, value, id=f"{case}-{field.name}-{_short(value)}")
        for case in CASES
        for field in _keys(case)
        for value in part(field)
    ]
    return _parametrize(("case", "field", "value"), rows)


def _parametrize(names: Sequence[str], rows: Sequence[Any]) -> pytest.MarkDecorator:
    """Return the parameters of a test, or the mark of one that applies to no entity."""
    if not rows:
        return pytest.mark.not_applicable
    return pytest.mark.parametrize(names, rows)


def _short(item: Any) -> str:
    if isinstance(item, Field | Reference | Link):
        return item.name
    if isinstance(item, Check):
        return f"{item.left}-{item.operator}-{item.right}"
    if isinstance(item, tuple):
        return "+".join(item)
    return ascii(item)[:LONGEST_ID]


def _keys(case: Case) -> list[Field]:
    """Return the keys of creates and updates."""
    return [*case.created, *(key for key in case.changed if key not in case.created)]


def _first_of_type(case: Case) -> Iterator[Field]:
    """Yield one key of each type, for tests that do not depend on the field."""
    seen: set[tuple[str, bool]] = set()
    for field in case.changed:
        kind = (field.type, field.items is not None)
        if kind not in seen and field in case.fields:
            seen.add(kind)
            yield field


def _references(case: Case) -> Iterator[Reference]:
    """Yield the references that a create sets."""
    created = {key.name for key in case.created}
    yield from (item for item in case.references if item.name in created)


def _reverses(case: Case) -> Iterator[Reference]:
    """Yield the references whose other side has a route for the rows that refer to it."""
    for item in case.references:
        path = f"{BY_NAME[item.target].url}/{{}}/{item.reverse}"
        if item.reverse and ("GET", path) in routes():
            yield item


def _links(case: Case) -> Iterator[Link]:
    """Yield the links that have all of their routes."""
    changed = [*_changed_links(case)]
    yield from (link for link in _listed_links(case) if link in changed)


def _listed_links(case: Case) -> Iterator[Link]:
    """Yield the links that have a list of the rows on the other side."""
    for link in case.links:
        if ("GET", f"{case.url}/{{}}/{link.path}") in routes():
            yield link


def _changed_links(case: Case) -> Iterator[Link]:
    """Yield the links that have routes to add and to remove one."""
    for link in case.links:
        one = f"{case.url}/{{}}/{link.path}/{{}}"
        if {("PUT", one), ("DELETE", one)} <= routes():
            yield link


def _own_links(case: Case) -> Iterator[Link]:
    """Yield the links whose ids are part of requests."""
    created = {key.name for key in case.created}
    yield from (link for link in case.links if link.key in created)


def _unique(case: Case) -> Iterator[tuple[str, ...]]:
    """Yield the unique keys in which two rows, and their parents, can differ."""
    sent = {key.name for key in case.created}
    for names in case.unique:
        parents = [item for item in case.references if item.name in names]
        narrower = [other for other in case.unique if set(other) < set(names)]
        if case.capacity >= 2 + len(parents) and not narrower and set(names) <= sent:
            yield tuple(names)


def _is_unique(case: Case) -> bool:
    """Return whether two rows with the same required keys are a conflict."""
    required = {key.name for key in case.created if key.required}
    return any(required.issuperset(names) for names in _unique(case))


def _sent_checks(case: Case, sent: set[str]) -> Iterator[Check]:
    """Yield the checks that a request can break, of those that compare what it sends."""
    for check in case.checks:
        if check.keys <= sent and (check.broken or check.target):
            yield check


async def breaking(case: Case, check: Check, db: AsyncSession) -> Body:
    """Return values of two keys that break a check."""
    values = check.broken
    if values is None:
        target = await BY_NAME[check.target].factory.store(db)
        values = (as_json(target.id),) * 2
    return dict(zip((check.left, check.right), values, strict=True))


def _texts(case: Case, *, cleaned: bool) -> Iterator[Field]:
    """Yield the keys of text from which the service removes markup, or the others."""
    removes = _cleaned_by(case)
    kinds = ("string", "text")
    texts = (f for f in case.created if f.type in kinds and not f.items)
    for field in texts:
        is_cleaned = case.attribute(field.name) in removes
        if field in case.changed and is_cleaned == cleaned:
            yield field


def _arrays_of_text(case: Case) -> Iterator[Field]:
    """Yield the keys of arrays of text from which the service removes markup."""
    for field in case.created:
        if field.items and case.attribute(field.name) in _cleaned_by(case):
            yield field


def _cleaned_by(case: Case) -> frozenset[str]:
    """Return the attributes from which the service removes markup."""
    service = case.service(None)  # its repository is not used
    return service.plain_text | service.rich_text


each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_created_key = _each("field", lambda case: case.created)
each_changed_key = _each("field", lambda case: case.changed)
each_changed_field = _each(
    "field", lambda case: [key for key in case.changed if key in case.fields]
)
each_field = _each("field", lambda case: case.fields)
each_field_with_default_and_null = _each(
    "field", lambda case: [f for f in case.created if f.has_default and f.nullable]
)
each_read_only_field = _each(
    "field", lambda case: [f for f in case.fields if f.name in case.read_only]
)
each_write_only_field = _each(
    "field", lambda case: [f for f in case.fields if f.name in case.write_only]
)
each_immutable_field = _each(
    "field", lambda case: [f for f in case.fields if f.name in case.immutable]
)
each_type = _each("field", _first_of_type)
each_text = _each("field", lambda case: _texts(case, cleaned=True))
each_array_of_text = _each("field", _arrays_of_text)
each_kept_text = _each("field", lambda case: _texts(case, cleaned=False))
each_reference = _each("reference", _references)
each_reference_to_itself = _each(
    "reference",
    lambda case: [
        item
        for item in case.references
        if item.target == case.name and not item.required
    ],
)
each_reverse = _each("reference", _reverses)
each_link = _each("link", _links)
each_listed_link = _each("link", _listed_links)
each_changed_link = _each("link", _changed_links)
each_own_link = _each("link", _own_links)
each_search = _parametrize(
    ("case",), [pytest.param(case, id=str(case)) for case in CASES if case.searched]
)
each_included = _each("path", lambda case: case.included)
each_check = _each(
    "check",
    lambda case: [one for one in case.checks if one.broken or one.target],
)
each_created_check = _each(
    "check", lambda case: _sent_checks(case, {key.name for key in case.created})
)
each_changed_check = _each(
    "check", lambda case: _sent_checks(case, {key.name for key in case.changed})
)
each_unique = _each("names", _unique)
each_with_unique_keys = _parametrize(
    ("case",),
    [pytest.param(case, id=str(case)) for case in CASES if _is_unique(case)],
)
each_accepted_value = _each_value(Field.accepted_values)
each_refused_value = _each_value(Field.refused_values)
