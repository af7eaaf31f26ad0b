"""The hooks and what they share with `make setup`: answers, tools, last steps."""

import ast
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from jinja2 import Environment

from scaffold import cli, processes
from scaffold.processes import Unfinished
from scaffold.project import answers, environment, setup
from tests.harness.project import ROOT

TREE = ROOT / "{{cookiecutter.project_slug}}"
HOOKS = sorted((ROOT / "hooks").glob("*.py"))
MODULES = [  # all but what the project's own interpreter runs
    *HOOKS,
    *(
        path
        for path in sorted((TREE / "scaffold").rglob("*.py"))
        # These need the libraries of a project, and no hook imports them.
        if path.parent.name not in ("migrations", "postgresql", "sql")
    ),
]
POSIX_ONLY = {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "resource", "termios"}
BROUGHT = {"jinja2", "rich", "scaffold"}  # by Cookiecutter, and by the project
NASTY = (
    "a'b\"c\"\"\"d'''e\\ {{ 7 * 7 }} {% raw %} {# #} </script> \u2028 \n é 😀 ${HOME}"
)
GOOD = {
    "project_name": "Simple Task API",
    "project_slug": "simple_task_api",
    "description": "A REST API.",
    "author_name": "Your Name",
    "author_email": "you@example.com",
    "example": "simple_task_api",
    "entities_file": "",
    "package_manager": "uv",
    "mode": "production",
    "license": "MIT",
    "_output_dir": str(ROOT),
}


def problems(root: Path, **changed: str) -> list[str]:
    return list(answers.problems({**GOOD, **changed}, TREE, root))


# Answers


def test_the_defaults_are_good(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


@pytest.mark.parametrize("slug", ["a", "a1", "my-api", "my_api_2", "class", "api_"])
def test_good_slugs(tmp_path: Path, slug: str) -> None:
    assert problems(tmp_path, project_slug=slug) == []


BAD = """ .. . ../x /x/y a/b a\\b A 1a _a a.b ä con lpt1 {{x}} a;b fastapi redis"""


@pytest.mark.parametrize("slug", [*BAD.split(" "), "a b", "a\n"])
def test_bad_slugs(tmp_path: Path, slug: str) -> None:
    (problem,) = problems(tmp_path, project_slug=slug)
    assert problem.startswith("project_slug: ")


def test_texts_may_hold_anything_visible(tmp_path: Path) -> None:
    texts = dict.fromkeys(("project_name", "description", "author_name"), NASTY)
    assert problems(tmp_path, **texts) == []


@pytest.mark.parametrize("text", ["", " \n", "a\x00", "a\x1b[31m", "\x7f", "\udcff"])
def test_bad_texts(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, author_name=text)
    assert problem.startswith("author_name: ")


@pytest.mark.parametrize("email", ["", "you", "a@b c", 'a"@b', "a@b\n", "<a@b>", "ä@b"])
def test_bad_addresses(tmp_path: Path, email: str) -> None:
    (problem,) = problems(tmp_path, author_email=email)
    assert problem.startswith("author_email: ")


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    bad = {"project_slug": "../x", "author_email": "x", "description": ""}
    assert len(problems(tmp_path, **bad)) == 3


# The entities' file


def source(monkeypatch: pytest.MonkeyPatch, start: Path, **changed: str) -> Path:
    monkeypatch.setenv("PWD", str(start))
    return answers.entities_source({**GOOD, **changed}, TREE)


def test_an_example_or_a_file_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own.json"
    own.write_text("{}")
    assert source(monkeypatch, tmp_path).name == "simple_task_api.json"
    assert source(monkeypatch, tmp_path, entities_file=str(own)) == own
    assert source(monkeypatch, tmp_path, entities_file="own.json") == own
    elsewhere = {"entities_file": "own.json", "_output_dir": str(tmp_path)}
    assert source(monkeypatch, Path("/nowhere"), **elsewhere) == own
    monkeypatch.setenv("HOME", str(tmp_path))
    assert source(monkeypatch, Path("/nowhere"), entities_file="~/own.json") == own


def test_a_file_that_is_nowhere_names_every_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(answers.AnswerError) as caught:
        source(monkeypatch, Path("/one"), entities_file="x.json", _output_dir="/two")
    assert (
        str(caught.value) == "entities_file: no such file: /one/x.json or /two/x.json"
    )


# A project that exists


@pytest.fixture
def existing(tmp_path: Path) -> Path:
    (tmp_path / ".devmatrix").mkdir()
    (tmp_path / ".devmatrix" / "answers.json").write_text('{"mode": "production"}')
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@y"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def test_changes_that_git_does_not_have_are_not_overwritten(existing: Path) -> None:
    assert problems(existing) == []
    git(existing, "init")
    (problem,) = problems(existing)
    assert problem.endswith("commit or stash them first:\n?? .devmatrix/")
    git(existing, "add", ".")
    git(existing, "commit", "-m", "all")
    assert problems(existing) == []


def test_only_the_projects_own_changes_count_in_a_larger_repository(
    tmp_path: Path,
) -> None:
    git(tmp_path, "init")
    root = tmp_path / "services" / "shop"
    (root / ".devmatrix").mkdir(parents=True)
    (root / ".devmatrix" / "answers.json").write_text('{"mode": "production"}')
    (problem,) = problems(root)
    assert problem.endswith("commit or stash them first:\n?? services/shop/")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "all")
    (tmp_path / "other.txt").write_text("")
    assert problems(root) == []


