"""Services: the rules between HTTP and storage, on a repository without a database."""

import gc
import uuid
from typing import Any

import pydantic
import pytest

from src.api import _http as http
from src.core.errors import InvalidError, NotFoundError
from src.repositories._paging import Cursor
from src.services._base import Paging, Service
from tests.cases import CASES
from tests.fakes import InMemoryRepository
from tests.support import Case, Field, Reference, read
from tests.tables import each_case, each_reference, each_text

SOME = 5


class Desk:
    """A service under test, its verbs by their common names."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.repository = InMemoryRepository[Any](case.factory.entity)
        service = case.service(self.repository)
        self.create = getattr(service, f"create_{case.name}")
        self.get = getattr(service, f"get_{case.name}")
        self.list = getattr(service, f"list_{case.plural}")
        self.replace = getattr(service, f"replace_{case.name}")
        self.update = getattr(service, f"update_{case.name}")
        self.delete = getattr(service, f"delete_{case.name}")

    def store(self, **changes: Any) -> Any:
        """Put a row into the repository."""
        return self.repository.add(self.case.factory.create(**changes))

    def data(self) -> Any:
        """Return what creates another row."""
        return read(self.case.create, self.case.factory.payload())

    def changes(self) -> Any:
        """Return what changes every field of a row."""
        return read(self.case.update, self.case.factory.payload())


@pytest.fixture
def desk(case: Case) -> Desk:
    """The service of a case."""
    return Desk(case)


@each_case
async def test_create_answers_with_the_resource(case: Case, desk: Desk) -> None:
    body = case.factory.payload()
    created = await desk.create(read(case.create, body))
    assert type(created) is case.resource
    answer = created.model_dump(mode="json", by_alias=True)
    assert {key: answer[key] for key in body} == body
    assert created == case.resource.from_entity(desk.repository.rows[created.id])


async def test_a_create_commits_itself_where_nothing_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = CASES[0]
    repository = InMemoryRepository[Any](case.factory.entity)
    service = Service[Any, Any, Any, Any](repository)
    service.resource = case.resource
    create, autocommits = repository.create, []

    async def note(data: Any, *, autocommit: bool = False) -> Any:
        autocommits.append(autocommit)
        return await create(data)

    def creation() -> Any:
        return service._create(read(case.create, case.factory.payload()))

    async def create_and_go_on() -> Any:
        return await creation()

    monkeypatch.setattr(repository, "create", note)
    for creating in (creation(), create_and_go_on()):
        created = await http.autocommitted(creating)
        assert type(created) is case.resource
    assert autocommits == [True, False]


@each_case
def test_a_creation_that_nobody_awaits_warns(case: Case, desk: Desk) -> None:
    def forget() -> None:
        desk.create(read(case.create, case.factory.payload()))
        gc.collect()

    with pytest.warns(RuntimeWarning, match="never awaited"):
        forget()
    assert desk.repository.rows == {}


@each_case
async def test_get_answers_with_the_resource(case: Case, desk: Desk) -> None:
    entity = desk.store()
    assert await desk.get(entity.id) == case.resource.from_entity(entity)


@each_case
async def test_list_answers_with_pages(case: Case, desk: Desk) -> None:
    for _ in range(SOME):
        desk.store()
    rows = [case.resource.from_entity(row) for row in await desk.repository.list()]
    page = await desk.list(Paging(skip=1, limit=2))
    assert list(page.items) == rows[1:3]
    assert (page.total, page.skip, page.limit) == (SOME, 1, 2)
    rest = await desk.list(Paging(limit=2, after=Cursor.decode(page.next), total=False))
    assert list(rest.items) == rows[3:]
    assert (rest.total, rest.next) == (None, None)


@each_reference
async def test_list_is_narrowed_to_a_parent(
    case: Case, reference: Reference, desk: Desk
) -> None:
    attribute = case.attribute(reference.name)
    parent = uuid.uuid4()
    wanted = desk.store(**{attribute: parent})
    desk.store()
    page = await desk.list(Paging(), **{attribute: parent})
    assert [item.id for item in page.items] == [wanted.id]
    assert page.total == 1


@each_case
async def test_replace_answers_with_the_resource(case: Case, desk: Desk) -> None:
    entity = desk.store()
    data = desk.data()
    replaced = await desk.replace(entity.id, data)
    assert replaced == case.resource.from_entity(entity)
    assert replaced.model_dump(include=set(case.create.model_fields)) == (
        data.model_dump()
    )


@each_case
async def test_update_answers_with_the_resource(case: Case, desk: Desk) -> None:
    entity = desk.store()
    changes = desk.changes()
    updated = await desk.update(entity.id, changes)
    assert updated == case.resource.from_entity(entity)
    for name in changes.model_fields_set:
        assert getattr(updated, name) == getattr(changes, name)


@each_case
async def test_delete_removes_the_row(case: Case, desk: Desk) -> None:
    entity = desk.store()
    assert await desk.delete(entity.id) is None
    assert desk.repository.rows == {}


@each_case
async def test_unknown_ids_are_not_found(case: Case, desk: Desk) -> None:
    unknown = uuid.uuid4()
    for attempt in (
        desk.get(unknown),
        desk.replace(unknown, desk.data()),
        desk.update(unknown, desk.changes()),
        desk.delete(unknown),
    ):
        with pytest.raises(NotFoundError) as caught:
            await attempt
        assert caught.value.extensions == {
            "resource": case.name,
            "resource_id": str(unknown),
        }


# Text is cleaned on its way in. `model_construct` goes around the limits of length:
# what counts is what is left after cleaning.


def written(case: Case, schema: Any, text_of: Any, field: Field) -> Any:
    """Return data in which a field's text is wrapped in something."""
    whole = read(case.create, case.factory.payload())
    name = case.attribute(field.name)
    sent = {key: getattr(whole, key) for key in whole.model_fields_set}
    sent[name] = text_of(getattr(whole, name))
    data = schema.model_construct(_fields_set=set(sent))
    for key, value in sent.items():
        setattr(data, key, value)
    return data


