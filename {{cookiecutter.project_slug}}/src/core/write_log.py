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
    table: str
    verb: Verb
    resource_id: str


def note_write(session: AsyncSession, write: Write) -> None:
    """Record a write in the session until its transaction ends."""
    session.info.setdefault("writes", []).append(write)


@event.listens_for(Session, "after_commit")
def announce(session: orm.Session) -> None:
    """Log and count the writes of a committed transaction."""
    if session.in_nested_transaction():  # only a savepoint was released
        return
    writes: list[Write] = session.info.pop("writes", [])
    for write in writes:
        metrics.count(write.table, write.verb)
        fields = {f"{write.resource}_id": write.resource_id}
        logger.info(f"{write.resource}_{write.verb}", **fields)


@event.listens_for(Session, "after_soft_rollback")
def forget(session: orm.Session, transaction: orm.SessionTransaction) -> None:
    """Drop the writes of a transaction that was rolled back."""
    if transaction.parent is None:
        session.info.pop("writes", None)