def test_without_git_nobody_can_tell(
    existing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(existing, "init")
    monkeypatch.setenv("PATH", "/nowhere")
    (problem,) = problems(existing)
    assert "git cannot tell" in problem


def test_a_project_does_not_change_its_mode(existing: Path) -> None:
    (problem,) = problems(existing, mode="legacy")
    assert problem.startswith("mode: the existing project is production")


# The hooks' own text


@pytest.mark.parametrize("hook", HOOKS, ids=lambda path: str(path.stem))
def test_answers_are_data(hook: Path) -> None:
    context = {"cookiecutter": {"project_name": NASTY, "_repo_dir": NASTY}}
    jinja = Environment(autoescape=False)  # noqa: S701  # nosec B701 - as Cookiecutter
    rendered = jinja.from_string(hook.read_text()).render(context)
    (literal,) = (
        node.value
        for node in ast.walk(ast.parse(rendered))
        if isinstance(node, ast.Constant) and NASTY[-4:] in repr(node.value)
    )
    data = json.loads(literal)
    assert (data[0] if isinstance(data, list) else data) == context["cookiecutter"]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda path: str(path.stem))
def test_a_hook_is_a_page(hook: Path) -> None:
    assert len(hook.read_text().splitlines()) <= 90


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.stem))
def test_it_runs_on_windows_too_and_installs_nothing(module: Path) -> None:
    """A POSIX-only import, a shell or a CRLF would fail there, where no test runs."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [str(node.module)]
        for name in names:
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names | BROUGHT
            assert top not in POSIX_ONLY
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {keyword.arg for keyword in node.keywords}
            assert "shell" not in given
            assert called not in ("os.system", "os.popen")
            if called.endswith(".write_text"):
                assert {"encoding", "newline"} <= given or "TemporaryDirectory" in (
                    module.read_text()
                )


# Tools


def test_a_missing_tool_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unfinished, match="git is not installed"):
        processes.find("git")
    with pytest.raises(Unfinished, match="does not start"):
        processes.run([tmp_path / "nothing"], tmp_path)


def test_a_failing_tool_shows_what_it_said(tmp_path: Path) -> None:
    code = "import sys; print('said'); print('why', file=sys.stderr); sys.exit(3)"
    with pytest.raises(Unfinished, match=r"(?s)failed:\n.*said") as caught:
        processes.run([sys.executable, "-c", code], tmp_path)
    assert "why" in str(caught.value)


def test_no_tool_runs_for_ever(tmp_path: Path) -> None:
    code = "import time; time.sleep(60)"
    with pytest.raises(Unfinished, match="took over"):
        processes.run([sys.executable, "-c", code], tmp_path, minutes=0.002)


def test_tools_do_not_see_our_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in processes.FOREIGN:
        monkeypatch.setenv(name, "ours")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    seen = json.loads(
        processes.run([sys.executable, "-c", code], tmp_path, extra={"X": "1"})
    )
    assert seen["X"] == "1"
    assert not set(processes.FOREIGN) & set(seen)


# The last steps


def test_secrets_are_chosen_once_and_are_nobodys_default(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    for folder in (tmp_path, tmp_path / "docker"):
        text = "# change-me\nA=change-me\nB=change-me\nC=change-me-not\n"
        (folder / ".env.example").write_text(text)
    setup.write_settings(tmp_path)
    made = tmp_path / "docker" / ".env"
    text = made.read_text()
    chosen = re.findall(r"^[AB]=([0-9a-f]{48})$", text, re.MULTILINE)
    assert len(set(chosen)) == 2
    assert "# change-me\n" in text
    assert "C=change-me-not\n" in text
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    setup.write_settings(tmp_path)
    assert made.read_text() == text


def test_the_first_open_step_ends_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(root: Path) -> str:
        raise Unfinished("there is no network")

    monkeypatch.setattr(setup, "STEPS", {"a": lambda _: "ok", "b": fail, "c": fail})
    monkeypatch.delenv(setup.SKIPPED, raising=False)
    assert not setup.finish(tmp_path, ["a", "b", "c"])
    said = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in said if line.strip()] == ["  done  a", "  open  b"]
    monkeypatch.setenv(setup.SKIPPED, "b,c")
    assert setup.finish(tmp_path, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ModuleNotFoundError("No module named 'src.a'"), "No module named 'src.a'"),
        (
            ImportError("cannot import name 'a' from 'src.b' (/x/src/b/__init__.py)"),
            "cannot import name 'a' from 'src.b'",
        ),
    ],
)
def test_a_removed_module_that_is_imported_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: ImportError,
    shown: str,
) -> None:
    def migrate(root: Path, words: Sequence[str]) -> int:
        raise error

    monkeypatch.setitem(cli.COMMANDS, "migrate", migrate)
    assert cli.main(["migrate"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{shown}; if the file was removed, restore it with git")


def test_an_unknown_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main(Path(), ["nothing"]) == 1
    assert "unknown step 'nothing'; there are settings, env" in capsys.readouterr().err


def commit_as(monkeypatch: pytest.MonkeyPatch, root: Path, **config: str) -> str:
    """Make the first commit with this configuration of git's; return its author."""
    home = root.parent / "home"
    home.mkdir()
    lines = [
        f"[{key.split('_')[0]}]\n{key.split('_')[1]}={config[key]}" for key in config
    ]
    (home / ".gitconfig").write_text("\n".join(lines))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (root / ".devmatrix").mkdir(parents=True)
    written = {"author_name": 'Ann "\n Other', "author_email": "ann@example.com"}
    (root / ".devmatrix" / "answers.json").write_text(json.dumps(written))
    setup.commit(root)
    command = ["git", "log", "--format=%an <%ae> %D"]
    return subprocess.check_output(command, cwd=root, text=True).strip()


