"""Many-to-many relations: the rows of association tables."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from src.models.base import Id


@dataclass(frozen=True)
class Link:
    """One side of a many-to-many relation.

    `own` is the column with this side's id, `other` that with the other side's; `key` is
    the name of the list of ids in requests and responses, on the side that has one.
    """

    table: sa.Table
    own: str
    other: str
    key: str | None = None

    def members(self, other_id: sa.ColumnElement[Id]) -> sa.Select[Id]:
        """Select this side's ids that are linked to a row of the other side."""
        columns = self.table.c
        return sa.select(columns[self.own]).where(columns[self.other] == other_id)

    async def add(self, db: AsyncSession, own_id: Id, other_id: Id) -> bool:
        """Link two rows; return False if they are linked already.

        A row that has the list of ids is locked, if the caller has not done it: two
        requests together could exceed the limit of the list otherwise.
        """
        if self.key is None:
            (reference,) = self.table.c[self.other].foreign_keys
            owner = sa.select(reference.column).where(reference.column == other_id)
            await db.execute(owner.with_for_update(key_share=True))
        row = {self.own: own_id, self.other: other_id}
        statement = insert(self.table).values(row).on_conflict_do_nothing()
        inserted = await db.execute(statement.returning(self.table.c[self.own]))
        return inserted.first() is not None

    async def count(self, db: AsyncSession, own_id: Id, other_id: Id) -> int:
        """Return how many links the row that has the list of ids is in."""
        name, owner_id = (self.own, own_id) if self.key else (self.other, other_id)
        statement = sa.select(sa.func.count()).where(self.table.c[name] == owner_id)
        return await db.scalar(statement) or 0

    async def remove(self, db: AsyncSession, own_id: Id, other_id: Id) -> None:
        """Unlink two rows, if they are linked."""
        columns = self.table.c
        pair = (columns[self.own] == own_id, columns[self.other] == other_id)
        await db.execute(sa.delete(self.table).where(*pair))
