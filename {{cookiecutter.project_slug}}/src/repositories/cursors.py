"""The cursor of keyset paging: where a page ended, in a form that travels in a URL."""

import base64
import datetime as dt
import struct
import uuid
from dataclasses import dataclass
from typing import Self

from src.models.base import Entity

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# 24 bytes, so base64 needs no padding.
_FORMAT = struct.Struct(">q16s")
CURSOR_PATTERN = "^[A-Za-z0-9_-]{32}$"
# Microseconds from EPOCH to the first and the last instant that a row could have.
FIRST, LAST = -62_000_000_000_000_000, 253_000_000_000_000_000


@dataclass(frozen=True)
class Cursor:
    """A place in the order of creation.

    Paging by a place costs the same at any depth, while `skip` reads all that it
    skips; and rows that come or go meanwhile shift nothing.
    """

    created_at: dt.datetime
    id: uuid.UUID

    @classmethod
    def of(cls, entity: Entity) -> Self:
        return cls(entity.created_at, entity.id)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read any text of CURSOR_PATTERN: each is a place, if only before all rows."""
        microseconds, identity = _FORMAT.unpack(base64.urlsafe_b64decode(text))
        since = dt.timedelta(microseconds=min(max(microseconds, FIRST), LAST))
        return cls(EPOCH + since, uuid.UUID(bytes=identity))

    def encode(self) -> str:
        microseconds = (self.created_at - EPOCH) // dt.timedelta(microseconds=1)
        raw = _FORMAT.pack(microseconds, self.id.bytes)
        return base64.urlsafe_b64encode(raw).decode()
