"""The files around the service, judged by those who know their kind."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import dashboards
from tools.packs import Pack
from tools.project import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("operations")]

BIN = Path(sys.executable).parent
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
GRAFANA_MODEL = """\
import type { Dashboard } from '@grafana/schema';
// JSON has an enum's value where TypeScript wants its member.
type Plain<T> = T extends string ? `${T}`
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
"""


def tool(pack: Pack, name: str, *words: str) -> str:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"  # actionlint looks for shellcheck
    return pack.project.run(str(BIN / name), *words, environment={"PATH": path})


def compose(pack: Pack, *files: str) -> dict[str, Any]:
    """The configuration as Compose understands it, with every variable in place."""
    named = [word for file in files for word in ("--file", f"docker/{file}")]
    text = tool(pack, "docker-compose", *named, "config", "--format", "json")
    configuration: dict[str, Any] = json.loads(text)
    return configuration


def yaml_files(pack: Pack) -> list[str]:
    tracked = pack.run("git", "ls-files", "*.yml", "*.yaml").split()
    assert len(tracked) > 8
    return tracked


def rules(pack: Pack) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = []
    for path in sorted((pack.path / "docker/prometheus/rules").glob("*.yml")):
        groups += yaml.safe_load(path.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_the_dockerfile_is_clean(pack: Pack) -> None:
    tool(pack, "hadolint", "--failure-threshold", "style", "docker/Dockerfile")


@pytest.mark.parametrize(
    "files", [COMPOSE[:1], COMPOSE[:2], COMPOSE[2:]], ids=["one", "scaled", "test"]
)
def test_compose_understands_its_files(pack: Pack, files: tuple[str, ...]) -> None:
    for name, service in compose(pack, *files)["services"].items():
        assert set(service["networks"]) == set(compose(pack, *files)["networks"])
        tag = service["image"].partition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?|local|test", tag), name


def test_the_stack_is_careful(pack: Pack) -> None:
    stack = compose(pack, *COMPOSE[:1])
    assert set(stack["services"]) == {
        *("app", "postgres", "redis", "prometheus", "grafana")
    }
    assert list(stack["networks"]) == ["app-network"]
    assert stack["name"] == pack.path.name
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


def test_passwords_are_the_projects_own(pack: Pack) -> None:
    path = pack.path / "docker" / ".env"
    chosen = re.findall(r"^\w+_PASSWORD=([0-9a-f]{48})$", path.read_text(), re.M)
    assert len(chosen) == len(set(chosen)) == 3
    assert path.stat().st_mode & 0o77 == 0
    assert pack.run("git", "ls-files", "docker/.env", ".env") == ""
    for file in pack.run("git", "ls-files").splitlines():
        text = (pack.path / file).read_bytes()
        assert not any(password.encode() in text for password in chosen), file


def test_without_passwords_compose_says_where_they_are(pack: Pack) -> None:
    command = [str(BIN / "docker-compose"), "--file", f"docker/{COMPOSE[0]}", "config"]
    done = subprocess.run(
        [*command[:1], "--env-file", "/dev/null", *command[1:]],
        cwd=pack.path,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "docker/.env.example" in done.stderr


def test_yaml_is_clean(pack: Pack) -> None:
    tool(pack, "yamllint", "--strict", "--config-data", YAMLLINT, *yaml_files(pack))


def test_the_workflow_is_valid_and_careful(pack: Pack) -> None:
    tool(pack, "actionlint", "-color=false")
    tool(pack, "zizmor", "--offline", "--no-progress", ".")


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
        ("vendor.dependabot", ".github/dependabot.yml"),
        ("vendor.compose-spec", "docker/docker-compose.yml"),
        ("vendor.compose-spec", "docker/docker-compose.test.yml"),
    ],
)
def test_published_schemas_agree(pack: Pack, schema: str, file: str) -> None:
    tool(pack, "check-jsonschema", "--builtin-schema", schema, file)


def test_dependabot_watches_this_package_manager(pack: Pack) -> None:
    settings = yaml.safe_load((pack.path / ".github/dependabot.yml").read_text())
    ecosystems = [update["package-ecosystem"] for update in settings["updates"]]
    manager = {"uv": "uv", "poetry": "pip"}[pack.manager]
    assert ecosystems == [manager, "github-actions", "docker", "docker-compose"]


def test_every_commit_would_pass_its_hooks(pack: Pack) -> None:
    """The hooks themselves: pre-commit would have to clone a repository for them."""
    pack.run(".venv/bin/pre-commit", "validate-config")
    settings = yaml.safe_load((pack.path / ".pre-commit-config.yaml").read_text())
    published, ours = settings["repos"]
    names = {"trailing-whitespace": "trailing-whitespace-fixer"}
    files = pack.run("git", "ls-files").splitlines()
    for hook in published["hooks"]:
        skipped = re.compile(hook.get("exclude", "^$"))
        kept = [file for file in files if not skipped.search(file)]
        if hook["id"] == "check-yaml":
            kept = yaml_files(pack)
        command = names.get(hook["id"], hook["id"])
        tool(pack, command, *hook.get("args", ()), *kept)
    python = [file for file in files if file.endswith(".py")]
    for hook in ours["hooks"]:
        pack.run(*hook["entry"].split(), *python)
    assert pack.run("git", "status", "--porcelain") == ""


def test_shell_scripts_are_clean() -> None:
    scripts = [ROOT / ".ci" / "run", *ROOT.glob("tests/containers/images/*/start")]
    subprocess.run([BIN / "shellcheck", *scripts], check=True)


def test_prometheus_takes_its_files(pack: Pack, program: Callable[..., str]) -> None:
    promtool = program("promtool", "prometheus")
    folder = pack.path / "docker"
    pack.run(promtool, "check", "config", str(folder / "prometheus.yml"))
    tests = sorted(map(str, (folder / "prometheus/tests").glob("*.yml")))
    assert tests
    pack.run(promtool, "test", "rules", *tests)


def test_every_alert_has_a_test_and_a_runbook(pack: Pack) -> None:
    tests = "".join(
        path.read_text() for path in (pack.path / "docker/prometheus/tests").iterdir()
    )
    page = (pack.path / "docs" / "operations.md").read_text()
    alerts = [rule for rule in rules(pack) if "alert" in rule]
    assert len(alerts) > 5
    for rule in alerts:
        name = rule["alert"]
        assert f"alertname: {name}\n" in tests, name
        assert f"\n### {name}\n" in page, name
        assert f"| [{name}](#{name.lower()}) |" in page, name
        anchor = f"docs/operations.md#{name.lower()}"
        assert rule["annotations"]["runbook"] == anchor
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_dashboards_are_laid_out(pack: Pack) -> None:
    folder = pack.path / "docker" / "grafana"
    sources = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())
    uids = {source["uid"] for source in sources["datasources"]}
    page = (pack.path / "docs" / "operations.md").read_text()
    boards = dashboards.load(folder / "dashboards")
    assert len({board["uid"] for board in boards.values()}) == len(boards) > 1
    for board in boards.values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        cells = [cell for panel in board["panels"] for cell in _cells(panel)]
        assert len(cells) == len(set(cells)), "panels overlap"
        assert max(x for x, _ in cells) < 24
        for panel in dashboards.panels(board):
            assert f"| {panel['title']} |" in page
            assert panel["description"] in page
            for part in (panel, *panel["targets"]):
                assert part["datasource"]["uid"] in uids


def _cells(panel: dict[str, Any]) -> list[tuple[int, int]]:
    box = panel["gridPos"]
    return [
        (x, y)
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    ]


def test_dashboards_are_of_grafanas_types(
    pack: Pack, program: Callable[..., str], tmp_path: Path
) -> None:
    """The model of the very Grafana that docker-compose.yml names."""
    npm = program("npm")
    grafana = compose(pack, *COMPOSE[:1])["services"]["grafana"]["image"]
    schema = f"@grafana/schema@{grafana.partition(':')[2]}"
    install = [npm, "install", "--no-audit", "--no-fund", "--no-save"]
    done = subprocess.run(
        [*install, schema, "typescript@5.9.3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"npm cannot install {schema}: {done.stderr[-300:]}")
    boards = dashboards.load(pack.path / "docker/grafana/dashboards")
    for name, board in boards.items():
        text = f"export const board: Plain<Dashboard> = {json.dumps(board, indent=1)};"
        (tmp_path / f"{name}.ts").write_text(f"{GRAFANA_MODEL}{text}\n")
    _compile(tmp_path)
    broken = text.replace('"refresh": 2', '"refresh": "sometimes"')
    (tmp_path / "broken.ts").write_text(f"{GRAFANA_MODEL}{broken}\n")
    with pytest.raises(AssertionError, match="VariableRefresh"):
        _compile(tmp_path)


def _compile(folder: Path) -> None:
    options = "--noEmit --strict --skipLibCheck --target es2022 --module nodenext"
    node = shutil.which("node")
    assert node
    done = subprocess.run(
        [
            node,
            "node_modules/typescript/bin/tsc",
            *options.split(),
            *(path.name for path in folder.glob("*.ts")),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
