"""The image and the stack: built, started, hurt and ended by a real engine.

The tests run in this order, on one stack for each package manager; each of them leaves
it healthy.
"""

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest

from tests.harness import compose_stack, github_workflow
from tests.harness.compose_stack import Stack
from tests.harness.container_engine import CommandFailed, Engine
from tests.harness.documentation import blocks
from tests.harness.example_projects import ExampleProject
from tests.harness.project import HOST, MINUTE

pytestmark = pytest.mark.slow

# Three times the goals, because the machine may be busy.
COLD_BUILD = 3 * 5 * MINUTE
NEXT_BUILD = 3 * 30.0
OWN_SIZE = 150e6  # bytes on top of the base image: the dependencies
STOP = 10.0
MARKER = "a row from before"


def size(engine: Engine, image: str) -> int:
    return int(engine.docker("image", "inspect", "--format", "{{.Size}}", image))


def build(shop: Stack) -> float:
    started = time.monotonic()
    shop.compose("build", "app", minutes=2 * COLD_BUILD / MINUTE)
    return time.monotonic() - started


def image(shop: Stack) -> str:
    (name,) = re.findall(r"^\S*shop:local$", shop.compose("config", "--images"), re.M)
    return str(name)


def run(shop: Stack, script: str) -> str:
    """Run a script in a container of the image, without a network."""
    options = ["run", "--rm", "--network=none", image(shop), "sh", "-c", script]
    return shop.engine.docker(*options)


def test_image_builds_without_cache_in_time(shop: Stack) -> None:
    assert build(shop) < COLD_BUILD


def test_image_rebuilds_fast_after_a_change(shop: Stack) -> None:
    path = shop.example.path / "src" / "main.py"
    path.write_text(path.read_text() + "\n# A change.\n")
    assert build(shop) < NEXT_BUILD
    assert "# A change." in run(shop, "tail -n 1 src/main.py")
    shop.example.run("git", "checkout", "--quiet", "src")


def test_image_has_only_what_the_service_needs(shop: Stack) -> None:
    shipped = ["alembic", "alembic.ini", "openapi.json", "src"]
    assert run(shop, "ls -A").split() == shipped
    assert run(shop, "find . -user 1000 -or -perm /022 -not -type l") == ""
    programs = run(shop, "ls /opt/venv/bin").split()
    assert "alembic" in programs
    assert not {"pip", "pytest", "ruff", "uv", "poetry"} & set(programs)
    assert run(shop, "ls src/core/__pycache__/config.*.pyc")
    assert run(shop, "ls /opt/venv/lib/*/site-packages/fastapi/__pycache__/*.pyc")
    base = next(
        name for name in compose_stack.published_images() if name[:7] == "python:"
    )
    assert size(shop.engine, image(shop)) - size(shop.engine, base) < OWN_SIZE


def test_image_has_labels_and_no_secrets(shop: Stack) -> None:
    """Built as in README.md, with the commit as an argument."""
    network = ["--network=host"] if shop.engine.ours else []
    told = ["--build-arg", "REVISION=0a1b2c3", "--tag", f"{image(shop)}-told"]
    shop.shell(
        *("docker", "build", *network, *told, "--file", "docker/Dockerfile", ".")
    )
    settings = shop.inspect(f"{image(shop)}-told")["Config"]
    assert settings["User"] == "1000:1000"
    assert settings["Healthcheck"]["Test"][0] == "CMD"
    assert "curl" not in settings["Healthcheck"]["Test"]
    assert {
        name.rpartition(".")[2]: value
        for name, value in settings["Labels"].items()
        if name.startswith("org.opencontainers.image.")
    } == {"title": shop.example.path.name, "version": "0.1.0", "revision": "0a1b2c3"}
    secrets = (shop.example.path / "docker" / ".env").read_text()
    history = shop.engine.docker("history", "--no-trunc", image(shop))
    for password in re.findall(r"_PASSWORD=(\w+)", secrets):
        assert password not in history + json.dumps(settings)


def test_everything_becomes_healthy(shop: Stack) -> None:
    shop.make("docker-up")
    for service in shop.services:
        health = shop.inspect(shop.container(service))["State"]["Health"]
        assert health["Status"] == "healthy", service


def test_service_responds(shop: Stack) -> None:
    for path in ("/health/health", "/health/ready", "/metrics/metrics"):
        assert shop.get(path)[0] == 200, path
    assert shop.get("/docs")[0] == 404  # it is production


def test_container_has_no_privileges(shop: Stack) -> None:
    assert shop.execute("app", "id", "-u").strip() == "1000"
    status = shop.execute("app", "cat", "/proc/1/status")
    assert len(re.findall(r"^Cap\w+:\s0{16}$", status, re.MULTILINE)) == 5
    assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE)
    with pytest.raises(CommandFailed, match="Read-only file system"):
        shop.execute("app", "touch", "/app/file")
    words = shop.execute("app", "cat", "/proc/1/cmdline").split("\0")
    assert words[1:3] == ["-m", "src"]


