"""Upgrades: where a template came from, what it wrote, and what changes hands."""

import json
import subprocess
from pathlib import Path

import pytest
from jinja2 import Environment

from scaffold.merging import merge
from scaffold.processes import Unfinished
from scaffold.project import skeleton, upgrade
from scaffold.project.template_source import origin, without_secrets


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    command = ["git", *identity, *arguments]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def template(tmp_path: Path) -> Path:
    folder = tmp_path / "template"
    write(folder, one="1")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "One")
    return folder


# Where it came from


def test_a_clone_names_where_it_was_cloned_from(template: Path) -> None:
    commit = git(template, "rev-parse", "HEAD")
    assert origin(template, ".") == {
        "template": str(template),
        "template_commit": commit,
    }
    git(template, "remote", "add", "origin", "https://me:secret@example.com/t.git")
    assert origin(template, ".")["template"] == "https://example.com/t.git"


def test_a_folder_and_an_archive_have_no_commit(template: Path) -> None:
    inside = template / "inside"
    inside.mkdir()
    found = {"template": str(inside), "template_commit": ""}
    for typed in (str(inside), "./inside"):  # from wherever that was typed
        assert origin(inside, typed) == found
    archive = {"template": "https://example.com/t.zip", "template_commit": ""}
    assert origin(inside, "https://example.com/t.zip") == archive
    assert origin(None, "https://example.com/t.zip") == archive


def test_secrets_stay_out() -> None:
    assert without_secrets("https://token@host/a@b") == "https://host/a@b"
    assert without_secrets("git@host:a/b.git") == "git@host:a/b.git"


# What it wrote


def test_what_is_a_persons_or_a_machines_is_no_skeleton(tmp_path: Path) -> None:
    ours = ["Makefile", "docker/.env.example", "alembic/versions/.gitkeep", "src/a.py"]
    others = [".env", "docker/.env", "entities.json", "uv.lock", ".git/config"]
    others += ["alembic/versions/1.py", ".venv/a", "src/__pycache__/a.pyc"]
    others += [".ruff_cache/a", ".devmatrix/answers.json", "requirements/dev.txt"]
    for path in ours + others:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    assert sorted(skeleton.listed(tmp_path)) == sorted(ours)
    skeleton.record(tmp_path, None)
    kept = tmp_path / skeleton.SKELETON
    assert sorted(skeleton.listed(kept)) == sorted(ours)


def test_over_an_existing_project_only_the_templates_files_count(
    tmp_path: Path,
) -> None:
    tree, root = tmp_path / "tree", tmp_path / "root"
    write(tree, one="{{ 1 }}", gone="")
    write(root, one="1", mine="mine")
    for known in (tree, None):  # without the template, the last record tells
        skeleton.record(root, known)
        assert list(skeleton.listed(root / skeleton.SKELETON)) == ["one.txt"]


# What comes in


@pytest.mark.parametrize(
    "answer",
    ["plain", "", "it's", 'a "b"', "{{ 1 + 1 }}", "{% x %}", "{# c #}", "é{\\n"],
)
def test_an_answer_reaches_cookiecutter_as_it_is(answer: str) -> None:
    jinja = Environment()  # noqa: S701 - as Cookiecutter makes it
    assert jinja.from_string(upgrade._quoted(answer)).render() == answer


