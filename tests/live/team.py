"""A random life in which people edit the code, and work on branches; lives.py runs it.

What they wrote stays: each mark of theirs is in a file, an import with an alias gives the
same thing, a route has the name and path that they gave it, and the application works.

Where a step is on branches, two of them change entities.json, each with a run, a migration
and a database of its own, and are merged in a random way. One run and one migration then
bring the databases of both to the merged entities.json, with every value.
"""

import ast
import contextlib
import copy
import io
import json
import subprocess
import sys
from dataclasses import dataclass

import changes
import edits
import forks
from changes import Document
from life import Life
from snapshots import Snapshot

from scaffold.migrations import join_heads
from scaffold.project import application, state
from scaffold.spec.loading import parse

PAGES = ("src/models/entities.py", "src/models/schemas.py", "src/api/dependencies.py")
MAIN, OTHER = "main", "other"
COMMANDS = {
    "merge": ("merge", "--no-commit", "--no-ff", "--quiet", OTHER),
    "squash": ("merge", "--squash", "--quiet", OTHER),
    "cherry-pick": ("cherry-pick", OTHER),
    "rebase": ("rebase", "--quiet", MAIN, OTHER),
}
CODES = ("open", "open", "ours", "theirs", "ours page", "theirs page")
STATES = ("git", "ours", "theirs")
SIDES = {"ours": MAIN, "theirs": OTHER}
TRIES = 3  # to change entities.json on a branch
# Syntax errors, and names that are not defined, defined twice or not used.
RULES = "--select=E9,F401,F811,F821,F822,F823"


@dataclass(frozen=True)
class Branch:
    """What was changed on a branch, and the database that it has migrated."""

    database: str
    document: Document
    marks: list[str]
    before: Snapshot


