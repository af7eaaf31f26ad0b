"""A generated service: its own checks and tests, its start and its end.

Everything is real here: the environment, PostgreSQL, HTTP.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness.http_client import Client
from tests.harness.issuer import token_of
from tests.harness.project import Project, clean_environment
from tools.smoke import smoke

pytestmark = pytest.mark.live

START = 3 * 2.5  # seconds to the first answer of /health/health, on a busy machine
# Seconds of the processor, because other tests run beside this one: of a suite, and of
# `make test`, which measures coverage as well.
TESTING, MEASURING = 120, 180
# Of all of src/. The rest is covered by the tests in tests/live/suite/core; a service of one
# entity has no relations, which a part of src/ is for.
COVERAGE = {"ecommerce_api": 90, "simple_task_api": 83}
PYLINT = 9.5
HERE = Path(__file__).parent


def test_generation_commits_all_files(project: Project) -> None:
    assert project.run("git", "status", "--porcelain") == ""
    migrations = list((project.path / "alembic" / "versions").glob("*.py"))
    assert len(migrations) == 1


def test_project_checks_pass(project: Project) -> None:
    project.run("make", "check")


def run_tests(project: Project, *options: str, seconds: float) -> str:
    """Run the project's tests, and return what pytest has written."""
    began = os.times()
    output = project.run("make", "test", *options)
    ended = os.times()
    used = ended.children_user + ended.children_system
    assert used - began.children_user - began.children_system < seconds
    assert re.search(r"\d+ passed", output)
    assert not re.search(r"\d+ (failed|errors?|skipped|xfailed|warnings?)", output), (
        output
    )
    return output


SHOP, TASKS = (
    pytest.param(name, marks=pytest.mark.xdist_group(name))
    for name in ("ecommerce_api", "simple_task_api")
)


@pytest.mark.parametrize("project", [SHOP], indirect=True)
def test_project_tests_pass(project: Project) -> None:
    run_tests(project, "ARGS=tests", seconds=TESTING)


@pytest.mark.parametrize(
    "project",
    [
        pytest.param("ecommerce_api", marks=[*SHOP.marks, pytest.mark.slow]),
        TASKS,
    ],
    indirect=True,
)
def test_project_tests_pass_with_coverage(project: Project) -> None:
    output = run_tests(project, seconds=MEASURING)
    total = re.search(r"^TOTAL .*?(\d+)%", output, re.MULTILINE)
    assert total, output
    assert int(total[1]) >= COVERAGE[project.path.name], output


@pytest.mark.parametrize("project", [TASKS], indirect=True)
def test_project_tests_pass_in_parallel(project: Project) -> None:
    output = project.run("make", "test", "ARGS=tests -n 2 -q")
    assert re.search(r"\d+ passed", output)


def test_import_has_no_warnings(project: Project) -> None:
    url = {"DATABASE_URL": "postgresql+asyncpg://nobody@localhost/nothing"}
    script = "import src.main; src.main.app; import src.__main__"
    project.run(project.python, "-W", "error", "-c", script, environment=url)


@pytest.mark.slow
@pytest.mark.parametrize("project", [SHOP], indirect=True)
def test_pylint_score_is_high(project: Project) -> None:
    options = [
        "--max-line-length=88",
        "--extension-pkg-allow-list=nh3,orjson",  # what they hold is only in their C
        "--disable=unsubscriptable-object",  # orm.Mapped[int], which it does not know
    ]
    library = project.run(project.python, "-c", "import sysconfig as s; " + LIBRARY)
    done = subprocess.run(
        [sys.executable, "-m", "pylint", *options, "src"],
        cwd=project.path,
        env={**clean_environment(), "PYTHONPATH": library.strip()},
        capture_output=True,
        text=True,
    )
    rated = re.search(r"rated at ([\d.]+)/10", done.stdout)
    assert rated, done.stderr
    assert float(rated[1]) >= PYLINT, done.stdout


LIBRARY = "print(s.get_path('purelib'))"


def test_bandit_finds_nothing(project: Project) -> None:
    # Commands are lists of arguments, and none goes through a shell.
    options = ["--quiet", "--recursive", "--skip=B404,B603"]
    done = subprocess.run(
        [sys.executable, "-m", "bandit", *options, "src", "scripts", "scaffold"],
        cwd=project.path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_smoke_test_passes(project: Project) -> None:
    # One client makes more writes here than the ten a minute that are the default.
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        assert smoke(url, token_of(project)), project.log.read_text()


@pytest.mark.xdist_group("simple_task_api")
def test_a_proxy_may_serve_the_api_under_a_prefix_that_it_strips(
    baked: Callable[[str], Project],
) -> None:
    project = baked("simple_task_api")
    # The prefix is also the beginning of the paths of the routes.
    with (
        project.serving({"ROOT_PATH": "/api"}) as url,
        closing(Client(int(url.rpartition(":")[2]))) as client,
    ):
        created = client.send("POST", "/api/v1/tasks/", {"title": "Plan"})
        assert created.status == 201
        path = f"/api/v1/tasks/{created.json['id']}"
        assert created.headers["location"] == f"/api{path}"
        assert client.send("GET", path).status == 200
        assert client.send("GET", "/health/ready").status == 200
        assert client.send("GET", "/").json["docs"] == "/api/docs"
        page = client.send("GET", "/docs").text
        assert 'data-document="/api/openapi.json"' in page
        document = client.send("GET", "/openapi.json").json
        assert document["servers"] == [{"url": "/api"}]


def test_starts_in_time_and_exits_with_0(project: Project) -> None:
    on_database = [project.python, "-m", "scripts.postgres", "--"]
    output = project.run(*on_database, project.python, str(HERE / "measure_start.py"))
    found = json.loads(output.splitlines()[-1])
    assert found["statuses"] == [0, 0, 0]
    # The middle one: other tests run beside this one.
    assert sorted(found["seconds"])[1] < START, found


@pytest.mark.xdist_group("simple_task_api")
def test_two_entities_may_refer_to_each_other(bake: Callable[..., Project]) -> None:
    """Their tables can be made and removed in no order that is right for both."""
    project = bake("cycle", f"entities_file={HERE / 'cycle.json'}")
    tables = f"{project.python} {HERE / 'show_tables.py'}"
    commands = [
        *("alembic upgrade head", "alembic check", tables),
        *("alembic downgrade base", tables),
        *("alembic upgrade head", "alembic check"),
    ]
    on_database = [project.python, "-m", "scripts.postgres", "--", "sh", "-ec"]
    output = project.run(*on_database, "\n".join(commands))
    assert output.count("No new upgrade operations detected") == 2
    assert re.findall(r"^tables: (.*)$", output, re.MULTILINE) == [
        "_idempotency_keys alembic_version people teams",
        "alembic_version",
    ]
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        assert smoke(url), project.log.read_text()
