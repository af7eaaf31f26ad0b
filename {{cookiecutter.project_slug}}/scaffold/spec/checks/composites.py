"""Resolves the names in `unique` and `indexes` to columns, and checks their size."""

from collections.abc import Mapping

from scaffold.spec.checks.field_rules import index_problem
from scaffold.spec.drafts import EntityDraft
from scaffold.spec.json.parsing import Array
from scaffold.spec.key_values import describe
from scaffold.spec.model import Field, Link, Reference, Reverse
from scaffold.spec.problems import Problems, Suggestion, listing, quote
from scaffold.spec.vocabulary.field_types import INDEX_BYTES, TYPES
from scaffold.spec.vocabulary.keys import (
    MAX_COLUMNS,
    MAX_SUBJECT,
    MAX_TOGETHER,
    OWNER,
    OWNER_ID,
)

TIME_BYTES = 8
Member = Field | Reference | Reverse | Link


def resolve(
    draft: EntityDraft,
    key: str,
    sides: Mapping[str, Member],
    entities: Mapping[str, EntityDraft],
    problems: Problems,
) -> tuple[tuple[str, ...], ...]:
    """Return the columns of each list under `unique` or `indexes`.

    `entities` has those that references have as their targets.
    """
    listed = draft.values.get(key)
    if not isinstance(listed, Array):
        return ()
    if len(listed) > MAX_TOGETHER:
        message = f"has {len(listed)} items; the limit is {MAX_TOGETHER}"
        problems.shape(listed.at, f"{draft.label}.{key}", message)
        return ()
    found: dict[tuple[str, ...], int] = {}
    for index, item in enumerate(listed):
        path = f"{draft.label}.{key}[{index}]"
        one = _Names(draft, key, sides, entities, path, problems)
        columns = one.columns(item, listed.items_at[index])
        if columns in found:
            message = f"duplicate of {key}[{found[columns]}]; remove it"
            problems.rule(listed.items_at[index], path, message)
        elif columns:
            found[columns] = index
    return tuple(found)