class TeamLife(Life):
    STEPS = 3

    def _begin(self) -> None:
        person = self.evolution.Person
        ways = [*person.HARMLESS, person._insert_comment, *edits.WAYS]
        self.person = person(self.root, self.random, ways)
        self.person.routes = []
        self.person.aliases = {}
        join_heads.run = forks.run
        super()._begin()

    def _step(self) -> None:
        if self.random.random() < 0.5:
            self._work()
            self._commit()
            super()._step()
        else:
            self._step_on_branches()

    # Edits

    def _work(self) -> None:
        spec = parse(json.dumps(self.document).encode())
        paths = [
            path
            for path in state.rendered(spec)
            if path.startswith("src/")
            and path.endswith(".py")
            and (self.root / path).exists()
        ]
        self.person.work(paths, edits=self.random.randint(1, 4))

    def _texts(self) -> dict[str, str]:
        return {
            path.relative_to(self.root).as_posix(): path.read_text()
            for folder in ("src", "tests")
            for path in (self.root / folder).rglob("*.py")
        }

    def _found_marks(self) -> list[str]:
        texts = "".join(self._texts().values())
        return [mark for mark in self.person.marks if mark in texts]

    def _look_at_code(self) -> None:
        lost = set(self.person.marks) - set(self._found_marks())
        assert not lost, lost
        self._succeed(self._in_process(self._use_application))
        ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--isolated"]
        done = subprocess.run([*ruff, RULES, "src"], cwd=self.root, capture_output=True)
        assert done.returncode == 0, done.stdout.decode()

    def _use_application(self) -> None:
        """Check that it works, that routes are as people named them, and their aliases."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            application.main()
        assert json.loads(said.getvalue()) == [], said.getvalue()
        from scripts.openapi import render

        document, texts = render(), self._texts()
        spec = parse(json.dumps(self.document).encode())
        routes = {f"src/api/routes/{one.routes_module}.py" for one in spec.entities}
        used = "".join(texts[path] for path in routes)
        for mark in self.person.routes:
            assert mark not in used or mark in document, mark
        for text in texts.values():
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    self._look_at_aliases(node)

    def _look_at_aliases(self, node: ast.Import | ast.ImportFrom) -> None:
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            known = self.person.aliases.get(alias.asname)
            if known and not module.startswith("src"):
                assert (module, alias.name) == known, (module, alias.name, known)

    # Branches

    def _step_on_branches(self) -> None:
        start, document = self._git("rev-parse", "HEAD").strip(), self.document
        marks = list(self.person.marks)
        try:
            branches = []
            for name in (OTHER, MAIN):
                self._git("switch", "--quiet", "--force-create", name, start)
                self.person.marks[:] = marks
                branches += self._grow(name, document)
            if len(branches) == 2 and self._merge(*branches, document):
                kept = self.random.choice(branches).database
                self._execute(f'DROP DATABASE "{self.name}"')
                self._execute(f'ALTER DATABASE "{kept}" RENAME TO "{self.name}"')
            else:
                self.person.marks[:] = marks
                self._give_up(start, document)
        finally:
            for name in (OTHER, MAIN):
                self._execute(f'DROP DATABASE IF EXISTS "{self.name}_{name}"')

    def _give_up(self, start: str, document: Document) -> None:
        self._git("reset", "--quiet", "--hard")
        self._git("rebase", "--quit", fails=True)
        self._git("cherry-pick", "--quit", fails=True)
        self._git("switch", "--quiet", "--discard-changes", "-C", MAIN, start)
        self._go_back(document)

    def _grow(self, name: str, document: Document) -> list[Branch]:
        """Change entities.json on a branch; return nothing if every try is refused."""
        for _ in range(TRIES):
            self._become(document)
            self._become(self._evolved())
            if not (
                self._is_refused(self._generator("apply", "--allow-dirty"))
                or self._is_refused(self._generator("migrate"))
            ):
                return self._migrate_branch(f"{self.name}_{name}")
            self._go_back(document)
        return []

    def _migrate_branch(self, database: str) -> list[Branch]:
        self._work()
        self._execute(f'CREATE DATABASE "{database}" TEMPLATE "{self.name}"')
        if self._is_stopped(self._upgraded(database)):
            return []
        self._succeed(self._in_process(self._store, self._url(database)))
        self._commit()
        before, marks = self._snapshot(database), list(self.person.marks)
        return [Branch(database, self.document, marks, before)]

    def _merge(self, other: Branch, mine: Branch, document: Document) -> bool:
        """Merge the branches, and migrate both databases."""
        way = self.random.choice(list(COMMANDS))
        code, record = self.random.choice(CODES), self.random.choice(STATES)
        self._git(*COMMANDS[way], fails=True)
        both = changes.merged(document, mine.document, other.document)
        self._become(both or copy.deepcopy(mine.document))
        self.happened[f"merges by {way}, {code}"] += 1
        if code == "open":
            self.happened["merges in the middle"] += 1
        elif not self._resolve(code, record):
            return False
        if code != "open" and self.random.random() < 0.5:
            self._end_merge(way)
        self.person.marks[:] = dict.fromkeys([*mine.marks, *other.marks])
        self.person.marks[:] = self._found_marks()
        if self._is_refused(self._generator("apply", "--allow-dirty")):
            return False
        self._look_at_code()
        done = self._generator("migrate")
        sides = (mine.document, other.document)
        is_whole = both and changes.has_all_new(both, document, *sides)
        may_differ = not is_whole or self._has_given_names_away()
        if join_heads.DIFFERENT in done[1] and may_differ:
            self.happened["refusals"] += 1
            return False
        if self._is_refused(done):
            return False
        for one in (mine, other):
            if self._is_stopped(self._upgraded(one.database)):
                return False
            now = self._snapshot(one.database)
            # Without `both`, no renames of the other branch are recorded anywhere.
            one.before.compare(now if both else Snapshot(now.rows, {}))
        self._end_merge(way)
        self._succeed(self._generator("plan"))
        self._succeed(self._generator("migrate", "--check"))
        self.happened["merges that ended"] += 1
        return True

    def _has_given_names_away(self) -> bool:
        """Whether a migration had to rename what is unused.

        The databases of two branches may then keep it under different names.
        """
        folder = self.root / "alembic" / "versions"
        return any("_unused" in path.read_text() for path in folder.glob("*.py"))

    def _resolve(self, code: str, record: str) -> bool:
        """Take one side's code, and git's or one side's records."""
        side, _, page = code.partition(" ")
        paths = [path for path in self._unmerged() if path.startswith(("src", "tests"))]
        records = {
            path: (self.root / path).read_bytes()
            for path in (".devmatrix/entities.json", ".devmatrix/runs")
        }
        if page:
            # The generator resolves the conflicts as a careful person does.
            if self._is_refused(self._generator("apply", "--allow-dirty")):
                return False
            self._git("add", "--all")
            paths = [self.random.choice(PAGES)]
        for path in paths:
            self._take(side, path)
        if record == "git":
            for path, content in records.items():
                (self.root / path).write_bytes(content)
        else:
            self._take(record, ".devmatrix")
        self._git("add", "--all")
        return True

    def _take(self, side: str, path: str) -> None:
        """Take one side's version, which may be that there is none."""
        if self._git("ls-tree", "--name-only", SIDES[side], path):
            self._git("checkout", "--quiet", SIDES[side], "--", path)
        else:
            (self.root / path).unlink(missing_ok=True)

    def _unmerged(self) -> list[str]:
        return self._git("diff", "--name-only", "--diff-filter=U").split()

    def _end_merge(self, way: str) -> None:
        self._git("add", "--all")
        if way in ("rebase", "cherry-pick"):
            self._git(way, "--continue", fails=True)
        self._commit()
        self._git("switch", "--quiet", "-C", MAIN)
        self._git("branch", "--delete", "--force", OTHER, fails=True)
