"""Logs and counts each create, update and delete after its commit."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import event, orm
from sqlalchemy.ext.asyncio import AsyncSession

from src.core import metrics
from src.core.database import Session
from src.core.logging import get_logger

logger = get_logger()

Verb = Literal["created", "updated", "deleted"]


@dataclass(frozen=True)
class Write:
    """A row that was written; it is logged once its transaction is committed."""

    resource: str
    plural: str
    verb: Verb
    resource_id: str


@dataclass(frozen=True)
class Note:
    """A write, and the savepoint that it was made in, if any."""

    write: Write
    savepoint: orm.SessionTransaction | None

    def belongs_to(self, transaction: orm.SessionTransaction) -> bool:
        """Return whether the write is undone when the transaction is rolled back."""
        if transaction.parent is None:
            return True
        inner = self.savepoint
        while inner is not None and inner is not transaction:
            inner = inner.parent
        return inner is not None


def note_write(session: AsyncSession, write: Write) -> None:
    """Record a write in the session until its transaction ends."""
    savepoint = session.sync_session.get_nested_transaction()
    session.info.setdefault("writes", []).append(Note(write, savepoint))


def created_rows(session: AsyncSession) -> list[tuple[str, str]]:
    """Return the resource and id of each row that the transaction has created so far."""
    notes: list[Note] = session.info.get("writes", [])
    writes = (note.write for note in notes)
    return [(one.resource, one.resource_id) for one in writes if one.verb == "created"]


@event.listens_for(Session, "after_commit")
def announce(session: orm.Session) -> None:
    """Log and count the writes of a committed transaction."""
    if session.in_nested_transaction():  # only a savepoint was released
        return
    notes: list[Note] = session.info.pop("writes", [])
    for write in (note.write for note in notes):
        metrics.count(write.plural, write.verb)
        fields = {f"{write.resource}_id": write.resource_id}
        logger.info(f"{write.resource}_{write.verb}", **fields)


@event.listens_for(Session, "after_soft_rollback")
def forget(session: orm.Session, transaction: orm.SessionTransaction) -> None:
    """Drop the writes of a transaction or savepoint that was rolled back."""
    notes: list[Note] = session.info.get("writes", [])
    notes[:] = [note for note in notes if not note.belongs_to(transaction)]
