"""docs/performance.md shows the results, and names what a project has."""

import re

from benchmarks import goals, pieces, report
from tests.harness.skeleton import exists, text_of

MARKED = re.compile(r"<!-- (?!end )(.+?) -->")


def test_the_page_and_its_plots_are_those_of_the_results() -> None:
    page = report.PAGE.read_text()
    assert report.filled(page) == page, "python -m benchmarks.report"
    for name, svg in report.plots().items():
        assert (report.IMAGES / f"{name}.svg").read_text() == svg


def test_the_page_shows_every_result() -> None:
    assert set(report.sections()) <= set(MARKED.findall(report.PAGE.read_text()))


def test_each_piece_can_be_taken_out_as_the_benchmark_does() -> None:
    for path, old, _ in (pieces.DISPATCHER, pieces.LOOP):
        assert old in text_of(path)
    settings = text_of("src/core/config.py")
    for name in (*pieces.READ_TRANSACTIONS, *pieces.NO_PLANS):
        assert f"    {name.lower()}: bool" in settings


def test_the_page_names_each_piece_and_its_switch() -> None:
    page = report.PAGE.read_text()
    for name in (*pieces.READ_TRANSACTIONS, *pieces.NO_PLANS):
        assert f"`{name}=" in page
    for path in re.findall(r"`(src/[a-z_/]+\.py)`", page):
        assert exists(path), path


def test_a_goal_is_reached_only_if_every_kind_of_request_reaches_it() -> None:
    values = [[0.3, 0.4, 0.5], [0.3, 0.38, 0.5], [0.1, 0.27, 0.5], None]
    bounds = goals.LEAST[goals.OURS, "L1"]
    row = goals.goal("generated to L1", values, bounds, at_most=False)
    assert row[1:] == ("0.40 (0.37)", "0.38 (0.38)", "0.27 (0.28)", "", "no: create")


def test_a_goal_that_bounds_from_above_is_missed_above_its_bound() -> None:
    values = [[1, 1.3, 2], [1, 1.31, 2], [1, 1, 1], [1, 1, 1]]
    row = goals.goal("p99", values, [goals.MOST_P99] * 4, at_most=True)
    assert row[-1] == "no: list"
