"""The service, PostgreSQL, Redis and Prometheus on loopback, with the project's files."""

import contextlib
import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.postgres import EmbeddedPostgres
from tests.harness import grafana_dashboards
from tests.harness.example_projects import ExampleProject
from tests.harness.grafana_dashboards import Prometheus
from tests.harness.project import (
    HOST,
    PATIENCE,
    Ended,
    end,
    free_port,
    wait_until_healthy,
)
from tools.smoke import smoke

pytestmark = pytest.mark.slow

TRAFFIC = 12.0  # seconds


@dataclass(frozen=True)
class Stack:
    """The running service and Prometheus, and the time of their start."""

    service: str
    prometheus: Prometheus
    started: float
    folder: Path


@dataclass(frozen=True)
class Servers:
    """The programs that run with the service."""

    redis: str
    prometheus: str


@pytest.fixture(scope="session")
def servers(program: Callable[..., str]) -> Servers:
    return Servers(program("redis-server"), program("prometheus"))


@pytest.fixture(scope="module")
def stack(
    example: ExampleProject, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The stack, after some traffic."""
    with running(example, servers, tmp_path_factory.mktemp("stack")) as started:
        make_traffic(started.service)
        yield started


@contextlib.contextmanager
def running(example: ExampleProject, servers: Servers, folder: Path) -> Iterator[Stack]:
    """The service on a new PostgreSQL, a Redis, and a Prometheus that scrapes it."""
    with contextlib.ExitStack() as started, (folder / "log").open("ab") as log:

        def run(*command: str) -> None:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
            started.callback(end, process)

        database = started.enter_context(EmbeddedPostgres())
        ports = [free_port() for _ in range(3)]
        run(servers.redis, "--port", str(ports[0]), "--bind", HOST, "--save", "")
        environment = {
            "DATABASE_URL": database.url,
            "REDIS_URL": f"redis://{HOST}:{ports[0]}/0",
            "ENVIRONMENT": "development",
            "RATE_LIMIT_ENABLED": "false",
            "HOST": HOST,
            "PORT": str(ports[1]),
        }
        service = example.project.start(
            "src.migrate", "--then-serve", environment=environment
        )
        started.callback(end, service)
        url = f"http://{HOST}:{ports[1]}"
        wait_until_healthy(service, url, example.project.log)
        settings = folder / "prometheus.yml"
        settings.write_text(yaml.safe_dump(configuration(example, ports[1])))
        run(
            servers.prometheus,
            f"--config.file={settings}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={HOST}:{ports[2]}",
        )
        prometheus = Prometheus(f"http://{HOST}:{ports[2]}")
        wait_until_scraped(prometheus)
        yield Stack(url, prometheus, time.time(), folder)


def wait_until_scraped(prometheus: Prometheus) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):  # it is starting
            (target,) = prometheus.get("targets")["activeTargets"]
            if target["health"] != "unknown":
                return
        time.sleep(0.1)
    raise Ended("Prometheus does not scrape the service")


def configuration(example: ExampleProject, port: int) -> dict[str, Any]:
    """Return the project's configuration, with other addresses and shorter intervals."""
    path = example.path / "docker" / "prometheus.yml"
    settings: dict[str, Any] = yaml.safe_load(path.read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [
        str(path.parent / "prometheus" / rules) for rules in settings["rule_files"]
    ]
    (scraped,) = settings["scrape_configs"]
    del scraped["dns_sd_configs"]
    scraped["static_configs"] = [{"targets": [f"{HOST}:{port}"]}]
    return settings


def make_traffic(url: str) -> None:
    """Send every verb to every entity, and some requests that fail."""
    until, served = time.monotonic() + TRAFFIC, 0
    while time.monotonic() < until:
        served += smoke(url)  # not ready for a moment, on a busy machine
        for path in ("/health/ready", "/nowhere"):
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(url + path, timeout=10).close()
    assert served


def test_promtool_accepts_the_metrics(
    stack: Stack, program: Callable[..., str]
) -> None:
    with urllib.request.urlopen(f"{stack.service}/metrics/metrics") as answer:
        page = answer.read()
    command = [program("promtool", "prometheus"), "check", "metrics"]
    done = subprocess.run(command, input=page, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_prometheus_scrapes_the_service(stack: Stack, example: ExampleProject) -> None:
    (target,) = stack.prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert target["scrapeUrl"].endswith("/metrics/metrics")
    assert target["labels"]["job"] == example.path.name


def test_every_query_of_every_dashboard_has_an_answer(
    stack: Stack, example: ExampleProject
) -> None:
    asked = 0
    for name, board in grafana_dashboards.load(
        example.path / "docker/grafana/dashboards"
    ).items():
        for title, query in grafana_dashboards.queries(board, stack.prometheus):
            unresolved = re.findall(r"\$(?!1\b).*", query)  # $1: label_replace's own
            assert not unresolved, f"{name}, {title}: {query}"
            assert has_points(stack, query), f"{name}, {title}: no data for {query}"
            asked += 1
    assert asked > 50  # thirteen entities with three queries each, and the rest


def has_points(stack: Stack, query: str) -> bool:
    """Return whether the query has points, if necessary after some seconds."""
    deadline = time.monotonic() + PATIENCE / 3
    while not stack.prometheus.points(query, stack.started, time.time()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def test_every_rule_is_loaded_and_evaluated(stack: Stack) -> None:
    groups = stack.prometheus.get("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}, rules
    recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
    assert {rule["type"] for rule in rules} == {"alerting", "recording"}
    for name in recorded - {name for name in recorded if ":http_errors:rate" in name}:
        assert has_points(stack, name), name
    firing = stack.prometheus.get("alerts")["alerts"]
    assert firing == []


@pytest.mark.parametrize(
    "example",
    [pytest.param("uv", marks=pytest.mark.xdist_group("operations-uv"))],
    indirect=True,
    scope="session",
)
def test_a_new_entity_is_on_the_dashboards(
    example: ExampleProject, servers: Servers, tmp_path: Path
) -> None:
    """Before it has any writes, and without a change to the dashboards."""
    path = example.path / "entities.json"
    spec = json.loads(path.read_text())
    fields = [{"name": "label", "type": "string", "required": True}]
    spec["entities"].append({"name": "Drone", "fields": fields})
    path.write_text(json.dumps(spec))
    example.run("make", "entities", "ARGS=--allow-dirty")
    boards = grafana_dashboards.load(example.path / "docker/grafana/dashboards")
    with running(example, servers, tmp_path) as started:
        board = boards["entities.json"]
        shown = dict(grafana_dashboards.queries(board, started.prometheus))
        assert has_points(started, shown["drones"])
    assert example.run("git", "status", "--porcelain", "docker") == ""
    example.run("git", "stash", "--include-untracked", "--quiet")
    example.run("git", "stash", "drop", "--quiet")
