"""Two branches that each changed entities.json are put together, in every way by hand.

Whatever a person did with the conflicts, the next run generates all that entities.json
names, and keeps what people edited and deleted.
"""

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.harness.project import clean_environment, cookiecutter

PAGES = ("models/entities.py", "models/schemas.py", "api/dependencies.py")
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
        text = git(project, "show", f"{revision}:entities.json")
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
    return git(project, "diff", "--name-only", "--diff-filter=U").split()


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
    project = output / "shop"
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "config", "user.name", "Me")
    git(project, "config", "user.email", "me@example.com")
    write_entities(project, read_entities(project))
    apply(project)
    commit(project)
    return project


@pytest.fixture
def project(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "shop", symlinks=True))


@pytest.fixture(scope="module")
def two_branches(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each branch adds an entity by a run, and has an edit in the same file."""
    folder = tmp_path_factory.mktemp("two") / "shop"
    project = Path(shutil.copytree(original, folder, symlinks=True))
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
    for name in ("other", "mine"):
        assert (project / "src" / "services" / f"{name}.py").exists(), name
    text = (project / SERVICE).read_text()
    assert MINE.strip() in text
    assert OTHER in text


WAYS = ("merge", "squash", "rebase", "cherry-pick")
CODES = ("ours", "theirs", "ours schemas", "theirs schemas")
STATES = ("git", "ours", "theirs")


@pytest.mark.parametrize("committed", [False, True], ids=["open", "committed"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost_however_a_merge_was_resolved(
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
