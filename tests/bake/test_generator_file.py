"""Tests of generator.pyz: the same bytes everywhere, and all that a project needs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from scaffold.project import generator
from tests.bake.conftest import Generate
from tests.harness.project import ROOT, clean_environment

TREE = ROOT / "{{cookiecutter.project_slug}}"
STATE = Path(".devmatrix")
TRACKED = {"simple_task_api": 150, "ecommerce_api": 230}
LATER = 3  # files of later steps: lock file, openapi.json, migration
VERSIONS = ("3.11", "3.12", "3.13")


def run(
    project: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", str(STATE / "generator.pyz"), *words],
        cwd=project,
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def project(generate: Generate, template: Path, tmp_path: Path) -> Path:
    done = generate(template, "--no-input", "-o", str(tmp_path / "made"))
    assert done.returncode == 0, done.stdout
    return tmp_path / "made" / "simple_task_api"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    command = ["git", *identity, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(project: Path, message: str = "Work") -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", message)


@pytest.mark.parametrize("example", TRACKED)
def test_project_holds_the_service_and_three_records(
    generate: Generate, template: Path, tmp_path: Path, example: str
) -> None:
    output = tmp_path / "made"
    done = generate(template, "--no-input", "-o", str(output), f"example={example}")
    assert done.returncode == 0, done.stdout
    project = output / example
    files = [
        path for path in project.rglob("*") if path.is_file() and path.name != ".env"
    ]
    assert len(files) + LATER <= TRACKED[example]
    names = {path.name for path in (project / STATE).iterdir()}
    assert names == {"answers.json", "entities.json", "generator.pyz", "runs"}
    assert not (project / "scaffold").exists()
    contents = Counter(path.read_bytes() for path in files if path.stat().st_size)
    assert [content for content, count in contents.items() if count > 1] == []


def test_generator_is_the_same_for_every_project(
    generate: Generate, template: Path, archive: Path, git_url: str, tmp_path: Path
) -> None:
    """From a folder, a zip and a repository, under every slug and set of answers."""
    found = set()
    sources = {
        "one": [str(template)],
        "two": [str(archive), "example=ecommerce_api", "package_manager=poetry"],
        "three": [git_url, "project_slug=other-name", "project_name={{ 1 + 1 }} é"],
    }
    for name, arguments in sources.items():
        output = tmp_path / name
        done = generate(*arguments, "--no-input", "-o", str(output))
        assert done.returncode == 0, done.stdout
        (path,) = output.glob("*/.devmatrix/generator.pyz")
        answers = json.loads(path.with_name("answers.json").read_text())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert answers["generator_sha256"] == digest
        found.add(digest)
    assert len(found) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_generator_is_the_same_with_every_python(version: str, tmp_path: Path) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here; .github/workflows/ci.yml has it")
    target = tmp_path / "generator.pyz"
    subprocess.run(
        [python, "-B", "-m", "scaffold.project.generator", str(target)],
        cwd=TREE,
        env={**clean_environment(), "PYTHONPATH": str(TREE)},
        check=True,
    )
    assert target.read_bytes() == generator.archive()


def find_python(version: str) -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [shutil.which(f"python{version}")]
    places += map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    for place in filter(None, places):
        if subprocess.run([place, "-c", ""], capture_output=True).returncode == 0:
            return place
    return None


def test_generator_is_the_same_from_a_checkout_of_windows(
    template: Path, tmp_path: Path
) -> None:
    """Git may write CRLF there, and files have no modes."""
    copy = Path(shutil.copytree(template, tmp_path / "windows"))
    for path in copy.rglob("*"):
        if path.is_file() and path.suffix != ".png":
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
            path.chmod(0o755)
    assert generator.archive(copy / TREE.name) == generator.archive(
        template / TREE.name
    )


def test_generator_has_no_caches_and_no_hooks(project: Path) -> None:
    with zipfile.ZipFile(project / STATE / "generator.pyz") as file:
        names = file.namelist()
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}
    assert names == sorted(names)
    assert {"__main__.py", "scaffold/cli.py", "skeleton/src/main.py.jinja"} <= set(
        names
    )
    foreign = ("__pycache__", ".pyc", "_cache/", "scaffold/examples", "scaffold/legacy")
    assert not [name for name in names if any(part in name for part in foreign)]


def test_tampered_generator_is_reported_and_not_used(project: Path) -> None:
    path = project / STATE / "generator.pyz"
    packed = path.read_bytes()
    path.write_bytes(packed + b"\0")
    told = "restore both from git, or run `make upgrade`"
    checked = run(project, "check")
    assert "generator      .devmatrix/generator.pyz is not the file" in checked.stderr
    assert told in checked.stderr
    assert "code" not in checked.stdout + checked.stderr
    for command in ("plan", "apply"):
        done = run(project, command)
        assert done.returncode == 1
        assert told in done.stderr
        assert done.stderr.endswith("\nNothing was written.\n")
    path.write_bytes(packed)
    assert "code           agrees with entities.json" in run(project, "check").stdout


# Templates of a team's own


def test_changed_template_reaches_edited_files(project: Path) -> None:
    git(project, "init", "--quiet")
    commit(project)
    done = run(project, "templates")
    assert done.returncode == 0, done.stderr
    service = project / "src" / "services" / "task.py"
    service.write_text(service.read_text() + "\n\nMINE = 1\n")
    template = project / "templates" / "src" / "services" / "ENTITY.py.jinja"
    assert run(project, "apply", "--allow-dirty").returncode == 0
    commit(project)

    text = template.read_text()
    template.write_text(text.replace("class {{", '"""House style."""\n\n\nclass {{', 1))
    document = json.loads((project / "entities.json").read_text())
    document["entities"][0]["fields"].append({"name": "note", "type": "string"})
    (project / "entities.json").write_text(json.dumps(document))
    plan = run(project, "plan")
    assert plan.returncode == 2
    assert "merged  src/services/task.py" in plan.stdout
    assert run(project, "apply").returncode == 0
    changed = service.read_text()
    for part in ("House style.", "MINE = 1", "note"):
        assert part in changed
    kept = project / STATE / "templates" / "src" / "services" / "ENTITY.py.jinja"
    assert kept.read_text() == template.read_text()
    assert run(project, "plan").returncode == 0

    shutil.rmtree(project / "templates")
    assert run(project, "apply", "--allow-dirty").returncode == 0
    changed = service.read_text()
    assert "House style." not in changed
    assert "MINE = 1" in changed
    assert not kept.exists()


def test_template_that_cannot_be_rendered_is_named(project: Path) -> None:
    assert run(project, "templates").returncode == 0
    template = project / "templates" / "src" / "services" / "ENTITY.py.jinja"
    text = template.read_text()
    place = "templates/src/services/ENTITY.py.jinja"
    for broken, told in {
        f"{{% if %}}\n{text}": f"{place}:1: Expected an expression",
        f"{{{{ entity.nothing }}}}\n{text}": f"{place}: ",
        f"def\n{text}": f"{place}: invalid syntax (the rendered file",
        f"<<<<<<< yours\n{text}": f"{place}: a conflict is still open in it",
    }.items():
        template.write_text(broken)
        for command in ("plan", "apply"):
            done = run(project, command)
            assert done.returncode == 1
            assert done.stderr.startswith(told), done.stderr
            assert done.stderr.endswith("\nNothing was written.\n")


def test_template_of_a_new_file_generates_it(project: Path) -> None:
    template = project / "templates" / "docs" / "ENTITY.md.jinja"
    template.parent.mkdir(parents=True)
    template.write_text("# {{ entity.title }}\n")
    assert run(project, "apply").returncode == 0
    assert (project / "docs" / "task.md").read_text().startswith("# ")
    template.unlink()
    assert run(project, "apply").returncode == 0
    assert not (project / "docs" / "task.md").exists()


# Branches


def add_entity(project: Path, name: str) -> None:
    path = project / "entities.json"
    document = json.loads(path.read_text())
    document["entities"].append(
        {"name": name, "fields": [{"name": "title", "type": "string"}]}
    )
    path.write_text(json.dumps(document, indent=2) + "\n")
    done = run(project, "apply")
    assert done.returncode == 0, done.stderr
    commit(project, f"Add {name}")


def branches(project: Path) -> None:
    """Two branches that each added an entity and ran `make entities`."""
    document = json.loads((project / "entities.json").read_text())
    (project / "entities.json").write_text(json.dumps(document, indent=2) + "\n")
    assert run(project, "apply").returncode == 0
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "config", "user.name", "Me")
    git(project, "config", "user.email", "me@example.com")
    commit(project)
    git(project, "switch", "--quiet", "--create", "other")
    add_entity(project, "Other")
    git(project, "switch", "--quiet", "main")
    add_entity(project, "Mine")


def both(project: Path) -> None:
    document = json.loads(git(project, "show", "main:entities.json"))
    other = json.loads(git(project, "show", "other:entities.json"))
    document["entities"].append(other["entities"][-1])
    (project / "entities.json").write_text(json.dumps(document, indent=2) + "\n")


def conflicts(project: Path) -> list[str]:
    return git(project, "diff", "--name-only", "--diff-filter=U").split()


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("way", ["merge", "squash"])
def test_branches_that_each_added_an_entity_are_joined_by_a_run(
    project: Path, side: str, way: str
) -> None:
    """However the conflicts in code and state were resolved, no entity is lost."""
    branches(project)
    options = ["--squash"] if way == "squash" else ["--no-commit"]
    subprocess.run(["git", "merge", "--quiet", *options, "other"], cwd=project)
    assert conflicts(project)
    for path in conflicts(project):
        assert not path.startswith(".devmatrix/"), path
        git(project, "checkout", "--quiet", f"--{side}", path)
    both(project)
    git(project, "add", "--all")
    done = run(project, "apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "come from two branches" in done.stderr
    for page in ("models/entities.py", "models/schemas.py", "api/dependencies.py"):
        text = (project / "src" / page).read_text()
        assert "Other" in text, page
        assert "Mine" in text, page
    assert (project / "src" / "services" / "other.py").exists()
    commit(project)
    again = run(project, "plan")
    assert (again.returncode, again.stderr) == (0, "")


def test_without_git_a_run_over_two_branches_only_adds(project: Path) -> None:
    branches(project)
    git(project, "checkout", "--quiet", "other", "--", ".devmatrix/entities.json")
    runs = git(project, "show", "main:.devmatrix/runs")
    runs += git(project, "show", "other:.devmatrix/runs").splitlines(keepends=True)[-1]
    (project / STATE / "runs").write_text(runs)
    both(project)
    shutil.rmtree(project / ".git")
    done = run(project, "apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the run only adds what is missing, and removes nothing" in done.stderr
    text = (project / "src" / "models" / "entities.py").read_text()
    assert "class OtherEntity" in text
    assert "class MineEntity" in text
    assert run(project, "plan").returncode == 0


# Odd places


@pytest.mark.parametrize("name", ["with spaces", "feature%2Fx"])
def test_project_works_in_any_folder(
    generate: Generate, template: Path, tmp_path: Path, name: str
) -> None:
    output = tmp_path / name
    done = generate(template, "--no-input", "-o", str(output))
    assert done.returncode == 0, done.stdout
    assert run(output / "simple_task_api", "plan").returncode == 0
