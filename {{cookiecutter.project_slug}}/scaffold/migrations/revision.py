"""Makes a migration of the difference between the models and the migrations."""

import argparse
import io
import os
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.operations import ops
from alembic.script import Script, ScriptDirectory
from dotenv import dotenv_values

from scaffold.merging.entity_renames import under_former_names
from scaffold.migrations import catalog
from scaffold.migrations.catalog import Catalog
from scaffold.migrations.check_constraints import Checks
from scaffold.migrations.operations import Arranger, Draft
from scaffold.migrations.owned_names import find_ours
from scaffold.migrations.renames import Rename, Renamer, follow
from scaffold.migrations.scratch_databases import Scratch
from scaffold.migrations.statements import Statement
from scaffold.processes import Unfinished
from scaffold.project.state import MIGRATED, from_record
from scaffold.spec.loading import Spec, parse
from src.core.config import get_settings
from src.core.database import Base

TITLE = 66
HEADS = (
    "{} are both the newest migration, as two branches have it; join them: "
    ".venv/bin/alembic merge heads --message 'join two branches'"
)


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    new: Spec
    message: str = ""
    allow_drop: bool = False


@dataclass
class Outcome:
    """What was found: nothing at all, a draft that needs help, or a new migration."""

    draft: Draft
    renames: list[Rename]
    problems: list[str] = field(default_factory=list)
    path: Path | None = None

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
        return list(dict.fromkeys(filter(None, steps + told)))


class Writer:
    """Works on databases of its own: one for the migrations, two to compare it with."""

    def __init__(self, root: Path, databases: Scratch, wish: Wish) -> None:
        self.migrated = root / MIGRATED
        self.databases = databases
        self.url = databases.create()
        self.wish = wish
        quiet = argparse.Namespace(quiet=True)
        self.config = Config(Path("alembic.ini"), cmd_opts=quiet)
        self.config.attributes["show_foreign"] = True
        self.config.attributes["show_unused"] = wish.allow_drop

    def run(self, *, write: bool) -> Outcome:
        """Find the difference; write the migration if that is wanted and possible."""
        self._on(self.url)
        heads = ScriptDirectory.from_config(self.config).get_heads()
        if len(heads) > 1:
            raise Unfinished(HEADS.format(" and ".join(sorted(heads))))
        command.upgrade(self.config, "head")  # env.py also imports the models
        # Comparing renames what is there; the first migration finds nothing.
        trial = self.databases.create(self.url) if write and heads else self.url
        outcome = self._compare(self.url, write=write)
        if outcome.path:
            self._try(outcome.path, trial, back=bool(heads))
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

    def _compare(self, url: str, *, write: bool) -> Outcome:
        before = catalog.run(url, catalog.read)
        renamer = Renamer(self.wish.new, self.old, before, _columns(Base.metadata))
        renames = renamer.run()
        after: Catalog = {}
        if before:
            catalog.run(url, _doing(renames))
            before = catalog.run(url, catalog.read)
            after = self._models
            names = list(follow(before, after, renames))
            catalog.run(url, _doing(names))
            before = catalog.run(url, catalog.read)
            renames += names
        outcome = Outcome(Draft(), renames, renamer.problems)
        self._autogenerate(outcome, before, after, write=write)
        return outcome

    @cached_property
    def old(self) -> Spec:
        """The entities that the migrations so far were made for.

        Without a record of them, they had the names that `renamed_from` tells.
        """
        if self.migrated.exists():
            return parse(from_record(self.migrated.read_bytes()))
        return under_former_names(self.wish.new)

    @cached_property
    def _models(self) -> Catalog:
        """What the models make of an empty database."""
        url = self.databases.create()
        catalog.run(url, Base.metadata.create_all)
        return catalog.run(url, catalog.read)

    def _autogenerate(
        self, outcome: Outcome, before: Catalog, after: Catalog, *, write: bool
    ) -> None:
        """Let Alembic compare, and put what it finds into a form that keeps rows."""

        def arrange(_: Any, __: Any, scripts: list[ops.MigrationScript]) -> None:
            self._arrange(outcome, before, after, scripts[0])
            if not (write and outcome.is_writable):
                scripts.clear()  # then Alembic writes none

        with redirect_stdout(io.StringIO()):  # the formatter's calls are no news
            made = command.revision(
                self.config, autogenerate=True, process_revision_directives=arrange
            )
        if isinstance(made, Script):
            outcome.path = Path(made.path)

    def _arrange(
        self,
        outcome: Outcome,
        before: Catalog,
        after: Catalog,
        script: ops.MigrationScript,
    ) -> None:
        labels, allow_drop = _labels(self.wish.new), self.wish.allow_drop
        ours = find_ours(self.old, outcome.renames) | find_ours(self.wish.new)
        arranger = Arranger(Base.metadata, labels, ours, allow_drop=allow_drop)
        up, down = script.upgrade_ops, script.downgrade_ops
        if up is None or down is None:
            raise Unfinished("alembic/env.py speaks of several databases")
        draft = outcome.draft = arranger.run(up.ops)
        checks = Checks(before, after, Base.metadata, outcome.renames, ours)
        checks.add_to(draft, allow_drop=allow_drop)
        steps = [one.step for one in outcome.renames]
        undo = [one.back.step for one in reversed(outcome.renames)]
        up.ops[:] = [*steps, *draft.up]
        down.ops[:] = [*draft.down, *undo]
        script.message = self.wish.message or _message(outcome)
        self.config.attributes["destroyed"] = draft.destroyed

    def _try(self, path: Path, url: str, *, back: bool) -> None:
        """Up, compare, down and up again, on tables without rows."""
        try:
            self._on(url)
            command.upgrade(self.config, "head")
            if not back:
                return
            command.downgrade(self.config, "-1")
            command.upgrade(self.config, "head")
            lacking = self._compare(url, write=False).changes
            if lacking:
                told = f"the migration does not lead to the models: {lacking}"
                raise Unfinished(told)
        except BaseException:
            path.unlink()
            raise


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
            *((entity.table, field.name, field.name) for field in entity.fields),
            *((entity.table, one.column, one.name) for one in entity.references),
            *(
                (link.table, column, link.name)
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
            return f"{verb} {operation.table_name}"
        case ops.AddColumnOp():
            return f"add {operation.table_name}.{operation.column.name}"
        case ops.DropColumnOp() | ops.AlterColumnOp():
            verb = "drop" if isinstance(operation, ops.DropColumnOp) else "change"
            return f"{verb} {operation.table_name}.{operation.column_name}"
        case Statement():
            return operation.about
        case _:
            return f"change {getattr(operation, 'table_name', 'a table')}"


def _message(outcome: Outcome) -> str:
    """A title for the migration, and a name for its file: what fits on a line."""
    title, *others = outcome.changes or ["change names"]
    for number, change in enumerate(others):
        if len(title) + len(change) > TITLE:
            return f"{title}, and {len(others) - number} more"
        title += f", {change}"
    return title
