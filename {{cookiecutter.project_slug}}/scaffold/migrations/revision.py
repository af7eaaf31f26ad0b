"""Makes a migration of the difference between the models and the migrations."""

import argparse
import copy
import io
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.operations import ops
from alembic.script import ScriptDirectory
from alembic.util import rev_id
from dotenv import dotenv_values

from scaffold.merging.entity_renames import under_former_names
from scaffold.migrations import (
    carried_links,
    catalog,
    id_changes,
    item_functions,
    kept_history,
    last_spec,
    online,
    row_counts,
    row_risks,
    soft_deletion,
    triggers,
)
from scaffold.migrations.catalog import Catalog
from scaffold.migrations.check_constraints import Checks
from scaffold.migrations.former_names import FormerNames
from scaffold.migrations.generated_columns import Generated
from scaffold.migrations.operations import MARK, Arranger, Draft, down_of, up_of
from scaffold.migrations.owned_names import enum_rules, find_nullable, find_ours
from scaffold.migrations.renames import Rename, find_renames, follow, in_order
from scaffold.migrations.scratch_databases import Scratch
from scaffold.migrations.statements import (
    Operation,
    Statement,
    execute,
    quote,
    table_of,
)
from scaffold.processes import Unfinished
from scaffold.project.migrated import VERSIONS
from scaffold.project.state import MIGRATED
from scaffold.spec import naming
from scaffold.spec.loading import Spec
from src.core.config import get_settings
from src.core.database import Base

TITLE = 66
SECOND = "finish: {}"
NAME_DROPS = "--allow-drop needs the names of what to drop, for example --allow-drop={}"
NO_DROP = (
    "--allow-drop={}: nothing of that name is unused; there is {} that could be dropped"
)


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    new: Spec
    message: str = ""
    drop: frozenset[str] | None = None  # names; none at all: say what there is to drop
    one_transaction: bool = False  # write one migration, which may block requests


@dataclass
class Outcome:
    """What was found: nothing at all, a draft that needs help, or new migrations."""

    draft: Draft
    renames: list[Rename]
    problems: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)  # to create
    rows: list[str] = field(default_factory=list)  # of what is dropped, one by one
    warnings: list[str] = field(default_factory=list)  # what can fail because of rows
    paths: list[Path] = field(default_factory=list)

    @property
    def refusals(self) -> list[str]:
        return self.problems + self.draft.refusals

    @property
    def is_writable(self) -> bool:
        return bool(self.changes or self.renames) and not self.refusals

    @property
    def changes(self) -> list[str]:
        """What a migration would do, a line each."""
        steps = [str(one) for one in self.renames if one.kind in ("table", "column")]
        told = [_told(one) for step in self.draft.steps for one in step.up]
        # The indexes of a new table are told with it.
        new = [f"change {one[7:]}" for one in told if one.startswith("create ")]
        return [one for one in dict.fromkeys(steps + told) if one and one not in new]


