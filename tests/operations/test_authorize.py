"""Authorize at /docs, in a real browser, with a token of `make token`."""

import json
import subprocess
from collections.abc import Callable

import pytest

from tests.harness.project import PATIENCE, Project, clean_environment, cookiecutter
from tests.operations.test_browser import OPTIONS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("authorize")
    fields = [{"name": "title", "type": "string"}]
    entities = [{"name": "Task", "fields": fields}]
    document = {"auth": True, "access": "public", "entities": entities}
    (folder / "spec.json").write_text(json.dumps(document))
    answers = ["project_slug=verified", f"entities_file={folder / 'spec.json'}"]
    subprocess.run(
        cookiecutter(folder, *answers),
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return Project(folder / "verified")


def test_swagger_sends_the_token_of_make_token(
    project: Project, program: Callable[..., str]
) -> None:
    browser = program("chromium")
    # Here, since only `make test-operations` installs it.
    from playwright.sync_api import sync_playwright

    with project.serving() as url, sync_playwright() as play:
        token = project.run("make", "--silent", "token", "SUB=ada").strip()
        window = play.chromium.launch(executable_path=browser, args=OPTIONS)
        page = window.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{url}/docs")
        page.get_by_role("button", name="Authorize").first.click()
        page.locator(".auth-container input").fill(token)
        page.locator(".auth-btn-wrapper button[type=submit]").click()
        page.locator(".auth-btn-wrapper .btn-done").click()
        operation = page.locator("#operations-tasks-list_tasks")
        operation.click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table .response-col_status").last
        assert answer.inner_text().strip() == "200"
        window.close()
    requests = [one for one in project.log.read_text().splitlines() if "tasks" in one]
    assert "subject=ada" in requests[-1]
