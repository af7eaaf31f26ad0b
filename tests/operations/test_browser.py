"""The API documentation in a real browser, which enforces the content security policy."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.harness import example_projects
from tests.harness.example_projects import ExampleProject
from tests.harness.project import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Page

# One of the two projects is enough: their pages are the same.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group(f"operations-{example_projects.MANAGERS[0]}"),
    pytest.mark.parametrize("example", [example_projects.MANAGERS[0]], indirect=True),
]

# As root it has no sandbox; and it must not send requests of its own.
OPTIONS = ["--no-sandbox", "--disable-background-networking", "--no-first-run"]
OPTIONS += ["--disable-component-update", "--disable-sync", "--disable-quic"]
# Swagger UI has no inputs for lists of UUIDs and dates. It says so and shows text fields.
FALLBACK = "Could not find component: JsonSchema_string_"


@pytest.fixture(scope="module")
def site(
    example: ExampleProject, program: Callable[..., str]
) -> Iterator[tuple[str, "Page", list[str]]]:
    """The service's URL, a page of a browser, and the errors of the browser."""
    browser = program("chromium")
    # Here, since only `make test-operations` installs it.
    from playwright.sync_api import sync_playwright

    objections: list[str] = []
    with example.project.serving() as url, sync_playwright() as play:
        window = play.chromium.launch(executable_path=browser, args=OPTIONS)
        page = window.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on(
            "console",
            lambda line: (
                None if FALLBACK in line.text else objections.append(line.text)
            ),
        )
        page.on("pageerror", lambda error: objections.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((url, "data:", "blob:"))
                else objections.append(f"asks {asked.url}")
            ),
        )
        yield url, page, objections
        window.close()


def test_swagger_tries_a_route(site: tuple[str, "Page", list[str]]) -> None:
    url, page, objections = site
    page.goto(f"{url}/docs")
    page.locator("#operations-orders-list_orders").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    answer = page.locator(".live-responses-table .response-col_status").last
    assert answer.inner_text().strip() == "200"
    assert objections == []


def test_swagger_sends_the_example(site: tuple[str, "Page", list[str]]) -> None:
    """What the text area holds is sent as it is."""
    url, page, objections = site
    page.goto(f"{url}/docs")
    operation = page.locator("#operations-products-create_product")
    operation.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response-col_status").last
    assert answer.inner_text().strip() == "201"
    assert objections == []


def test_redoc_shows_every_resource(site: tuple[str, "Page", list[str]]) -> None:
    url, page, objections = site
    page.goto(f"{url}/redoc")
    page.locator('[data-section-id="tag/orders"]').first.wait_for()
    assert page.locator('[data-section-id^="tag/"] h2').count() >= 13
    assert objections == []
