"""The generic service: the rules of every entity."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, get_args

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy import orm

from src.core.errors import NotFoundError, invalid
from src.core.security import RICH_TEXT_TAGS, sanitize_html
from src.models.base import (
    UNSET,
    BareEntity,
    BareReplacement,
    BareResource,
    Changes,
    Id,
    Page,
    Schema,
    camel,
)
from src.models.queries import ListQuery, conditions_of, included_in
from src.repositories import cursors, filters
from src.repositories.base import Repository
from src.repositories.filters import Filters
from src.repositories.sorting import BY_RANK, Sort, sort_of

__all__ = ["Page", "Paths", "Service"]

Paths: TypeAlias = Sequence[str]  # of relations to embed: order, order.customer
EntityT = TypeVar("EntityT", bound=BareEntity)
ResourceT = TypeVar("ResourceT", bound=BareResource)
CreateT = TypeVar("CreateT", bound=Schema)
UpdateT = TypeVar("UpdateT", bound=Changes)
SchemaT = TypeVar("SchemaT", bound=Schema)
PageT = TypeVar("PageT", bound=Page[Any])


class Service(Generic[EntityT, ResourceT, CreateT, UpdateT]):
    """Sanitises input, applies rules, and returns schemas instead of entities."""

    resource: type[ResourceT]
    # Fields from which all markup is removed, and fields that keep RICH_TEXT_TAGS.
    plain_text: ClassVar[frozenset[str]] = frozenset()
    rich_text: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, repository: Repository[EntityT]) -> None:
        self.repository = repository

    async def _create(self, data: CreateT) -> ResourceT:
        entity = await self.repository.create(self._clean(data))
        return self.resource.model_validate(entity)

    async def _get(self, entity_id: Id, include: Paths = ()) -> ResourceT:
        paths = [self._relations(path) for path in include]
        entity = await self.repository.get(entity_id, include=paths)
        if entity is None:
            raise NotFoundError(self.repository.entity.__resource__, entity_id)
        return _shown(self.resource, entity, paths)

    async def _find(self, where: Filters) -> ResourceT:
        entity = await self.repository.find(where)
        if entity is None:
            raise NotFoundError(self.repository.entity.__resource__)
        return self.resource.model_validate(entity)

    async def _list(
        self, page: type[PageT], query: ListQuery, where: Filters | None = None
    ) -> PageT:
        parent = {
            name: value for name, value in (where or {}).items() if value is not None
        }
        where = {**conditions_of(query), **parent}
        sort = self._sort(query, where)
        paths = [self._relations(path) for path in included_in(query)]
        # One more row than requested shows whether there is a next page.
        rows = await self.repository.list(
            query.skip,
            query.limit + 1,
            after=query.after,
            where=where,
            sort=sort,
            include=paths,
        )
        shown = rows[: query.limit]
        has_next = len(rows) > query.limit and sort != BY_RANK
        return page(
            items=[_shown(self.resource, entity, paths) for entity in shown],
            total=await self.repository.total(where) if query.total else None,
            skip=query.skip,
            limit=query.limit,
            next=cursors.encode(shown[-1], sort, where) if has_next else None,
        )

    def _sort(self, query: ListQuery, where: Filters) -> Sort:
        """Return the order of a list; a search goes by rank unless `sort` is sent."""
        entity = self.repository.entity
        is_search = filters.SEARCH in where and filters.has_search(entity)
        if is_search and "sort" not in query.model_fields_set:
            return BY_RANK
        return sort_of(entity, list(map(self._attribute, query.sort)))

    def _attribute(self, key: str) -> str:
        """Return the attribute of a key in `sort`, with its `-`."""
        sign = "-" if key.startswith("-") else ""
        return sign + _attributes(self.resource)[key.removeprefix("-")]

    def _relations(self, path: str) -> str:
        """Return the relationships of a path in `include`, such as `order.customer`."""
        entity: Any = self.repository.entity
        names = []
        for key in path.split("."):
            relation = _relationships(entity)[key]
            names.append(relation.key)
            entity = relation.mapper.class_
        return ".".join(names)

    async def _replace(self, entity_id: Id, data: CreateT) -> ResourceT:
        if isinstance(data, BareReplacement) and data.id not in (UNSET, entity_id):
            raise invalid([self._another_id()])
        entity = await self.repository.replace(entity_id, self._clean(data))
        return self._found(entity_id, entity)

    def _another_id(self) -> dict[str, Any]:
        key = self.resource.model_fields["id"].alias or "id"
        return {
            "loc": ("body", key),
            "msg": "The id cannot be changed; send the id of the URL or none",
            "type": "id_changed",
        }

    async def _update(self, entity_id: Id, data: UpdateT) -> ResourceT:
        entity = await self.repository.update(entity_id, self._clean(data))
        return self._found(entity_id, entity)

    async def _delete(self, entity_id: Id) -> None:
        if not await self.repository.delete(entity_id):
            raise NotFoundError(self.repository.entity.__resource__, entity_id)

    async def _link(self, name: str, entity_id: Id, other_id: Id) -> None:
        await self._lock(entity_id)
        await self.repository.link(name, entity_id, other_id)

    async def _unlink(self, name: str, entity_id: Id, other_id: Id) -> None:
        await self._lock(entity_id)
        await self.repository.unlink(name, entity_id, other_id)

    async def _lock(self, entity_id: Id) -> None:
        if await self.repository.lock(entity_id) is None:
            raise NotFoundError(self.repository.entity.__resource__, entity_id)

    def _found(self, entity_id: Id, entity: EntityT | None) -> ResourceT:
        if entity is None:
            raise NotFoundError(self.repository.entity.__resource__, entity_id)
        return self.resource.model_validate(entity)

    def _clean(self, data: SchemaT) -> SchemaT:
        """Sanitise the text that was sent, and validate it again if it has changed.

        For example, a title of tags alone is empty afterwards, and may be too short.
        """
        cleaned = dict(self._sanitized(data))
        if not cleaned:
            return data
        fields = type(data).model_fields
        sent = {name: getattr(data, name) for name in data.model_fields_set}
        values = {fields[n].alias or n: v for n, v in {**sent, **cleaned}.items()}
        try:
            return type(data).model_validate(values)
        except ValidationError as error:
            found = [{**e, "loc": ("body", *e["loc"])} for e in error.errors()]
            raise invalid(found) from error

    def _sanitized(self, data: Schema) -> Mapping[str, Any]:
        """Return the text fields that sanitising changes, with their new values."""
        changed = {}
        for name in data.model_fields_set & (self.plain_text | self.rich_text):
            text = getattr(data, name)
            if text is None:
                continue
            tags = RICH_TEXT_TAGS if name in self.rich_text else frozenset()
            clean = sanitize_html(text, tags=tags)
            if clean != text:
                changed[name] = clean
        return changed


def _shown(
    resource: type[ResourceT], entity: BareEntity, paths: Sequence[str]
) -> ResourceT:
    """Return the resource of a row, in which the relations of the paths are embedded."""
    shown = resource.model_validate(entity)
    inner: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        inner.setdefault(name, []).extend([rest] if rest else [])
    for name, rests in inner.items():
        field, target = f"included_{name}", getattr(entity, name)
        if target is not None:
            target = _shown(_embedded_type(resource, field), target, rests)
        setattr(shown, field, target)
    return shown


@cache
def _embedded_type(resource: type[BareResource], field: str) -> type[BareResource]:
    """Return the resource of a field such as `included_customer: "Customer | None"`."""
    embedded: type[BareResource] = get_args(resource.model_fields[field].annotation)[0]
    return embedded


@cache
def _attributes(resource: type[BareResource]) -> Mapping[str, str]:
    """Return the attribute of each JSON key."""
    fields = resource.model_fields.items()
    return {field.alias or name: name for name, field in fields}


@cache
def _relationships(
    entity: type[BareEntity],
) -> Mapping[str, orm.RelationshipProperty[Any]]:
    """Return the relationship of each key in `include`, in snake_case and camelCase."""
    found = {}
    for relation in sa.inspect(entity).relationships:
        for key in (relation.key.removesuffix("_"), camel(relation.key)):
            found[key] = relation
    return found
