"""Joins the migrations of two branches: one newest revision for every database.

Databases may stand at the newest revision of either branch, before both, or be empty.
Where both branches' migrations work one after the other, in either order and with the
same result, a plain merge revision joins them. Otherwise, because both changed the same
column for example, the second branch is put behind the first one: its migrations leave
out a database that has the first branch's, and the joining revision has a way to the
models from each side. Each way is the migration that the generator writes for a copy of
the project that has only this side's migrations, and all of it is tried on databases of
all kinds before anything is written.
"""

import ast
import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from dotenv import dotenv_values

from scaffold.merging import git_state
from scaffold.merging.atomic_writer import Write, replace_files
from scaffold.migrations import catalog
from scaffold.migrations.scratch_databases import SERVER, Scratch
from scaffold.processes import Unfinished, run
from scaffold.project import state
from scaffold.project.formatters import format_code

ENTITIES = "entities.json"
VERSIONS = Path("alembic") / "versions"
TITLE = "join two branches"
WIDTH = 68  # of a piece of SQL
NOT_COPIED = shutil.ignore_patterns(
    *(".venv", ".git", ".data", ".hypothesis", "node_modules", "*_cache", "*.pyz.*"),
    "__pycache__",
)
NO_PARENT = (
    "{} follows revision {}, which is not there, as after a cherry-pick or a revert. Bring "
    "its file (git log --all -- alembic/versions finds it), or delete the one that follows "
    "it, unless a database has it, and run `make entities`: it writes what is lacking."
)
TWICE = "{} and {} are both revision {}; delete one of them"
STARTED = "joining the migrations of two branches, which takes about a minute ..."
JOINED = "joined the migrations {} and {} in {}"
LEFT_OUT = """\
The branches' migrations do not work together, so these are now left out where the
database has revision {}, and the new one does what the models need. If
somebody wrote more into them, such as changes of rows, write it there, too: {}"""
IMPOSSIBLE = (
    "the migrations {} and {} cannot be joined automatically: {}\n"
    "Join them with `.venv/bin/alembic merge heads`, and write into the new revision "
    "what is left to do."
)
NO_DIFFERENCE = "no table, column, constraint or index tells which one a database has"
DIFFERENT = "databases of the two branches do not end in the same tables"

# What tells two schemas apart, as statements that find a row where it is so. A shape is
# compared only if nothing simpler differs.
FACTS = """
WITH schemas AS (
    SELECT oid, nspname AS name, CASE WHEN nspname = current_schema()
        THEN 'current_schema()' ELSE quote_literal(nspname) END AS word
    FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
)
SELECT 0, format('SELECT FROM pg_tables WHERE schemaname = %s AND tablename = %L',
    word, tablename)
FROM pg_tables JOIN schemas ON name = schemaname WHERE tablename <> 'alembic_version'
UNION ALL
SELECT f.rank, format('SELECT FROM information_schema.columns '
    'WHERE table_schema = %s AND table_name = %L AND column_name = %L',
    word, table_name, column_name) || f.detail
FROM information_schema.columns JOIN schemas ON name = table_schema, LATERAL (VALUES
    (1, ''),
    (4, format(' AND concat_ws('' '', udt_name, character_maximum_length, '
        'numeric_precision, numeric_scale) = %L', concat_ws(' ', udt_name,
        character_maximum_length, numeric_precision, numeric_scale))),
    (5, format(' AND column_default IS NOT DISTINCT FROM %L', column_default)),
    (6, format(' AND is_nullable = %L', is_nullable))
) AS f (rank, detail)
WHERE table_name <> 'alembic_version'
UNION ALL
SELECT f.rank, format('SELECT FROM pg_constraint JOIN pg_namespace n '
    'ON n.oid = connamespace WHERE nspname = %s AND conname = %L',
    word, conname) || f.detail
FROM pg_constraint k JOIN schemas s ON s.oid = connamespace, LATERAL (VALUES
    (2, ''),
    (3, format(' AND replace(pg_get_constraintdef(pg_constraint.oid), '
        ''' NOT VALID'', '''') = %L',
        replace(pg_get_constraintdef(k.oid), ' NOT VALID', '')))
) AS f (rank, detail)
WHERE contype IN ('c', 'f', 'p', 'u') AND conname NOT LIKE 'alembic_version%'
UNION ALL
SELECT f.rank, format('SELECT FROM pg_indexes WHERE schemaname = %s '
    'AND indexname = %L', word, indexname) || f.detail
FROM pg_indexes JOIN schemas ON name = schemaname,
LATERAL (VALUES (2, ''), (3, format(' AND indexdef = %L', indexdef))
) AS f (rank, detail)
WHERE tablename <> 'alembic_version'
UNION ALL
SELECT 7, format('SELECT FROM pg_attribute WHERE attrelid = to_regclass(%L) '
    'AND attname = %L AND col_description(attrelid, attnum) IS NOT DISTINCT FROM %L',
    concat(CASE WHEN word <> 'current_schema()' THEN quote_ident(name) || '.' END,
    quote_ident(relname)), attname, col_description(attrelid, attnum))
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid AND relkind = 'r'
JOIN schemas s ON s.oid = relnamespace WHERE attnum > 0 AND NOT attisdropped
"""
COMMENT = 7  # the rank of a column's comment, which says that it is unused
_WORDING = re.compile(r"::[a-z ]+(?:\(\d+(?:,\d+)?\))?(?:\[\])?|[() ]")

