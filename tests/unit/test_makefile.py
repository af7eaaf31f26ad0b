"""The generated Makefile, asked what it would do: nothing is run."""

import subprocess
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

import pytest

from scaffold.project import skeleton
from tests.harness.project import clean_environment

ANSWERS = {"project_name": "Shop", "project_slug": "shop", "linters": "ruff"}


def make(
    *words: str,
    linters: str = "ruff",
    files: Mapping[str, bytes] | None = None,
    options: tuple[str, ...] = ("--dry-run",),
) -> subprocess.CompletedProcess[str]:
    files = files or skeleton.render({**ANSWERS, "linters": linters})
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Makefile").write_bytes(files["Makefile"])
        return subprocess.run(
            ["make", *options, "--no-print-directory", *words],
            cwd=folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
        )


@pytest.mark.parametrize(
    ("linters", "target", "modules"),
    [
        ("ruff", "lint", ["ruff check ."]),
        ("ruff", "format", ["ruff check --fix .", "ruff format ."]),
        ("ruff", "check", ["ruff format --check .", "ruff check ."]),
        ("black", "lint", ["flake8"]),
        ("black", "format", ["isort .", "black ."]),
        ("black", "check", ["black --check .", "isort --check .", "flake8"]),
    ],
)
def test_the_chosen_linters_run(linters: str, target: str, modules: list[str]) -> None:
    lines = make(target, linters=linters).stdout.splitlines()
    called = [line.partition(" -m ")[2] for line in lines if " -m " in line]
    assert [line for line in called if line != "mypy"] == modules


@pytest.mark.parametrize("flag", ["auth", "history", "soft_delete", "none"])
def test_the_coverage_of_a_team_is_that_of_its_own_files(flag: str) -> None:
    flags = {"auth": False, flag: True} if flag != "none" else {"auth": False}
    files = skeleton.render(ANSWERS) | skeleton.render_optional(ANSWERS, **flags)
    (command,) = [
        line
        for line in make("test", files=files).stdout.splitlines()
        if "--fail-under=100" in line
    ]
    omitted = command.partition('--omit="')[2].partition('"')[0].split(",")
    counted = {
        path
        for path in files
        if path.startswith(("src/models/", "src/repositories/", "src/services/"))
        if files[path].strip() and not path.endswith("/__init__.py")
        if not any(fnmatch(path, pattern) for pattern in omitted)
    }
    assert counted == set()


def test_each_part_of_a_run_gets_its_arguments() -> None:
    shown = make("entities", "ARGS=--allow-dirty --allow-drop=a.b,c").stdout
    assert "generator.pyz apply --allow-dirty\n" in shown
    assert "generator.pyz migrate --allow-drop=a.b,c " in shown


def test_a_mistyped_argument_is_refused() -> None:
    for words in ("--allow_drop", "--allow-drop --alow-dirty"):
        done = make("entities", f"ARGS={words}")
        assert done.returncode == 2
        wrong = words.split()[-1]
        assert (
            f"ARGS: {wrong} is neither --allow-dirty nor --allow-drop=NAMES"
            in done.stderr
        )
        assert "generator" not in done.stdout


def test_an_upgrade_keeps_its_arguments_to_itself() -> None:
    """But for the one that the generated code has need of as well."""
    done = make("upgrade", "ARGS=--to v1 --allow-dirty")
    assert done.returncode == 0, done.stderr
    assert "generator.pyz upgrade --to v1 --allow-dirty\n" in done.stdout
    assert "generator.pyz apply --allow-dirty\n" in done.stdout
    assert "generator.pyz apply \n" in make("upgrade", "ARGS=--to v1").stdout


def test_the_source_of_an_import_is_passed_on_as_it_is_written() -> None:
    source = "postgresql://a:pa$$w$(shell echo no)'\"`echo no`@localhost/b"
    done = make("import", f"FROM={source}", "GENERATE=printf '[%s]'", options=())
    assert done.stdout == f"[import][{source}]"