def test_the_author_commits_where_git_knows_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    author = commit_as(monkeypatch, tmp_path / "project")
    assert author == 'Ann " Other <ann@example.com> HEAD -> main'


def test_a_repository_of_its_own_in_a_folder_that_the_outer_one_ignores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git(tmp_path, "init")
    (tmp_path / ".gitignore").write_text("/project/\n")
    known = {"user_name": "Known", "user_email": "known@example.com"}
    root = tmp_path / "project"
    author = commit_as(monkeypatch, root, **known, commit_gpgsign="true")
    assert author == "Known <known@example.com> HEAD -> main"
    assert setup.commit(root) == "exists"


def test_no_repository_within_another_one(tmp_path: Path) -> None:
    git(tmp_path, "init")
    root = tmp_path / "services" / "shop"
    root.mkdir(parents=True)
    told = f"inside the repository {tmp_path}: commit the project there"
    assert setup.commit(root) == told
    assert not (root / ".git").exists()
    git(tmp_path, "add", ".")
    assert setup.commit(root) == told


# The environment


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    pins = "# tested\nidna==3.7 ; sys_platform != 'win32'\n"
    (tmp_path / "requirements" / "dev.txt").write_text(pins)
    project = (
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11,<4"\n'
        'dependencies = ["idna>=3,<4"]\n\n[dependency-groups]\ndev = ["iniconfig"]\n'
        "\n[tool.uv]\npackage = false\n"
    )
    (tmp_path / "pyproject.toml").write_text(project)
    return tmp_path