class _Names:
    """One array of names."""

    def __init__(
        self,
        draft: EntityDraft,
        key: str,
        sides: Mapping[str, Member],
        entities: Mapping[str, EntityDraft],
        path: str,
        problems: Problems,
    ) -> None:
        self.draft = draft
        self.entities = entities
        self.key = key
        self.path = path
        self.problems = problems
        times = draft.timestamps
        self.times = (times.created_at, times.updated_at) if times else ()
        self.members = dict(sides)
        for field in draft.fields:
            if field.field is not None:
                self.members.setdefault(field.name, field.field)

    def columns(self, item: object, at: int) -> tuple[str, ...]:
        if not isinstance(item, Array):
            message = f"must be an array of names, not {describe(item)}"
            self.problems.shape(at, self.path, message)
            return ()
        if not 2 <= len(item) <= MAX_COLUMNS:
            message = f"must have 2 to {MAX_COLUMNS} names, not {len(item)}"
            if len(item) == 1:
                flag = "unique" if self.key == "unique" else "index"
                message += f'; for a single field, set "{flag}": true on it'
            self.problems.shape(at, self.path, message)
            return ()
        columns: list[str] = []
        before = len(self.problems)
        for index, name in enumerate(item):
            place = f"{self.path}[{index}]"
            column = self._column(name, item.items_at[index], place, item)
            if column and column in columns:
                message = f"duplicate name {quote(name)}; remove it"
                self.problems.rule(item.items_at[index], place, message)
            columns.append(column)
        if len(self.problems) > before or "" in columns:
            return ()
        self._check_size([name for name in item if isinstance(name, str)], at)
        return tuple(columns)

    def _column(self, name: object, at: int, place: str, names: Array) -> str:
        if not isinstance(name, str):
            self.problems.shape(at, place, f"must be a string, not {describe(name)}")
            return ""
        if name in self.times and self.key == "indexes":
            return name
        if self._is_owner(name):
            return OWNER_ID
        member = self.members.get(name)
        if member is None:
            self._unknown(name, at, place, names)
            return ""
        if isinstance(member, Reference):
            return member.column
        if not isinstance(member, Field):
            message = f"{quote(name)} is a relation without a column; remove it"
            self.problems.rule(at, place, message)
            return ""
        if member.array:
            message = f"{quote(name)} is an array, whose index has its items; remove it"
            self.problems.rule(at, place, message)
        elif not TYPES[member.type].indexable:
            message = f"{quote(name)} cannot be indexed: {index_problem(member)}"
            self.problems.rule(at, place, message)
        return member.column

    def _is_owner(self, name: str) -> bool:
        """Whether a name means the owner of a row."""
        return self.key == "unique" and name == OWNER and self.draft.owner is True

    def _unknown(self, name: str, at: int, place: str, names: Array) -> None:
        declared = [*self.draft.fields, *self.draft.relations]
        if any(item.name == name for item in declared):
            return  # its declaration was already reported
        if name in (*self.times, self.draft.id.name):
            why = "is set by the service; it is only allowed in indexes"
            if name == self.draft.id.name:
                why = "already has a unique index; remove it"
            self.problems.rule(at, place, f"{quote(name)} {why}")
        elif name == OWNER or name in self.draft.subjects:
            self.problems.rule(at, place, f"{quote(name)} {self._only_owner(name)}")
        else:
            known = [one for one in self.members if self._has_index(one)]
            otherwise = f"known here: {listing(known)}" if known else ""
            word = name.removesuffix("_id")  # a relation goes by its own name here
            word = word if word in known else name
            suggestion = Suggestion(word, known, otherwise, lambda: names)
            message = f"unknown field or relation {quote(name)}"
            self.problems.shape(at, place, message, suggestion)

    def _only_owner(self, name: str) -> str:
        """Return why a name with a meaning for owners cannot be used here."""
        in_unique = self.key == "unique"
        if name != OWNER:
            fix = f'write "{OWNER}"' if in_unique and name == OWNER_ID else "remove it"
            return f"is set by the service; {fix}"
        if not in_unique:
            return "is only allowed in unique; remove it"
        fix = "set it on the entity"
        if isinstance(self.draft.owner, str):
            fix = f"use {quote(self.draft.owner)} instead"
        return f'needs the column owner_id, which only "owner": true adds; {fix}'

    def _has_index(self, name: str) -> bool:
        """Whether a unique constraint or an index can have this name."""
        member = self.members[name]
        if isinstance(member, Field):
            return TYPES[member.type].indexable and not member.array
        return isinstance(member, Reference)

    def _size(self, name: str, member: Member | None) -> int:
        """Return how many bytes a value has in an index at most."""
        if self._is_owner(name):
            return 4 * MAX_SUBJECT
        if isinstance(member, Field):
            return TYPES[member.type].index_bytes(member)
        if isinstance(member, Reference) and member.target in self.entities:
            return self.entities[member.target].id.index_bytes
        return TIME_BYTES

    def _check_size(self, names: list[str], at: int) -> None:
        fields = [self.members.get(name) for name in names]
        sizes = {
            name: self._size(name, field)
            for name, field in zip(names, fields, strict=True)
        }
        total = sum(sizes.values())
        if total <= INDEX_BYTES:
            return
        fix = "use fewer names"
        limited = [
            field.name
            for field in fields
            if isinstance(field, Field) and "max_length" in TYPES[field.type].keys
        ]
        if limited:
            longest = max(limited, key=sizes.__getitem__)
            fix = f"lower max_length, for example of {quote(longest)}, or {fix}"
        self.problems.rule(
            at,
            self.path,
            f"an index entry can take {total} bytes (4 for each character of a string) "
            f"and the limit is {INDEX_BYTES}; {fix}",
        )