Facts = frozenset[tuple[int, str]]


@dataclass(frozen=True)
class Probe:
    """A statement that finds a row, or none if `negated`, where a schema is as wanted."""

    sql: str
    negated: bool

    @property
    def condition(self) -> str:
        return f"{'NOT ' if self.negated else ''}EXISTS ({self.sql})"


@dataclass(frozen=True)
class Branch:
    """What one head has and the other lacks; `files` are all that lead to the head."""

    head: str
    revisions: Sequence[Script]  # the oldest one first
    files: frozenset[Path]

    @property
    def first(self) -> list[Script]:
        """The revisions that the branch begins with."""
        own = {one.revision for one in self.revisions}
        return [one for one in self.revisions if not own & set(_parents(one))]


def heads(root: Path) -> list[str]:
    """Return the newest revisions, the one of the older file first."""
    script = ScriptDirectory.from_config(Config(root / "alembic.ini"))
    found = (script.get_revision(name) for name in script.get_heads())
    return [one.revision for one in sorted(found, key=lambda one: one.path)]


def check_parents(root: Path) -> None:
    """Raise `Unfinished` if a migration follows one that is not there."""
    parents: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for path in sorted((root / VERSIONS).glob("*.py")):
        found = _assigned(path)
        revision = found.get("revision")
        if isinstance(revision, str):
            if revision in names:
                raise Unfinished(TWICE.format(names[revision], path.name, revision))
            names[revision] = path.name
            parents[revision] = _tuple(found.get("down_revision"))
    for revision, known in parents.items():
        for parent in known:
            if parent not in parents:
                path_name = (VERSIONS / names[revision]).as_posix()
                raise Unfinished(NO_PARENT.format(path_name, parent))


def _assigned(path: Path) -> dict[str, Any]:
    """Return what a migration assigns to names, as far as it is written out."""
    found = {}
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise Unfinished(f"{(VERSIONS / path.name).as_posix()}: {error}") from None
    for node in tree.body:
        target = _target(node)
        if target and isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            with contextlib.suppress(ValueError):
                found[target] = ast.literal_eval(node.value)
    return found


