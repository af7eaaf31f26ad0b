"""Merging: what a run does to each file, and that nobody's line is ever lost."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaffold.cli import main
from scaffold.merging import atomic_writer, git_state, history, merge, three_way
from scaffold.merging.entity_renames import Move
from scaffold.processes import Unfinished
from scaffold.project import generator, state, upgrade
from scaffold.project.entities import is_current, make_plan
from tests.unit.evolution import (
    CHANGES,
    NAMES,
    Person,
    evolved,
    homes,
    named,
    random_document,
    sources,
)

LABEL = "entities.json"


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }


# One text


def merged(yours: str, before: str, new: str) -> three_way.Merged:
    return three_way.merge("module.py", yours, before, new, LABEL)


def test_changes_in_different_places_are_both_made() -> None:
    before = "a = 1\n\n\nb = 2\n\n\nc = 3\n"
    yours, new = before.replace("a = 1", "a = 9"), before.replace("c = 3", "c = 9")
    assert merged(yours, before, new) == three_way.Merged(
        "a = 9\n\n\nb = 2\n\n\nc = 9\n"
    )


def test_a_conflict_is_shown_as_git_shows_it() -> None:
    found = merged("a = 2\n", "a = 1\n", "a = 3\n")
    assert found == three_way.Merged(
        "<<<<<<< yours\n"
        "a = 2\n"
        "||||||| written by the last run\n"
        "a = 1\n"
        "=======\n"
        "a = 3\n"
        ">>>>>>> entities.json\n",
        1,
    )
    assert three_way.has_markers(found.text)


MET = {
    "both append a function": (
        "a = 1\n\n\ndef mine():\n    pass\n",
        "a = 1\n",
        "a = 1\n\n\ndef new():\n    pass\n",
        "a = 1\n\n\ndef new():\n    pass\n\n\ndef mine():\n    pass\n",
    ),
    "a line beside a changed one": (
        "def f():\n    '''Old.'''\n    check()\n    go()\n",
        "def f():\n    '''Old.'''\n    go()\n",
        "def f():\n    '''New.'''\n    go()\n",
        "def f():\n    '''New.'''\n    check()\n    go()\n",
    ),
    "both add to a list": (
        "A = [\n    1,\n    3,\n]\n",
        "A = [\n    1,\n]\n",
        "A = [\n    1,\n    2,\n]\n",
        "A = [\n    1,\n    2,\n    3,\n]\n",
    ),
    "both add a name to an import": (
        "from x import b, mine\n\nb, mine\n",
        "from x import b\n\nb\n",
        "from x import a, b\n\na, b\n",
        None,
    ),
    "both add a line of imports": (
        "import b\nimport mine\n\nb, mine\n",
        "import b\n\nb\n",
        "import b\nimport new\n\nb\n\nnew\n",
        "import b\nimport mine\nimport new\n\nb, mine\n\nnew\n",
    ),
    "an import that only a person still uses": (
        "import a\nimport decimal\n\na\n\n\nmine = decimal\n",
        "import a\nimport decimal\n\na\nx = decimal\n\n\n",
        "import a\n\na\n\n\n",
        None,
    ),
}


@pytest.mark.parametrize("name", MET)
def test_lines_that_only_meet_are_no_conflict(name: str) -> None:
    yours, before, new, expected = MET[name]
    found = merged(yours, before, new)
    if expected is not None:
        assert found == three_way.Merged(expected)


def test_a_name_that_a_person_still_uses_stays_imported() -> None:
    before = "import decimal\nimport uuid\n\nprice = decimal.Decimal(1)\nkey = uuid\n"
    yours = before + "\n\nmine = decimal.Decimal(2)\n"
    new = "import uuid\n\nkey = uuid\n"
    assert merged(yours, before, new).text == (
        "import decimal\nimport uuid\n\nkey = uuid\n\n\nmine = decimal.Decimal(2)\n"
    )
    before = '"""Text."""\n\nimport uuid\n\nfrom x import A\n\n\nA = uuid\n\n\nz = 1\n'
    new = before.replace("import uuid\n\n", "").replace("A = uuid", "A = 1")
    assert merged(before + "\n\nmine = uuid\n", before, new).text == (
        before.replace("A = uuid", "A = 1") + "\n\nmine = uuid\n"
    )
    before = (
        '"""Text."""\n\nimport decimal\n\nfrom x import A\n\n\nA = decimal\n\n\nz = 1\n'
    )
    found = merged(
        before + "\n\nmine = decimal\n", before, before.replace("decimal", "uuid")
    )
    assert found.text == (
        before.replace("decimal", "uuid").replace("import", "import decimal\nimport", 1)
        + "\n\nmine = decimal\n"
    )
    before = "from x import A, B\n\nA, B\n\n\nz = 1\n"
    found = merged(
        before + "\n\nmine = A\n", before, "from x import B, C\n\nB, C\n\n\nz = 1\n"
    )
    assert found.text.startswith("from x import A, B, C\n")


TWO_CLASSES = "class A:\n    x = 1\n\n\nclass B:\n    y = 1\n\n\nclass C:\n    z = 1\n"
ONE_GONE = TWO_CLASSES.replace("class B:\n    y = 1\n\n\n", "")
TWO_FUNCTIONS = "def f():\n    a()\n\n\ndef g():\n    b()\n\n\ndef h():\n    c()\n"
MATTERS = {
    "steps of a function: their order may matter": (
        "def f():\n    a()\n    mine()\n",
        "def f():\n    a()\n",
        "def f():\n    a()\n    b()\n",
    ),
    "one name twice": (
        "a = 1\n\n\ndef f():\n    1\n",
        "a = 1\n",
        "a = 1\n\n\ndef f():\n    2\n",
    ),
    "a file of a person's own, where one is generated now": (
        "mine = 1\n",
        "",
        "new = 1\n",
    ),
    "an attribute of a class that is gone": (
        TWO_CLASSES.replace("y = 1\n", "y = 1\n    mine = 1\n"),
        TWO_CLASSES,
        ONE_GONE,
    ),
    "a method of a class that is gone": (
        TWO_CLASSES.replace("y = 1\n", "y = 1\n\n    def mine(self):\n        pass\n"),
        TWO_CLASSES,
        ONE_GONE,
    ),
    "an attribute of the last class, which is gone": (
        TWO_CLASSES + "    mine = 1\n",
        TWO_CLASSES,
        TWO_CLASSES.replace("\n\n\nclass C:\n    z = 1", ""),
    ),
    "an attribute of a class that gave way to another one": (
        TWO_CLASSES.replace("y = 1\n", "y = 1\n    mine = 1\n"),
        TWO_CLASSES,
        TWO_CLASSES.replace("class B:\n    y = 1", "class New:\n    n = 1"),
    ),
    "a decorator of a function that is gone": (
        TWO_FUNCTIONS.replace("def g", "@mine\ndef g"),
        TWO_FUNCTIONS,
        TWO_FUNCTIONS.replace("def g():\n    b()\n\n\n", ""),
    ),
    "a step of a function that is gone": (
        TWO_FUNCTIONS.replace("b()\n", "b()\n    mine()\n"),
        TWO_FUNCTIONS,
        TWO_FUNCTIONS.replace("def g():\n    b()\n\n\n", ""),
    ),
    "a class that is gone, but for a blank line that somebody had removed": (
        TWO_CLASSES.replace("\n\n\nclass C", "\n\nclass C"),
        TWO_CLASSES,
        TWO_CLASSES.replace("\n\n\nclass C:\n    z = 1", ""),
    ),
    "an attribute of a class whose end is now another one's": (
        "class A:\n    a = 1\n    c = 1\n    mine = 1\n",
        "class A:\n    a = 1\n    c = 1\n",
        "class A:\n    a = 1\n    b = 1\n\n\nclass B:\n    a = 2\n    c = 1\n",
    ),
    "a changed line that is gone, after one that stays": (
        "a = 1\nb = 2\n",
        "a = 1\nb = 1\n",
        "a = 1\n",
    ),
}


@pytest.mark.parametrize("name", MATTERS)
def test_what_could_matter_is_a_conflict(name: str) -> None:
    yours, before, new = MATTERS[name]
    found = merged(yours, before, new)
    assert found.conflicts == 1
    for line in (*yours.splitlines(), *new.splitlines()):
        assert line in found.text


def test_what_stands_by_itself_stays_where_its_neighbour_is_gone() -> None:
    gone = "\n\nclass C:\n    z = 1\n"
    assert gone in TWO_CLASSES
    for mine in ("# mine\n", "\n\n@f\ndef mine():\n    pass\n", "\n\nMINE = 1\n"):
        found = merged(TWO_CLASSES + mine, TWO_CLASSES, TWO_CLASSES.replace(gone, ""))
        assert found == three_way.Merged(TWO_CLASSES.replace(gone, mine))


def test_a_member_stays_in_its_class_where_another_class_follows() -> None:
    """Both are added at one place, and only in one order each is what it was."""
    before = "class A:\n    x = 1\n"
    mine = "\n    def mine(self):\n        pass\n"
    new = "\n\nclass B:\n    y = 1\n"
    found = merged(before + mine, before, before + new)
    assert found == three_way.Merged(before + mine + new)


def test_other_texts_are_merged_by_lines_alone() -> None:
    found = three_way.merge("a.yml", "- 1\n- 3\n", "- 1\n", "- 1\n- 2\n", LABEL)
    assert found.conflicts == 1


def test_what_is_no_python_is_merged_by_lines() -> None:
    found = merged(
        "a = (\nb = 1\nc = 1\n", "a = 1\nb = 1\nc = 1\n", "a = 1\nb = 1\nc = 2\n"
    )
    assert found == three_way.Merged("a = (\nb = 1\nc = 2\n")


def test_bytes_that_are_no_text_survive() -> None:
    yours = three_way.decoded(b"# \xff\na = 1\nb = 1\nc = 1\n")
    found = merged(yours, "a = 1\nb = 1\nc = 1\n", "a = 1\nb = 1\nc = 2\n")
    assert three_way.encoded(found.text) == b"# \xff\na = 1\nb = 1\nc = 2\n"


# Many files


class Workbench:
    """A folder of files, and what the last run wrote there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base: dict[str, bytes] = {}

    def __call__(self, path: str, current: str | None, base: str | None) -> None:
        if current is not None:
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(current, newline="")
        if base is not None:
            self.base[path] = base.encode()

    def plan(
        self, files: Mapping[str, str], moves: Mapping[str, Move] | None = None
    ) -> merge.Plan:
        return merge.make_plan(self.root, self.base, files, moves)


