"""docs/security.md of a project: every test of the project that it names exists."""

import re

from tests.harness.project import ROOT

TREE = ROOT / "{{cookiecutter.project_slug}}"


def test_every_test_that_is_named_exists() -> None:
    page = (TREE / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:unit|integration)/\w+\.py)::(\w+)`", page)
    assert len(named) > 40
    # test_docs.py checks those of the template.
    others = re.findall(r"`template/[\w/]+\.py::\w+`", page)
    assert len(named) + len(others) == page.count("::") - page.count("`file::test`")
    for path, test in named:
        place = TREE / "tests" / path
        if not place.exists():
            place = place.with_name(f"{place.name}.jinja")
        source = place.read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), test
