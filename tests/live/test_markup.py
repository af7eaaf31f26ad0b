"""The table of examples in docs/entities.md: what is stored of text with markup."""

import json

import pytest

from tests.harness.project import ROOT, Project

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("base")]

PAGE = ROOT / "docs" / "entities.md"
SANITIZE = """
import json, sys
from src.core.sanitizing import RICH_TEXT_TAGS, sanitize_html
for text in json.loads(sys.argv[1]):
    print(json.dumps([sanitize_html(text), sanitize_html(text, tags=RICH_TEXT_TAGS)]))
"""


def rows() -> list[list[str]]:
    """Return the cells of the table, without the marks of code."""
    _, _, table = PAGE.read_text().partition("| sent | stored with `strip` |")
    lines = table.partition("\n\n")[0].splitlines()[2:]
    cells = [line.strip("|").split(" | ") for line in lines]
    return [[cell.strip(" |").strip("`") for cell in row] for row in cells]


def test_every_example_is_stored_as_the_table_says(base: Project) -> None:
    sent = [row[0] for row in rows()]
    assert len(sent) >= 15
    output = base.run(base.python, "-c", SANITIZE, json.dumps(sent))
    stored = [json.loads(line) for line in output.splitlines()]
    shown = [[row[1], row[2] if len(row) > 2 else ""] for row in rows()]
    assert stored == shown
