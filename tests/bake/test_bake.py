"""What comes out of the template, and that nothing comes out of a refusal."""

import ast
import configparser
import html
import json
import re
import shutil
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml
from pytest_cookies.plugin import Cookies

from tests.bake.conftest import Generate
from tests.harness.project import ROOT

TREE = ROOT / "{{cookiecutter.project_slug}}"
NASTY = (
    "q\"u'o\"\"\"te'''s \\ {{ 7 * 7 }} {% raw %} {# #} <b>&</b> ${HOME} `id` é 😀 #]"
)
# Jinja conditions: on options, in the skeleton, the legacy mode and the hooks; on keys of
# entities.json, in the generator's templates of code and in those of pages; on `auth`,
# wherever; and on `history` and `soft_delete` in the skeleton.
ON_OPTIONS, ON_KEYS, ON_KEYS_IN_PAGES, ON_AUTH = 10, 32, 13, 110
ON_HISTORY, ON_SOFT_DELETE = 20, 20
TEXT = {".cfg", ".css", ".ini", ".json", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}
OPTIONS = [
    {},
    {"example": "ecommerce_api", "license": "Apache-2.0"},
    {"package_manager": "poetry", "license": "Proprietary", "linters": "black"},
    {
        "project_slug": "my-api_",
        "example": "ecommerce_api",
        "package_manager": "poetry",
    },
    {"mode": "legacy"},
    {"mode": "legacy", "example": "ecommerce_api", "package_manager": "poetry"},
]
LEGACY = {
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "LICENSE",
    "README.md",
    "main.py",
    "pyproject.toml",
    "requirements.txt",
    "test_main.py",
}


