"""docs/security.md: every test that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_is_named_exists() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:unit|integration)/\w+\.py)::(\w+)`", page)
    assert len(named) > 50
    # All others are the template's, and its own tests hold that they exist.
    others = re.findall(r"`template/[\w/]+\.py::\w+`", page)
    assert len(named) + len(others) == page.count("::") - page.count("`file::test`")
    for path, test in named:
        source = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), test