@pytest.fixture
def write(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


LINES = "a = 1\n\n\nb = 2\n\n\nc = 3\n"
MINE, NEW = LINES.replace("a = 1", "a = 9"), LINES.replace("c = 3", "c = 9")
BOTH = MINE.replace("c = 3", "c = 9")
CASES = {
    "created": (None, None, NEW, NEW),
    "updated": (LINES, LINES, NEW, NEW),
    "merged": (MINE, LINES, NEW, BOTH),
    "unchanged, as nothing is new": (LINES, LINES, LINES, LINES),
    "unchanged, as only a person changed it": (MINE, LINES, LINES, MINE),
    "unchanged, as a person did the same": (NEW, LINES, NEW, NEW),
    "unchanged, as there is the same file": (NEW, None, NEW, NEW),
    "kept": (MINE, LINES, None, MINE),
    "deleted": (LINES, LINES, None, None),
    "removed by you": (None, LINES, NEW, None),
    "conflict": (LINES.replace("c = 3", "c = 8"), LINES, NEW, None),
    "conflict with a file of a person's own": (MINE, None, NEW, None),
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("case", CASES)
def test_what_becomes_of_a_file(
    tmp_path: Path, write: Workbench, case: str, ends: str
) -> None:
    current, base, new, expected = CASES[case]
    there = current if current is None else current.replace("\n", ends)
    write("src/a.py", there, base)
    wanted = {} if new is None else {"src/a.py": new}
    plan = write.plan(wanted)
    assert [change.outcome for change in plan.changes] == [
        case.split(" with ")[0].split(",")[0]
    ]
    before = files(tmp_path)
    assert files(tmp_path) == before
    merge.carry_out(plan)
    path = tmp_path / "src" / "a.py"
    if "conflict" in case:
        assert three_way.has_markers(path.read_text())
    elif expected is None:
        assert not path.exists()
    else:
        assert path.read_bytes().replace(b"\r\n", b"\n").decode() == expected
    if "conflict" not in case:
        write.base = {path: text.encode() for path, text in wanted.items()}
        assert write.plan(wanted).is_idle


def test_markers_of_an_earlier_conflict_block_the_run(
    tmp_path: Path, write: Workbench
) -> None:
    open_conflict = merged("a = 2\n", "a = 1\n", "a = 3\n").text
    write("a.py", open_conflict, "a = 1\n")
    before = files(tmp_path)
    with pytest.raises(Unfinished) as blocked:
        write.plan({"a.py": "a = 3\n", "b.py": "b = 1\n"})
    told = "a.py: a conflict is still open in it; look for <<<<<<<"
    assert str(blocked.value).startswith(told)
    assert files(tmp_path) == before


@pytest.mark.parametrize("marker", ["<<<<<<< yours", "||||||| then", ">>>>>>> now"])
def test_a_conflict_that_is_half_resolved_is_still_open(
    tmp_path: Path, write: Workbench, marker: str
) -> None:
    write("a.md", f"text\n{marker}\nmore\n", "text\nmore\n")
    with pytest.raises(Unfinished, match=r"^a\.md: a conflict is still open in it"):
        write.plan({"a.md": "text\nmore\n"})
    assert not three_way.has_markers(f"text {marker}\n<<<<<<<\n=======\n")


@pytest.mark.parametrize("steps", range(4))
def test_a_failure_puts_back_what_was_there(
    tmp_path: Path, write: Workbench, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    write("a.py", LINES, LINES)
    write("b.py", LINES, LINES)
    write("old.py", LINES, LINES)
    before = files(tmp_path)
    plan = write.plan({"a.py": NEW, "b.py": NEW, "new.py": NEW})
    put, count = atomic_writer._put, itertools.count()

    def failing(*arguments: Any) -> None:
        if next(count) == steps:
            raise KeyboardInterrupt
        put(*arguments)

    monkeypatch.setattr(atomic_writer, "_put", failing)
    with pytest.raises(KeyboardInterrupt):
        merge.carry_out(plan)
    assert files(tmp_path) == before


def test_what_cannot_be_written_is_named(tmp_path: Path, write: Workbench) -> None:
    write("a.py", LINES, LINES)
    plan = write.plan({"a.py": NEW, "b/c.py": NEW})
    write("b", "a file, since a moment ago", None)
    before = files(tmp_path)
    with pytest.raises(Unfinished, match=r"b.*: (Not a directory|File exists)"):
        merge.carry_out(plan)
    assert files(tmp_path) == before


def function(name: str) -> str:
    return f"\n\ndef {name}():\n    return 1\n"


def test_a_run_that_is_killed_anywhere_is_undone_and_repeated(
    tmp_path: Path, write: Workbench
) -> None:
    """At each access to a file: no edit is lost, and none is there twice."""
    before = "A = [\n    1,\n]\n" + function("old")
    mine = before.replace("1,", "1,\n    2,") + function("mine")
    new = before.replace("1,", "1,\n    0,") + function("new")
    renamed = new.replace("old", "renamed")
    write("edited.py", mine, before)
    write("gone.py", before, before)
    write("old.py", mine, before)
    start = files(tmp_path)
    wanted = {"created.py": new, "edited.py": new, "renamed.py": renamed}
    moves = {"renamed.py": Move("old.py", "x = old\n", "x = renamed\n")}

    def apply() -> None:
        merge.carry_out(write.plan(wanted, moves))

    apply()
    done = files(tmp_path)
    assert done["renamed.py"].decode() == renamed.replace(
        "0,", "0,\n    2,"
    ) + function("mine")
    undone = 0
    for accesses in itertools.count(1):
        restore(tmp_path, start)
        if not killed(apply, accesses):
            break
        was_undone = atomic_writer.recover(tmp_path)
        undone += was_undone
        if was_undone or files(tmp_path) != done:
            assert files(tmp_path) == start, accesses
            apply()
        assert files(tmp_path) == done, accesses
    assert undone > 4


def test_an_edit_after_a_kill_is_kept(tmp_path: Path, write: Workbench) -> None:
    write("a.py", LINES, LINES)
    write("b.py", LINES, LINES)
    plan = write.plan({"a.py": NEW, "b.py": NEW})
    for accesses in itertools.count(1):
        if killed(lambda: merge.carry_out(plan), accesses):
            if (
                atomic_writer.is_interrupted(tmp_path)
                and ((tmp_path / "a.py").read_text()) == NEW
            ):
                break
            atomic_writer.recover(tmp_path)
    write("a.py", "mine = 1\n", None)
    assert atomic_writer.recover(tmp_path)
    assert (tmp_path / "a.py").read_text() == "mine = 1\n"
    assert (tmp_path / "b.py").read_text() == LINES


ACCESSES = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}


def killed(work: Callable[[], None], accesses: int) -> bool:
    """Do the work in a process that ends at its n-th access to a file."""
    process = os.fork()
    if process == 0:
        count = itertools.count(1)

        def end(event: str, _: object) -> None:
            if event in ACCESSES and next(count) == accesses:
                os._exit(9)

        try:
            sys.addaudithook(end)
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9


def restore(root: Path, wanted: dict[str, bytes]) -> None:
    shutil.rmtree(root)
    for path, content in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def test_links_and_modes_stay(tmp_path: Path, write: Workbench) -> None:
    write("a.py", LINES, LINES)
    shutil.move(tmp_path / "a.py", tmp_path / "real.py")
    (tmp_path / "real.py").chmod(0o640)
    (tmp_path / "a.py").symlink_to("real.py")
    merge.carry_out(write.plan({"a.py": NEW}))
    assert (tmp_path / "a.py").is_symlink()
    assert (tmp_path / "real.py").read_text() == NEW
    assert (tmp_path / "real.py").stat().st_mode & 0o777 == 0o640


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").mkdir()
    with pytest.raises(Unfinished, match=r"a\.py: Is a directory"):
        merge.make_plan(tmp_path, {}, {"a.py": NEW})


# The command


SPEC = {"entities": [{"name": "Task", "fields": [{"name": "title", "type": "string"}]}]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "entities.json").write_text(json.dumps(SPEC))
    assert run(tmp_path, "apply") == 0
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def run(root: Path, *arguments: str) -> int:
    return main(arguments, root)


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Work")


def change_spec(root: Path, **field: object) -> None:
    document = json.loads((root / "entities.json").read_text())
    document["entities"][0]["fields"].append(field)
    (root / "entities.json").write_text(json.dumps(document))


def edit(root: Path, path: str, text: str) -> Path:
    target = root / path
    target.write_text(target.read_text() + text)
    return target


def test_plan_shows_and_writes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project, "plan") == 0
    change_spec(project, name="due", type="date")
    before = files(project)
    capsys.readouterr()
    assert run(project, "plan") == 2
    shown = capsys.readouterr().out
    assert files(project) == before
    assert "--- a/src/models/entities.py\n+++ b/src/models/entities.py\n" in shown
    assert "+    due: orm.Mapped[dt.date | None] = orm.mapped_column(sa.Date)" in shown
    assert "  updated  src/models/entities.py\n" in shown
    assert run(project, "apply") == 0
    assert run(project, "plan") == 0


def test_what_only_the_record_lacks_is_a_change(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan that says 0 means that a run would write nothing at all."""
    path = project / "entities.json"
    path.write_text(path.read_text() + "\n\n")
    assert run(project, "plan") == 2
    assert "change: .devmatrix/entities.json\n" in capsys.readouterr().out
    assert run(project, "apply") == 0
    assert run(project, "plan") == 0
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert run(project, "plan") == 0


def staging_is_a_file(project: Path) -> None:
    (project / ".devmatrix" / "new").write_text("")


def schemas_are_a_folder(project: Path) -> None:
    path = project / "src" / "models" / "schemas.py"
    path.unlink()
    path.mkdir()


def schemas_are_a_link_to_themselves(project: Path) -> None:
    path = project / "src" / "models" / "schemas.py"
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (staging_is_a_file, "new: File exists"),
        (schemas_are_a_folder, "schemas.py: Is a directory; it must be a file"),
        (
            schemas_are_a_link_to_themselves,
            "schemas.py: Too many levels of symbolic links; it must be a file",
        ),
    ],
)
def test_what_is_in_the_way_is_told_in_one_sentence(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Path], None],
    told: str,
) -> None:
    prepare(project)
    change_spec(project, name="due", type="date")
    before = files(project)
    assert run(project, "apply", "--allow-dirty") == 1
    said = capsys.readouterr().err
    assert said.endswith(f"{told}\nNothing was written.\n")
    assert said.count("\n") == 2
    assert files(project) == before


PLAN = """
import pathlib, sys
from scaffold.cli import main
sys.exit(main(["plan"], pathlib.Path(sys.argv[1])))
"""


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_a_plan_shows_bytes_that_are_no_text(project: Path, encoding: str) -> None:
    path = project / "src" / "models" / "schemas.py"
    text = path.read_bytes()
    path.write_bytes(text.replace(b"    title:", b"    # \xff \xe9\n    title:"))
    change_spec(project, name="due", type="date")
    done = subprocess.run(
        [sys.executable, "-c", PLAN, str(project)],
        env={
            **os.environ,
            "PYTHONPATH": str(generator.HOME),
            "PYTHONIOENCODING": encoding,
        },
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (2, b"")
    assert rb"\udcff \udce9" in done.stdout


def test_uncommitted_edits_are_not_touched(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change_spec(project, name="due", type="date")
    edit(project, "src/models/schemas.py", "\n\nMINE = 1\n")
    edit(project, "src/repositories/task.py", "\n\nMINE = 1\n")  # nothing new for it
    before = files(project)
    assert run(project, "apply") == 1
    said = capsys.readouterr().err
    assert "  src/models/schemas.py\n" in said
    assert "src/repositories/task.py" not in said
    assert "--allow-dirty" in said
    assert files(project) == before
    assert run(project, "apply", "--allow-dirty") == 0
    assert "MINE = 1" in (project / "src" / "models" / "schemas.py").read_text()


def make_dirty(project: Path) -> None:
    edit(project, "src/models/schemas.py", "\n\nMINE = 1\n")
    change_spec(project, name="due", type="date")


def test_what_git_does_not_know_is_not_touched(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Be it untracked, or ignored as well."""
    git(project, "rm", "--quiet", "--cached", "src/models/schemas.py")
    git(project, "commit", "--quiet", "--message", "Untracked")
    make_dirty(project)
    for ignored in ("", "schemas.py\n"):
        (project / ".gitignore").write_text(ignored)
        before = files(project)
        assert run(project, "apply") == 1
        assert "  src/models/schemas.py\n" in capsys.readouterr().err
        assert files(project) == before


def test_a_git_that_does_not_answer_is_no_yes(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As in containers, where the files are another user's; or when it is not there."""
    make_dirty(project)
    before = files(project)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert run(project, "apply") == 1
    said = capsys.readouterr().err
    assert "dubious ownership" in said
    assert "--allow-dirty" in said
    assert said.endswith("\nNothing was written.\n")
    with pytest.raises(Unfinished, match="dubious ownership"):
        upgrade.edited_since_commit(project, {})
    monkeypatch.setattr(git_state, "find", tools_without_git)
    assert run(project, "apply") == 1
    assert "git is not installed" in capsys.readouterr().err
    assert files(project) == before


def tools_without_git(name: str) -> str:
    raise Unfinished(f"{name} is not installed")


def test_without_a_repository_nothing_is_dirty(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(project / ".git")
    make_dirty(project)
    monkeypatch.setattr(git_state, "find", tools_without_git)
    assert not upgrade.edited_since_commit(project, {})
    assert run(project, "apply") == 0


def test_a_file_as_the_last_run_left_it_holds_nobodys_edits(project: Path) -> None:
    """Whoever tries one spec after the other need not commit each of them."""
    change_spec(project, name="due", type="date")
    assert run(project, "apply") == 0
    change_spec(project, name="done", type="boolean", default=False)
    assert run(project, "apply") == 0


def test_what_a_run_has_merged_may_be_merged_again(project: Path) -> None:
    """Likewise for a file with committed edits, as long as nobody edits it anew."""
    path = edit(project, "src/models/schemas.py", "\n\nMINE = 1\n")
    commit(project)
    change_spec(project, name="due", type="date")
    assert run(project, "apply") == 0
    change_spec(project, name="done", type="boolean", default=False)
    assert run(project, "apply") == 0
    assert "MINE = 1" in path.read_text()
    path.write_text(path.read_text().replace("MINE = 1", "MINE = 2"))
    change_spec(project, name="late", type="boolean", default=False)
    assert run(project, "apply") == 1


def test_a_conflict_ends_with_1_and_blocks_until_it_is_resolved(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "src" / "models" / "entities.py"
    path.write_text(path.read_text().replace("sa.String(255,", "sa.String(99,"))
    commit(project)
    document = json.loads((project / "entities.json").read_text())
    document["entities"][0]["fields"][0]["max_length"] = 40
    (project / "entities.json").write_text(json.dumps(document))
    assert run(project, "apply") == 1
    out, err = capsys.readouterr()
    assert " conflict  src/models/entities.py\n" in out
    assert "1 conflict\n" in out
    assert (
        "leave the lines that are right, and run this again: src/models/entities.py"
        in err.replace("\n", " ")
    )
    assert "sa.String(99," in path.read_text()
    assert "sa.String(40," in path.read_text()
    before = files(project)
    assert run(project, "apply") == 1
    assert run(project, "plan") == 1
    assert files(project) == before
    lines = path.read_text().split("\n")
    kept = [
        line for line in lines if "String(99)" not in line and line[:7] not in MARKS
    ]
    path.write_text("\n".join(dict.fromkeys(kept)))
    assert run(project, "apply", "--allow-dirty") == 0


MARKS = {"<<<<<<<", "|||||||", "=======", ">>>>>>>"}


def test_a_bad_spec_is_reported_and_nothing_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "entities.json").write_text('{"entities": [{"name": "task"}]}')
    before = files(project)
    for command in ("apply", "plan", "check"):
        assert run(project, command) == 1
        assert capsys.readouterr().err.startswith("entities.json:1:")
    assert files(project) == before


def test_a_renamed_entitys_edits_go_along(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the new file and under the new names, whatever the path was called."""
    method = (
        "    async def mine(self) -> list[entities.TaskEntity]:\n        return []\n"
    )
    edit(project, "src/repositories/task.py", f"\n{method}")
    rule = "        data = checked(data)\n        return await self._create(data)"
    path = project / "src" / "services" / "task.py"
    path.write_text(path.read_text().replace(rule.split("\n")[1], rule))
    commit(project)
    document = json.loads((project / "entities.json").read_text())
    document["entities"][0] |= {"name": "Job", "renamed_from": "Task"}
    (project / "entities.json").write_text(json.dumps(document))
    assert run(project, "apply") == 0, capsys.readouterr()
    assert (
        "merged  src/services/job.py  (was src/services/task.py)"
        in capsys.readouterr().out
    )
    assert rule in (project / "src" / "services" / "job.py").read_text()
    renamed = method.replace("TaskEntity", "JobEntity")
    assert renamed in (project / "src" / "repositories" / "job.py").read_text()
    assert not list(project.glob("src/*/task.py"))
    assert run(project, "plan") == 0


OTHERS = """

async def wait(service: TaskService) -> None:
    job: asyncio.Task[None] = asyncio.create_task(service.list_tasks())
    async with asyncio.TaskGroup() as group:
        group.create_task(service.get_task(job))
        make(factory=group.create_task)
"""
OURS = """

async def work(service: TaskService) -> entities.TaskEntity:
    return await service.create_task(schemas.TaskCreate())
"""


def test_names_of_other_libraries_are_not_renamed(project: Path) -> None:
    """An entity may be called as something is that its code works with."""
    edit(project, "src/services/task.py", OTHERS + OURS)
    commit(project)
    document = json.loads((project / "entities.json").read_text())
    document["entities"][0] |= {"name": "Job", "renamed_from": "Task"}
    (project / "entities.json").write_text(json.dumps(document))
    assert run(project, "apply") == 0
    text = (project / "src" / "services" / "job.py").read_text()
    assert text.endswith(
        OTHERS.replace("TaskService", "JobService")
        .replace("service.list_tasks", "service.list_jobs")
        .replace("service.get_task", "service.get_job")
        + OURS.replace("Task", "Job").replace("create_task", "create_job")
    )


def test_name_of_a_removed_entity_is_taken_in_two_runs(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Task takes the name of Job: one run could not tell whose code is in job.py."""
    tag = {"name": "tag", "type": "many_to_one", "target": "Tag"}
    job = {"name": "Job", "relations": [{**tag, "back_populates": "jobs"}]}
    entities = [{"name": "Tag"}, {"name": "Task"}, job]
    (project / "entities.json").write_text(json.dumps({"entities": entities}))
    assert run(project, "apply") == 0
    for name in ("task", "job"):
        edit(project, f"src/services/{name}.py", f"\n\nMINE = '{name}'\n")
    commit(project)
    renamed = [{"name": "Tag"}, {"name": "Job", "renamed_from": "Task"}]
    (project / "entities.json").write_text(json.dumps({"entities": renamed}))
    capsys.readouterr()
    assert run(project, "apply") == 1
    said = capsys.readouterr().err
    assert said.startswith("Job: the last run has another entity of that name, and its")
    assert said.endswith("rename Task to Job, and run it again\nNothing was written.\n")

    (project / "entities.json").write_text(json.dumps({"entities": entities[:2]}))
    assert run(project, "apply") == 0
    assert "MINE = 'job'" in (project / "src/services/job.py").read_text()
    (project / "src" / "services" / "job.py").unlink()
    commit(project)
    (project / "entities.json").write_text(json.dumps({"entities": renamed}))
    assert run(project, "apply") == 0
    assert "MINE = 'task'" in (project / "src/services/job.py").read_text()
    assert run(project, "plan") == 0


# One page alone, as the migration needs it

MODELS = "src/models/entities.py"


def current(project: Path) -> bool:
    return is_current(project, MODELS)


def test_a_page_is_current_whatever_a_person_added(project: Path) -> None:
    assert current(project)
    page = project / MODELS
    page.write_text(page.read_text() + "\n\nMINE = 1\n")
    (project / "src" / "services" / "task.py").write_text("MINE = 1\n")
    assert current(project)
    page.unlink()  # the models may stand in a package instead
    assert current(project)


@pytest.mark.parametrize("path", ["entities.json", state.ENTITIES])
def test_a_page_is_outdated_where_a_run_would_change_it(
    project: Path, path: str
) -> None:
    page = project / path
    page.write_text(page.read_text().replace("title", "heading"))
    assert not current(project)


def test_no_page_is_current_while_a_conflict_is_open(project: Path) -> None:
    page = project / MODELS
    page.write_text(f"<<<<<<< yours\n=======\n>>>>>>> {LABEL}\n")
    with pytest.raises(Unfinished, match="still open"):
        current(project)


# Laws 2 and 3, on random specs and random edits


@pytest.fixture(scope="module")
def workshop() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def apply(root: Path, document: object) -> merge.Plan:
    (root / "entities.json").write_text(json.dumps(document))
    plan = make_plan(root)
    merge.carry_out(plan)
    return plan


def fresh(workshop: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=workshop))


def judged(test: Callable[..., None], examples: int) -> Callable[..., None]:
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    given_random = given(random=st.randoms(use_true_random=False))
    return settings(max_examples=examples, suppress_health_check=quiet)(
        given_random(test)
    )


def later_is_the_same(workshop: Path, random: Random) -> None:
    """Law 2: a project that changed equals one that was generated so."""
    document = named(random_document(random), random)
    later = evolved(document, random, [*CHANGES, *NAMES])
    changed, made = fresh(workshop), fresh(workshop)
    apply(changed, document)
    apply(changed, later)
    apply(made, later)
    assert without_runs(changed) == without_runs(made)


def without_runs(root: Path) -> dict[str, bytes]:
    """All files but the list of runs: one project had two."""
    return {path: text for path, text in files(root).items() if path != history.FILE}


def nothing_is_lost(workshop: Path, random: Random) -> None:
    """Law 3: every edit stands, the second run is idle, and the code is still sound."""
    root = fresh(workshop)
    document = named(random_document(random), random)
    plan = apply(root, document)
    person = Person(root, random)
    person.work([change.path for change in plan.changes], edits=random.randint(1, 12))
    was_sound = is_sound(root)
    before, old = files(root), make_plan(root).base
    later = evolved(document, random, [*CHANGES, *NAMES])
    plan = apply(root, later)
    texts = [text.decode() for path, text in files(root).items() if path[0] != "."]
    for mark in person.marks:
        assert any(mark in text for text in texts), mark
    for path in person.removed:
        assert not (root / path).exists()
    if not any("renamed_from" in entity for entity in later["entities"]):
        for change in plan.with_outcome(merge.MERGED, merge.UPDATED):
            path = change.path
            texts = before[path], old[path], files(root)[path], make_base(root)[path]
            stays_at_home(texts, person.marks)
    after = files(root)
    if plan.with_outcome(merge.CONFLICT):
        with pytest.raises(Unfinished):
            make_plan(root)
    else:
        assert is_sound(root) or not was_sound
        again = make_plan(root)
        assert again.is_idle
        merge.carry_out(again)
    assert files(root) == after


def make_base(root: Path) -> Mapping[str, bytes]:
    """What the last run wrote."""
    found = state.last(root).files()
    assert found is not None
    return found


def stays_at_home(texts: tuple[bytes, bytes, bytes, bytes], marks: list[str]) -> None:
    """What a person wrote is still in the class or function that it was put in.

    Where that is gone, no other one that was there has caught it; and what is no longer
    generated is gone, unless there is something of the person in it.
    """
    yours, old, now, new = (text.decode().replace("\r\n", "\n") for text in texts)
    was, at_last = homes(yours), homes(now)
    if was is None or at_last is None:  # no program, so nobody knows
        return
    known, left = ({home for _, home in lines} for lines in (was, at_last))
    for mark in marks:
        found = {home for line, home in was if mark in code(line)}
        ends = {home for line, home in at_last if mark in code(line)}
        for home in ends - found:
            assert found.isdisjoint(left), (mark, found, home)
            assert home not in {(), *known}, (mark, found, home)
    for name, source in sources(old).items():
        if sources(yours).get(name) == source and name not in sources(new):
            assert name not in sources(now), name


def code(line: str) -> str:
    """The line, unless it is a comment, which may follow what it stands beside."""
    return "" if line.lstrip().startswith("#") else line


# What would stop the service; that a comment is far from where black likes it does not.
RULES = "--select=E9,F401,F811,F821,F822,F823,I"


def is_sound(root: Path) -> bool:
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--isolated",
        "--quiet",
    ]
    sources = '--config=lint.isort.known-first-party=["src", "tests"]'
    command = [*ruff, RULES, sources, str(root)]
    return subprocess.run(command, capture_output=True).returncode == 0


test_later_is_the_same = judged(later_is_the_same, 15)
test_nothing_is_lost = judged(nothing_is_lost, 25)
test_later_is_the_same_at_length = pytest.mark.slow(judged(later_is_the_same, 400))
test_nothing_is_lost_at_length = pytest.mark.slow(judged(nothing_is_lost, 600))
