"""The cursor of keyset pagination: the last row of a page, encoded for a URL."""

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
# Microseconds from EPOCH to the first and the last time that a row can have.
FIRST, LAST = -62_000_000_000_000_000, 253_000_000_000_000_000


@dataclass(frozen=True)
class Cursor:
    """A position in the order of creation.

    Pages after a cursor take the same time at any depth, while `skip` reads all rows
    that it skips. Rows that are added or deleted meanwhile do not shift the pages.
    """

    created_at: dt.datetime
    id: uuid.UUID

    @classmethod
    def of(cls, entity: Entity) -> Self:
        return cls(entity.created_at, entity.id)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode a text that matches CURSOR_PATTERN; every such text is valid."""
        microseconds, identity = _FORMAT.unpack(base64.urlsafe_b64decode(text))
        since = dt.timedelta(microseconds=min(max(microseconds, FIRST), LAST))
        return cls(EPOCH + since, uuid.UUID(bytes=identity))

    def encode(self) -> str:
        microseconds = (self.created_at - EPOCH) // dt.timedelta(microseconds=1)
        raw = _FORMAT.pack(microseconds, self.id.bytes)
        return base64.urlsafe_b64encode(raw).decode()
