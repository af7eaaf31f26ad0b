"""Checks that generated names are unique: classes, tables, columns, indexes, ..."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scaffold.spec import naming
from scaffold.spec.drafts import EntityDraft
from scaffold.spec.model import Entity, Link, Reference
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

    def add_entity(self, draft: EntityDraft) -> None:
        name, at = draft.name, draft.at("name")
        self.classes.add(name, "the class", name, name, at)
        self._table(draft)
        module = naming.module(naming.snake(name))
        self.modules.add(module, "the module of", name, name, at)
        routes = naming.routes_module(draft.plural)
        self.routes.add(routes, "the routes module of", name, name, at)

    def _table(self, draft: EntityDraft) -> None:
        at = draft.at("plural" if "plural" in draft.node else "name")
        name, plural = draft.name, draft.plural
        self.tables.add(plural, "the table of", name, name, at)
        if plural.startswith("pg_"):
            message = f"table {quote(plural)}: PostgreSQL reserves the prefix pg_"
            self.problems.rule(at, name, f'{message}; set another "plural"')


def _members(draft: EntityDraft, placed: Iterable[Placed], problems: Problems) -> None:
    """Check the JSON keys, columns and attributes of one entity: one namespace."""
    space = _Namespace(problems, set())
    space.reserve(
        reserved_names.COLUMNS,
        "every entity already has this column; remove it or choose another name",
    )
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
    # Association tables are variables, which an attribute of the same name would hide.
    tables = {one.member.table: one for one in placed if isinstance(one.member, Link)}
    for table, one in tables.items():
        path, at = one.origin.label, one.origin.draft.at("name")
        space.add(table, "the association table of", path, path, at)


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
        space.add(entity.table, "the table of", name, name, at)
        tables = [entity.table, *(link.table for link in entity.links if link.owner)]
        for table in tables:
            index = naming.constraint("pk", table)
            space.add(index, "the primary key of", table, f"{name}.{table}", at)