def files(root: Path) -> dict[str, bytes]:
    """Every file but those with secrets of their own and git's."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".env" and ".git" not in path.parts
    }


def only(root: Path) -> Path:
    (project,) = root.iterdir()
    return project


# Options


@pytest.mark.parametrize("options", OPTIONS, ids=lambda one: " ".join(one.values()))
def test_every_option_makes_whole_files(
    cookies: Cookies, options: dict[str, str]
) -> None:
    result = cookies.bake(extra_context=options)
    assert result.exception is None
    found = files(result.project_path)
    for path, content in found.items():
        assert not re.search(r"__pycache__|\.pyc$|_cache/", path)
        if path == ".devmatrix/generator.pyz":
            continue  # holds the skeleton as the template has it
        assert b"{{ cookiecutter" not in content, path
        assert b"{{cookiecutter" not in content, path
        assert b"\r" not in content or Path(path).suffix not in TEXT, path
        if path.endswith(".py"):
            ast.parse(content)
    project = tomllib.loads(found["pyproject.toml"].decode())
    slug = options.get("project_slug", options.get("example", "simple_task_api"))
    assert project["project"]["name"] == slug.strip("_")
    assert ("poetry.toml" in found) == (options.get("package_manager") == "poetry")
    licence = found["LICENSE"].decode()
    wanted = {"Apache-2.0": "Apache License", "Proprietary": "All rights reserved"}
    assert wanted.get(options.get("license", "MIT"), "MIT License") in licence
    assert re.search(r"20\d\d Your Name", licence)
    assert not any(path.startswith("licences") for path in found)
    if options.get("mode") == "legacy":
        assert set(found) - {"poetry.toml"} == LEGACY
    else:
        assert {".devmatrix/generator.pyz", "src/models/entities.py"} <= set(found)
        written = json.loads(found["entities.json"])["$schema"]
        assert json.loads(found[written.removeprefix("./")])["title"] == "entities.json"


def test_the_pipeline_builds_the_image_and_coverage_is_that_of_the_service(
    cookies: Cookies,
) -> None:
    project = cookies.bake().project_path
    workflow = (project / ".github" / "workflows" / "ci.yml").read_text()
    assert list(yaml.safe_load(workflow)["jobs"]) == ["test", "build"]
    coverage = configparser.ConfigParser()
    coverage.read(project / ".coveragerc")
    assert coverage["run"]["source"] == "src"
    assert {"alembic/*", "tests/*"} <= set(coverage["run"]["omit"].split())


def test_caches_of_the_template_do_not_come_along(
    generate: Generate, template: Path, tmp_path: Path
) -> None:
    used = tmp_path / "used"
    shutil.copytree(template, used)
    tree = used / TREE.name
    for folder in (".mypy_cache", "scaffold/.ruff_cache", "src/core/__pycache__"):
        (tree / folder).mkdir()
        (tree / folder / "x.pyc").write_bytes(b"\xff{{ nothing }}")
    (tree / ".coverage").write_bytes(b"\xff")
    done = generate(used, "--no-input", "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout
    assert not [path for path in files(only(tmp_path / "out")) if "cache" in path]
    assert not (only(tmp_path / "out") / ".coverage").exists()


def test_the_same_answers_give_the_same_bytes(cookies: Cookies) -> None:
    first = files(cookies.bake().project_path)
    assert files(cookies.bake().project_path) == first


def test_conditions_of_templates_are_few() -> None:
    """Options that add or remove whole files can be tested; conditions multiply."""
    sources = [*TREE.rglob("*"), *(ROOT / "hooks").iterdir()]
    sources = [path for path in sources if path.is_file() and path.suffix != ".pyc"]
    found: Counter[str] = Counter()
    for path in sources:
        text = path.read_text("utf-8", errors="ignore")
        kind = "options"
        if "templates" in path.parts:
            kind = "pages" if ".md" in path.suffixes else "keys"
        for condition in re.findall(r"\{%-?\s*(?:if|elif)\b.*?%\}", text):
            if "auth" in condition:
                found["auth"] += 1
            elif kind == "options" and "history" in condition:
                found["history"] += 1
            elif kind == "options" and "soft_delete" in condition:
                found["soft_delete"] += 1
            else:
                found[kind] += 1
    assert found["options"] <= ON_OPTIONS
    assert found["keys"] <= ON_KEYS
    assert found["pages"] <= ON_KEYS_IN_PAGES
    # Everything is tested with these and without.
    assert found["auth"] <= ON_AUTH
    assert found["history"] <= ON_HISTORY
    assert found["soft_delete"] <= ON_SOFT_DELETE


def test_answers_and_version_are_kept_and_paths_are_not(cookies: Cookies) -> None:
    project = cookies.bake(extra_context={"author_name": "Ann"}).project_path
    kept = json.loads((project / ".devmatrix" / "answers.json").read_text())
    assert kept["author_name"] == "Ann"
    assert (
        kept["template_version"]
        == json.loads((ROOT / "cookiecutter.json").read_text())["_version"]
    )
    assert not [key for key in kept if key.startswith("_") or key == "entities_file"]
    assert str(project.parent) not in json.dumps(kept)


# Where the template comes from, and where the file stands


@pytest.mark.parametrize("kind", ["path", "relative path", "zip", "git"])
def test_every_kind_of_address_judges_first(
    kind: str, request: pytest.FixtureRequest, generate: Generate, tmp_path: Path
) -> None:
    """The hook has to find the checker, wherever the template comes from."""
    path: Path = request.getfixturevalue("template")
    cwd = path.parent if kind == "relative path" else tmp_path / "shell"
    address = {"path": str(path), "relative path": path.name}.get(kind)
    if address is None:
        fixture = "archive" if kind == "zip" else "git_url"
        address = str(request.getfixturevalue(fixture))
    out = tmp_path / "new" / "out"
    bad = tmp_path / "bad.json"
    bad.write_text('{"entities": [{"name": "task"}]}')
    arguments = ["--no-input", "-o", str(out)]

    refused = generate(address, *arguments, f"entities_file={bad}", cwd=cwd)
    assert refused.returncode == 1
    assert re.match(r"(?:bad|entities)\.json:1:\d+: ", refused.stdout), refused.stdout
    assert "nothing was generated" in refused.stdout
    assert list(out.iterdir()) == []

    done = generate(address, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout
    assert (only(out) / "entities.json").exists()
    assert not [*path.rglob("__pycache__")]


def test_a_file_of_ones_own_relative_to_the_shell(
    generate: Generate, template: Path, tmp_path: Path
) -> None:
    own = tmp_path / "shell" / "my entities.json"
    own.write_text('{"entities": [{"name": "Note"}]}')
    arguments = ["--no-input", "-o", str(tmp_path / "out")]
    done = generate(template, *arguments, "entities_file=my entities.json")
    assert done.returncode == 0, done.stdout
    project = only(tmp_path / "out")
    assert (project / "entities.json").read_bytes() == own.read_bytes()
    assert (project / "src" / "services" / "note.py").exists()

    missing = generate(template, *arguments, "entities_file=no.json", "project_slug=b")
    assert missing.returncode == 1
    assert missing.stdout.startswith("entities_file: no such file: ")
    assert len(list((tmp_path / "out").iterdir())) == 1


# Refusals


@pytest.mark.parametrize("slug", ["../escaped/deep", "a/b/c", "A", "fastapi"])
def test_bad_slug_leaves_no_file(
    generate: Generate, template: Path, tmp_path: Path, slug: str
) -> None:
    """Cookiecutter removes the project's folder, and none that was there before."""
    out = tmp_path / "out" / "there before"
    out.mkdir(parents=True)
    done = generate(template, "--no-input", "-o", str(out), f"project_slug={slug}")
    assert done.returncode == 1
    assert done.stdout.startswith("project_slug: ")
    assert not (out / slug).exists()
    assert out.exists()
    for folder in (tmp_path / "out", tmp_path / "shell"):
        assert not [path for path in folder.rglob("*") if path.is_file()]


