"""Who may do what: the response to each operation, for each kind of caller.

It follows from entities.json alone. In it all rows that can have an owner belong to the
caller `owner`, and a new row refers to such rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import NamedTuple, TypeVar

from scaffold.spec import naming
from scaffold.spec.model import Entity, Field, Link, Reverse, Spec
from scaffold.spec.vocabulary import keys

NO_TOKEN, BAD_TOKEN, ANY_TOKEN = "no token", "bad token", "any token"
UNNAMED = (NO_TOKEN, BAD_TOKEN, ANY_TOKEN)
OWNER, OTHER_OWNER = "owner", "another owner"
PREFIX = "/api/v1/"
METHODS = {
    "list": "GET",
    "get": "GET",
    "create": "POST",
    "replace": "PUT",
    "update": "PATCH",
    "delete": "DELETE",
}
NOT_FOUND = "reference_not_found"  # the code of an error
UNCHANGED = "unchanged"


class Rows(Enum):
    """The rows that a caller may do something with."""

    NONE = "no rows"
    OWN = "own rows"
    ALL = "all rows"


class Answer(NamedTuple):
    """A status; and which rows a list has, which error it is, or that nothing changed.

    A `general` one is the same for all requests of a caller, also malformed ones.
    """

    status: int
    detail: str = ""
    general: bool = False

    def __str__(self) -> str:
        return f"{self.status} {self.detail}".rstrip()

    @property
    def right(self) -> int:
        """How much it allows: 0 for nothing, 2 for everything."""
        if self.status >= 400 or self.detail == UNCHANGED:
            return 0
        return 1 if self.detail == Rows.OWN.value else 2


YES, NO = "yes", "no"


@dataclass(frozen=True)
class Operation:
    """An endpoint of an entity.

    `kind` is one of the entity's operations, or create_batch, list_history, restore,
    list_children, get_child, list_linked, link or unlink with the name of a `relation`. `path` has {id}, and {other_id} for the
    row that is linked. A create or update may have a `reference`, the key with the id of
    another row, or with a list of one.
    """

    entity: Entity
    kind: str
    method: str
    path: str
    relation: str = ""
    reference: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class FieldUse:
    """A field with rules of its own; `kind` is read, create or update."""

    entity: Entity
    kind: str
    field: Field

    def __str__(self) -> str:
        verb = {"read": "read", "create": "create with", "update": "update"}[self.kind]
        return f"{verb} {self.field.json}"


class Table(NamedTuple):
    """What a person reads about an entity: a column for each kind of caller.

    Those who get what any token gets have no column.
    """

    callers: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    unhidden: Sequence[str]

    @property
    def markdown(self) -> str:
        """The table in Markdown."""
        lines = [["", *map(_code, self.callers)], ["---"] * (len(self.callers) + 1)]
        lines += [[_code(label), *cells] for label, cells in self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    @property
    def text(self) -> str:
        """The table in columns of characters."""
        lines = [["", *self.callers], *([label, *cells] for label, cells in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(map(str.ljust, line, widths)).rstrip() for line in lines
        )


class AccessMatrix:
    """The answers to all operations of a specification."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    @cached_property
    def callers(self) -> Sequence[str]:
        """The kinds of callers: those without a name, and each role and scope."""
        entities = self.spec.entities
        names = {rule for one in entities for rule in _rules_of(one) if ":" in rule}
        owners = [OWNER, OTHER_OWNER] if any(one.owner for one in entities) else []
        return [*UNNAMED, *owners, *sorted(names)]

    def operations(self, entity: Entity) -> Iterator[Operation]:
        """Yield the endpoints of an entity, in the order of its routes."""
        url = f"{PREFIX}{entity.url}"
        one = f"{url}/{{id}}"
        for kind in ("create", "list", "get", "replace", "update", "delete"):
            if kind in entity.operations:
                path = url if kind in ("create", "list") else one
                yield Operation(entity, kind, METHODS[kind], path)
            if kind == "get" and entity.has_history_route:
                yield Operation(entity, "list_history", "GET", f"{one}/history")
            if kind == "create" and kind in entity.operations:
                yield Operation(entity, "create_batch", "POST", f"{url}/batch")
            if kind == "delete" and entity.has_restore_route:
                yield Operation(entity, "restore", "POST", f"{one}/restore")
        for reverse in entity.reverses:
            several = reverse.kind == "many"
            if ("list" if several else "get") in self._entity(reverse).operations:
                kind = "list_children" if several else "get_child"
                path = f"{one}/{_segment(reverse.name)}"
                yield Operation(entity, kind, "GET", path, reverse.name)
        for link in entity.links:
            path = f"{one}/{_segment(link.name)}"
            if "list" in self._entity(link).operations:
                yield Operation(entity, "list_linked", "GET", path, link.name)
            if "update" in self._changed(entity, link).operations:
                other = f"{path}/{{other_id}}"
                yield Operation(entity, "link", "PUT", other, link.name)
                yield Operation(entity, "unlink", "DELETE", other, link.name)

    def requests(self, entity: Entity) -> Iterator[Operation]:
        """Yield the operations, and with each reference that they do not need."""
        for one in self.operations(entity):
            yield one
            if one.kind in ("create", "update"):
                for reference in entity.references:
                    if one.kind == "update" or not reference.required:
                        yield replace(one, reference=reference.json)
                for link in entity.links:
                    if link.owner:
                        yield replace(one, reference=link.ids)

    def answer(self, operation: Operation, caller: str) -> Answer:
        """Return what a caller gets: 401, 403 by role, 404, and then 403 by row."""
        if caller == BAD_TOKEN and self.spec.auth:
            return Answer(401, general=True)
        entity, kind = operation.entity, _action(operation.kind)
        if operation.reference:
            return self._answer_reference(operation, caller)
        if kind in entity.operations:
            return self._answer(entity, kind, caller)
        if kind == "restore":
            found = self._answer(entity, "delete", caller)
            return Answer(200) if found.status == 204 else found
        if kind == "list_history":
            return self._answer(entity, "get", caller)
        if kind in ("list_children", "get_child"):
            reverse = _named(entity.reverses, operation.relation)
            return self._answer_read_below(entity, self._entity(reverse), kind, caller)
        link = _named(entity.links, operation.relation)
        if kind == "list_linked":
            return self._answer_read_below(entity, self._entity(link), kind, caller)
        return self._answer_link(entity, link, kind, caller)

    def answers(self, operation: Operation) -> Mapping[str, Sequence[str]]:
        """Return the callers who get each answer; a 403 that is general is "by role"."""
        found: dict[str, list[str]] = {}
        for caller in self.callers:
            answer = self.answer(operation, caller)
            by_role = " by role" if answer.general and answer.status == 403 else ""
            found.setdefault(f"{answer}{by_role}", []).append(caller)
        return found

    def subjects(self, operation: Operation) -> Sequence[str]:
        """Return the attributes of a row that get the subject of the caller."""
        entity, kind = operation.entity, _action(operation.kind)
        created_by, updated_by = keys.ACTORS
        found = []
        if kind == "create" and entity.owner is True:
            found.append(keys.OWNER_ID)
        if kind == "create" and entity.actors:
            found.append(created_by)
        if kind in ("create", "replace", "update") and entity.actors:
            found.append(updated_by)
        return found

    def omitted(self, operation: Operation) -> Sequence[str]:
        """Return the keys that not all who may use an operation may send."""
        if _action(operation.kind) not in ("create", "replace", "update"):
            return []
        fields = operation.entity.fields
        return [one.json for one in fields if one.write_access and not one.required]

    def field_uses(self, entity: Entity) -> Iterator[FieldUse]:
        """Yield what can be done with the fields that have rules of their own."""
        for field in entity.fields:
            for kind in uses_of(entity, field):
                if field.read_access if kind == "read" else field.write_access:
                    yield FieldUse(entity, kind, field)

    def may_use(self, use: FieldUse, caller: str) -> bool:
        """Whether a caller may do something with a field, of a row of the owner's.

        A caller who creates a row with an owner is its owner.
        """
        entity, kind = use.entity, use.kind
        if caller == BAD_TOKEN and self.spec.auth:
            return False
        if kind == "create":
            rules = use.field.write_access
            if self._answer(entity, kind, caller).status >= 400:
                return False
        else:
            rules = use.field.read_access if kind == "read" else use.field.write_access
            if not (self._sees(entity, caller) and self._may(entity, kind, caller)):
                return False
        rows = Rows.ALL if not rules else self._rows(rules, caller)
        creates_own = kind == "create" and entity.owner is True
        return rows is Rows.ALL or (
            rows is Rows.OWN and (creates_own or caller == OWNER)
        )

    def table(self, entity: Entity) -> Table:
        """Return what a person reads about an entity."""
        cells = {caller: self._column(entity, caller) for caller in self.callers}
        shown = [
            caller
            for caller in self.callers
            if caller in UNNAMED or cells[caller] != cells[ANY_TOKEN]
        ]
        labels = cells[NO_TOKEN]
        rows = [(label, [cells[one][label] for one in shown]) for label in labels]
        return Table(shown, rows, list(self.unhidden(entity)))

    def unhidden(self, entity: Entity) -> Iterator[str]:
        """Yield what callers learn of rows that they may not read."""
        written = any(
            _is_allowed(entity, one) for one in ("create", "replace", "update")
        )
        hidden = [one.json for one in entity.fields if one.unique and one.read_access]
        names = hidden if _is_public(entity) else _unique_names(entity)
        for name in names if written else ():
            yield f"a 409 tells that a value of {name} is taken"
        if not _is_allowed(entity, "delete"):
            return
        for source in self.spec.entities:
            rules = {
                one.on_delete for one in source.references if one.target == entity.name
            }
            if "restrict" in rules and not _is_public(source):
                a_row = naming.with_article(source.title)
                yield f"DELETE: a 409 tells that {a_row} refers to it"
            if "cascade" in rules:
                yield f"DELETE deletes its {source.titles} too, whoever owns them"

    def _column(self, entity: Entity, caller: str) -> dict[str, str]:
        answers = {
            str(one): str(self.answer(one, caller)) for one in self.operations(entity)
        }
        uses = self.field_uses(entity)
        return answers | {
            str(one): YES if self.may_use(one, caller) else NO for one in uses
        }

    # Rules

    def _rows(self, rules: Sequence[str], caller: str) -> Rows:
        """Return the rows for which one of the rules holds."""
        if keys.PUBLIC in rules:
            return Rows.ALL
        if caller == NO_TOKEN:
            return Rows.NONE
        if keys.AUTHENTICATED in rules or (":" in caller and caller in rules):
            return Rows.ALL
        return Rows.OWN if keys.OWNER in rules else Rows.NONE

    def _rows_of(self, entity: Entity, action: str, caller: str) -> Rows:
        return self._rows(_rules(entity, action), caller)

    def _may(self, entity: Entity, action: str, caller: str) -> bool:
        """Whether a caller may do this with a row of the owner's."""
        rows = self._rows_of(entity, action, caller)
        return rows is Rows.ALL or (rows is Rows.OWN and caller == OWNER)

    def _sees(self, entity: Entity, caller: str) -> bool:
        return self._may(entity, "read", caller)

    def _refused(self, caller: str, *needed: tuple[Entity, str]) -> Answer | None:
        """Return the answer to a caller for whom no rule can hold, whatever the row."""
        if all(self._rows_of(*one, caller) is not Rows.NONE for one in needed):
            return None
        return Answer(401 if caller == NO_TOKEN else 403, general=True)

    # Operations

    def _answer(self, entity: Entity, kind: str, caller: str) -> Answer:
        action = "read" if kind in ("list", "get") else kind
        if refused := self._refused(caller, (entity, action)):
            return refused
        if kind == "list":
            return Answer(200, self._rows_of(entity, "read", caller).value)
        if kind == "create":
            return self._answer_create(entity, caller)
        if not self._sees(entity, caller):
            return Answer(404)
        if not self._may(entity, action, caller):
            return Answer(403)
        return Answer(204 if kind == "delete" else 200)

    def _answer_create(self, entity: Entity, caller: str) -> Answer:
        """The answer to a row with the references that it needs."""
        for reference in entity.references:
            target = self.spec.entity(reference.target)
            if reference.required and not self._sees(target, caller):
                return Answer(422, NOT_FOUND)
        owns = self._rows_of(entity, "create", caller) is Rows.OWN
        if owns and entity.owner is not True and caller != OWNER:
            return Answer(403)
        return Answer(201)

    def _answer_reference(self, operation: Operation, caller: str) -> Answer:
        """The answer to a row that refers to another row of the owner's."""
        entity = operation.entity
        answer = self._answer(entity, operation.kind, caller)
        targets = {one.json: one.target for one in entity.references}
        targets |= {one.ids: one.target for one in entity.links}
        target = self.spec.entity(targets[operation.reference])
        by_row = operation.kind == "create" and answer.status == 403
        is_checked = answer.status < 400 or (by_row and not answer.general)
        if is_checked and not self._sees(target, caller):
            return Answer(422, NOT_FOUND)
        return answer

    def _answer_read_below(
        self, parent: Entity, entity: Entity, kind: str, caller: str
    ) -> Answer:
        if refused := self._refused(caller, (parent, "read"), (entity, "read")):
            return refused
        if not self._sees(parent, caller):
            return Answer(404)
        if kind == "get_child":
            return Answer(200 if self._sees(entity, caller) else 404)
        return Answer(200, self._rows_of(entity, "read", caller).value)

    def _answer_link(
        self, entity: Entity, link: Link, kind: str, caller: str
    ) -> Answer:
        """The answer to a link: the side with the list of ids is changed by it.

        The unlinking of a row that does not exist is no error.
        """
        other, changed = self._entity(link), self._changed(entity, link)
        linked = other if link.owner else entity
        if refused := self._refused(caller, (changed, "update"), (linked, "read")):
            return refused
        if not self._sees(entity, caller):
            return Answer(404)
        if not self._sees(other, caller):
            return Answer(404) if kind == "link" else Answer(204, UNCHANGED)
        return Answer(204 if self._may(changed, "update", caller) else 403)

    def _entity(self, side: Reverse | Link) -> Entity:
        """Return the entity on the other side."""
        return self.spec.entity(side.target if isinstance(side, Link) else side.source)

    def _changed(self, entity: Entity, link: Link) -> Entity:
        """Return the entity that has the list of ids."""
        return entity if link.owner else self._entity(link)