def _target(node: ast.stmt) -> str:
    """Return the name that a statement assigns to, "" for another one."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return targets[0].id if targets and isinstance(targets[0], ast.Name) else ""


def unknown_revisions(root: Path, url: str) -> list[str]:
    """Return the revisions that a database is at and that are not there."""

    def read(connection: sa.Connection) -> list[str]:
        if not sa.inspect(connection).has_table("alembic_version"):
            return []
        return list(
            connection.scalars(sa.text("SELECT version_num FROM alembic_version"))
        )

    script = ScriptDirectory.from_config(Config(root / "alembic.ini"))
    known = {one.revision for one in script.walk_revisions()}
    return sorted(set(catalog.run(url, read)) - known)


def join(root: Path, databases: Scratch) -> list[str]:
    """Join the heads, two at a time; return what to tell a person."""
    told: list[str] = []
    print(STARTED, file=sys.stderr, flush=True)
    while len(found := heads(root)) > 1:
        with tempfile.TemporaryDirectory() as folder:
            joiner = _Joiner(root, databases, Path(folder), found[0], found[1])
            try:
                told += joiner.run()
            except Unfinished as reason:
                short = str(reason).partition(" failed:\n")[2] or str(reason)
                raise Unfinished(IMPOSSIBLE.format(*found[:2], short)) from None
    return told


class _Joiner:
    """Joins two heads by trying in copies of the project."""

    def __init__(
        self, root: Path, databases: Scratch, folder: Path, first: str, second: str
    ) -> None:
        self.root = root
        self.databases = databases
        self.folder = folder
        script = ScriptDirectory.from_config(Config(root / "alembic.ini"))
        self.scripts = {one.revision: one for one in script.walk_revisions()}
        self.first = self._branch(first, second)
        self.second = self._branch(second, first)
        settings = dotenv_values(root / ".env.example")
        self.settings = {
            name: os.environ.get(name, value)
            for name, value in settings.items()
            if value
        }

    def _branch(self, head: str, other: str) -> Branch:
        mine, theirs = self._ancestors(head), self._ancestors(other)
        order = reversed(list(self.scripts.values()))  # as Alembic walks: newest first
        own = [one for one in order if one.revision in mine - theirs]
        files = frozenset(Path(self.scripts[name].path) for name in mine)
        return Branch(head, own, files)

    def _ancestors(self, head: str) -> set[str]:
        found: set[str] = set()
        waiting = [head]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += _parents(self.scripts[name])
        return found

    def run(self) -> list[str]:
        """Write the joining revision; return what to tell."""
        one, two = self.first, self.second
        at_one = self._database(self._side("one", one, two), one.head)
        at_two = self._database(self._side("two", two, one), two.head)
        plain = self._plain_merge(at_one, at_two)
        writes = plain or self._both_ways(at_one)
        self._try(writes, at_one, at_two)
        replace_files(self.root, [*writes, self._record()])
        path = writes[0].path
        told = [JOINED.format(one.head, two.head, path)]
        if not plain:
            names = ", ".join(Path(script.path).name for script in two.revisions)
            told.append(LEFT_OUT.format(one.head, names))
        return told

    # A plain merge

    def _plain_merge(self, at_one: str, at_two: str) -> list[Write]:
        """Return a merge revision, if each branch's migrations also work last."""
        one, two = self.first, self.second
        ends = []
        for name, earlier, later in (("one-two", one, two), ("two-one", two, one)):
            copy = self._copy(name, one.files | two.files)
            for path, text in _behind(later, earlier.head).items():
                (copy / VERSIONS / path.name).write_text(text, encoding="utf-8")
            try:
                ends.append(self._facts(self._database(copy, "head")))
            except Unfinished:
                return []
        if _meaning(ends[0]) != _meaning(ends[1]):
            return []
        lacking = self._way(self.folder / "one-two")
        copy = self._copy("merge", one.files | two.files)
        text, name = self._empty(copy, "merge", one.head, two.head)
        writes = [_write(name, self._formatted(copy, name, lacking.into(text)))]
        try:
            self._try(writes, at_one, at_two)
        except Unfinished:
            return []
        return writes

    # Two ways

    def _both_ways(self, at_one: str) -> list[Write]:
        """Return a revision with a way from each side, and the second branch's files."""
        one, two = self.first, self.second
        probes = self._probes(self._facts(at_one))
        ways = self._way(self.folder / "one"), self._way(self.folder / "two")
        copy = self._copy("both", one.files | two.files)
        files = _behind(two, one.head)
        for path, text in files.items():
            (copy / VERSIONS / path.name).write_text(text, encoding="utf-8")
        text, name = self._empty(copy, "revision")
        test = f"has_{re.sub(r'[^0-9A-Za-z]', '_', one.head)}"
        function = _test_function(test, one.head, probes)
        joined = _Way(
            upgrade=[
                f"    if {test}():",
                *_indented(ways[0].upgrade),
                f"    else:  # the database was at {two.head} before they were joined",
                *_indented(ways[1].upgrade),
            ],
            downgrade=ways[0].downgrade,
            imports=[*ways[0].imports, *ways[1].imports],
        )
        texts = {name: _with_function(joined.into(text), function)}
        told = f"revision {_revision(text)} does this where the database has {one.head}"
        for script in two.revisions:
            path = Path(script.path)
            source = files.get(path) or path.read_text(encoding="utf-8")
            guarded = _guarded(
                source, [f"    # {told}", f"    if {test}():", "        return"]
            )
            texts[path.name] = _with_function(guarded, function)
        return [
            _write(name, self._formatted(copy, name, text))
            for name, text in texts.items()
        ]

    def _probes(self, has: Facts) -> list[Probe]:
        """Find what together tells the first branch's databases from all of the second.

        Where no single fact does, one is added for the states that are left.
        """
        found, left = [], self._states_of_second()
        while left:
            different = [has ^ state for state in left]
            if not all(different):
                raise Unfinished(NO_DIFFERENCE)
            counts = Counter(fact for facts in different for fact in facts)
            best = min(counts, key=lambda f: (-counts[f], f[0], f not in has, f[1]))
            found.append(Probe(best[1], best not in has))
            left = [state for state in left if best not in has ^ state]
        return found

    def _states_of_second(self) -> list[Facts]:
        copy = self.folder / "two"
        url = self.databases.create()
        before = [parent for one in self.second.first for parent in _parents(one)]
        names = [*before, *(one.revision for one in self.second.revisions)]
        found = [] if before else [self._facts(url)]
        for name in names:
            self._alembic(copy, url, "upgrade", name)
            found.append(self._facts(url))
        return found

    # Trying

    def _try(self, writes: Iterable[Write], at_one: str, at_two: str) -> None:
        """Bring a database of each kind to the new head, and an empty one back."""
        everything = self.first.files | self.second.files
        copy = self._copy("trial", everything)
        for write in [*writes, self._record()]:
            (copy / write.path).write_bytes(write.content or b"")
        ends = []
        for source in ("template0", at_one, at_two):
            url = self.databases.create(source)
            self._alembic(copy, url, "upgrade", "head")
            ends.append(_meaning(self._facts(url)))
            if source == "template0":
                self._alembic(copy, url, "downgrade", "base")
                self._alembic(copy, url, "upgrade", "head")
        if ends.count(ends[0]) != len(ends):
            raise Unfinished(DIFFERENT)
        self._generator(copy, "migrate", "--check")

    def _way(self, copy: Path) -> "_Way":
        """Return what leads from a copy's migrations to the models."""
        before = set((copy / VERSIONS).glob("*.py"))
        self._generator(copy, "migrate", "--one-transaction", TITLE)
        new = set((copy / VERSIONS).glob("*.py")) - before
        return _Way.read(new.pop()) if new else _Way([], [], [])

    def _record(self) -> Write:
        """Say that the migrations lead to the models, whatever renames they made."""
        text = (self.root / ENTITIES).read_bytes()
        return Write(state.MIGRATED, state.to_record(text))

    def _copy(self, name: str, files: Iterable[Path]) -> Path:
        """Copy the project with some of its migrations, and no record of them."""
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.root, target, symlinks=True, ignore=NOT_COPIED)
        kept = {path.name for path in files}
        for path in (target / VERSIONS).glob("*.py"):
            if path.name not in kept:
                path.unlink()
        (target / state.MIGRATED).unlink(missing_ok=True)
        return target

    def _side(self, name: str, branch: Branch, other: Branch) -> Path:
        """Copy the project with one branch's migrations, and the record of them.

        Both branches may have renamed the same thing, each to another name. The record
        is in a commit that has this branch's newest migration, and not the other's.
        """
        copy = self._copy(name, branch.files)
        files = [
            (VERSIONS / Path(self.scripts[one.head].path).name).as_posix()
            for one in (branch, other)
        ]
        tips = ("HEAD", "MERGE_HEAD", "HEAD^1", "HEAD^2")
        for commit in (*tips, *git_state.commits_of(self.root, files[0])):
            has = [git_state.committed(self.root, commit, file) for file in files]
            record = git_state.committed(
                self.root, commit, state.MIGRATED
            ) or git_state.committed(self.root, commit, state.ENTITIES)
            if record and [one is not None for one in has] == [True, False]:
                (copy / state.MIGRATED).write_bytes(record)
                break
        return copy

    def _database(self, copy: Path, revision: str) -> str:
        url = self.databases.create()
        self._alembic(copy, url, "upgrade", revision)
        return url

    def _facts(self, url: str) -> Facts:
        return catalog.run(
            url,
            lambda connection: frozenset(
                (rank, sql)
                for rank, sql in connection.execute(sa.text(FACTS.replace(":", "\\:")))
            ),
        )

    def _empty(self, copy: Path, command: str, *heads: str) -> tuple[str, str]:
        """Let Alembic make an empty revision; return its text and its name."""
        before = set((copy / VERSIONS).glob("*.py"))
        self._alembic(copy, "postgresql+asyncpg://h/d", command, *heads, "-m", TITLE)
        (path,) = set((copy / VERSIONS).glob("*.py")) - before
        return path.read_text(encoding="utf-8"), path.name

    def _alembic(self, copy: Path, url: str, *arguments: str) -> None:
        extra = {**self.settings, "DATABASE_URL": url}
        run([sys.executable, "-m", "alembic", *arguments], copy, extra=extra)

    def _generator(self, copy: Path, *arguments: str) -> None:
        server = self.databases.server.render_as_string(hide_password=False)
        command = [sys.executable, ".devmatrix/generator.pyz", *arguments]
        run(command, copy, extra={SERVER: server})

    def _formatted(self, copy: Path, name: str, text: str) -> str:
        path = copy / VERSIONS / name
        path.write_text(text, encoding="utf-8", newline="\n")
        format_code(copy, path)
        return path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Way:
    """The bodies of a migration's functions, as lines, and what they import."""

    upgrade: Sequence[str]
    downgrade: Sequence[str]
    imports: Sequence[str]

    @classmethod
    def read(cls, path: Path) -> "_Way":
        text = path.read_text(encoding="utf-8")
        imports = [
            ast.unparse(node)
            for node in ast.parse(text).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        return cls(_body(text, "upgrade"), _body(text, "downgrade"), imports)

    def into(self, text: str) -> str:
        """Return an empty revision with these bodies."""
        for name, body in (("downgrade", self.downgrade), ("upgrade", self.upgrade)):
            start, end = _extent(text, name)
            lines = text.splitlines()
            lines[start:end] = body or ["    pass"]
            text = "\n".join(lines) + "\n"
        return _with_imports(text, self.imports)


def _parents(script: Script) -> list[str]:
    down = script.down_revision
    found = [down] if isinstance(down, str) else list(down or ())
    return [*found, *_tuple(script.dependencies)]


def _tuple(names: str | Iterable[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _behind(branch: Branch, head: str) -> Mapping[Path, str]:
    """Return the texts of a branch's first revisions, put behind another head."""
    return {
        Path(script.path): _with_parent(
            Path(script.path).read_text(encoding="utf-8"), head
        )
        for script in branch.first
    }


def _with_parent(text: str, parent: str) -> str:
    for node in ast.parse(text).body:
        if _target(node) == "down_revision":
            lines = text.splitlines()
            head = lines[node.lineno - 1].partition("=")[0].rstrip()
            lines[node.lineno - 1 : node.end_lineno] = [f'{head} = "{parent}"']
            changed = "\n".join(lines) + "\n"
            told = f"Revises: {parent!r}".replace("\\", r"\\")
            return re.sub(r"^Revises: .*$", told, changed, count=1, flags=re.MULTILINE)
    raise Unfinished("a migration has no down_revision")


def _function(text: str, name: str) -> ast.FunctionDef:
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise Unfinished(f"a migration has no function {name}")


def _extent(text: str, name: str) -> tuple[int, int]:
    """Return where a function's body begins, after its docstring, and ends."""
    node = _function(text, name)
    start = node.body[0].lineno - 1
    if ast.get_docstring(node, clean=False) is not None:
        start = node.body[0].end_lineno or start
    return start, node.end_lineno or start


def _body(text: str, name: str) -> list[str]:
    start, end = _extent(text, name)
    lines = text.splitlines()[start:end]
    kept = [line for line in lines if not line.strip().startswith("# ###")]
    return [] if [line.strip() for line in kept] == ["pass"] else kept


def _indented(body: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else line for line in body or ["    pass"]]


def _guarded(text: str, lines: Sequence[str]) -> str:
    """Return a migration whose functions begin with these lines."""
    for name in ("downgrade", "upgrade"):
        start, _ = _extent(text, name)
        found = text.splitlines()
        found[start:start] = lines
        text = "\n".join(found) + "\n"
    return text


def _test_function(name: str, head: str, probes: Sequence[Probe]) -> list[str]:
    query = f"SELECT {' AND '.join(one.condition for one in probes)}"
    return [
        f"def {name}() -> bool:",
        f'    """Return whether the database has the migrations up to {head}."""',
        "    if context.is_offline_mode():  # a script is for a database from the start",
        "        return True",
        "    query = (",
        *(f"        {piece!r}" for piece in _pieces(query.replace(":", r"\:"))),
        "    )",
        "    return bool(op.get_bind().scalar(sa.text(query)))",
        "",
        "",
    ]


def _pieces(sql: str) -> list[str]:
    """Return a text in pieces that fit into a line."""
    pieces = [""]
    for word in re.split(r"(?<= )", sql):
        if len(pieces[-1]) + len(word) > WIDTH and pieces[-1]:
            pieces.append("")
        pieces[-1] += word
    return pieces


def _with_function(text: str, function: Sequence[str]) -> str:
    lines = text.splitlines()
    start = _function(text, "upgrade").lineno - 1
    lines[start:start] = function
    imports = ["import sqlalchemy as sa", "from alembic import context, op"]
    return _with_imports("\n".join(lines) + "\n", imports)


def _with_imports(text: str, imports: Sequence[str]) -> str:
    """Add the imports whose names the text uses; a formatter sorts them."""
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imports = [one for one in imports if used & _imported(one)]
    if not imports:
        return text
    nodes = [one for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
    place = nodes[0].lineno - 1 if nodes else _function(text, "upgrade").lineno - 1
    lines = text.splitlines()
    lines[place:place] = dict.fromkeys(imports)
    return "\n".join(lines) + "\n"


def _imported(statement: str) -> set[str]:
    """Return the names that an import statement defines."""
    return {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(ast.parse(statement))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _revision(text: str) -> str:
    found = re.search(r"^revision\b[^=]*=\s*[\"'](.+)[\"']", text, re.MULTILINE)
    return found[1] if found else ""


def _meaning(facts: Facts) -> frozenset[str]:
    """What two schemas have in common that mean the same: the server words it anew."""
    compared = (sql for rank, sql in facts if rank != COMMENT)
    return frozenset(_WORDING.sub("", sql) for sql in compared)


def _write(name: str, text: str) -> Write:
    return Write((VERSIONS / name).as_posix(), text.encode("utf-8"))