# Answers are data


def test_nasty_answers_are_data_in_every_file_and_in_a_replay(
    generate: Generate, template: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    answers = [NASTY, "nasty", NASTY, NASTY, "a{{b}}@example.com"]
    typed = ["1", "", *answers, "1", "1", "1", "1"]
    done = generate(template, "-o", str(first), typed="\n".join(typed) + "\n")
    assert done.returncode == 0, done.stdout
    project = only(first)
    toml = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert toml["description"] == NASTY
    assert toml["authors"] == [{"name": NASTY, "email": "a{{b}}@example.com"}]
    kept = json.loads((project / ".devmatrix" / "answers.json").read_text())
    assert kept["project_name"] == kept["description"] == kept["author_name"] == NASTY
    assert f" {NASTY}\n" in (project / "LICENSE").read_text()
    lines = (project / ".env").read_text().splitlines()
    (name,) = [line for line in lines if line.startswith("APP_NAME=")]
    plain = re.sub(r"\\(.)", r"\1", name.removeprefix('APP_NAME="').removesuffix('"'))
    assert plain == NASTY.replace("${", "$ {")
    readme = (project / "README.md").read_text()
    assert html.unescape(readme).startswith(f"# {NASTY}\n")
    assert "<b>" not in readme
    for path, content in files(project).items():
        assert b"u'o\"\"\"te'''s \\ 49" not in content, path

    replayed = generate(template, "--replay", "-o", str(second))
    assert replayed.returncode == 0, replayed.stdout
    assert files(only(second)) == files(project)


def test_a_line_break_in_an_answer_is_a_blank(cookies: Cookies) -> None:
    lines = {"description": "one\n[tool.x]\ntwo", "author_name": "a\nb"}
    project = cookies.bake(extra_context=lines).project_path
    toml = tomllib.loads((project / "pyproject.toml").read_text())
    assert toml["project"]["description"] == "one [tool.x] two"
    assert toml["project"]["authors"][0]["name"] == "a b"
    assert "x" not in toml["tool"]


def test_a_configuration_file_answers_too(
    generate: Generate, template: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "default_context:\n  project_name: Shop 2\n  license: Proprietary\n"
    )
    out = tmp_path / "out"
    arguments = ["--no-input", "--config-file", str(config), "-o", str(out)]
    done = generate(template, *arguments)
    assert done.returncode == 0, done.stdout
    assert only(out).name == "shop_2"
    assert "All rights reserved" in (only(out) / "LICENSE").read_text()


# Over an existing project


def git(project: Path, *arguments: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    command = ["git", *who, *arguments]
    return subprocess.check_output(command, cwd=project, text=True)


@pytest.fixture
def existing(generate: Generate, template: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    done = generate(template, "--no-input", "-o", str(out), steps=("git",))
    assert done.returncode == 0, done.stdout
    return only(out)


def test_over_an_existing_project_what_is_a_persons_stays(
    existing: Path, generate: Generate, template: Path
) -> None:
    theirs = {
        ".env": "RATE_LIMIT=1/day\n",
        "alembic/versions/first.py": "",
        "entities.json": '{"entities": [{"name": "Note"}]}',
        "src/core/mine.py": "MINE = 1\n",
    }
    for name, text in theirs.items():
        (existing / name).write_text(text)
    git(existing, "add", "-A")
    git(existing, "commit", "-m", "mine")
    arguments = ["--no-input", "-f", "-o", str(existing.parent), "description=new"]
    done = generate(template, *arguments, steps=("git", "migration"))
    assert done.returncode == 0, done.stdout
    for name, text in theirs.items():
        assert (existing / name).read_text() == text
    assert "new" in (existing / "pyproject.toml").read_text()
    assert (existing / "src" / "services" / "note.py").exists()
    assert git(existing, "rev-list", "--count", "HEAD") == "2\n"
    assert len(list((existing / "alembic" / "versions").glob("*.py"))) == 1


@pytest.mark.parametrize("problem", ["dirty", "entities", "slug", "mode"])
def test_a_refusal_leaves_every_byte_of_an_existing_project(
    problem: str, existing: Path, generate: Generate, template: Path, tmp_path: Path
) -> None:
    extra = []
    if problem == "dirty":
        (existing / "src" / "main.py").write_text("# mine\n")
    elif problem == "entities":
        (tmp_path / "bad.json").write_text("{")
        extra = [f"entities_file={tmp_path / 'bad.json'}"]
    elif problem == "mode":
        extra = ["mode=legacy"]
    else:
        extra = [f"project_slug=./{existing.name}"]
    before = files(existing)
    arguments = ["--no-input", "-f", "-o", str(existing.parent), *extra]
    done = generate(template, *arguments)
    assert done.returncode == 1
    assert files(existing) == before


def test_the_demonstration_refuses_auth(
    generate: Generate, template: Path, tmp_path: Path
) -> None:
    """Everybody could do everything, and nothing would say so."""
    entities = tmp_path / "open.json"
    entities.write_text(
        '{"auth": true, "access": "public", "entities": [{"name": "Task"}]}'
    )
    arguments = ["mode=legacy", f"entities_file={entities}"]
    done = generate(template, "--no-input", "-o", str(tmp_path / "out"), *arguments)
    assert done.returncode == 1
    assert "mode: legacy cannot verify access tokens" in done.stdout
    assert not [*(tmp_path / "out").iterdir()]


# Tools that are not there


def test_without_any_tool_the_code_is_complete(
    generate: Generate, template: Path, tmp_path: Path
) -> None:
    """No uv, no Poetry, no git, no network: exit 0, and one command for the rest."""
    done = generate(
        template,
        "--no-input",
        *("-o", str(tmp_path / "out")),
        steps=("environment", "migration", "git"),
        PATH=str(tmp_path),
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(tmp_path),
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^  open  environment: ", done.stdout, re.MULTILINE)
    assert "\n  make -C simple_task_api setup\n" in done.stdout
    assert "Traceback" not in done.stdout
    project = only(tmp_path / "out")
    assert (project / "src" / "services" / "task.py").exists()
    assert not (project / ".git").exists()
