"""Tests of upgrades: the template's address, the skeleton, and the merge."""

import json
import subprocess
from pathlib import Path

import pytest

from scaffold.merging import merge
from scaffold.processes import Unfinished
from scaffold.project import entities, generator, skeleton, upgrade
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


# What it writes

ANSWERS = {
    "project_name": "A shop",
    "project_slug": "shop",
    "description": "Sells things.",
    "author_name": "Me",
    "author_email": "me@example.com",
    "package_manager": "uv",
    "license": "MIT",
}


@pytest.mark.parametrize(
    "answer",
    ["plain", "it's", 'a "b"', "{{ 1 + 1 }}", "{% x %}", "{# c #}", "é{\\n"],
)
def test_answers_are_data_for_the_skeleton(answer: str) -> None:
    files = skeleton.render({**ANSWERS, "project_name": answer})
    escaped = answer.replace("\\", "\\\\").replace('"', '\\"')
    assert f'APP_NAME="{escaped}"' in files[".env.example"].decode()


def test_skeleton_leaves_out_files_of_the_team() -> None:
    files = skeleton.render(ANSWERS)
    assert {"Makefile", "docker/.env.example", "src/main.py"} <= set(files)
    assert not {"LICENSE", "entities.json", "poetry.toml", "openapi.json"} & set(files)
    poetry = skeleton.render({**ANSWERS, "package_manager": "poetry"})
    assert "poetry.toml" in poetry
    assert not any(path.startswith(("licences/", "requirements/")) for path in files)


@pytest.mark.parametrize(
    ("license", "first"),
    [
        ("MIT", "MIT License\n\nCopyright (c) 2020 Me\n"),
        ("Proprietary", "Copyright (c) 2020 Me\n\nAll rights reserved."),
        ("Apache-2.0", "Apache License"),
    ],
)
def test_the_license_follows_the_answer_and_keeps_its_year(
    license: str, first: str
) -> None:
    files = skeleton.render({**ANSWERS, "license": license, "year": "2020"})
    assert files["LICENSE"].decode().strip().startswith(first)
    assert not any(path.startswith("licences/") for path in files)


def test_questions_that_were_not_asked_have_their_defaults() -> None:
    questions = {
        "name": "x",
        "color": ["red", "blue"],
        "greeting": "Hello {{ cookiecutter.name }}",
        "_private": "no",
        "__line": "{{ cookiecutter.color }} {{ cookiecutter.greeting }}",
    }
    found = skeleton.complete({"name": "Ada"}, questions)
    assert found == {
        "name": "Ada",
        "color": "red",
        "greeting": "Hello Ada",
        "__line": "red Hello Ada",
    }


# What comes in


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as the hook leaves it, without the files that it copied."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "entities.json").write_text('{"entities": [{"name": "Task"}]}')
    answers = {**ANSWERS, "template": str(tmp_path / "nowhere")}
    assert entities.generate(folder, answers, generator.archive()) == 0
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "One")
    return folder


def run(project: Path, *words: str) -> int:
    return upgrade.main(project, words)


def test_a_template_that_is_gone_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project) == 1
    said = capsys.readouterr().err
    assert "nowhere" in said
    assert (
        "If the template has moved, name its repository: make upgrade ARGS='--from"
        in said
    )
    assert said.endswith("Nothing was written.\n")


def test_a_dirty_tree_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "mine.txt").write_text("")
    assert run(project) == 1
    assert "uncommitted changes" in capsys.readouterr().err


def test_an_edit_that_git_ignores_is_refused(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Git could not undo the upgrade in such a file."""
    (project / ".gitignore").write_text("edited.txt\n")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Two")
    write(project, edited="1\n2\n3 mine\n")
    plan = merge.make_plan(
        project, {"edited.txt": b"1\n2\n3\n"}, {"edited.txt": "0\n2\n3\n"}
    )
    version = {"_version": "2", **dict.fromkeys(ANSWERS, "")}

    def fetch(_source: str, _to: str, clone: Path) -> str:
        clone.mkdir()
        (clone / generator.QUESTIONS).write_text(json.dumps(version))
        return "0" * 40

    monkeypatch.setattr(upgrade, "fetch", fetch)
    monkeypatch.setattr(upgrade, "pack", lambda _: b"newer")
    monkeypatch.setattr(upgrade, "make_plan", lambda *_: plan)
    assert run(project) == 1
    said = capsys.readouterr().err
    assert "add --allow-dirty: edited.txt\nNothing was written." in said
    assert (project / "edited.txt").read_text() == "1\n2\n3 mine\n"
    assert run(project, "--allow-dirty") == 0
    assert (project / "edited.txt").read_text() == "0\n2\n3 mine\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("color=red", "no such question; there are author_email, author_name"),
        ("entities_file=x.json", "no such question; there are"),
        ("license=GPL", "choose one of MIT, Apache-2.0, Proprietary"),
    ],
)
def test_another_answer_has_to_fit_its_question(change: str, told: str) -> None:
    questions = json.loads((generator.HOME.parent / generator.QUESTIONS).read_text())
    answers = dict(sorted(ANSWERS.items()))
    with pytest.raises(Unfinished, match=told):
        upgrade.changed_answers(answers, [change], questions)
    changed = upgrade.changed_answers(answers, ["license=Proprietary"], questions)
    assert changed["license"] == "Proprietary"


def test_a_question_that_is_newer_than_the_project_has_its_default() -> None:
    questions = json.loads((generator.HOME.parent / generator.QUESTIONS).read_text())
    assert "linters" not in ANSWERS
    assert upgrade.changed_answers(ANSWERS, [], questions)["linters"] == "ruff"
    chosen = upgrade.changed_answers(ANSWERS, ["linters=black"], questions)
    assert chosen["linters"] == "black"


def test_a_project_that_knows_no_template_asks_for_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / ".devmatrix" / "answers.json").write_text("{}")
    assert run(project) == 1
    assert "name its repository: make upgrade ARGS" in capsys.readouterr().err


def test_an_archive_has_no_next_version(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project, "--from", "../t.zip") == 1
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
