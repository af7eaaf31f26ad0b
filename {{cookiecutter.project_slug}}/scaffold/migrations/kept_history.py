"""The history of rows keeps up with the names of their tables and columns.

It has the name of a row's table, and values under the names of columns. A link has the
name of the association table. The references that deletions have set to null have names too.
"""

from collections.abc import Callable, Iterable, Iterator

from scaffold.migrations.catalog import Catalog
from scaffold.migrations.owned_names import HISTORY, NULLED
from scaffold.migrations.renames import Rename
from scaffold.migrations.statements import Operation, execute, literal
from scaffold.spec.model import Spec


def after_each(
    renames: Iterable[Rename], old: Spec, before: Catalog
) -> list[Operation]:
    """Return the steps of renames, each with what changes the names in such tables.

    `old` has the names before the first one.
    """
    follow: list[Callable[[Rename], Iterable[str]]] = []
    if HISTORY in before:
        follow.append(Recorded(old).follow)
    if NULLED in before:
        follow.append(_follow_nulled)
    steps: list[Operation] = []
    for one in renames:
        steps.append(one.step)
        steps += (execute(sql) for changes in follow for sql in changes(one))
    return steps


def _follow_nulled(rename: Rename) -> Iterator[str]:
    """Yield the statement that changes a name in the references that were nulled."""
    old, new = literal(rename.old), literal(rename.new)
    if rename.kind == "table":
        yield f"UPDATE {NULLED} SET resource = {new} WHERE resource = {old}"  # noqa: S608  # nosec B608
    elif rename.kind == "column":
        where = f'resource = {literal(rename.table)} AND "column" = {old}'
        yield f'UPDATE {NULLED} SET "column" = {new} WHERE {where}'  # noqa: S608  # nosec B608


class Recorded:
    """The tables in the history: those of entities, and those of links to lists."""

    def __init__(self, spec: Spec) -> None:
        entities = [one for one in spec.entities if one.history]
        self.tables = {one.table_key for one in entities}
        self.owners = {
            link.table_key: one.table_key
            for one in entities
            for link in one.links
            if link.owner
        }

    def follow(self, rename: Rename) -> Iterator[str]:
        """Yield the statements that change a name in the history."""
        old, new = rename.old, rename.new
        if rename.kind == "column" and rename.table in self.tables:
            yield _rename_key(rename.table, old, new)
        if rename.kind != "table":
            return
        if old in self.tables:
            self.tables = self.tables - {old} | {new}
            self.owners = {
                link: new if owner == old else owner
                for link, owner in self.owners.items()
            }
            change = f"SET resource = {literal(new)} WHERE resource = {literal(old)}"
            yield f"UPDATE {HISTORY} {change}"
        if old in self.owners:
            self.owners[new] = self.owners.pop(old)
            yield _rename_key(self.owners[new], old, new)


def _rename_key(table: str, old: str, new: str) -> str:
    """Return the statement that renames a key of the values of a table's rows."""
    key, renamed = literal(old), literal(new)
    changes = [
        f"{values} = CASE WHEN {values} ? {key} THEN {values} - {key} || "
        f"jsonb_build_object({renamed}, {values} -> {key}) ELSE {values} END"
        for values in ("old", "new")
    ]
    changes.append(f"hidden = array_replace(hidden, {key}, {renamed})")
    used = f"old ? {key} OR new ? {key} OR {key} = ANY (hidden)"
    where = f"resource = {literal(table)} AND ({used})"
    # Names are quoted as literals.
    return f"UPDATE {HISTORY} SET {', '.join(changes)} WHERE {where}"  # noqa: S608  # nosec B608
