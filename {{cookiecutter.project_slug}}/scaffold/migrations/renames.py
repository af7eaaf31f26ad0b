"""Renames that entities.json speaks of, as long as the database has the old names."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from scaffold.migrations.catalog import Catalog, Item
from scaffold.migrations.former_names import Candidate
from scaffold.migrations.statements import (
    Statement,
    execute,
    literal,
    quote,
    quote_table,
    schema_argument,
)
from scaffold.spec import naming

_INDEXES = "ipu"  # the kinds of items that are an index, or have one
UNKNOWN = (
    "{label}: no migration knows a {kind} called {was} or {name}; let "
    '"renamed_from" say what they call it, or leave it out'
)
GIVEN = (
    "{label}: no migration knows a {kind} called {was}, and what is called {name} gets "
    'another name; let "renamed_from" say what they call it, or leave it out'
)
CHOICE = (
    'If {name} has the right values, remove "renamed_from". If not, give it a third name, '
    "run this, then give it this name, and run this again"
)
UNSURE = (
    "{label}: there is a {kind} called {was} and one called {name}, and no migration "
    f"renames the one to the other. {CHOICE}"
)
REUSED = (
    "{label}: a migration has renamed a {kind} from {was} to {name}, and {was} was the name "
    f"of another one since, which entities.json no longer has. {CHOICE}"
)


@dataclass(frozen=True)
class Rename:
    """A new name; `table` is the one that a column, constraint or index belongs to.

    A table gets another name or another schema, not both at once.
    """

    kind: str  # table, column, constraint or index
    table: str
    old: str
    new: str

    @property
    def back(self) -> "Rename":
        table = self.old if self.kind == "table" else self.table
        return Rename(self.kind, table, self.new, self.old)

    @property
    def sql(self) -> str:
        if self.kind == "table":
            return self._sql_of_table
        table, old, new = quote_table(self.table), quote(self.old), quote(self.new)
        if self.kind == "index":
            index = naming.table_key(self.old, naming.split_key(self.table)[1])
            return f"ALTER INDEX {quote_table(index)} RENAME TO {new}"
        return f"ALTER TABLE {table} RENAME {self.kind.upper()} {old} TO {new}"

    @property
    def _sql_of_table(self) -> str:
        alter = f"ALTER TABLE {quote_table(self.old)}"
        name, schema = naming.split_key(self.new)
        if not self._is_move:
            return f"{alter} RENAME TO {quote(name)}"
        if schema:
            return f"{alter} SET SCHEMA {quote(schema)}"
        # The default schema has another name in some databases.
        move = f"format({literal(f'{alter} SET SCHEMA %I')}, current_schema())"
        return f"DO $$ BEGIN EXECUTE {move}; END $$"

    @property
    def _is_move(self) -> bool:
        return naming.split_key(self.old)[1] != naming.split_key(self.new)[1]

    @property
    def step(self) -> Statement:
        """The same as a line of a migration."""
        if self.kind == "table" and not self._is_move:
            names = [naming.split_key(one)[0] for one in (self.old, self.new)]
            arguments = [*map(repr, names), *schema_argument(self.old)]
            return Statement(f"op.rename_table({', '.join(arguments)})")
        if self.kind == "column":
            names = [naming.split_key(self.table)[0], self.old]
            arguments = [*map(repr, names), f"new_column_name={self.new!r}"]
            arguments += schema_argument(self.table)
            return Statement(f"op.alter_column({', '.join(arguments)})")
        return execute(self.sql)

    def __str__(self) -> str:
        prefix = f"{self.table}." if self.kind == "column" else ""
        return f"rename {prefix}{self.old} to {self.new}"


def in_order(moves: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield renames one by one, so that each new name is free when it is given.

    If names change places, one of them has a third name in between.
    """
    left = dict(moves)
    while left:
        old = next((old for old, new in left.items() if new not in left), None)
        if old is not None:
            yield old, left.pop(old)
            continue
        old = next(iter(left))
        between = _longer(old, "_between")
        left[between] = left.pop(old)
        yield old, between


def unused_name(name: str, taken: Collection[str]) -> str:
    """Return a free name for what gives its own to something else."""
    found = _longer(name, "_unused")
    number = 1
    while found in taken:
        number += 1
        found = _longer(name, f"_unused_{number}")
    return found