@each_text
async def test_markup_is_taken_off(case: Case, field: Field, desk: Desk) -> None:
    name = case.attribute(field.name)
    start, end = "<i onclick=alert(1)>", "</i><script>alert(1)</script>"
    entity = desk.store()
    for verb, schema in ((desk.replace, case.create), (desk.update, case.update)):
        sent = written(case, schema, (start + "{}" + end).format, field)
        answer = await verb(entity.id, sent)
        assert start + getattr(answer, name) + end == getattr(sent, name)
        assert getattr(entity, name) == getattr(answer, name)
    sent = written(case, case.create, (start + "{}" + end).format, field)
    answer = await Desk(case).create(sent)
    assert start + getattr(answer, name) + end == getattr(sent, name)


@each_text
async def test_only_rich_text_keeps_a_little_markup(
    case: Case, field: Field, desk: Desk
) -> None:
    name = case.attribute(field.name)
    data = written(case, case.create, "<strong>{}</strong>".format, field)
    sent = getattr(data, name)
    if field.type == "text":
        try:
            kept = getattr(await desk.create(data), name)
        except InvalidError:
            return  # with its markup the text breaks the field's own rules
        assert kept == sent
    else:
        kept = getattr(await desk.create(data), name)
        assert f"<strong>{kept}</strong>" == sent


@each_text
async def test_what_is_left_after_cleaning_is_judged(
    case: Case, field: Field, desk: Desk
) -> None:
    data = written(case, case.create, lambda _: "<i></i>", field)
    body = {**case.factory.payload(), field.name: ""}
    try:
        read(case.create, body)
    except pydantic.ValidationError:
        with pytest.raises(InvalidError) as caught:
            await desk.create(data)
        problems: Any = caught.value.extensions["errors"]
        assert [item["field"] for item in problems] == [f"/{field.name}"]
        assert desk.repository.rows == {}
    else:
        created = await desk.create(data)
        assert getattr(created, case.attribute(field.name)) == ""


@each_text
async def test_null_is_no_text_to_clean(case: Case, field: Field, desk: Desk) -> None:
    if not field.nullable:
        return
    body = {**case.factory.payload(), field.name: None}
    created = await desk.create(read(case.create, body))
    assert getattr(created, case.attribute(field.name)) is None
