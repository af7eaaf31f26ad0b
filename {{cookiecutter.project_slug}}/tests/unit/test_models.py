"""Schemas: what they take, what they refuse, and what becomes of it."""

import uuid
from typing import Any

import pydantic
import pytest
import sqlalchemy as sa

from src.models._base import Schema
from tests.support import Case, Field, alias, as_json, read
from tests.tables import (
    each_accepted_value,
    each_case,
    each_key,
    each_refused_value,
)


def problems(schema: type[Schema], body: Any) -> list[tuple[str, str]]:
    """Return where a body breaks the schema's rules, and the type of each break."""
    with pytest.raises(pydantic.ValidationError) as caught:
        read(schema, body)
    return [
        ("/".join(map(str, error["loc"][:1])), error["type"])
        for error in caught.value.errors()
    ]


def whole(case: Case) -> dict[str, Any]:
    """Return a body with every key, optional references among them."""
    related = {field.name: str(uuid.uuid4()) for field in case.keys}
    linked = {link.key: [str(uuid.uuid4())] for link in case.links if link.key}
    return {**related, **linked, **case.factory.payload()}


def python(case: Case, body: dict[str, Any]) -> dict[str, Any]:
    """Return a body as Python values, by JSON key."""
    data = read(case.create, body)
    return {alias(case.create, name): value for name, value in data}


@each_case
def test_no_attribute_reads_rows_behind_a_query(case: Case) -> None:
    """A relationship that is not asked for raises, where it would load by itself."""
    mapper = sa.inspect(case.factory.entity)
    assert {one.lazy for one in mapper.relationships} <= {"raise"}


@each_case
def test_create_takes_a_whole_body(case: Case) -> None:
    body = whole(case)
    data = read(case.create, body)
    assert data.model_dump(mode="json", by_alias=True) == body


@each_case
def test_create_falls_back_to_defaults_and_null(case: Case) -> None:
    body = case.factory.payload()
    required = {field.name: body[field.name] for field in case.keys if field.required}
    answer = as_json(read(case.create, required).model_dump(by_alias=True))
    optional = [field for field in case.keys if not field.required]
    filled = {**required, **{field.name: field.default for field in optional}}
    assert read(case.create, answer) == read(
        case.create, {key: value for key, value in filled.items() if value is not None}
    )


@each_key
def test_create_misses_what_is_required(case: Case, field: Field) -> None:
    body = whole(case)
    del body[field.name]
    if field.required:
        assert problems(case.create, body) == [(field.name, "missing")]
    else:
        read(case.create, body)


@each_accepted_value
def test_value_is_taken(case: Case, field: Field, value: Any) -> None:
    body = {**case.factory.payload(), field.name: value}
    attribute = case.attribute(field.name)
    created = getattr(read(case.create, body), attribute)
    assert getattr(read(case.update, {field.name: value}), attribute) == created
    # What the answer says is the same value.
    answer = read(case.create, body).model_dump_json(by_alias=True)
    assert getattr(case.create.model_validate_json(answer), attribute) == created


@each_refused_value
def test_value_is_refused(case: Case, field: Field, value: Any) -> None:
    body = case.factory.payload()
    for schema, start in ((case.create, body), (case.update, {})):
        found = problems(schema, {**start, field.name: value})
        assert {place for place, _ in found} == {field.name}
    # Strict towards Python callers as well: nothing is converted.
    with pytest.raises(pydantic.ValidationError):
        case.create.model_validate({**python(case, body), field.name: value})


@each_case
@pytest.mark.parametrize("verb", ["create", "update"])
def test_unknown_keys_are_refused(case: Case, verb: str) -> None:
    schema: type[Schema] = getattr(case, verb)
    for name in ("no_such_key", "id", "created_at", "updated_at"):
        body = {**case.factory.payload(), name: "x"}
        assert problems(schema, body) == [(name, "extra_forbidden")]


@each_case
@pytest.mark.parametrize("verb", ["create", "update"])
@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_body_is_an_object(case: Case, verb: str, body: Any) -> None:
    problems(getattr(case, verb), body)


@each_case
def test_update_needs_nothing(case: Case) -> None:
    changes = read(case.update, {})
    assert changes.model_fields_set == set()
    assert changes.model_dump(exclude_unset=True) == {}


@each_key
def test_update_knows_what_was_sent(case: Case, field: Field) -> None:
    body = whole(case)
    changes = read(case.update, {field.name: body[field.name]})
    assert changes.model_fields_set == {case.attribute(field.name)}
    dumped = changes.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert dumped == {field.name: body[field.name]}


@each_case
def test_resource_takes_a_row_over(case: Case) -> None:
    entity = case.factory.create()
    resource = case.resource.model_validate(entity)
    assert case.resource.from_entity(entity) == resource
    answer = resource.model_dump(mode="json", by_alias=True)
    keys = {field.name for field in case.keys}
    assert set(answer) == {"id", "created_at", "updated_at"} | keys
    assert answer["id"] == str(entity.id)
    assert answer["created_at"] == as_json(entity.created_at)


@each_case
def test_factory_makes_different_rows(case: Case) -> None:
    first, second = case.factory.create_batch(2)
    assert first.id != second.id
    changed = case.factory.create(id=first.id)
    assert changed.id == first.id
    assert repr(first) == f"<{type(first).__name__} {first.id}>"
