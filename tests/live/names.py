"""A random life with ids and names as databases have them; lives.py runs it.

Tables, schemas, columns, keys in JSON, URLs, ids and times are named, renamed, and get
their usual names again, besides what happens in every life.
"""

from collections.abc import Callable
from random import Random

from changes import Document
from life import Life


class NamesLife(Life):
    STEPS = 4

    def _first(self) -> Document:
        document: Document = self.evolution.named(super()._first(), self.random)
        return document

    def _changes(self) -> list[Callable[[Document, Random], None]]:
        return [*super()._changes(), *self.evolution.NAMES]