def _longer(name: str, end: str) -> str:
    own_name, schema = naming.split_key(name)
    return naming.table_key(naming.shorten(own_name + end), schema)


@dataclass
class Names:
    """The names of the tables of a database, or of the columns of a table.

    `known` has the names that the database has, and whether they are marked as unused.
    `former` are the names that entities.json had at the last migration, if there is a
    record of it, `wanted` those that the models have. `is_made(old, new)` says whether a
    migration has that rename.
    """

    kind: str
    known: Mapping[str, bool]
    former: Collection[str] | None
    wanted: Collection[str]
    is_made: Callable[[str, str], bool]
    problems: list[str] = field(default_factory=list)

    def moves(self, candidates: Sequence[Candidate]) -> dict[str, str]:
        """Return the renames to make, by the old name.

        A former name that the database still has is renamed. If it has the new name,
        too, that one moves away first, if it is unused, renamed itself, or is in
        entities.json no longer. All else is a problem.
        """
        renamed = [
            one for one in candidates if one.was != one.name and one.name in self.wanted
        ]
        for one in renamed:
            if one.was not in self.known and one.name not in self.known:
                self._report(UNKNOWN, one)
        left = [one for one in renamed if one.was in self.known]
        moves: dict[str, str] = {}
        while due := [one for one in left if self._is_due(one, moves)]:
            moves |= {one.was: one.name for one in due}
            left = [one for one in left if one not in due]
        for one in renamed:
            if one.was not in self.known and one.name in moves:
                self._report(GIVEN, one)
        for one in left:
            if not self._is_unsure(one, renamed):
                continue
            if not self.is_made(one.was, one.name):
                self._report(UNSURE, one)
            elif one.was not in self.wanted and self._had(one.was):
                self._report(REUSED, one)
        taken = {*self.known, *self.wanted}
        occupied = [n for n in moves.values() if n in self.known and n not in moves]
        return {**{name: unused_name(name, taken) for name in occupied}, **moves}

    def _had(self, name: str) -> bool:
        """Whether entities.json had the name at the last migration, as far as is known."""
        return self.former is None or name in self.former

    def _is_due(self, one: Candidate, moves: Mapping[str, str]) -> bool:
        if one.name not in self.known or one.name in moves:
            return True
        if self.known[one.was]:
            return False
        return self.known[one.name] or (one.recorded and self._had(one.name))

    def _is_unsure(self, one: Candidate, renamed: Sequence[Candidate]) -> bool:
        """Whether either of the two names may have the values."""
        if self.known[one.was]:
            return False
        if one.recorded or one.was not in self.wanted:
            return True
        # Something else has taken the old name. Either all of that is made, or names
        # have changed places, and nothing shows whether they have.
        former = {other.name: other.was for other in renamed}
        name, steps = one.was, 0
        while name in former and steps <= len(former):
            name, steps = former[name], steps + 1
        return steps > len(former)

    def _report(self, problem: str, one: Candidate) -> None:
        words = {"label": one.label, "was": one.was, "name": one.name}
        self.problems.append(problem.format(kind=self.kind, **words))


def find_renames(
    tables: Sequence[tuple[Candidate, list[Candidate]]],
    catalog: Catalog,
    former: Collection[tuple[str, str]] | None,
    models: Mapping[str, frozenset[str]],
    is_made: Callable[[str, str], bool],
) -> tuple[list[Rename], list[str]]:
    """Return the renames of tables and columns, and the problems.

    `former` are the tables and columns that entities.json had at the last migration, if
    there is a record of it, `models` those that the models have.
    """
    if not catalog:
        return [], []
    known = None if former is None else set(former)
    names = Names(
        "table",
        {name: table.unused for name, table in catalog.items()},
        None if known is None else {table for table, _ in known},
        models,
        is_made,
    )
    moves = names.moves([table for table, _ in tables])
    found = list(_table_renames(moves, catalog, models))
    problems = names.problems
    today = {new: old for old, new in moves.items()}
    for table, columns in tables:
        old = today.get(table.name, table.name)
        if old not in catalog or (old == table.name and old in moves):
            continue
        names = Names(
            f"column of {table.name}",
            {name: catalog[old].is_unused(name) for name in catalog[old].columns},
            None if known is None else {name for one, name in known if one == old},
            models.get(table.name, frozenset()),
            is_made,
        )
        steps = in_order(names.moves(columns))
        found += [Rename("column", table.name, *names_) for names_ in steps]
        problems += names.problems
    return found, problems