def test_the_draft_names_the_tested_versions(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "draft"
    folder.mkdir()
    environment._draft(small, folder, "[tool.uv]", "constraint-dependencies")
    text = (folder / "pyproject.toml").read_text()
    pins = "constraint-dependencies = [\"idna==3.7 ; sys_platform != 'win32'\"]"
    assert f"[tool.uv]\n{pins}\npackage = false\n" in text


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []

    def run(command: list[str | Path], root: Path, **_: object) -> str:
        commands.append([str(word) for word in command])
        if "constraints.txt" in str(command):
            place = commands[-1][commands[-1].index("--constraint") + 1]
            commands.append(Path(place).read_text().splitlines())
        if command[1:] == ["lock"]:
            (root / "uv.lock").write_text("")
        return "Poetry (version 2.1.4)"

    monkeypatch.setattr(environment, "run", run)
    monkeypatch.setattr(environment, "project_python", lambda root: Path("python"))
    return commands


def only(*names: str) -> Callable[[str], str | None]:
    return lambda name: name if name in names else None


def test_uv_locks_the_tested_versions_first(
    monkeypatch: pytest.MonkeyPatch, small: Path
) -> None:
    commands = recorded(monkeypatch)
    monkeypatch.setattr(environment.shutil, "which", only("uv", "poetry"))
    assert environment.install(small) == "uv, with uv.lock"
    assert commands == [["uv", "lock"], ["uv", "lock"], ["uv", "sync", "--locked"]]
    assert not (small / "requirements").exists()
    commands.clear()
    environment.install(small)
    environment.upgrade(small)
    assert commands[::2] == [["uv", "lock"], ["uv", "lock", "--upgrade"]]


def test_pip_does_where_the_tool_is_missing_or_too_old(
    monkeypatch: pytest.MonkeyPatch, small: Path
) -> None:
    commands = recorded(monkeypatch)
    monkeypatch.setattr(environment.shutil, "which", only("poetry"))
    (small / ".venv").mkdir()
    (small / "poetry.toml").touch()
    assert environment.install(small) == "pip"
    assert commands[-2][-2:] == ["idna>=3,<4", "iniconfig"]
    assert commands[-1] == ["idna==3.7 ; sys_platform != 'win32'"]
    with pytest.raises(Unfinished, match=r"install Poetry 2\.2 or newer"):
        environment.upgrade(small)


@pytest.mark.parametrize(
    ("manager", "tool"), [("uv", "uv"), ("poetry", r"Poetry 2\.2 or newer")]
)
def test_a_missing_lock_file_is_an_open_step_after_the_first_commit(
    small: Path, manager: str, tool: str
) -> None:
    assert list(setup.STEPS)[-2:] == ["git", "lockfile"]
    if manager == "poetry":
        (small / "poetry.toml").touch()
    missing = rf"no {manager}\.lock.*install {tool}, run `make setup` and commit"
    with pytest.raises(Unfinished, match=missing):
        environment.check_lock(small)
    (small / f"{manager}.lock").touch()
    assert environment.check_lock(small) == f"{manager}.lock"


def test_pip_keeps_to_a_lock_file(monkeypatch: pytest.MonkeyPatch, small: Path) -> None:
    commands = recorded(monkeypatch)
    monkeypatch.setattr(environment.shutil, "which", only())
    (small / ".venv").mkdir()
    (small / "requirements" / "dev.txt").unlink()
    packages = [("idna", "3.8"), ("two", "1"), ("two", "2")]
    (small / "uv.lock").write_text(
        "".join(f"[[package]]\nname='{n}'\nversion='{v}'\n" for n, v in packages)
    )
    environment.install(small)
    assert commands[-1] == ["idna==3.8"]
    with pytest.raises(Unfinished, match="install uv"):
        environment.upgrade(small)
