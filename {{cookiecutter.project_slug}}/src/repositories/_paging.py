"""The cursor of keyset paging: where a page ended, in a form that travels in a URL."""

import base64
import binascii
import datetime as dt
import struct
import uuid
from dataclasses import dataclass
from typing import Self

from src.models._base import Entity

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FORMAT = struct.Struct(">q16s")


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
        """Read what `encode` wrote; ValueError for anything else."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True)
            microseconds, identity = _FORMAT.unpack(raw)
            created_at = EPOCH + dt.timedelta(microseconds=microseconds)
        except (binascii.Error, struct.error, OverflowError, UnicodeError) as error:
            raise ValueError("not a cursor that this service gave out") from error
        return cls(created_at, uuid.UUID(bytes=identity))

    def encode(self) -> str:
        microseconds = (self.created_at - EPOCH) // dt.timedelta(microseconds=1)
        raw = _FORMAT.pack(microseconds, self.id.bytes)
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