class Writer:
    """Works on databases of its own: one for the migrations, two to compare it with.

    `own_database` is the URL of the project's own one, which is only asked how many rows
    a migration would drop.
    """

    def __init__(
        self,
        root: Path,
        databases: Scratch,
        wish: Wish,
        own_database: str | None = None,
    ) -> None:
        self.root = root
        self.migrated = root / MIGRATED
        self.own_database = own_database
        self.record = last_spec.read(root)
        self.databases = databases
        self.url = databases.create()
        self.wish = wish
        quiet = argparse.Namespace(quiet=True)
        self.config = Config("alembic.ini", "pyproject.toml", cmd_opts=quiet)
        self.config.attributes["show_foreign"] = True
        self.config.attributes["show_unused"] = wish.drop is not None

    def run(self, *, write: bool) -> Outcome:
        """Find the difference; write the migration if that is wanted and possible."""
        self._on(self.url)
        heads = ScriptDirectory.from_config(self.config).get_heads()
        command.upgrade(self.config, "head")  # env.py also imports the models
        # Comparing renames what is there; the first migration finds nothing.
        trial = self.databases.create(self.url) if write and heads else self.url
        outcome = self._compare(self.url, write=write, record=self.record)
        if outcome.paths:
            self._try(outcome.paths, trial, heads)
        if write and not outcome.refusals:
            self.migrated.unlink(missing_ok=True)  # they are up to date again
        return outcome

    def _on(self, url: str) -> None:
        # Settings without a default have a value in .env.example.
        for name, value in dotenv_values(".env.example").items():
            if value:
                os.environ.setdefault(name, value)
        os.environ["DATABASE_URL"] = url
        get_settings.cache_clear()

    def _compare(self, url: str, *, write: bool, record: Spec | None = None) -> Outcome:
        """Compare the database with the models, and rename in it what is renamed.

        `record` is the specification that the migrations were made for, if known.
        """
        old = record or under_former_names(self.wish.new)
        former = FormerNames(old, self.wish.new, has_record=record is not None)
        before = catalog.run(url, catalog.read)
        self.config.attributes["schemas"] = _schemas(before, record)
        created = _schemas_of(Base.metadata.tables) - _schemas_of(before)
        renames, problems = find_renames(
            list(former.tables()),
            before,
            None if record is None else find_ours(record).columns,
            _columns(Base.metadata),
            self._is_made,
        )
        if types := list(id_changes.find(old, self.wish.new, before)):
            # Nothing that refers to these ids could be compared.
            return Outcome(Draft(), renames, problems + types)
        after: Catalog = {}
        if before:
            catalog.run(url, _create_schemas)
            catalog.run(url, _doing(renames))
            before = catalog.run(url, catalog.read)
            after = self._models
            names = follow(before, after, renames)
            catalog.run(url, _doing(names))
            before = catalog.run(url, catalog.read)
            renames += names
        self._functions = catalog.run(url, triggers.read_functions)
        self._item_functions = catalog.run(url, item_functions.read)
        outcome = Outcome(Draft(), renames, problems, sorted(created))
        self._autogenerate(outcome, old, before, after, write=write)
        return outcome

    def _is_made(self, old: str, new: str) -> bool:
        """Whether one of the migrations has this rename of a column or a table."""
        between = next(in_order({old: new, new: old}))[1]
        wanted = [f'"{name}", new_column_name="{new}"' for name in (old, between)]
        for name in (old, between):
            (step,) = Rename("table", name, name, new).step.lines
            wanted.append(_one_line(step).removesuffix(")"))
        for path in (self.root / VERSIONS).glob("*.py"):
            text = path.read_text(encoding="utf-8").partition("def downgrade")[0]
            text = _one_line(text)
            if any(step in text for step in wanted):
                return True
        return False

    @cached_property
    def _models(self) -> Catalog:
        """What the models make of an empty database."""
        url = self.databases.create()
        catalog.run(url, _create_schemas)
        catalog.run(url, _create_models)
        return catalog.run(url, catalog.read)

    def _autogenerate(
        self,
        outcome: Outcome,
        old: Spec,
        before: Catalog,
        after: Catalog,
        *,
        write: bool,
    ) -> None:
        """Let Alembic compare, and put what it finds into a form that keeps rows."""

        def arrange(_: Any, __: Any, scripts: list[ops.MigrationScript]) -> None:
            scripts[:] = self._arrange(outcome, old, before, after, scripts[0])
            if not (write and outcome.is_writable):
                scripts.clear()  # then Alembic writes none

        with redirect_stdout(io.StringIO()):  # the formatter's calls are no news
            made = command.revision(
                self.config, autogenerate=True, process_revision_directives=arrange
            )
        scripts = made if isinstance(made, list) else [made]
        outcome.paths = [Path(one.path) for one in scripts if one]

    def _arrange(
        self,
        outcome: Outcome,
        old: Spec,
        before: Catalog,
        after: Catalog,
        script: ops.MigrationScript,
    ) -> list[ops.MigrationScript]:
        """Return the script with what is to be done, and another one if that takes two."""
        new, renames, drop = self.wish.new, outcome.renames, self.wish.drop or ()
        up, down = script.upgrade_ops, script.downgrade_ops
        if up is None or down is None:
            raise Unfinished("alembic/env.py speaks of several databases")
        ours = find_ours(old, renames) | find_ours(new)
        nullable = find_nullable(old, renames) & find_nullable(new)
        models = Base.metadata
        arranger = Arranger(models, _labels(new), ours, nullable, drop, before)
        draft = outcome.draft = arranger.run(up.ops)
        draft.left.sort(key=lambda part: part.name)
        checks = Checks(before, after, models, ours, enum_rules(new))
        checks.add_to(draft, drop)
        Generated(before, after, models, ours).add_to(draft)
        item_functions.add_to(draft, self._item_functions, models)
        triggers.add_to(draft, before, after, self._functions, models)
        soft_deletion.add_to(draft, old, new)
        created = models.tables.keys() - before.keys()
        carried_links.add_to(draft, old, new, renames, created)
        outcome.problems += self._check_drops(draft)
        outcome.rows = row_counts.count(self.own_database, draft.destroyed, renames)
        outcome.warnings = row_risks.find(draft, before, renames)
        steps: list[Operation] = [_create_schema(name) for name in outcome.schemas]
        steps += kept_history.after_each(renames, old, before)
        back = [one.back for one in reversed(renames)]
        undo = kept_history.after_each(back, new, before)
        script.message = self.wish.message or _message(outcome)
        self.config.attributes["destroyed"] = {script.rev_id: draft.destroyed}
        if self.wish.one_transaction:
            up.ops[:] = [*steps, *up_of(draft.steps)]
            down.ops[:] = [*down_of(draft.steps), *undo]
            return [script]
        parts = online.split(draft.steps, created)
        up.ops[:] = parts.up_of_first(steps)
        down.ops[:] = [*parts.down_of_first, *undo]
        if not parts.second:
            return [script]
        second = copy.copy(script)
        second.upgrade_ops = ops.UpgradeOps(parts.up_of_second(is_alone=not up.ops))
        second.downgrade_ops = ops.DowngradeOps(parts.down_of_second)
        if not up.ops:
            return [second]
        second.rev_id = rev_id()
        second.head = script.rev_id
        second.message = SECOND.format(script.message)
        return [script, second]

    def _check_drops(self, draft: Draft) -> list[str]:
        """Return a problem for each name that cannot be dropped, or if none is named."""
        if self.wish.drop is None:
            return []
        names = [part.name for part in draft.left]
        if not self.wish.drop and names:
            return [NAME_DROPS.format(",".join(names))]
        known = {part.name for part in draft.destroyed}
        some = ", ".join(names) or "nothing"
        return [NO_DROP.format(name, some) for name in sorted(self.wish.drop - known)]

    def _try(self, paths: list[Path], url: str, heads: list[str]) -> None:
        """Up, compare, down and up again, on tables without rows."""
        try:
            self._on(url)
            command.upgrade(self.config, "head")
            if not heads:
                return
            command.downgrade(self.config, f"-{len(paths)}")
            command.upgrade(self.config, "head")
            lacking = self._compare(url, write=False, record=self.wish.new).changes
            if lacking:
                told = f"the migration does not lead to the models: {lacking}"
                raise Unfinished(told)
        except BaseException:
            for path in paths:
                path.unlink()
            raise


