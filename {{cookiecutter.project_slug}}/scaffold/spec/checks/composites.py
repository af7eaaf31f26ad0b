"""Composite unique constraints and indexes: names to columns that an index holds."""

from collections.abc import Mapping

from scaffold.spec.checks.field_rules import index_problem
from scaffold.spec.checks.key_values import kind
from scaffold.spec.drafts import EntityDraft
from scaffold.spec.json.parsing import Array
from scaffold.spec.model import Field, Link, Reference, Reverse
from scaffold.spec.problems import Meant, Problems, listing, quote
from scaffold.spec.vocabulary.field_types import INDEX_BYTES, TYPES
from scaffold.spec.vocabulary.keys import MAX_COLUMNS, MAX_TOGETHER, SET_BY_SERVICE

Member = Field | Reference | Reverse | Link


def resolve(
    draft: EntityDraft,
    key: str,
    sides: Mapping[str, Member],
    problems: Problems,
) -> tuple[tuple[str, ...], ...]:
    """Return the columns of each list under `unique` or `indexes`."""
    listed = draft.values.get(key)
    if not isinstance(listed, Array):
        return ()
    if len(listed) > MAX_TOGETHER:
        message = f"has {len(listed)} lists; the limit is {MAX_TOGETHER}"
        problems.shape(listed.at, f"{draft.label}.{key}", message)
        return ()
    found: dict[tuple[str, ...], int] = {}
    for index, item in enumerate(listed):
        path = f"{draft.label}.{key}[{index}]"
        one = _Together(draft, key, sides, path, problems)
        columns = one.columns(item, listed.items_at[index])
        if columns in found:
            message = f"is the same as {key}[{found[columns]}]"
            problems.rule(listed.items_at[index], path, message)
        elif columns:
            found[columns] = index
    return tuple(found)


class _Together:
    """One list of names."""

    def __init__(
        self,
        draft: EntityDraft,
        key: str,
        sides: Mapping[str, Member],
        path: str,
        problems: Problems,
    ) -> None:
        self.draft = draft
        self.key = key
        self.path = path
        self.problems = problems
        self.members = dict(sides)
        for field in draft.fields:
            if field.field is not None:
                self.members.setdefault(field.name, field.field)

    def columns(self, item: object, at: int) -> tuple[str, ...]:
        if not isinstance(item, Array):
            message = f"must be a list of names, not {kind(item)}"
            self.problems.shape(at, self.path, message)
            return ()
        if not 2 <= len(item) <= MAX_COLUMNS:
            message = f"must hold 2 to {MAX_COLUMNS} names, not {len(item)}"
            if len(item) == 1:
                flag = "unique" if self.key == "unique" else "index"
                message += f'; for a single field, set "{flag}" on it'
            self.problems.shape(at, self.path, message)
            return ()
        columns: list[str] = []
        before = len(self.problems)
        for index, name in enumerate(item):
            place = f"{self.path}[{index}]"
            column = self._column(name, item.items_at[index], place)
            if column and column in columns:
                message = f"{quote(name)} stands in this list already"
                self.problems.rule(item.items_at[index], place, message)
            columns.append(column)
        if len(self.problems) > before or "" in columns:
            return ()
        self._check_size(columns, at)
        return tuple(columns)

    def _column(self, name: object, at: int, place: str) -> str:
        if not isinstance(name, str):
            self.problems.shape(at, place, f"must be a name, not {kind(name)}")
            return ""
        if name in SET_BY_SERVICE and self.key == "indexes":
            return name
        member = self.members.get(name)
        if member is None:
            self._unknown(name, at, place)
            return ""
        if isinstance(member, Reference):
            return member.column
        if not isinstance(member, Field):
            message = f"{quote(name)} is a relation that holds no column here"
            self.problems.rule(at, place, message)
            return ""
        if not TYPES[member.type].indexable:
            message = f"{quote(name)} cannot be indexed: {index_problem(member)}"
            self.problems.rule(at, place, message)
        return member.name

    def _unknown(self, name: str, at: int, place: str) -> None:
        declared = [*self.draft.fields, *self.draft.relations]
        if any(item.name == name for item in declared):
            return  # it is wrong itself, and was reported
        if name in (*SET_BY_SERVICE, "id"):
            why = "is set by the service; only indexes take it"
            if name == "id":
                why = "is unique and indexed by itself"
            self.problems.rule(at, place, f"{quote(name)} {why}")
        else:
            known = f"known here: {listing(self.members)}"
            meant = Meant(name, tuple(self.members), known if self.members else "")
            message = f"unknown field or relation {quote(name)}"
            self.problems.shape(at, place, message, meant)

    def _check_size(self, columns: list[str], at: int) -> None:
        fields = [self.members.get(column) for column in columns]
        sizes = [
            (TYPES[field.type].index_bytes(field) if isinstance(field, Field) else 16)
            for field in fields
        ]
        if sum(sizes) > INDEX_BYTES:
            self.problems.rule(
                at,
                self.path,
                f"an entry can take {sum(sizes)} bytes, and PostgreSQL's indexes hold "
                f"{INDEX_BYTES}; lower the max_length of what is longest "
                "(4 bytes a character)",
            )
