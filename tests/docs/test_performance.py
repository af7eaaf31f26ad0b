"""The page of measurements says what was measured."""

from benchmarks import report


def test_the_page_and_its_plots_are_those_of_the_results() -> None:
    page = report.PAGE.read_text()
    assert report.filled(page) == page, "python -m benchmarks.report"
    for name, svg in report.plots().items():
        assert (report.IMAGES / f"{name}.svg").read_text() == svg
