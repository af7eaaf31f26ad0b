"""One symbol table a namespace: whatever the generator names must be unique there."""

from collections.abc import Iterable, Mapping

from scaffold.spec import naming
from scaffold.spec.drafts import EntityDraft
from scaffold.spec.model import Link, Reference
from scaffold.spec.problems import Problems, quote
from scaffold.spec.relations import Placed, Resolved
from scaffold.spec.vocabulary import reserved_names

_FAMILY = ("Base", "Create", "Update", "Entity", "Repository", "Service", "Factory")

# A name, what is called so (a kind and a label), the declaration's path and place.
Symbol = tuple[str, str, str, str, int]


class Namespace:
    """Names of one kind; two that differ only in case are the same name."""

    def __init__(self, problems: Problems, told: set[tuple[str, str]]) -> None:
        self.problems = problems
        self.told = told
        self._symbols: dict[str, Symbol] = {}

    def reserve(self, names: Iterable[str], what: str) -> None:
        for name in names:
            self._symbols[name.lower()] = (name, what, "", "", -1)

    def add_stored(self, name: str, kind: str, label: str, path: str, at: int) -> None:
        """Add what is a name in the database, too: PostgreSQL would cut it off."""
        if len(name) > naming.MAX_BYTES:
            length = f"{len(name)} characters, more than PostgreSQL's 63"
            message = f"the name of {kind} {label}, {quote(name)}, has {length}"
            self.problems.rule(at, path, message)
        self.add(name, kind, label, path, at)

    def add(self, name: str, kind: str, label: str, path: str, at: int) -> None:
        """Report a name that is taken; the first pair of two declarations is told."""
        symbol = (name, kind, label, path, at)
        other = self._symbols.setdefault(name.lower(), symbol)
        if other is not symbol and other[3:] != symbol[3:]:
            self._report(*sorted((other, symbol), key=lambda one: one[4]))

    def _report(self, first: Symbol, second: Symbol) -> None:
        path, at = second[3:]
        if (first[3], path) in self.told:
            return
        self.told.add((first[3], path))
        if not first[3]:
            if first[0] != second[0]:
                return  # Python's own words are of one case
            why = f"cannot be called {quote(second[0])}: {first[1]}"
            self.problems.rule(at, path, f"{second[1]} {second[2]} {why}")
            return
        called = f"are both called {quote(second[0])}"
        if first[0] != second[0]:
            names = f"{quote(second[0])} and {quote(first[0])}"
            called = f"are called {names}, which differ only in case"
        both = f"{second[1]} {second[2]} and {first[1]} {first[2]}"
        self.problems.rule(at, path, f"{both} {called}")


def check(
    drafts: Iterable[EntityDraft],
    resolved: Mapping[str, Resolved],
    problems: Problems,
) -> None:
    """Fill every namespace in the order of the file."""
    drafts = list(drafts)
    world = _World(drafts, problems)
    for draft in drafts:
        world.entity(draft)
        placed = resolved[draft.name].placed
        world.links(placed)
        _members(draft, placed, problems)


class _World:
    """The namespaces that all entities share."""

    def __init__(self, drafts: Iterable[EntityDraft], problems: Problems) -> None:
        self.problems = problems
        # A class of a family can only meet an entity's own: no suffix ends another.
        self.names = {draft.name.lower() for draft in drafts}
        told: set[tuple[str, str]] = set()
        self.classes = Namespace(problems, told)
        self.classes.reserve(
            reserved_names.CLASSES, "Python keeps that word for itself"
        )
        self.tables = Namespace(problems, told)
        self.tables.reserve(reserved_names.TABLES, "Alembic keeps its state there")
        self.modules = Namespace(problems, told)
        self.routes = Namespace(problems, told)

    def entity(self, draft: EntityDraft) -> None:
        name, at = draft.name, draft.at("name")
        self.classes.add(name, "the class", name, name, at)
        for suffix in _FAMILY:
            if (name + suffix).lower() in self.names:
                self.classes.add(name + suffix, "a class of", name, name, at)
        for field in draft.fields:
            if field.name and field.text("type") == "enum":
                choice = f"{name}{naming.pascal(field.name)}Choice"
                path = f"{name}.{field.name}"
                place = field.at("name")
                self.classes.add(choice, "the choices of", path, path, place)
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
            message = f"table {quote(plural)}: PostgreSQL keeps pg_ for its own"
            self.problems.rule(at, name, f'{message}; set another "plural"')

    def links(self, placed: Iterable[Placed]) -> None:
        for one in placed:
            link, path = one.member, one.origin.label
            if isinstance(link, Link) and link.owner:
                at = one.origin.draft.at("name")
                kind = "the association table of"
                self.tables.add_stored(link.table, kind, path, path, at)
                columns = Namespace(self.problems, set())
                for column in (link.left_column, link.right_column):
                    columns.add_stored(column, "a column of", link.table, path, at)


def _members(draft: EntityDraft, placed: Iterable[Placed], problems: Problems) -> None:
    """JSON keys, columns and attributes of one entity are one namespace."""
    space = Namespace(problems, set())
    space.reserve(reserved_names.COLUMNS, "every entity has that column already")
    for field in draft.fields:
        if name := field.name:
            path, at = f"{draft.name}.{name}", field.at("name")
            space.add_stored(name, "the field", path, path, at)
            if name in reserved_names.ATTRIBUTES:
                attribute = naming.attribute(name)
                space.add(attribute, "the attribute of", path, path, at)
            if name in reserved_names.SYSTEM_COLUMNS:
                message = "PostgreSQL has a system column of that name in every table"
                problems.rule(at, path, message)
    for one in placed:
        _sides(space, draft.name, one)


def _sides(space: Namespace, entity: str, placed: Placed) -> None:
    """Add all names that one side of a relation takes on its entity."""
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
        space.add(member.ids, f"the ids of {kind}", label, path, at)