def _table_renames(
    moves: Mapping[str, str], catalog: Catalog, wanted: Collection[str]
) -> Iterator[Rename]:
    """Yield the renames of tables; indexes move with them, and must have free names."""
    taken = {*catalog, *wanted}
    indexes = {
        (naming.split_key(table)[1], name)
        for table, found in catalog.items()
        for name, item in found.items.items()
        if item.kind in _INDEXES
    }
    first = {name: name for name in catalog}  # what a table was called before all of it
    for old, new in in_order(moves):
        schema = naming.split_key(new)[1]
        first[new] = first.pop(old)
        if naming.split_key(old)[1] != schema:
            items = catalog[first[new]].items
            for name in sorted(items):
                if items[name].kind in _INDEXES and (schema, name) in indexes:
                    kind = "index" if items[name].kind == "i" else "constraint"
                    other = unused_name(name, {name for _, name in indexes})
                    indexes.add((schema, other))
                    yield Rename(kind, old, name, other)
        for step in pairwise(_way(old, new, taken)):
            yield Rename("table", step[0], *step)


def _way(old: str, new: str, taken: Collection[str]) -> list[str]:
    """Return the names that a table has on the way, a new name or schema at a time."""
    (name, schema), (new_name, new_schema) = map(naming.split_key, (old, new))
    if name == new_name or schema == new_schema:
        return [old, new]
    between = naming.table_key(new_name, schema)
    if between not in taken:
        return [old, between, new]
    third = naming.split_key(_longer(old, "_between"))[0]
    names = [naming.table_key(third, one) for one in (schema, new_schema)]
    return [old, *names, new]


def follow(before: Catalog, after: Catalog, renames: Sequence[Rename]) -> list[Rename]:
    """Return the renames of constraints and indexes, which are named after columns.

    `before` is the database after the renames, `after` what the models make. What is
    left of a table or column whose name was given away gives its own names away, too.
    """
    tables = {_table_of(rename) for rename in renames} & before.keys()
    have = {(t, name): item for t in tables for name, item in before[t].items.items()}
    want = {(t, name): item for t, x in after.items() for name, item in x.items.items()}
    kept = {key for key, item in have.items() if _is_same(item, want.get(key))}
    moves: dict[tuple[str, str], str] = {}
    for table, name in sorted(want.keys() - kept):
        for key in sorted(have.keys() - kept - moves.keys()):
            if key[0] == table and _is_same(have[key], want[table, name]):
                moves[key] = name
                break
    wanted = {_scope(key, item) for key, item in want.items()}
    given = {_scope((key[0], name), have[key]) for key, name in moves.items()}
    taken = {name for _, name in (*have, *want)}
    for key in sorted(have.keys() - kept - moves.keys()):
        scope = _scope(key, have[key])
        if scope in given or (scope in wanted and _is_left(key[0], have[key], after)):
            moves[key] = unused_name(key[1], taken)
    found = []
    for part in sorted({_scope(key, have[key])[0] for key in moves}):
        here = {key[1]: key for key in moves if _scope(key, have[key])[0] == part}
        steps = in_order({name: moves[key] for name, key in here.items()})
        for old, new in steps:
            here[new] = here.pop(old)
            kind = "index" if have[here[new]].kind == "i" else "constraint"
            found.append(Rename(kind, here[new][0], old, new))
    return found


def _scope(key: tuple[str, str], item: Item) -> tuple[str, str]:
    """What a name must be unique in: a key has an index, and that is the schema's."""
    table, name = key
    if item.kind not in _INDEXES:
        return table, name
    return naming.table_key("", naming.split_key(table)[1]), name


def _is_same(one: Item, other: Item | None) -> bool:
    return other is not None and (one.kind, one.meaning) == (other.kind, other.meaning)


def _is_left(table: str, item: Item, after: Catalog) -> bool:
    """Whether it is on something that entities.json has no longer."""
    return table not in after or not item.columns <= after[table].columns.keys()


def _table_of(rename: Rename) -> str:
    return rename.new if rename.kind == "table" else rename.table
