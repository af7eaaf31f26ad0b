"""Many-to-many relations: the rows of association tables."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from src.core.query import Query
from src.models._base import Entity


@dataclass(frozen=True)
class Link:
    """One side of a many-to-many relation.

    `own` is the column with this side's id, `other` that with the far side's;
    `field` names the list of ids in requests and answers, on the side that has one.
    """

    table: sa.Table
    own: str
    other: str
    field: str | None = None

    def members(self, name: str) -> sa.Select[tuple[uuid.UUID]]:
        """Select this side's ids that are linked with the far side's row `:name`."""
        columns = self.table.c
        other_id = sa.bindparam(name, type_=sa.Uuid)
        return sa.select(columns[self.own]).where(columns[self.other] == other_id)

    async def add(
        self, db: AsyncSession, own_id: uuid.UUID, other_ids: Iterable[uuid.UUID]
    ) -> None:
        """Link with these rows; links that are there already stay."""
        rows = [{self.own: own_id, self.other: other_id} for other_id in other_ids]
        if rows:
            await db.execute(insert(self.table).on_conflict_do_nothing(), rows)

    async def remove(
        self, db: AsyncSession, own_id: uuid.UUID, other_id: uuid.UUID
    ) -> None:
        """Unlink two rows, if they are linked."""
        columns = self.table.c
        pair = (columns[self.own] == own_id, columns[self.other] == other_id)
        await db.execute(sa.delete(self.table).where(*pair))

    async def replace(
        self, db: AsyncSession, own_id: uuid.UUID, other_ids: Sequence[uuid.UUID]
    ) -> None:
        """Link with exactly these rows."""
        columns = self.table.c
        gone = columns[self.other].not_in(other_ids)
        await db.execute(sa.delete(self.table).where(columns[self.own] == own_id, gone))
        await self.add(db, own_id, other_ids)

    async def load(self, db: AsyncSession, rows: Sequence[Entity]) -> None:
        """Fill the list of ids of these rows, in one query."""
        if self.field is None or not rows:
            return
        found: dict[uuid.UUID, list[uuid.UUID]] = {row.id: [] for row in rows}
        for own_id, other_id in await self._pairs.fetch(db, {"ids": list(found)}):
            found[own_id].append(other_id)
        for row in rows:
            setattr(row, self.field, found[row.id])

    @cached_property
    def _pairs(self) -> Query:
        own, other = self.table.c[self.own], self.table.c[self.other]
        ids = sa.bindparam("ids", type_=ARRAY(sa.Uuid))
        return Query(sa.select(own, other).where(own == sa.any_(ids)))