def test_prometheus_scrapes_the_service_in_the_stack(shop: Stack) -> None:
    asked = f"http://{HOST}:{shop.settings['PROMETHEUS_PORT']}/api/v1"
    deadline = time.monotonic() + MINUTE
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{asked}/query?query=up", timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        if [line["value"][1] for line in found] == ["1"]:
            break
        time.sleep(0.5)
    assert [line["metric"]["job"] for line in found] == [shop.example.path.name]
    with urllib.request.urlopen(f"{asked}/rules", timeout=10) as answer:
        groups = json.load(answer)["data"]["groups"]
    assert sum(len(group["rules"]) for group in groups) > 20


def test_container_without_database_runs_and_is_unhealthy(shop: Stack) -> None:
    app = shop.container("app")
    shop.compose("stop", "postgres")
    shop.wait_for(app, "unhealthy")
    assert shop.get("/health/health")[0] == 200
    status, body = shop.get("/health/ready")
    assert status == 503
    assert json.loads(body)["checks"]["database"] != "ok"
    shop.compose("start", "postgres")
    shop.wait_for(app, "healthy")
    assert shop.inspect(app)["RestartCount"] == 0


def query(shop: Stack, statement: str) -> str:
    options = ["--username=app", "--tuples-only", "--no-align", "--command", statement]
    return shop.execute("postgres", "psql", *options).strip()


def test_data_survive_the_containers(shop: Stack) -> None:
    query(shop, f"CREATE TABLE kept AS SELECT '{MARKER}' AS mark")
    shop.make("docker-down")
    assert shop.compose("ps", "--all", "--quiet") == ""
    shop.make("docker-up")
    assert query(shop, "SELECT mark FROM kept") == MARKER


def test_container_stops_cleanly(shop: Stack) -> None:
    app = shop.container("app")
    started = time.monotonic()
    shop.engine.docker("stop", app)
    assert time.monotonic() - started < STOP
    assert shop.inspect(app)["State"]["ExitCode"] == 0
    assert '"event":"service_stopped"' in shop.engine.docker("logs", app)
    shop.up()


def typed(shop: Stack, section: str) -> list[str]:
    """Return the commands of a section of docs/operations.md."""
    page = (shop.example.path / "docs" / "operations.md").read_text()
    text = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [block.text for block in blocks(text) if block.language == "sh"]


def test_wrong_password_of_an_old_volume_is_explained(shop: Stack) -> None:
    """As after the project is generated again: the advice of the log works."""
    path = shop.example.path / "docker" / ".env"
    before = path.read_text()
    path.write_text(
        re.sub(r"(POSTGRES_PASSWORD=)\w+", r"\g<1>another1", before),
    )
    section = "The database refuses the password"
    with pytest.raises(CommandFailed, match=section):
        shop.make("docker-up")
    keeping, afresh = typed(shop, section)
    shop.shell("bash", "-ec", keeping)
    shop.up()
    assert query(shop, "SELECT mark FROM kept") == MARKER
    save, restore = typed(shop, "Backups")
    shop.shell("bash", "-ec", save)
    path.write_text(before)
    shop.shell("bash", "-ec", afresh)
    shop.up()
    assert query(shop, "SELECT to_regclass('kept')") == ""
    shop.shell("bash", "-ec", restore)
    assert query(shop, "SELECT mark FROM kept") == MARKER


def test_project_tests_pass_in_the_test_stack(
    docker: Engine, example: ExampleProject
) -> None:
    """All tests with one package manager, some with the other."""
    tests = compose_stack.of(docker, example, [compose_stack.TEST], "test")
    tests.compose("build", "test")
    try:
        if example.manager == "uv":
            some = "python -m src.migrate && pytest --no-cov tests/unit/test_models.py"
            said = tests.compose("run", "--rm", "test", "sh", "-c", some)
        else:
            options = ["--no-build", "--abort-on-container-exit"]
            options += ["--exit-code-from=test"]
            said = tests.compose("up", *options, minutes=30)
            for report in ("coverage.xml", "junit.xml", "html/index.html"):
                tests.compose("cp", f"test:/reports/{report}", str(example.path.parent))
        assert re.search(r"\d+ passed", said)
        assert not re.search(r"\d+ (failed|errors?|skipped)", said)
    finally:
        tests.down("--volumes")


def test_the_pipelines_build_job_passes(shop: Stack, tmp_path: Path) -> None:
    """Runs the steps after the build; an action does the build."""
    shop.down("--volumes")
    clone = tmp_path / shop.example.path.name
    shop.example.run("git", "clone", "--quiet", ".", str(clone))
    steps = github_workflow.run_steps(
        clone,
        "build",
        environment={**shop.engine.environment, **shop.settings},
        replacements={
            "service:ci": image(shop),
            f"{HOST}:8000": f"{HOST}:{shop.settings['APP_PORT']}",
        },
    )
    assert len(list(steps)) == 4
