"""An entity that is being written."""

from dataclasses import dataclass, field

from scaffold.importing.found import Column, Table

Json = dict[str, object]


@dataclass
class Draft:
    """An entity that is being written; `taken` has the names of its members.

    `members` has what a column is called, `left` the columns that are written already.
    """

    table: Table
    name: str
    json: Json
    taken: set[str] = field(default_factory=set)
    members: dict[str, str] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    fields: list[Json] = field(default_factory=list)
    relations: list[Json] = field(default_factory=list)

    @property
    def columns(self) -> list[Column]:
        """The columns that are not written yet."""
        return [one for one in self.table.columns if one.name not in self.left]