Side = TypeVar("Side", Reverse, Link)


def _action(kind: str) -> str:
    """Return the kind of an operation, where a batch of creates is a create."""
    return "create" if kind == "create_batch" else kind


def _named(sides: Sequence[Side], name: str) -> Side:
    return next(side for side in sides if side.name == name)


def _segment(name: str) -> str:
    """Return the segment of a URL for a relation."""
    return name.replace("_", "-")


def _can_change(entity: Entity) -> bool:
    return not {"replace", "update"}.isdisjoint(entity.operations)


def uses_of(entity: Entity, field: Field) -> Iterator[str]:
    """Yield what requests can do with a field: read, create and update."""
    if not field.write_only:
        yield "read"
    if not field.read_only:
        if "create" in entity.operations:
            yield "create"
        if _can_change(entity) and not field.immutable:
            yield "update"


def _is_public(entity: Entity) -> bool:
    return keys.PUBLIC in _rules(entity, "read")


def _is_allowed(entity: Entity, operation: str) -> bool:
    """Whether there are callers who may do this."""
    return operation in entity.operations and keys.NOBODY not in _rules(
        entity, operation
    )


def _rules(entity: Entity, action: str) -> Sequence[str]:
    if entity.access is None:
        return (keys.PUBLIC,)
    rules: Sequence[str] = getattr(
        entity.access, "update" if action == "replace" else action
    )
    return rules