def _one_line(code: str) -> str:
    """Return code on one line, however a formatter has laid it out."""
    line = " ".join(code.split()).replace("'", '"').replace("( ", "(")
    return line.replace('" "', "")


def _schemas_of(tables: Iterable[str]) -> set[str]:
    """Return the schemas of tables, without the default one."""
    return {schema for _, schema in map(naming.split_key, tables) if schema}


def _schemas(before: Catalog, record: Spec | None) -> set[str]:
    """Return the schemas that may have tables which entities.json has or had."""
    if record is None:
        return _schemas_of([*before, *Base.metadata.tables])
    former = {entity.schema for entity in record.entities if entity.schema}
    unused = (name for name, table in before.items() if table.unused)
    return former | _schemas_of(Base.metadata.tables) | _schemas_of(unused)


def _create_schema(name: str) -> Statement:
    return execute(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")


def _create_schemas(connection: sa.Connection) -> None:
    for name in sorted(_schemas_of(Base.metadata.tables)):
        connection.execute(sa.schema.CreateSchema(name, if_not_exists=True))


def _create_models(connection: sa.Connection) -> None:
    item_functions.create(connection, Base.metadata)
    Base.metadata.create_all(connection)
    triggers.create(connection, Base.metadata)


def _doing(renames: list[Rename]) -> Callable[[sa.Connection], None]:
    def work(connection: sa.Connection) -> None:
        for rename in renames:
            connection.execute(sa.text(rename.sql))

    return work


def _columns(models: sa.MetaData) -> Mapping[str, frozenset[str]]:
    return {name: frozenset(table.c.keys()) for name, table in models.tables.items()}


def _labels(spec: Spec) -> dict[tuple[str, str], str]:
    """What entities.json calls a column."""
    return {
        (table, column): f"{entity.name}.{name}"
        for entity in spec.entities
        for table, column, name in [
            *((entity.table_key, field.column, field.name) for field in entity.fields),
            *((entity.table_key, one.column, one.name) for one in entity.references),
            *(
                (link.table_key, column, link.name)
                for link in entity.links
                if link.owner
                for column in (link.left_column, link.right_column)
            ),
        ]
    }


def _told(operation: Any) -> str:
    match operation:
        case ops.CreateTableOp() | ops.DropTableOp():
            verb = "create" if isinstance(operation, ops.CreateTableOp) else "drop"
            return f"{verb} {table_of(operation)}"
        case ops.AddColumnOp():
            return f"add {table_of(operation)}.{operation.column.name}"
        case ops.DropColumnOp() | ops.AlterColumnOp():
            verb = "drop" if isinstance(operation, ops.DropColumnOp) else "change"
            if getattr(operation, "modify_comment", False) == MARK:
                verb = "keep unused"
            return f"{verb} {table_of(operation)}.{operation.column_name}"
        case ops.CreateTableCommentOp(comment=comment) if comment == MARK:
            return f"keep unused {table_of(operation)}"
        case Statement():
            return operation.about
        case _:
            return f"change {table_of(operation)}"


def _message(outcome: Outcome) -> str:
    """A title for the migration, and a name for its file: what fits on a line."""
    title, *others = outcome.changes or ["change names"]
    for number, change in enumerate(others):
        if len(title) + len(change) > TITLE:
            return f"{title}, and {len(others) - number} more"
        title += f", {change}"
    return title