def test_files_may_change_hands(tmp_path: Path) -> None:
    """Between what a template writes once and what is generated from the entities."""
    root, fresh = tmp_path / "root", tmp_path / "fresh"
    write(root, written="1", generated="1 mine", same="1", gone="1", edited="1 mine")
    write(root / skeleton.SKELETON, written="1", same="1", gone="1", edited="1")
    write(root / merge.BASE, generated="1")
    write(fresh / skeleton.SKELETON, generated="1", same="2", new="2")
    write(fresh / merge.BASE, written="2")
    plan, handed = upgrade.make_plan(root, fresh, tmp_path / "base")
    outcomes = {change.path: change.outcome for change in plan.changes}
    assert outcomes == {
        "generated.txt": "unchanged",
        "new.txt": "created",
        "same.txt": "updated",
        "edited.txt": "kept",
        "gone.txt": "deleted",
    }
    merge.carry_out(plan)
    upgrade.hand_over(root, handed)
    assert sorted(p.name for p in (root / merge.BASE).iterdir()) == ["written.txt"]
    kept = sorted(p.name for p in (root / skeleton.SKELETON).iterdir())
    assert kept == ["generated.txt", "new.txt", "same.txt"]
    assert (root / "generated.txt").read_text() == "1 mine"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    answers = {"template": str(tmp_path / "nowhere"), "project_slug": "p"}
    (folder / ".devmatrix").mkdir(parents=True)
    (folder / ".devmatrix" / "answers.json").write_text(json.dumps(answers))
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "One")
    return folder


def test_a_template_that_is_gone_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert upgrade.main(["--root", str(project)]) == 1
    said = capsys.readouterr().err
    assert "nowhere" in said
    assert "somewhere else now, name its repository: make upgrade ARGS='--from" in said
    assert said.endswith("Nothing was written.\n")


def test_a_dirty_tree_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "mine.txt").write_text("")
    assert upgrade.main(["--root", str(project)]) == 1
    assert "not committed" in capsys.readouterr().err


def test_an_edit_that_git_ignores_is_refused(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(project, edited="1\n2\n3 mine\n")
    write(project / skeleton.SKELETON, edited="1\n2\n3\n")
    (project / ".gitignore").write_text("edited.txt\n!.devmatrix/**\n")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Two")
    fresh = tmp_path / "fresh"
    write(fresh / skeleton.SKELETON, edited="0\n2\n3\n")
    (fresh / ".devmatrix" / "answers.json").write_text('{"template_version": "2"}')
    monkeypatch.setattr(upgrade, "fetch", lambda *_: "0" * 40)
    monkeypatch.setattr(upgrade, "render", lambda *_: fresh)
    assert upgrade.main(["--root", str(project)]) == 1
    said = capsys.readouterr().err
    assert "add --allow-dirty: edited.txt\nNothing was written." in said
    assert (project / "edited.txt").read_text() == "1\n2\n3 mine\n"
    assert upgrade.main(["--root", str(project), "--allow-dirty"]) == 0
    assert (project / "edited.txt").read_text() == "0\n2\n3 mine\n"


def test_a_project_that_knows_no_template_asks_for_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".devmatrix" / "answers.json").write_text("{}")
    assert upgrade.main(["--root", str(project)]) == 1
    assert "name its repository: make upgrade ARGS" in capsys.readouterr().err


def test_an_archive_has_no_next_version(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert upgrade.main(["--root", str(project), "--from", "../t.zip"]) == 1
    said = capsys.readouterr().err
    assert "came as ../t.zip; name its repository: make upgrade" in said


def test_a_folder_is_found_from_the_project(template: Path, project: Path) -> None:
    assert upgrade.locate("../template", project) == str(template)
    for address in ("gh:me/t", "https://example.com/t.git", "git@example.com:t.git"):
        assert upgrade.locate(address, project) == address


def test_a_version_is_a_commit_of_the_template(template: Path, tmp_path: Path) -> None:
    first = git(template, "rev-parse", "HEAD")
    write(template, two="2")
    git(template, "add", "--all")
    git(template, "commit", "--quiet", "--message", "Two")
    second = git(template, "rev-parse", "HEAD")
    git(template, "tag", "v1", first)
    git(template, "branch", "stable", first)
    assert upgrade.fetch(str(template), "", tmp_path / "newest") == second
    for version in (first, first[:10], "v1", "stable"):
        assert upgrade.fetch(str(template), version, tmp_path / version) == first
    with pytest.raises(Unfinished, match="checkout"):
        upgrade.fetch(str(template), "v9", tmp_path / "missing")