def _unique_names(entity: Entity) -> list[str]:
    """Return the JSON keys of what must be unique, whoever owns the row."""
    names = [] if entity.id.generated else [entity.id.json]
    names += [one.json for one in entity.members if one.unique]
    return names + [
        " and ".join(entity.json_keys[column] for column in columns)
        for columns in entity.unique
        if keys.OWNER_ID not in columns
    ]


def _rules_of(entity: Entity) -> set[str]:
    """Return all rules of an entity and its fields."""
    fields = [(*one.read_access, *one.write_access) for one in entity.fields]
    return set(entity.access.rules if entity.access else ()).union(*fields)


def _code(text: str) -> str:
    """Return a name as code in a table of Markdown."""
    fence = "`` " if "`" in text else "`"
    return fence + text.replace("|", "\\|") + fence[::-1]


LEGEND = """\
Who may do what, as entities.json says. All rows that can have an owner belong to the caller
"owner", and new rows refer to such rows. Who has no column gets what any token gets. Fields
are listed if they have rules of their own.

401  a valid token is needed
403  the caller may not do this
404  the row does not exist, as far as the caller can tell
422  a row that the new one must refer to does not exist, as far as the caller can tell
"""
UNHIDDEN = "Not hidden from callers who may not read the rows:"


def text(spec: Spec) -> str:
    """Return the matrix as a person reads it in a terminal."""
    matrix = AccessMatrix(spec)
    parts = [LEGEND]
    for entity in spec.entities:
        table = matrix.table(entity)
        lines = [entity.name, table.text]
        if table.unhidden:
            lines += [UNHIDDEN, *(f"- {one}" for one in table.unhidden)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
