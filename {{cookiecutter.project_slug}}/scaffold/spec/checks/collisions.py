"""Checks that generated names are unique: classes, tables, columns, indexes, ..."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scaffold.spec import naming
from scaffold.spec.drafts import Draft, EntityDraft
from scaffold.spec.model import STANDARD_TIMES, Entity, Link, Reference
from scaffold.spec.problems import Problems, quote
from scaffold.spec.relations import Placed, Resolved
from scaffold.spec.vocabulary import keys, reserved_names


class _Symbol(NamedTuple):
    """A name with what has it, such as `the table of` `Task`, and its declaration.

    `path` and `at` are those of the declaration; a reserved name has none, and `kind`
    says why it is reserved. `key` is that of entities.json for another name, if any.
    """

    name: str
    kind: str
    label: str
    path: str
    at: int
    key: str = ""


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

    def add(
        self, name: str, kind: str, label: str, path: str, at: int, key: str = ""
    ) -> None:
        """Add a name; report it if another declaration has it."""
        symbol = _Symbol(name, kind, label, path, at, key)
        other = self._symbols.setdefault(name.lower(), symbol)
        if other is not symbol and (other.path, other.at) != (path, at):
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
    fix = f'; set another "{second.key}"' if second.key else ""
    return f"{second.kind} {second.label} has the name {name}, {used}{fix}"


def check(
    drafts: Iterable[EntityDraft],
    resolved: Mapping[str, Resolved],
    problems: Problems,
) -> None:
    """Report names that are used twice, in the order of the file."""
    shared = _SharedNamespaces(problems)
    for draft in drafts:
        shared.add_entity(draft)
        _members(draft, resolved[draft.name].placed, problems)


class _SharedNamespaces:
    """The namespaces that all entities share: classes, tables and modules."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        reported: set[tuple[str, str]] = set()
        self.classes = _Namespace(problems, reported)
        self.classes.reserve(
            reserved_names.CLASSES, "it is a keyword of Python; choose another name"
        )
        self.classes.reserve(
            reserved_names.FASTAPI_SCHEMAS,
            "FastAPI has a schema of that name in OpenAPI; choose another name",
        )
        self.tables = _Namespace(problems, reported)
        self.tables.reserve(
            reserved_names.TABLES, 'Alembic uses it; set another "plural"'
        )
        self.tables.reserve(
            reserved_names.SERVICE_TABLES, 'the service uses it; set another "table"'
        )
        self.modules = _Namespace(problems, reported)
        self.routes = _Namespace(problems, reported)
        self.urls = _Namespace(problems, reported)
        self.urls.reserve(
            reserved_names.SEGMENTS, 'other URLs end with it; set another "url"'
        )

    def add_entity(self, draft: EntityDraft) -> None:
        name, at = draft.name, draft.at("name")
        self.classes.add(name, "the class", name, name, at)
        self._table(draft)
        module = naming.module(naming.snake(name))
        self.modules.add(module, "the module of", name, name, at)
        routes = naming.routes_module(draft.plural)
        self.routes.add(routes, "the routes module of", name, name, at, "plural")
        url = draft.text("url") or draft.plural.replace("_", "-")
        at = _place(draft, "url", "plural")
        self.urls.add(url, "the URL of", name, name, at, "url")

    def _table(self, draft: EntityDraft) -> None:
        at = _place(draft, "table", "plural")
        name, table = draft.name, draft.table
        stored = f"{draft.schema}.{table}" if draft.schema else table
        key = "table" if "table" in draft.node else "plural"
        self.tables.add(stored, "the table of", name, name, at, key)
        if table.startswith("pg_"):
            message = f"table {quote(table)}: PostgreSQL reserves the prefix pg_"
            self.problems.rule(at, name, f'{message}; set another "plural"')


def _place(draft: EntityDraft, *keys: str) -> int:
    """Return the place of the first of these keys that is written, or of the name."""
    for key in keys:
        if key in draft.node:
            return draft.at(key)
    return draft.at("name")


_VERSION = 'it has the version of a row; set another "column"'
_EVERY = "every entity already has this column; remove it or choose another name"


