"""Schemas: what they accept and refuse, and the values that result."""

from typing import Any

import pydantic
import pytest

from src.models.base import Schema
from tests.support import Case, Field, as_json, keys, read
from tests.tables import (
    BY_NAME,
    each_accepted_value,
    each_case,
    each_changed_key,
    each_created_key,
    each_refused_value,
)


def problems(schema: type[Schema], body: Any) -> list[tuple[str, str]]:
    """Return where a body breaks the schema's rules, and the type of each problem."""
    with pytest.raises(pydantic.ValidationError) as caught:
        read(schema, body)
    return [
        ("/".join(map(str, error["loc"][:1])), error["type"])
        for error in caught.value.errors()
    ]


def whole(case: Case) -> dict[str, Any]:
    """Return a body with every key of a create, including optional references."""
    related: dict[str, Any] = {
        item.name: as_json(BY_NAME[item.target].factory.new_id())
        for item in case.references
    }
    for link in case.links:
        if link.key:
            related[link.key] = [as_json(BY_NAME[link.target].factory.new_id())]
    related = {key: related[key] for key in related if key in keys(case.create)}
    return {**related, **case.factory.payload()}


def schemas(case: Case, key: str) -> list[tuple[type[Schema], dict[str, Any]]]:
    """Return the schemas that have a key, with a body that has all other required keys."""
    both: list[tuple[type[Schema], dict[str, Any]]] = [
        (case.create, case.factory.payload()),
        (case.update, {}),
    ]
    return [(schema, start) for schema, start in both if key in keys(schema)]


@each_case
def test_create_accepts_a_whole_body(case: Case) -> None:
    body = whole(case)
    data = read(case.create, body)
    assert read(case.create, data.model_dump(mode="json", by_alias=True)) == data
    assert case.create(**by_key(data)) == data  # Python's values as well


def by_key(data: Schema) -> dict[str, Any]:
    """Return the Python values of a body by their JSON keys."""
    fields = type(data).model_fields
    return {fields[name].alias or name: value for name, value in data}


@each_case
def test_create_falls_back_to_defaults_and_null(case: Case) -> None:
    body = case.factory.payload()
    required = {f.name: body[f.name] for f in case.created if f.required}
    data = read(case.create, required)
    values = by_key(data)
    for field in case.created:
        if not field.required:
            expected = field.default
            if expected is not None:
                expected = case.value(field.name, expected)
            assert values[field.name] == expected


@each_case
def test_create_has_what_the_table_requires(case: Case) -> None:
    assert not case.cannot_be_created


@each_created_key
def test_create_requires_the_required_keys(case: Case, field: Field) -> None:
    body = whole(case)
    del body[field.name]
    if field.required:
        assert problems(case.create, body) == [(field.name, "missing")]
    else:
        read(case.create, body)


@each_accepted_value
def test_value_is_accepted(case: Case, field: Field, value: Any) -> None:
    attribute = case.attribute(field.name)
    for schema, start in schemas(case, field.name):
        data = read(schema, {**start, field.name: value})
        # What the answer says is the same value.
        answer = as_json(getattr(data, attribute))
        again = read(schema, {**start, field.name: answer})
        assert getattr(again, attribute) == getattr(data, attribute)


@each_refused_value
def test_value_is_refused(case: Case, field: Field, value: Any) -> None:
    for schema, start in schemas(case, field.name):
        found = problems(schema, {**start, field.name: value})
        assert {place for place, _ in found} == {field.name}


@each_case
@pytest.mark.parametrize("verb", ["create", "update"])
def test_unknown_keys_are_refused(case: Case, verb: str) -> None:
    schema: type[Schema] = getattr(case, verb)
    start = case.factory.payload() if verb == "create" else {}
    for name in {"no_such_key", *keys(case.resource)} - set(keys(schema)):
        assert problems(schema, {**start, name: "x"}) == [(name, "extra_forbidden")]


@each_case
@pytest.mark.parametrize("verb", ["create", "update"])
@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_body_is_an_object(case: Case, verb: str, body: Any) -> None:
    problems(getattr(case, verb), body)


@each_case
def test_update_requires_nothing(case: Case) -> None:
    changes = read(case.update, {})
    assert changes.model_fields_set == set()
    assert changes.model_dump(exclude_unset=True) == {}


@each_changed_key
def test_update_knows_what_was_sent(case: Case, field: Field) -> None:
    body = whole(case)
    value = body[field.name] if field.name in body else field.accepted_values()[0]
    changes = read(case.update, {field.name: value})
    assert changes.model_fields_set == {case.attribute(field.name)}
    dumped = changes.model_dump(by_alias=True, exclude_unset=True)
    assert dumped == {field.name: case.value(field.name, value)}


@each_case
def test_resource_shows_a_row(case: Case) -> None:
    entity = case.factory.create()
    answer = case.answer(entity)
    assert set(answer) == {
        field.alias or name
        for name, field in case.resource.model_fields.items()
        if field.exclude_if is None  # it is embedded only if a list includes it
    }
    assert case.id_of(answer) == as_json(entity.id)
    if case.times:
        assert answer[case.times[0]] == as_json(entity.created_at)


@each_case
def test_resource_shows_a_row_that_is_older_than_a_rule(case: Case) -> None:
    """A new limit must not hide the rows that were stored before it."""
    for field in case.fields:
        if field.type in ("string", "text") and field.name in keys(case.resource):
            changes = {case.attribute(field.name): 10_000 * "x"}
            answer = case.answer(case.factory.create(**changes))
            assert answer[field.name] == 10_000 * "x"


@each_case
def test_factory_makes_different_rows(case: Case) -> None:
    first, second = case.factory.create_batch(n=2)
    assert first.id != second.id
    changed = case.factory.create(id=first.id)
    assert changed.id == first.id
    assert repr(first) == f"<{type(first).__name__} {first.id}>"
