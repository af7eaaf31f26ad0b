"""Prometheus' and Grafana's files: rules, dashboards, and the page that explains them."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness import grafana_dashboards
from tests.harness.example_projects import ExampleProject
from tests.harness.linters import compose

pytestmark = pytest.mark.slow

STACK = "docker-compose.yml"
GRAFANA_MODEL = """\
import type { Dashboard } from '@grafana/schema';
// JSON has an enum's value where TypeScript wants its member.
type Plain<T> = T extends string ? `${T}`
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
"""


def rules(example: ExampleProject) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = []
    for path in sorted((example.path / "docker/prometheus/rules").glob("*.yml")):
        groups += yaml.safe_load(path.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_promtool_accepts_configuration_and_rules(
    example: ExampleProject, program: Callable[..., str]
) -> None:
    promtool = program("promtool", "prometheus")
    folder = example.path / "docker"
    example.run(promtool, "check", "config", str(folder / "prometheus.yml"))
    tests = sorted(map(str, (folder / "prometheus/tests").glob("*.yml")))
    assert tests
    example.run(promtool, "test", "rules", *tests)


def page_rows(
    example: ExampleProject, heading: str, page: str = "operations"
) -> dict[str, list[str]]:
    """Return the rows of the table under a heading of a page in docs/."""
    text = (example.path / "docs" / f"{page}.md").read_text()
    section = text.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    rows = [line.split(" | ") for line in lines[1:]]
    assert all(len(row) == len(lines[0].split(" | ")) for row in rows), heading
    assert all(cell.strip() for row in rows for cell in row), heading
    return {row[0]: row[1:] for row in rows}


def test_every_alert_has_a_test_and_a_runbook(example: ExampleProject) -> None:
    tests = "".join(
        path.read_text()
        for path in (example.path / "docker/prometheus/tests").iterdir()
    )
    pages = {"operations": page_rows(example, "## Alerts")}
    if (example.path / "docs" / "access.md").exists():  # with `auth`
        pages["access"] = page_rows(example, "## Alerts", "access")
    alerts = [rule for rule in rules(example) if "alert" in rule]
    assert sum(map(len, pages.values())) == len(alerts) > 5
    for rule in alerts:
        name, severity = rule["alert"], rule["labels"]["severity"]
        assert f"alertname: {name}\n" in tests, name
        link = f"[{name}](#{name.lower()})"
        (page,) = [page for page, listed in pages.items() if link in listed]
        text = (example.path / "docs" / f"{page}.md").read_text()
        assert f"\n### {name}\n" in text, name
        _, query, *_, told = pages[page][link]
        named = re.findall(r"`([a-z_:0-9]+)`", query)
        assert named, name
        assert all(metric in rule["expr"] for metric in named), name
        assert told == severity in ("page", "ticket")
        anchor = f"docs/{page}.md#{name.lower()}"
        assert rule["annotations"]["runbook"] == anchor


def test_every_panel_is_documented(example: ExampleProject) -> None:
    for board in grafana_dashboards.load(
        example.path / "docker/grafana/dashboards"
    ).values():
        listed = page_rows(example, f"### {board['title']}")
        panels = list(grafana_dashboards.panels(board))
        assert list(listed) == [panel["title"] for panel in panels]
        for panel in panels:
            question, query, *_ = listed[panel["title"]]
            assert question == panel["description"]
            asked = " ".join(target["expr"] for target in panel["targets"])
            for metric in re.findall(r"`([a-z_:0-9]+)`", query):
                assert metric in asked, panel["title"]


def test_grafana_provisioning_names_existing_files(example: ExampleProject) -> None:
    """Checks paths and keys, because provisioning files have no validator."""
    grafana = compose(example, STACK)["services"]["grafana"]
    mounted = {
        volume["target"]: Path(volume["source"])
        for volume in grafana["volumes"]
        if volume["type"] == "bind"
    }
    provisioning = "/etc/grafana/provisioning"
    settings = [
        yaml.safe_load(path.read_text())
        for kind in ("datasources", "dashboards")
        for path in mounted[f"{provisioning}/{kind}"].glob("*.yml")
    ]
    assert [sorted(each) for each in settings] == [
        ["apiVersion", "datasources"],
        ["apiVersion", "providers"],
    ]
    (source,), (provider,) = settings[0]["datasources"], settings[1]["providers"]
    assert source["url"] == "http://prometheus:9090"
    assert provider["type"] == "file"
    folder = mounted[provider["options"]["path"]]
    variable = "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"
    home = Path(grafana["environment"][variable])
    assert home.parent == Path(provider["options"]["path"])
    assert (folder / home.name).exists()


def test_panels_have_unique_ids_and_do_not_overlap(example: ExampleProject) -> None:
    folder = example.path / "docker" / "grafana"
    sources = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())
    uids = {source["uid"] for source in sources["datasources"]}
    boards = grafana_dashboards.load(folder / "dashboards")
    assert len({board["uid"] for board in boards.values()}) == len(boards) > 1
    for board in boards.values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        cells = [cell for panel in board["panels"] for cell in _cells(panel)]
        assert len(cells) == len(set(cells)), "panels overlap"
        assert max(x for x, _ in cells) < 24
        for panel in grafana_dashboards.panels(board):
            for part in (panel, *panel["targets"]):
                assert part["datasource"]["uid"] in uids


def _cells(panel: dict[str, Any]) -> list[tuple[int, int]]:
    box = panel["gridPos"]
    return [
        (x, y)
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    ]


def test_dashboards_match_the_types_of_grafana(
    example: ExampleProject, program: Callable[..., str], tmp_path: Path
) -> None:
    """Compiles them with the model of the Grafana version in docker-compose.yml."""
    npm = program("npm")
    grafana = compose(example, STACK)["services"]["grafana"]["image"]
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
    boards = grafana_dashboards.load(example.path / "docker/grafana/dashboards")
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
