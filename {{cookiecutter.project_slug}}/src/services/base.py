"""The generic service: the rules of every entity."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import ValidationError

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
)
from src.repositories import cursors
from src.repositories.base import Filters, Repository

__all__ = ["Page", "Paging", "Service"]

EntityT = TypeVar("EntityT", bound=BareEntity)
ResourceT = TypeVar("ResourceT", bound=BareResource)
CreateT = TypeVar("CreateT", bound=Schema)
UpdateT = TypeVar("UpdateT", bound=Changes)
SchemaT = TypeVar("SchemaT", bound=Schema)
PageT = TypeVar("PageT", bound=Page[Any])


@dataclass(frozen=True)
class Paging:
    """Which part of a list is requested; `total` says whether to count all rows."""

    skip: int = 0
    limit: int = 20
    after: str | None = None
    total: bool = True


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

    async def _get(self, entity_id: Id) -> ResourceT:
        return self._found(entity_id, await self.repository.get(entity_id))

    async def _find(self, where: Filters) -> ResourceT:
        entity = await self.repository.find(where)
        if entity is None:
            raise NotFoundError(self.repository.entity.__resource__)
        return self.resource.model_validate(entity)

    async def _list(
        self, page: type[PageT], paging: Paging, where: Filters | None = None
    ) -> PageT:
        # One more row than requested shows whether there is a next page.
        rows = await self.repository.list(
            paging.skip, paging.limit + 1, after=paging.after, where=where
        )
        shown = rows[: paging.limit]
        more = len(rows) > paging.limit
        return page(
            items=[self.resource.model_validate(entity) for entity in shown],
            total=await self.repository.count(where) if paging.total else None,
            skip=paging.skip,
            limit=paging.limit,
            next=cursors.encode(shown[-1]) if more else None,
        )

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
