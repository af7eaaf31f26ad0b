"""Checks that generated names are unique: classes, tables, columns, indexes, ..."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from scaffold.spec import naming
from scaffold.spec.drafts import EntityDraft
from scaffold.spec.model import Entity, Link, Reference
from scaffold.spec.problems import Problems, quote
from scaffold.spec.relations import Placed, Resolved
from scaffold.spec.vocabulary import reserved_names

_FAMILY = ("Base", "Create", "Replace", "Update", "Page")
_FAMILY += ("Entity", "Repository", "Service", "Factory")


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

    def add_stored(self, name: str, kind: str, label: str, path: str, at: int) -> None:
        """Add a name that the database has too, where its length is limited."""
        if len(name) > naming.MAX_BYTES:
            message = f"the name of {kind} {label}, {quote(name)}, has {len(name)}"
            message += " characters, more than PostgreSQL's 63; choose a shorter name"
            self.problems.rule(at, path, message)
        self.add(name, kind, label, path, at)

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
        placed = resolved[draft.name].placed
        shared.add_links(placed)
        _members(draft, placed, problems)


class _SharedNamespaces:
    """The namespaces that all entities share: classes, tables and modules."""

    def __init__(self, drafts: Iterable[EntityDraft], problems: Problems) -> None:
        self.problems = problems
        # TaskUpdate can only collide with an entity: no suffix ends with another one.
        self.names = {draft.name.lower() for draft in drafts}
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
        for suffix in _FAMILY:
            if (name + suffix).lower() in self.names:
                self.classes.add(name + suffix, "a generated class of", name, name, at)
        for field in draft.fields:
            if field.name and field.text("type") == "enum":
                choice = f"{name}{naming.pascal(field.name)}Choice"
                path = f"{name}.{field.name}"
                place = field.at("name")
                self.classes.add(choice, "the choices type of", path, path, place)
        self._table(draft)
        module = naming.module(naming.snake(name))
        self.modules.add(module, "the module of", name, name, at)
        routes = naming.routes_module(draft.plural)
        self.routes.add(routes, "the routes module of", name, name, at)

    def _table(self, draft: EntityDraft) -> None:
        at = draft.at("plural" if "plural" in draft.node else "name")
        name, plural = draft.name, draft.plural
        self.tables.add_stored(plural, "the table of", name, name, at)
        if plural.startswith("pg_"):
            message = f"table {quote(plural)}: PostgreSQL reserves the prefix pg_"
            self.problems.rule(at, name, f'{message}; set another "plural"')

    def add_links(self, placed: Iterable[Placed]) -> None:
        for one in placed:
            link, path = one.member, one.origin.label
            if isinstance(link, Link) and link.owner:
                at = one.origin.draft.at("name")
                kind = "the association table of"
                self.tables.add_stored(link.table, kind, path, path, at)
                columns = _Namespace(self.problems, set())
                for column in (link.left_column, link.right_column):
                    columns.add_stored(column, "a column of", link.table, path, at)


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
            space.add_stored(name, "the field", path, path, at)
            if name in reserved_names.ATTRIBUTES:
                attribute = naming.attribute(name)
                space.add(attribute, "the attribute of", path, path, at)
            if name in reserved_names.SYSTEM_COLUMNS:
                message = f"{quote(name)} is a system column of PostgreSQL"
                message += "; choose another name"
                problems.rule(at, path, message)
    for one in placed:
        _sides(space, draft.name, one)


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
        space.add_stored(member.column, column, label, path, at)
    if isinstance(member, Link) and member.owner:
        space.add(member.ids, f"the key of ids of {kind}", label, path, at)


def check_indexes(
    pairs: Iterable[tuple[EntityDraft, Entity]], problems: Problems
) -> None:
    """Report indexes of the same name: in PostgreSQL tables and indexes share names."""
    every = [symbol for pair in pairs for symbol in _indexes_and_tables(*pair)]
    if len({symbol.name for symbol in every}) == len(every):
        return
    space = _Namespace(problems, set())
    for symbol in every:
        space.add(*symbol)


def _indexes_and_tables(draft: EntityDraft, entity: Entity) -> Iterator[_Symbol]:
    at, name = draft.at("name"), entity.name
    yield _Symbol(entity.table, "the table of", name, name, at)
    for kind, columns, at in _indexes(draft, entity):
        index = naming.constraint(kind, entity.table, *columns)
        label = f"{name}({', '.join(columns)})"
        yield _Symbol(index, "the index", label, label, at)
    for link in entity.links:
        if link.owner:
            label = f"{name}.{link.name}"
            for stored, kind in _association(link):
                yield _Symbol(stored, kind, label, label, draft.at("relations"))


def _association(link: Link) -> Iterator[tuple[str, str]]:
    yield link.table, "the association table of"
    yield naming.constraint("pk", link.table), "the primary key of"
    yield naming.constraint("ix", link.table, link.right_column), "the index of"


def _indexes(
    draft: EntityDraft, entity: Entity
) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield the prefix, the columns and the place of each index of a table."""
    yield "pk", (), draft.at("name")
    yield "ix", ("created_at", "id"), draft.at("name")
    for item in draft.fields:
        if item.flag("unique"):
            yield "uq", (item.name,), item.at("name")
        if item.flag("index"):
            yield "ix", (item.name,), item.at("name")
    for reference in entity.references:
        kind = "uq" if reference.kind == "one_to_one" else "ix"
        yield kind, (reference.column,), draft.at("relations")
    for columns in entity.unique:
        yield "uq", columns, draft.at("unique")
    for columns in entity.indexes:
        yield "ix", columns, draft.at("indexes")
