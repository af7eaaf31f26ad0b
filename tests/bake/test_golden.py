"""What is generated, word for word: tests/golden holds it for reviewers to read."""

import pytest

from tools import golden


@pytest.mark.parametrize("name", golden.SPECS)
def test_the_rendering_is_the_golden_one(name: str) -> None:
    rendered, kept = golden.rendered(name), golden.kept(name)
    hint = "if this is wanted: make golden, and review the difference"
    assert sorted(rendered) == sorted(kept), hint
    for path, text in rendered.items():
        assert text == kept[path], f"{path}: {hint}"