def _members(draft: EntityDraft, placed: Iterable[Placed], problems: Problems) -> None:
    """Check the names of one entity, which are attributes in Python.

    They are columns and JSON keys as well, unless entities.json says otherwise.
    """
    placed = list(placed)
    reported: set[tuple[str, str]] = set()
    space = _Namespace(problems, reported)
    for name, own_name in _set_by_service(draft).items():
        taken = _EVERY
        if own_name != name:
            taken = f"in Python, {own_name} is called {name}; choose another name, and"
            taken += ' set "column" and "json" if they must stay'
        space.reserve([name], taken)
    for name, key in draft.added.items():
        taken = f'"{key}": true adds this column; remove it or choose another name'
        space.reserve([name], taken)
    if draft.owner is True:
        space.reserve(
            [keys.OWNER], 'with "owner": true, it means the owner; choose another name'
        )
    for field in draft.fields:
        if name := field.name:
            path, at = f"{draft.name}.{name}", field.at("name")
            space.add(name, "the field", path, path, at)
            if name in reserved_names.ATTRIBUTES:
                attribute = naming.attribute(name)
                space.add(attribute, "the attribute of", path, path, at)
            if name in reserved_names.SYSTEM_COLUMNS and "column" not in field.node:
                message = f"{quote(name)} is a system column of PostgreSQL"
                message += "; choose another name"
                problems.rule(at, path, message)
    for one in placed:
        _sides(space, draft.name, one)
        if one.member.name in reserved_names.SEGMENTS:
            _segment(one, problems)
    if _has_own_names(draft):
        _Stored(draft, problems, reported).check(placed)
    _operators(draft, placed, problems)
    # Association tables are variables, which an attribute of the same name would hide.
    tables = {one.member.table: one for one in placed if isinstance(one.member, Link)}
    for table, one in tables.items():
        path, at = one.origin.label, one.origin.draft.at("name")
        space.add(table, "the association table of", path, path, at)


def _set_by_service(draft: EntityDraft) -> Mapping[str, str]:
    """Return the attributes that the service sets, with the names of their columns."""
    names = {"id": draft.id.name}
    if times := draft.timestamps:
        names |= {"created_at": times.created_at, "updated_at": times.updated_at}
    return names


def _segment(placed: Placed, problems: Problems) -> None:
    """Refuse a relation whose URL would be one of the service's own."""
    if not isinstance(placed.member, Reference):
        name = quote(placed.member.name)
        message = f"the name {name} is reserved: other URLs end with it"
        problems.rule(_at(placed), placed.origin.label, f"{message}; choose another")


def _at(placed: Placed) -> int:
    """Return the place of the name of a side of a relation."""
    return placed.origin.draft.at("name" if placed.declared else "back_populates")


def _has_own_names(draft: EntityDraft) -> bool:
    """Whether a column or a JSON key can differ from the name of its member."""
    members = [*draft.fields, *draft.relations]
    return (
        draft.camel
        or draft.id.name != "id"
        or draft.timestamps not in (None, STANDARD_TIMES)
        or any("column" in one.node or "json" in one.node for one in members)
    )


class _Stored:
    """The columns and the JSON keys of an entity."""

    def __init__(
        self, draft: EntityDraft, problems: Problems, reported: set[tuple[str, str]]
    ) -> None:
        self.draft = draft
        self.columns = _Namespace(problems, reported)
        self.keys = _Namespace(problems, reported)

    def check(self, placed: Iterable[Placed]) -> None:
        self._own()
        reserved = self.draft.added
        for field in self.draft.fields:
            if (one := field.field) and one.name not in reserved:
                path = f"{self.draft.name}.{one.name}"
                self._column(one.column, path, field)
                self._key(one.json, path, field)
        for side in placed:
            member, path = side.member, side.origin.label
            if isinstance(member, Reference) and member.column_attribute in reserved:
                continue
            if isinstance(member, Reference) and side.declared:
                self._column(member.column, path, side.origin.draft)
                self._key(member.json, path, side.origin.draft)
            elif isinstance(member, Reference):
                at = _at(side)
                self.columns.add(member.column, "the column of", path, path, at)
                self.keys.add(member.json, "the JSON key of", path, path, at)
            elif isinstance(member, Link) and member.owner:
                self.keys.add(member.ids, "the key of ids of", path, path, _at(side))

    def _own(self) -> None:
        """Add the id and the times, which have one name for both."""
        draft, key, times = self.draft, self.draft.id, self.draft.timestamps
        own = [("id", key.column, key.json, draft.at_inner("id", "name"))]
        if times:
            columns = (times.created_at, times.updated_at)
            names = ("created_at", "updated_at")
            own += [
                (name, column, json, draft.at_inner("timestamps", name))
                for name, column, json in zip(names, columns, times.json, strict=True)
            ]
        for name, written in draft.added.items():
            json = naming.json_key(name, camel=draft.camel)
            own.append((name, name, json, draft.at(written)))
        self.columns.reserve([keys.VERSION_COLUMN], _VERSION)
        for name, column, json, at in own:
            path = f"{draft.name}.{name}"
            self.columns.add(column, "the column of", path, path, at)
            self.keys.add(json, "the JSON key of", path, path, at)

    def _column(self, name: str, path: str, draft: Draft) -> None:
        at = draft.at("column" if "column" in draft.node else "name")
        self.columns.add(name, "the column of", path, path, at, "column")

    def _key(self, name: str, path: str, draft: Draft) -> None:
        at = draft.at("json" if "json" in draft.node else "name")
        self.keys.add(name, "the JSON key of", path, path, at, "json")


