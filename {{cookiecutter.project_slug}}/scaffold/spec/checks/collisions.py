"""Checks that generated names are unique: classes, tables, columns, indexes, ..."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scaffold.spec import naming
from scaffold.spec.drafts import EntityDraft
from scaffold.spec.model import Entity, Link, Reference, Timestamps
from scaffold.spec.problems import Problems, quote
from scaffold.spec.relations import Placed, Resolved
from scaffold.spec.vocabulary import reserved_names


class _Symbol(NamedTuple):
    """A name with what has it, such as `the table of` `Task`, and its declaration.

    `path` and `at` are those of the declaration; a reserved name has none, and `kind`
    says why it is reserved.
    """

    name: str
    kind: str
    label: str
    path: str
    at: int


class _Namespace:
    """Names of one kind, compared without regard to case.

    `reported` holds the pairs of declarations that were reported in any namespace.
    """

    def __init__(self, problems: Problems, reported: set[tuple[str, str]]) -> None:
        self.problems = problems
        self.reported = reported
        self._symbols: dict[str, _Symbol] = {}

    def reserve(self, names: Iterable[str], reason: str) -> None:
        for name in names:
            self._symbols[name.lower()] = _Symbol(name, reason, "", "", -1)

    def add(self, name: str, kind: str, label: str, path: str, at: int) -> None:
        """Add a name; report it if another declaration has it."""
        symbol = _Symbol(name, kind, label, path, at)
        other = self._symbols.setdefault(name.lower(), symbol)
        if other is not symbol and other[3:] != symbol[3:]:
            self._report(*sorted((other, symbol), key=lambda one: one.at))

    def _report(self, first: _Symbol, second: _Symbol) -> None:
        if (first.path, second.path) in self.reported:
            return
        self.reported.add((first.path, second.path))
        message = _collision(first, second)
        if message is not None:
            self.problems.rule(second.at, second.path, message)


def _collision(first: _Symbol, second: _Symbol) -> str | None:
    name = quote(second.name)
    if not first.path:
        if first.name != second.name:
            return None  # reserved words are reserved in one case only
        if second.label == second.path:
            return f"the name {name} is reserved: {first.kind}"
        return (
            f"the name {name} of {second.kind} {second.label} is reserved: {first.kind}"
        )
    if (first.kind, first.label) == (second.kind, second.label):
        return (
            f"duplicate {second.kind.removeprefix('the ')} {name}; remove or rename it"
        )
    used = f"already used by {first.kind} {first.label}"
    if first.name != second.name:
        used = f"which differs only in case from {quote(first.name)}, {used}"
    derived = second.kind in ("the table of", "the routes module of")
    fix = '; set another "plural"' if derived else ""
    return f"{second.kind} {second.label} has the name {name}, {used}{fix}"


def check(
    drafts: Iterable[EntityDraft],
    resolved: Mapping[str, Resolved],
    problems: Problems,
) -> None:
    """Report names that are used twice, in the order of the file."""
    drafts = list(drafts)
    shared = _SharedNamespaces(drafts, problems)
    for draft in drafts:
        shared.add_entity(draft)
        _members(draft, resolved[draft.name].placed, problems)


class _SharedNamespaces:
    """The namespaces that all entities share: classes, tables and modules."""

    def __init__(self, drafts: Iterable[EntityDraft], problems: Problems) -> None:
        self.problems = problems
        reported: set[tuple[str, str]] = set()
        self.classes = _Namespace(problems, reported)
        self.classes.reserve(
            reserved_names.CLASSES, "it is a keyword of Python; choose another name"
        )
        self.tables = _Namespace(problems, reported)
        self.tables.reserve(
            reserved_names.TABLES, 'Alembic uses it; set another "plural"'
        )
        self.modules = _Namespace(problems, reported)
        self.routes = _Namespace(problems, reported)
        self.urls = _Namespace(problems, reported)
        self.urls.reserve(
            reserved_names.SEGMENTS, 'it is a part of other URLs; set another "url"'
        )

    def add_entity(self, draft: EntityDraft) -> None:
        name, at = draft.name, draft.at("name")
        self.classes.add(name, "the class", name, name, at)
        self._table(draft)
        module = naming.module(naming.snake(name))
        self.modules.add(module, "the module of", name, name, at)
        routes = naming.routes_module(draft.plural)
        self.routes.add(routes, "the routes module of", name, name, at)
        url = draft.text("url") or draft.plural.replace("_", "-")
        self.urls.add(url, "the URL of", name, name, _place(draft, "url", "plural"))

    def _table(self, draft: EntityDraft) -> None:
        at = _place(draft, "table", "plural")
        name, schema = draft.name, draft.text("schema")
        table = draft.text("table") or draft.plural
        stored = f"{schema}.{table}" if schema else table
        self.tables.add(stored, "the table of", name, name, at)
        if table.startswith("pg_"):
            message = f"table {quote(table)}: PostgreSQL reserves the prefix pg_"
            self.problems.rule(at, name, f'{message}; set another "plural"')


def _place(draft: EntityDraft, *keys: str) -> int:
    """Return the place of the first of these keys that is written, or of the name."""
    return draft.at(next((key for key in keys if key in draft.node), "name"))


def _members(draft: EntityDraft, placed: Iterable[Placed], problems: Problems) -> None:
    """Check the names of one entity, which are attributes in Python.

    They are columns and JSON keys as well, unless entities.json says otherwise.
    """
    placed = list(placed)
    space = _Namespace(problems, set())
    taken = "every entity already has this column; remove it or choose another name"
    if draft.id.name != "id":
        taken = (
            'it is the attribute of the id in Python; choose another name, with "json"'
        )
        taken += ' and "column" if the old name must stay'
    space.reserve(["id"], taken)
    if draft.timestamps:
        times = "every entity already has this column; remove it or choose another name"
        space.reserve(["created_at", "updated_at"], times)
    for field in draft.fields:
        if name := field.name:
            path, at = f"{draft.name}.{name}", field.at("name")
            space.add(name, "the field", path, path, at)
            if name in reserved_names.ATTRIBUTES:
                attribute = naming.attribute(name)
                space.add(attribute, "the attribute of", path, path, at)
            if name in reserved_names.SYSTEM_COLUMNS:
                message = f"{quote(name)} is a system column of PostgreSQL"
                message += "; choose another name"
                problems.rule(at, path, message)
    for one in placed:
        _sides(space, draft.name, one)
        if one.member.name in reserved_names.SEGMENTS and not isinstance(
            one.member, Reference
        ):
            path, at = one.origin.label, one.origin.draft.at("name")
            message = f"{quote(one.member.name)} is a segment of other URLs"
            problems.rule(at, path, f"{message}; choose another name")
    if _has_own_names(draft):
        _stored_names(draft, placed, problems)
    # Association tables are variables, which an attribute of the same name would hide.
    tables = {one.member.table: one for one in placed if isinstance(one.member, Link)}
    for table, one in tables.items():
        path, at = one.origin.label, one.origin.draft.at("name")
        space.add(table, "the association table of", path, path, at)


def _has_own_names(draft: EntityDraft) -> bool:
    """Whether a column or a JSON key can differ from the name of its member."""
    members = [*draft.fields, *draft.relations]
    return (
        draft.camel
        or (draft.id.name, draft.timestamps) != ("id", Timestamps())
        or any("column" in one.node or "json" in one.node for one in members)
    )


def _stored_names(
    draft: EntityDraft, placed: Iterable[Placed], problems: Problems
) -> None:
    """Check the columns and the JSON keys of an entity."""
    columns, keys = _Namespace(problems, set()), _Namespace(problems, set())
    name, at = draft.name, draft.at("id")
    columns.add(draft.id.column, "the column of the id of", name, name, at)
    keys.add(draft.id.json, "the key of the id of", name, name, at)
    if times := draft.timestamps:
        at = draft.at("timestamps")
        stored = (times.created_at, times.updated_at)
        for what, column, key in zip(
            ("created", "updated"), stored, times.json, strict=True
        ):
            columns.add(column, f"the column of the time {what} of", name, name, at)
            keys.add(key, f"the key of the time {what} of", name, name, at)
    for item in draft.fields:
        if field := item.field:
            path = f"{name}.{field.name}"
            place = item.at("column" if "column" in item.node else "name")
            columns.add(field.column, "the column of", path, path, place)
            place = item.at("json" if "json" in item.node else "name")
            keys.add(field.json, "the key of", path, path, place)
    for one in placed:
        member, path = one.member, one.origin.label
        at = one.origin.draft.at("name" if one.declared else "back_populates")
        if isinstance(member, Reference):
            columns.add(member.column, "the column of", path, path, at)
            keys.add(member.json, "the key of", path, path, at)
        if isinstance(member, Link) and member.owner:
            keys.add(member.ids, "the key of ids of", path, path, at)


def _sides(space: _Namespace, entity: str, placed: Placed) -> None:
    """Add all names that one side of a relation has on its entity."""
    member, path = placed.member, placed.origin.label
    label = f"{entity}.{member.name}"
    at = placed.origin.draft.at("name" if placed.declared else "back_populates")
    kind = "relation"
    if not placed.declared:
        kind, label = "reverse side", f"{label} of {path}"
    space.add(member.name, f"the {kind}", label, path, at)
    if member.name in reserved_names.ATTRIBUTES:
        space.add(member.attribute, f"the attribute of {kind}", label, path, at)
    if isinstance(member, Reference):
        column = f"the column of {kind}"
        space.add(member.column, column, label, path, at)
    if isinstance(member, Link) and member.owner:
        space.add(member.ids, f"the key of ids of {kind}", label, path, at)


def check_primary_keys(
    pairs: Iterable[tuple[EntityDraft, Entity]], problems: Problems
) -> None:
    """Report tables that are called like the index of a primary key.

    In PostgreSQL, tables and indexes share names. The other indexes yield to tables.
    """
    space = _Namespace(problems, set())
    for draft, entity in pairs:
        at, name = draft.at("plural" if "plural" in draft.node else "name"), entity.name
        schema = f"{entity.schema}." if entity.schema else ""
        space.add(schema + entity.table, "the table of", name, name, at)
        tables = [entity.table, *(link.table for link in entity.links if link.owner)]
        for table in tables:
            index = schema + naming.constraint("pk", table)
            space.add(index, "the primary key of", table, f"{name}.{table}", at)
