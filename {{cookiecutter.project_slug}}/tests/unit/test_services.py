"""Services: the rules between HTTP and storage, on the repository in memory."""

import inspect
from typing import Any
from unittest import mock

import pydantic
import pytest

from src.core.errors import InvalidError, NotFoundError, UnavailableError
from src.models.base import new_id
from tests.answers import same
from tests.fakes import InMemoryRepository
from tests.support import Case, Field, Reference, read
from tests.tables import BY_NAME, each_case, each_kept_text, each_reference, each_text

SOME = 5


class ServiceUnderTest:
    """A service under test, its verbs by their common names."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.repository = InMemoryRepository[Any](
            case.repository, case.filled_in(), case.factory.new_id
        )
        self.service = case.service(self.repository)

    def __getattr__(self, verb: str) -> Any:
        """Return the service's function for a verb: `create_task` for `create`."""
        if verb == "create" and self.case.cannot_be_created:
            pytest.skip(self.case.cannot_be_created)
        if not self.has(verb):
            pytest.skip(f"{type(self.service).__name__} has no {self.name(verb)}")
        return getattr(self.service, self.name(verb))

    def has(self, verb: str) -> bool:
        """Return whether the service has a function for a verb."""
        return hasattr(self.service, self.name(verb))

    def name(self, verb: str) -> str:
        """Return the name of the function for a verb."""
        return f"{verb}_{self.case.plural if verb == 'list' else self.case.name}"

    def store(self, **changes: Any) -> Any:
        """Put a row into the repository."""
        return self.repository.add(self.case.factory.create(**changes))

    def data(self) -> Any:
        """Return what creates another row."""
        return read(self.case.create, self.case.factory.payload())

    def replacement(self) -> Any:
        """Return what replaces a row."""
        return self.case.replacing(self.case.factory.payload())

    def changes(self) -> Any:
        """Return what changes every field of a row."""
        body = self.case.changes(self.case.factory.payload())
        return read(self.case.update, body)


@pytest.fixture
def tested(case: Case) -> ServiceUnderTest:
    """The service of a case."""
    return ServiceUnderTest(case)


@each_case
async def test_create_answers_with_the_resource(
    case: Case, tested: ServiceUnderTest
) -> None:
    body = case.factory.payload()
    created = await tested.create(read(case.create, body))
    assert type(created) is case.resource
    assert same(case, created.model_dump(mode="json", by_alias=True), body)
    assert created == case.resource.model_validate(tested.repository.rows[created.id])


@each_case
async def test_get_answers_with_the_resource(
    case: Case, tested: ServiceUnderTest
) -> None:
    entity = tested.store()
    assert await tested.get(entity.id) == case.resource.model_validate(entity)


@each_case
async def test_list_answers_with_pages(case: Case, tested: ServiceUnderTest) -> None:
    for _ in range(SOME):
        tested.store()
    stored = await tested.repository.list(sort=case.sort)
    rows = [case.resource.model_validate(row) for row in stored]
    page = await tested.list(case.query(skip=1, limit=2))
    assert list(page.items) == rows[1:3]
    assert (page.total, page.skip, page.limit) == (SOME, 1, 2)
    rest = await tested.list(case.query(limit=2, after=page.next, total=False))
    assert list(rest.items) == rows[3:]
    assert (rest.total, rest.next) == (None, None)


@each_reference
async def test_list_is_narrowed_to_a_parent(
    case: Case, reference: Reference, tested: ServiceUnderTest
) -> None:
    attribute = case.attribute(reference.name)
    parent = BY_NAME[reference.target].factory.new_id()
    wanted = tested.store(**{attribute: parent})
    tested.store()
    page = await tested.list(case.query(), **{attribute: parent})
    assert [item.id for item in page.items] == [wanted.id]
    assert page.total == 1


@each_case
async def test_replace_answers_with_the_resource(
    case: Case, tested: ServiceUnderTest
) -> None:
    entity = tested.store()
    data = tested.replacement()
    replaced = await tested.replace(entity.id, data)
    assert replaced == case.resource.model_validate(entity)
    names = {*case.create.model_fields} & {*case.resource.model_fields}
    for name in names - {"id", *case.repository.immutable}:
        assert getattr(replaced, name) == getattr(data, name)


@each_case
async def test_update_answers_with_the_resource(
    case: Case, tested: ServiceUnderTest
) -> None:
    entity = tested.store()
    changes = tested.changes()
    updated = await tested.update(entity.id, changes)
    assert updated == case.resource.model_validate(entity)
    for name in changes.model_fields_set & case.resource.model_fields.keys():
        assert getattr(updated, name) == getattr(changes, name)


@each_case
async def test_delete_removes_the_row(case: Case, tested: ServiceUnderTest) -> None:
    entity = tested.store()
    assert await tested.delete(entity.id) is None
    assert tested.repository.rows == {}


def linked(case: Case, row: Any) -> list[Any]:
    """Return the ids of all rows that a row is linked to."""
    return [one.id for name in case.repository.links for one in getattr(row, name)]


@each_case
async def test_link_and_unlink_change_one_link(
    case: Case, tested: ServiceUnderTest
) -> None:
    row = tested.store()
    for name in dir(tested.service):
        if name.startswith("link_") and hasattr(tested.service, f"un{name}"):
            other = new_id()
            await getattr(tested.service, name)(row.id, other)
            assert linked(case, row) == [other]
            await getattr(tested.service, f"un{name}")(row.id, other)
            assert linked(case, row) == []


