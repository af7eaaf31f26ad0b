"""Two branches that each changed entities.json are put together, in every way by hand.

Whatever a person did with the conflicts, the next run generates all that entities.json
names, and keeps what people edited and deleted.
"""

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.harness.project import clean_environment, cookiecutter

PAGES = ("models/entities.py", "models/schemas.py", "api/dependencies.py")
SECTIONS = ["## Tasks", "## Mines", "## Others"]
SCHEMAS = "src/models/schemas.py"
SERVICE = "src/services/task.py"
DELETED = "tests/unit/test_task.py"
MINE, OTHER = "\n\ndef mine() -> int:\n    return 1\n", "# Ours.\n"
Document = dict[str, Any]


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", ".devmatrix/generator.pyz", *words],
        cwd=project,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )


def apply(project: Path) -> subprocess.CompletedProcess[str]:
    done = run(project, "apply")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def git(project: Path, *arguments: str, fails: bool = False) -> str:
    done = subprocess.run(
        ["git", "-c", "core.editor=true", *arguments],
        cwd=project,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert fails or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(project: Path, message: str = "Work") -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--allow-empty", "--message", message)


def read_entities(project: Path, revision: str = "") -> Document:
    if revision:
        text = git(project, "show", f"{revision}:./entities.json")
    else:
        text = (project / "entities.json").read_text()
    document: Document = json.loads(text)
    return document


def write_entities(project: Path, document: Document) -> None:
    text = json.dumps(document, indent=2) + "\n"
    (project / "entities.json").write_text(text)


def entity(name: str) -> Document:
    return {"name": name, "fields": [{"name": "title", "type": "string"}]}


def add_entity(project: Path, name: str) -> None:
    document = read_entities(project)
    document["entities"].append(entity(name))
    write_entities(project, document)
    apply(project)


def all_of(project: Path, *revisions: str) -> None:
    """Resolve entities.json: what each of the revisions has."""
    entities = {}
    for revision in revisions:
        document = read_entities(project, revision)
        entities |= {one["name"]: one for one in document["entities"]}
    write_entities(project, {**document, "entities": list(entities.values())})


def unmerged(project: Path) -> list[str]:
    return git(project, "diff", "--relative", "--name-only", "--diff-filter=U").split()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with edits: a method and a file of tests are deleted."""
    output = tmp_path_factory.mktemp("branches")
    subprocess.run(
        cookiecutter(output, "project_slug=shop"),
        env={**clean_environment(), "DEVMATRIX_SKIP": "all"},
        check=True,
        capture_output=True,
    )
    write_entities(output / "shop", read_entities(output / "shop"))
    return make_repository(output / "shop", output / "shop")


def make_repository(folder: Path, project: Path) -> Path:
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Me")
    git(folder, "config", "user.email", "me@example.com")
    apply(project)
    commit(project)
    return project


@pytest.fixture
def project(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "shop", symlinks=True))


@pytest.fixture(scope="module")
def two_branches(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two") / "shop"
    return make_branches(Path(shutil.copytree(original, folder, symlinks=True)))


def make_branches(project: Path) -> Path:
    """Let each branch add an entity by a run, and edit the same file."""
    service = project / SERVICE
    git(project, "switch", "--quiet", "--create", "other")
    add_entity(project, "Other")
    service.write_text(OTHER + service.read_text())
    commit(project, "Add Other")
    git(project, "switch", "--quiet", "main")
    add_entity(project, "Mine")
    service.write_text(service.read_text() + MINE)
    commit(project, "Add Mine")
    return project


@pytest.fixture
def branches(two_branches: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(two_branches, tmp_path / "shop", symlinks=True))


@pytest.fixture(scope="module")
def larger_repository(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two branches of a repository that has more than the project."""
    top = tmp_path_factory.mktemp("larger") / "top"
    no_git = shutil.ignore_patterns(".git")
    project = top / "services" / "shop"
    shutil.copytree(original, project, symlinks=True, ignore=no_git)
    (top / "entities.json").write_text("of another service")
    make_branches(make_repository(top, project))
    return top


@pytest.fixture
def in_a_folder(larger_repository: Path, tmp_path: Path) -> Path:
    top = shutil.copytree(larger_repository, tmp_path / "top", symlinks=True)
    return Path(top) / "services" / "shop"


def merge(project: Path, way: str) -> str:
    """Start to put `other` into `main`; return the command that ends it."""
    if way == "rebase":
        git(project, "switch", "--quiet", "other")
        git(project, "rebase", "--quiet", "main", fails=True)
        return "rebase --continue"
    commands = {
        "merge": ("merge", "--no-commit", "--quiet", "other"),
        "squash": ("merge", "--squash", "--quiet", "other"),
        "cherry-pick": ("cherry-pick", "other"),
    }
    git(project, *commands[way], fails=True)
    ends = {"cherry-pick": "cherry-pick --continue"}
    return ends.get(way, "commit --quiet --message Merge")


def resolve_code(project: Path, code: str) -> None:
    """Take one side of all files, or of one while the others are merged well."""
    paths = [path for path in unmerged(project) if path != "entities.json"]
    assert SCHEMAS in paths
    side, _, only = code.partition(" ")
    if only:
        # What the generator makes of the open conflicts is what a careful person writes.
        apply(project)
        git(project, "add", "--all")
        git(project, "restore", "--source", "main", "--staged", ".devmatrix")
        git(project, "checkout", "--quiet", "main", "--", ".devmatrix")
        paths = [SCHEMAS]
    for path in paths:
        source = {"ours": "main", "theirs": "other"}[side]
        git(project, "checkout", "--quiet", source, "--", path)
    git(project, "add", "--all")


def resolve_state(project: Path, state: str, merged: Sequence[bytes]) -> None:
    folder = project / ".devmatrix"
    if state == "git":
        (folder / "entities.json").write_bytes(merged[0])
        (folder / "runs").write_bytes(merged[1])
    else:
        source = {"ours": "main", "theirs": "other"}[state]
        git(project, "checkout", "--quiet", source, "--", ".devmatrix")
    git(project, "add", "--all")


def check(project: Path) -> None:
    for page in PAGES:
        text = (project / "src" / page).read_text()
        for name in ("Task", "Other", "Mine"):
            assert f"{name}" in text, (page, name)
        assert "<<<<<<<" not in text
    sections = (project / "docs" / "lists.md").read_text().splitlines()
    assert [line for line in sections if line.startswith("## ")] == SECTIONS
    for name in ("other", "mine"):
        assert (project / "src" / "services" / f"{name}.py").exists(), name
    text = (project / SERVICE).read_text()
    assert MINE.strip() in text
    assert OTHER in text


WAYS = ("merge", "squash", "rebase", "cherry-pick")
CODES = ("ours", "theirs", "ours schemas", "theirs schemas")
STATES = ("git", "ours", "theirs")
QUICK = {
    ("merge", "theirs schemas", "git", True),
    ("squash", "theirs", "ours", True),
    ("rebase", "ours", "theirs", False),
    ("cherry-pick", "ours schemas", "git", True),
}


CASES = [
    pytest.param(
        *case,
        id="-".join((*case[:3], "committed" if case[3] else "open")),
        marks=[] if case in QUICK else pytest.mark.slow,
    )
    for case in itertools.product(WAYS, CODES, STATES, (False, True))
]


@pytest.mark.parametrize(("way", "code", "state", "committed"), CASES)
def test_nothing_is_lost_however_a_merge_was_resolved(
    branches: Path, way: str, code: str, state: str, committed: bool
) -> None:
    put_together(branches, way, code, state, committed)


@pytest.mark.parametrize(("way", "code", "state", "committed"), sorted(QUICK))
def test_nothing_is_lost_in_a_folder_of_a_larger_repository(
    in_a_folder: Path, way: str, code: str, state: str, committed: bool
) -> None:
    put_together(in_a_folder, way, code, state, committed)
    assert (in_a_folder.parents[1] / "entities.json").read_text().startswith("of")


def put_together(
    branches: Path, way: str, code: str, state: str, committed: bool
) -> None:
    end = merge(branches, way)
    merged = [
        (branches / ".devmatrix" / name).read_bytes()
        for name in ("entities.json", "runs")
    ]
    all_of(branches, "main", "other")
    resolve_code(branches, code)
    resolve_state(branches, state, merged)
    if committed:
        git(branches, *end.split())
        if way != "rebase":
            git(branches, "branch", "--delete", "--force", "other")
    apply(branches)
    check(branches)
    assert run(branches, "plan").returncode == 0
    commit(branches)
    again = run(branches, "plan")
    assert (again.returncode, again.stderr) == (0, "")


# During a merge


@pytest.mark.parametrize("folder", ["branches", "in_a_folder"])
def test_a_run_merges_open_conflicts_from_both_sides_edits(
    folder: str, request: pytest.FixtureRequest
) -> None:
    """One command, with git's markers in generated code, and nothing is left by hand."""
    branches: Path = request.getfixturevalue(folder)
    merge(branches, "merge")
    refused = run(branches, "apply")
    assert refused.returncode == 1
    assert refused.stderr.startswith("entities.json: a conflict is still open in it")
    all_of(branches, "main", "other")
    done = apply(branches)
    check(branches)
    assert "git add --all" in done.stderr
    assert run(branches, "plan").returncode == 0
    commit(branches)
    assert (run(branches, "plan").returncode, run(branches, "plan").stderr) == (0, "")


def test_lines_that_both_sides_edited_stay_a_conflict(
    two_branches: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(two_branches, tmp_path / "shop", symlinks=True))
    for branch, rule in (("other", "Theirs"), ("main", "Ours")):
        git(project, "switch", "--quiet", branch)
        path = project / SCHEMAS
        lines = path.read_text().splitlines()
        lines[0] = f'"""{rule}."""'
        path.write_text("\n".join(lines) + "\n")
        (project / "src" / "rule.py").write_text(f'RULE = "{rule}"\n')
        commit(project)
    merge(project, "merge")
    all_of(project, "main", "other")
    done = run(project, "apply")
    assert done.returncode == 1
    assert f"conflict  {SCHEMAS}" in done.stdout
    assert "still open in these files, which are not generated" in done.stderr
    assert "src/rule.py" in done.stderr
    text = (project / SCHEMAS).read_text()
    assert text.count("<<<<<<<") == 1
    assert "class MineBase" in text
    assert "class OtherBase" in text


def test_a_resolution_that_is_not_added_is_not_overwritten(branches: Path) -> None:
    merge(branches, "merge")
    all_of(branches, "main", "other")
    git(branches, "checkout", "--ours", "--", SCHEMAS)
    with (branches / SCHEMAS).open("a") as file:
        file.write("\n\nRESOLVED = 1\n")
    done = run(branches, "apply")
    assert done.returncode == 1
    assert "stage (git add) or stash" in done.stderr
    git(branches, "add", SCHEMAS)
    apply(branches)
    check(branches)
    assert "RESOLVED = 1" in (branches / SCHEMAS).read_text()


def test_markers_in_the_records_do_not_matter(branches: Path) -> None:
    """Where git's union driver is not used, as on a website."""
    attributes = branches / ".gitattributes"
    text = attributes.read_text().replace(" merge=union", "")
    for branch in ("other", "main"):
        git(branches, "switch", "--quiet", branch)
        attributes.write_text(text)
        commit(branches)
    merge(branches, "merge")
    assert ".devmatrix/runs" in unmerged(branches)
    all_of(branches, "main", "other")
    apply(branches)
    check(branches)
    commit(branches)
    assert run(branches, "plan").returncode == 0


def test_one_side_that_had_no_run_loses_nothing(project: Path) -> None:
    """The state merges by itself, and one file is resolved to the side without a run."""
    git(project, "switch", "--quiet", "--create", "other")
    path = project / SCHEMAS
    path.write_text(path.read_text() + "\n\nclass Own:\n    pass\n")
    commit(project)
    git(project, "switch", "--quiet", "main")
    add_entity(project, "Mine")
    commit(project)
    git(project, "merge", "--no-commit", "other", fails=True)
    git(project, "checkout", "other", "--", SCHEMAS)
    git(project, "commit", "--quiet", "--all", "--message", "Merge")
    done = apply(project)
    assert "A merge took one side of these files" in done.stderr
    text = path.read_text()
    assert "class MineBase" in text
    assert "class Own" in text


def test_what_a_person_deleted_stays_deleted_after_merges(project: Path) -> None:
    """On either branch, before and after."""
    path = project / SERVICE
    text = path.read_text()
    start = text.index("    async def delete_task")
    path.write_text(text[:start].rstrip() + "\n")
    commit(project, "Delete a method")
    git(project, "switch", "--quiet", "--create", "other")
    add_entity(project, "Other")
    commit(project)
    git(project, "switch", "--quiet", "main")
    add_entity(project, "Mine")
    (project / DELETED).unlink(missing_ok=True)
    commit(project)
    merge(project, "merge")
    all_of(project, "main", "other")
    apply(project)
    commit(project)
    add_entity(project, "Third")
    assert "delete_task" not in path.read_text()
    assert run(project, "plan").returncode == 0


# Reverts and kills


def test_a_reverted_run_leaves_nothing_to_do(project: Path) -> None:
    add_entity(project, "Mine")
    commit(project)
    git(project, "revert", "--no-edit", "HEAD")
    plan = run(project, "plan")
    assert (plan.returncode, plan.stderr) == (0, "")
    add_entity(project, "Other")
    commit(project)
    again = run(project, "plan")
    assert (again.returncode, again.stderr) == (0, "")
    assert "Mine" not in (project / SCHEMAS).read_text()


KILLED = """
import os, sys
sys.path.insert(0, ".devmatrix/generator.pyz")
from pathlib import Path
from scaffold import cli
from scaffold.merging import atomic_writer
left, step = int(sys.argv[1]), atomic_writer.{step}
def counted(*arguments):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    return step(*arguments)
atomic_writer.{step} = counted
sys.exit(cli.main(sys.argv[2:], Path.cwd()))
"""


@pytest.mark.parametrize(
    ("step", "after"),
    [("_stage", 0), ("_put", 0), ("_put", 1), ("_put", 9), ("_forget", 0)],
)
def test_a_killed_run_is_repeated_without_options(
    project: Path, step: str, after: int
) -> None:
    document = read_entities(project)
    document["entities"].append(entity("Mine"))
    write_entities(project, document)
    path = project / SCHEMAS
    path.write_text(path.read_text() + "\n\nclass Own:\n    pass\n")
    commit(project)
    command = [sys.executable, "-c", KILLED.format(step=step), str(after), "apply"]
    killed = subprocess.run(command, cwd=project, env=clean_environment())
    assert killed.returncode == 9
    apply(project)
    assert not (project / ".devmatrix" / "new").exists()
    assert "class MineBase" in path.read_text()
    assert "class Own" in path.read_text()
    assert run(project, "plan").returncode == 0
