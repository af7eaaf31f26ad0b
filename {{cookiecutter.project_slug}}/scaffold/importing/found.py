"""What was found in a source, in the terms of databases: tables, columns, references.

Types and their keys are those of entities.json, also those that this version does not
have; `fitting` replaces what cannot be said.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from scaffold.spec.model import MISSING


class Computed(Enum):
    """A default that is computed for each row."""

    NOW = "now"
    RANDOM = "random"  # a UUID
    TEXT_ID = "text_id"  # a random string, such as a CUID
    SEQUENCE = "sequence"


@dataclass(frozen=True)
class Loss:
    """Something that entities.json cannot say: where, what it is, and what it became."""

    place: str
    what: str
    became: str


@dataclass
class Column:
    """A column. `json` is its key in JSON, where the source has one."""

    name: str
    place: str
    type: str
    keys: dict[str, object] = field(default_factory=dict)
    required: bool = False
    default: object = MISSING  # a constant as in entities.json, or Computed
    json: str | None = None
    description: str = ""


@dataclass
class Reference:
    """A foreign key. `target_columns` is empty if it refers to the primary key."""

    columns: tuple[str, ...]
    target: str
    place: str
    target_columns: tuple[str, ...] = ()
    on_delete: str = "restrict"
    name: str = ""
    reverse: str = ""
    description: str = ""


@dataclass
class Table:
    """A table; `key` is what references call it. An `entity` is its name in the source.

    `keys` are others of the entity, `search` the columns that lists search; `is_own`
    tells that a generated service has made it.
    """

    key: str
    name: str
    place: str
    schema: str | None = None
    entity: str = ""
    description: str = ""
    columns: list[Column] = field(default_factory=list)
    primary_key: tuple[str, ...] = ()
    references: list[Reference] = field(default_factory=list)
    unique: list[tuple[str, ...]] = field(default_factory=list)
    indexes: list[tuple[str, ...]] = field(default_factory=list)
    checks: list[tuple[str, str, str]] = field(default_factory=list)
    keys: dict[str, object] = field(default_factory=dict)
    search: tuple[str, ...] = ()
    is_own: bool = False

    def column(self, name: str) -> Column | None:
        return next((one for one in self.columns if one.name == name), None)

    def is_unique(self, *columns: str) -> bool:
        """Whether no two rows have the same values in these columns."""
        groups = [self.primary_key, *self.unique]
        return any(set(one) == set(columns) for one in groups)


@dataclass
class Association:
    """A table with nothing but two references, and the relation that it becomes."""

    table: Table
    left: Reference
    right: Reference
    entity: str = ""
    relation: str = ""


@dataclass(frozen=True)
class Link:
    """A many-to-many relation for which the source has no table."""

    source: str
    target: str
    place: str
    name: str
    reverse: str = ""


@dataclass
class Found:
    """All of a source. Without `says_indexes`, each reference gets an index."""

    tables: list[Table] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)
    says_indexes: bool = False
    camel: bool = False

    def lose(self, place: str, what: str, became: str = "left out") -> None:
        self.losses.append(Loss(place, what, became))

    def by_key(self) -> dict[str, Table]:
        return {table.key: table for table in self.tables}

    def references(self) -> Iterator[Reference]:
        for table in self.tables:
            yield from table.references


class SourceError(Exception):
    """The source cannot be read; the message has the place and the fix."""