@each_reference
async def test_a_row_is_found_by_its_parent(
    case: Case, reference: Reference, tested: ServiceUnderTest
) -> None:
    attribute = case.attribute(reference.name)
    found_by = [
        method
        for name, method in inspect.getmembers(tested.service, inspect.ismethod)
        if name.startswith(f"get_{case.name}_by_")
        and [*inspect.signature(method).parameters] == [attribute]
    ]
    parent = BY_NAME[reference.target].factory.new_id()
    row = tested.store(**{attribute: parent})
    for find in found_by:
        assert (await find(parent)).id == row.id


@each_case
async def test_unknown_ids_are_not_found(case: Case, tested: ServiceUnderTest) -> None:
    unknown = case.factory.unknown_id()
    sent = {"replace": [tested.replacement()], "update": [tested.changes()]}
    for verb in filter(tested.has, ("get", "replace", "update", "delete")):
        with pytest.raises(NotFoundError) as caught:
            await getattr(tested, verb)(unknown, *sent.get(verb, []))
        assert caught.value.extensions == {
            "resource": case.name,
            "resource_id": str(unknown),
        }


@each_case
@pytest.mark.parametrize(
    "verb", ["create", "get", "list", "replace", "update", "delete"]
)
async def test_errors_of_the_repository_reach_the_caller(
    case: Case, verb: str, tested: ServiceUnderTest
) -> None:
    entity = tested.store()
    sent: dict[str, list[Any]] = {
        "create": [tested.data()],
        "list": [case.query()],
        "replace": [entity.id, tested.replacement()],
        "update": [entity.id, tested.changes()],
    }
    call = getattr(tested, verb)
    failure = UnavailableError("the database has failed")
    with (
        mock.patch.object(tested.repository, verb, side_effect=failure) as failing,
        pytest.raises(UnavailableError) as caught,
    ):
        await call(*sent.get(verb, [entity.id]))
    assert caught.value is failure
    failing.assert_awaited_once()


# Text is cleaned before it is stored. `model_construct` leaves out the limits of
# length, which apply to the cleaned text.


def written(case: Case, schema: Any, text_of: Any, field: Field) -> Any:
    """Return data in which a field's text is wrapped in something."""
    whole = read(case.create, case.factory.payload())
    name = case.attribute(field.name)
    names = whole.model_fields_set & {*schema.model_fields}
    if schema is not case.create:
        names -= case.repository.immutable
    sent = {key: getattr(whole, key) for key in names}
    sent[name] = text_of(getattr(whole, name))
    data = schema.model_construct(_fields_set=set(sent))
    for key, value in sent.items():
        setattr(data, key, value)
    return data


@each_text
async def test_markup_is_removed(
    case: Case, field: Field, tested: ServiceUnderTest
) -> None:
    name = case.attribute(field.name)
    start, end = "<i onclick=alert(1)>", "</i><script>alert(1)</script>"
    entity = tested.store()
    replacement = case.replace or case.create
    for verb, schema in ((tested.replace, replacement), (tested.update, case.update)):
        sent = written(case, schema, (start + "{}" + end).format, field)
        answer = await verb(entity.id, sent)
        assert start + getattr(answer, name) + end == getattr(sent, name)
        assert getattr(entity, name) == getattr(answer, name)
    sent = written(case, case.create, (start + "{}" + end).format, field)
    answer = await ServiceUnderTest(case).create(sent)
    assert start + getattr(answer, name) + end == getattr(sent, name)


@each_text
async def test_only_rich_text_keeps_allowed_markup(
    case: Case, field: Field, tested: ServiceUnderTest
) -> None:
    name = case.attribute(field.name)
    data = written(case, case.create, "<strong>{}</strong>".format, field)
    sent = getattr(data, name)
    if name in tested.service.rich_text:
        try:
            kept = getattr(await tested.create(data), name)
        except InvalidError:
            return  # with its markup the text breaks the field's own rules
        assert kept == sent
    else:
        kept = getattr(await tested.create(data), name)
        assert f"<strong>{kept}</strong>" == sent


@each_kept_text
async def test_other_text_keeps_its_markup(
    case: Case, field: Field, tested: ServiceUnderTest
) -> None:
    data = written(case, case.create, "<i onclick=alert(1)>{}</i>".format, field)
    created = await tested.create(data)
    name = case.attribute(field.name)
    row = tested.repository.rows[created.id]
    assert getattr(row, name) == getattr(data, name)


@each_text
async def test_text_is_validated_after_its_markup_is_removed(
    case: Case, field: Field, tested: ServiceUnderTest
) -> None:
    data = written(case, case.create, lambda _: "<i></i>", field)
    body = {**case.factory.payload(), field.name: ""}
    try:
        read(case.create, body)
    except pydantic.ValidationError:
        with pytest.raises(InvalidError) as caught:
            await tested.create(data)
        problems: Any = caught.value.extensions["errors"]
        assert [item["field"] for item in problems] == [f"/{field.name}"]
        assert tested.repository.rows == {}
    else:
        created = await tested.create(data)
        assert getattr(created, case.attribute(field.name)) == ""


@each_text
async def test_null_is_not_cleaned(
    case: Case, field: Field, tested: ServiceUnderTest
) -> None:
    if not field.nullable:
        return
    body = {**case.factory.payload(), field.name: None}
    created = await tested.create(read(case.create, body))
    assert getattr(created, case.attribute(field.name)) is None