def _operators(
    draft: EntityDraft, placed: Iterable[Placed], problems: Problems
) -> None:
    """Refuse keys such as `price__gte`, which is a filter of `price` in a query."""
    members = [*draft.fields, *draft.relations]
    if not any("__" in one.name or "json" in one.node for one in members):
        return
    written = {
        field.field.json: (f"{draft.name}.{field.name}", field.at("name"))
        for field in draft.fields
        if field.field
    }
    for one in placed:
        if isinstance(one.member, Reference):
            written[one.member.json] = (one.origin.label, _at(one))
    times = draft.timestamps.json if draft.timestamps else ()
    names = {*written, draft.id.json, *times}
    names |= {naming.json_key(one, camel=draft.camel) for one in draft.added}
    for field in draft.fields:
        if field.field and field.field.filterable and "__" in field.name:
            message = (
                f"the name {quote(field.name)} has two underscores, which separate"
            )
            message += (
                ' a field from an operator in filters; rename it, or set "filter"'
            )
            problems.rule(
                field.at("name"), f"{draft.name}.{field.name}", f"{message}: false"
            )
    for key, (path, at) in written.items():
        of, _, operator = key.rpartition("__")
        if of in names and operator in reserved_names.OPERATORS:
            message = f"the JSON key {quote(key)} is reserved: it is a filter of"
            problems.rule(at, path, f'{message} {quote(of)}; set another "json"')


def _sides(space: _Namespace, entity: str, placed: Placed) -> None:
    """Add all names that one side of a relation has on its entity."""
    member, path = placed.member, placed.origin.label
    label = f"{entity}.{member.name}"
    at = _at(placed)
    kind = "relation"
    if not placed.declared:
        kind, label = "reverse side", f"{label} of {path}"
    space.add(member.name, f"the {kind}", label, path, at)
    if member.name in reserved_names.ATTRIBUTES:
        space.add(member.attribute, f"the attribute of {kind}", label, path, at)
    if isinstance(member, Reference):
        column = f"the column of {kind}"
        if member.own_column:
            column = f"the attribute of the column of {kind}"
        space.add(member.column_attribute, column, label, path, at)
    if isinstance(member, Link) and member.owner:
        space.add(member.ids_attribute, f"the key of ids of {kind}", label, path, at)


def check_primary_keys(
    pairs: Iterable[tuple[EntityDraft, Entity]], problems: Problems
) -> None:
    """Report tables that are called like the index of a primary key.

    In PostgreSQL, tables and indexes share names. The other indexes yield to tables.
    """
    space = _Namespace(problems, set())
    for draft, entity in pairs:
        at, name = _place(draft, "table", "plural"), entity.name
        schema = f"{entity.schema}." if entity.schema else ""
        key = "table" if "table" in draft.node else "plural"
        space.add(schema + entity.table, "the table of", name, name, at, key)
        tables = [entity.table, *(link.table for link in entity.links if link.owner)]
        for table in tables:
            index = schema + naming.constraint("pk", table)
            space.add(index, "the primary key of", table, name, at, key)
