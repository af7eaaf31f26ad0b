"""A newer template meets a project that somebody works in."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bake.conftest import Generate

TREE = "{{cookiecutter.project_slug}}"
MINE, THEIRS = "dev: ## Mine\n", "dev: ## Theirs\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    return subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Work")


def change_target(makefile: Path, line: str) -> None:
    lines = makefile.read_text().splitlines(keepends=True)
    lines = [line if one.startswith("dev: ") else one for one in lines]
    makefile.write_text("".join(lines))


@pytest.fixture
def newer(tmp_path: Path, git_url: str) -> Path:
    git(tmp_path, "clone", "--quiet", git_url, "newer")
    return tmp_path / "newer"


@pytest.fixture
def project(tmp_path: Path, newer: Path, generate: Generate) -> Path:
    arguments = ["--no-input", "--output-dir", str(tmp_path), "project_slug=shop"]
    done = generate(newer, *arguments, steps=("git",))
    assert done.returncode == 0, done.stdout
    return tmp_path / "shop"


def upgrade(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", ".devmatrix/generator.pyz", "upgrade", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
    )


def test_a_conflict_stops_an_upgrade_until_it_is_resolved(
    project: Path, newer: Path, git_url: str
) -> None:
    answers = project / ".devmatrix" / "answers.json"
    assert json.loads(answers.read_text())["template"] == git_url
    change_target(project / "Makefile", MINE)
    commit(project)
    change_target(newer / TREE / "Makefile.jinja", THEIRS)
    (newer / TREE / "docs" / "news.md").write_text("# News\n")
    commit(newer)

    done = upgrade(project, "--from", "../newer")
    assert done.returncode == 1
    assert " conflict  Makefile\n" in done.stdout
    assert "`make install entities`" in done.stderr
    assert (project / "docs" / "news.md").exists()
    text = (project / "Makefile").read_text()
    assert MINE in text
    assert THEIRS in text
    recorded = json.loads(answers.read_text())
    assert recorded["template"] == str(newer)
    assert recorded["template_commit"] == git(newer, "rev-parse", "HEAD").strip()

    again = upgrade(project, "--allow-dirty")
    assert again.returncode == 1
    assert "Makefile: a conflict is still open in it" in again.stderr
    assert (project / "Makefile").read_text() == text

    before, _, rest = text.partition("<<<<<<< ")
    (project / "Makefile").write_text(before + MINE + rest.partition("template\n")[2])
    commit(project)
    last = upgrade(project)
    assert last.returncode == 0, last.stderr
    assert "which is what the template has" in last.stdout
    assert git(project, "status", "--porcelain") == ""


KILLED = """
import os, sys
sys.path.insert(0, ".devmatrix/generator.pyz")
from pathlib import Path
from scaffold import cli
from scaffold.merging import atomic_writer
step = atomic_writer.{step}
def counted(*arguments):
    global left
    if left == 0:
        os._exit(9)
    left -= 1
    return step(*arguments)
left, atomic_writer.{step} = {after}, counted
sys.exit(cli.main(sys.argv[1:], Path.cwd()))
"""


@pytest.mark.parametrize(("step", "after"), [("_put", 2), ("_forget", 0)])
def test_a_killed_upgrade_is_repeated_without_options(
    project: Path, newer: Path, step: str, after: int
) -> None:
    change_target(newer / TREE / "Makefile.jinja", THEIRS)
    (newer / TREE / "docs" / "news.md").write_text("# News\n")
    (newer / TREE / "docs" / "more.md").write_text("# More\n")
    commit(newer)
    code = KILLED.format(step=step, after=after)
    command = [sys.executable, "-c", code, "upgrade", "--from", "../newer"]
    assert subprocess.run(command, cwd=project).returncode == 9
    done = upgrade(project, "--from", "../newer")
    assert done.returncode == 0, done.stdout + done.stderr
    assert THEIRS in (project / "Makefile").read_text()
    assert (project / "docs" / "news.md").exists()


def test_an_upgrade_that_is_not_committed_may_be_repeated(
    project: Path, newer: Path
) -> None:
    """As when a step that follows it was killed; what a person changed is still named."""
    change_target(newer / TREE / "Makefile.jinja", THEIRS)
    (newer / TREE / "docs" / "news.md").write_text("# News\n")
    commit(newer)
    assert upgrade(project, "--from", "../newer").returncode == 0
    again = upgrade(project)
    assert again.returncode == 0, again.stderr
    (project / "README.md").write_text("Mine\n")
    refused = upgrade(project)
    assert refused.returncode == 1
    assert "uncommitted changes" in refused.stderr
    assert "README.md" in refused.stderr


def test_another_license_replaces_the_text_of_the_license(project: Path) -> None:
    license = project / "LICENSE"
    years = re.findall(r"\(c\) (\d{4}) ", license.read_text())
    assert license.read_text().startswith("MIT License")
    done = upgrade(project, "--set", "license=Proprietary")
    assert done.returncode == 0, done.stderr
    assert "  updated  LICENSE\n" in done.stdout
    assert "MIT" not in license.read_text()
    assert "All rights reserved" in license.read_text()
    assert re.findall(r"\(c\) (\d{4}) ", license.read_text()) == years
    assert "Licence: Proprietary" in (project / "README.md").read_text()


def test_an_edited_license_is_merged(project: Path) -> None:
    license = project / "LICENSE"
    license.write_text(license.read_text().replace("Your Name", "The Shop Ltd"))
    commit(project)
    done = upgrade(project, "--set", "license=Proprietary")
    assert done.returncode == 1
    assert " conflict  LICENSE\n" in done.stdout
    assert "The Shop Ltd" in license.read_text()


def test_a_project_in_a_folder_of_a_repository_is_upgraded(
    tmp_path: Path, newer: Path, generate: Generate
) -> None:
    """Uncommitted changes count only in the project's own folder."""
    top = tmp_path / "top"
    top.mkdir()
    git(top, "init", "--quiet")
    arguments = ["--no-input", "--output-dir", str(top / "services")]
    done = generate(newer, *arguments, "project_slug=shop", steps=("git",))
    assert f"inside the repository {top}: commit the project there" in done.stdout
    project = top / "services" / "shop"
    assert not (project / ".git").exists()
    refused = upgrade(project)
    assert "uncommitted changes" in refused.stderr
    commit(top)
    (top / "Makefile").write_text(MINE)
    change_target(newer / TREE / "Makefile.jinja", THEIRS)
    commit(newer)
    done = upgrade(project, "--from", "../../../newer")
    assert done.returncode == 0, done.stderr
    assert THEIRS in (project / "Makefile").read_text()
    assert (top / "Makefile").read_text() == MINE


def test_other_linters_are_an_upgrade(project: Path) -> None:
    done = upgrade(project, "--set", "linters=black")
    assert done.returncode == 0, done.stderr
    recorded = json.loads((project / ".devmatrix" / "answers.json").read_text())
    assert recorded["linters"] == "black"
    assert '"black>=' in (project / "pyproject.toml").read_text()
    assert "\t$(RUN) flake8\n" in (project / "Makefile").read_text()
    assert "ruff" not in (project / ".pre-commit-config.yaml").read_text()
