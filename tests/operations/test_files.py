"""Lints the operations files of a project, with the tools for each type."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.harness.example_projects import ExampleProject
from tests.harness.linters import BIN, compose, tool
from tests.harness.project import ROOT

pytestmark = pytest.mark.slow

COMPOSE = ("docker-compose.yml", "docker-compose.scale.yml", "docker-compose.test.yml")
LINE_LENGTH = 140  # a query stays on its line
YAMLLINT = f"""
extends: default
rules:
  braces: {{max-spaces-inside: 0}}
  comments: {{min-spaces-from-content: 1}}
  document-start: disable
  line-length: {{max: {LINE_LENGTH}, allow-non-breakable-words: true}}
  truthy: {{check-keys: false}}
"""


def yaml_files(example: ExampleProject) -> list[str]:
    tracked = example.run("git", "ls-files", "*.yml", "*.yaml").split()
    assert len(tracked) > 8
    return tracked


def test_hadolint_finds_nothing(example: ExampleProject) -> None:
    tool(example, "hadolint", "--failure-threshold", "style", "docker/Dockerfile")


@pytest.mark.parametrize(
    "files", [COMPOSE[:1], COMPOSE[:2], COMPOSE[2:]], ids=["one", "scaled", "test"]
)
def test_compose_accepts_its_files(
    example: ExampleProject, files: tuple[str, ...]
) -> None:
    for name, service in compose(example, *files)["services"].items():
        assert set(service["networks"]) == set(compose(example, *files)["networks"])
        tag = service["image"].partition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?|local|test", tag), name


def test_settings_of_development_do_not_reach_the_containers(
    example: ExampleProject,
) -> None:
    own = example.path / "docker" / "app.env"
    own.write_text("RATE_LIMIT=60/minute\n")
    try:
        settings = compose(example, *COMPOSE[:1])["services"]["app"]["environment"]
    finally:
        own.unlink()
    assert settings["RATE_LIMIT"] == "60/minute"
    assert settings["ENVIRONMENT"] == "production"
    # Of .env, which has a value for every setting.
    assert not {"APP_NAME", "LOG_LEVEL", "MAX_BODY_SIZE"} & settings.keys()


def test_containers_have_limits_and_few_privileges(example: ExampleProject) -> None:
    stack = compose(example, *COMPOSE[:1])
    assert set(stack["services"]) == {
        *("app", "postgres", "redis", "prometheus", "grafana")
    }
    assert list(stack["networks"]) == ["app-network"]
    assert stack["name"] == example.path.name
    for name, service in stack["services"].items():
        assert name == "app" or service["healthcheck"]["test"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["deploy"]["resources"]["limits"]["memory"]
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1"
    assert "ports" not in stack["services"]["postgres"]
    assert "ports" not in stack["services"]["redis"]
    assert stack["services"]["app"]["read_only"]
    assert stack["services"]["app"]["cap_drop"] == ["ALL"]


def test_passwords_are_random_and_not_committed(example: ExampleProject) -> None:
    path = example.path / "docker" / ".env"
    chosen = re.findall(r"^\w+_PASSWORD=([0-9a-f]{48})$", path.read_text(), re.M)
    assert len(chosen) == len(set(chosen)) == 3
    assert path.stat().st_mode & 0o77 == 0
    assert example.run("git", "ls-files", "docker/.env", ".env") == ""
    tracked = [
        example.path / file for file in example.run("git", "ls-files").splitlines()
    ]
    answers = (Path.home() / ".cookiecutter_replay").glob("*.json")
    for file in [*tracked, *answers]:
        text = file.read_bytes()
        assert not any(password.encode() in text for password in chosen), file


def test_compose_names_missing_passwords(example: ExampleProject) -> None:
    command = [str(BIN / "docker-compose"), "--file", f"docker/{COMPOSE[0]}", "config"]
    done = subprocess.run(
        [*command[:1], "--env-file", "/dev/null", *command[1:]],
        cwd=example.path,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "docker/.env.example" in done.stderr


def test_yamllint_finds_nothing(example: ExampleProject) -> None:
    tool(
        example, "yamllint", "--strict", "--config-data", YAMLLINT, *yaml_files(example)
    )


def test_actionlint_and_zizmor_find_nothing(example: ExampleProject) -> None:
    tool(example, "actionlint", "-color=false")
    tool(example, "zizmor", "--offline", "--no-progress", ".")


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
        ("vendor.dependabot", ".github/dependabot.yml"),
        ("vendor.compose-spec", "docker/docker-compose.yml"),
        ("vendor.compose-spec", "docker/docker-compose.test.yml"),
    ],
)
def test_files_match_their_published_schemas(
    example: ExampleProject, schema: str, file: str
) -> None:
    tool(example, "check-jsonschema", "--builtin-schema", schema, file)


def test_dependabot_watches_this_package_manager(example: ExampleProject) -> None:
    settings = yaml.safe_load((example.path / ".github/dependabot.yml").read_text())
    ecosystems = [update["package-ecosystem"] for update in settings["updates"]]
    manager = {"uv": "uv", "poetry": "pip"}[example.manager]
    assert ecosystems == [manager, "github-actions", "docker", "docker-compose"]


def test_every_dependency_is_locked_with_its_hashes(example: ExampleProject) -> None:
    lock = tomllib.loads((example.path / f"{example.manager}.lock").read_text())
    locked = [one for one in lock["package"] if "virtual" not in one.get("source", {})]
    assert len(locked) > 50
    for one in locked:
        source = [one["sdist"]] if "sdist" in one else []
        files = one.get("files", [*one.get("wheels", ()), *source])
        assert files, one["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), one["name"]


def test_all_files_pass_the_commit_hooks(example: ExampleProject) -> None:
    """Runs the hooks directly: pre-commit would clone a repository for them."""
    example.run(".venv/bin/pre-commit", "validate-config")
    settings = yaml.safe_load((example.path / ".pre-commit-config.yaml").read_text())
    published, ours = settings["repos"]
    names = {"trailing-whitespace": "trailing-whitespace-fixer"}
    files = example.run("git", "ls-files").splitlines()
    for hook in published["hooks"]:
        skipped = re.compile(hook.get("exclude", "^$"))
        kept = [file for file in files if not skipped.search(file)]
        if hook["id"] == "check-yaml":
            kept = yaml_files(example)
        command = names.get(hook["id"], hook["id"])
        tool(example, command, *hook.get("args", ()), *kept)
    python = [file for file in files if file.endswith(".py")]
    for hook in ours["hooks"]:
        example.run(*hook["entry"].split(), *python)
    assert example.run("git", "status", "--porcelain") == ""


def test_shellcheck_finds_nothing() -> None:
    scripts = [ROOT / ".ci" / "run", *ROOT.glob("tests/containers/images/*/start")]
    subprocess.run([BIN / "shellcheck", *scripts], check=True)
