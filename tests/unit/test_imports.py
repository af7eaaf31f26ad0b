"""Tests of the imports of rendered modules: those that are not used are removed."""

import pytest

from scaffold.python_code.imports import prune_imports

NAMES = ", ".join(f"a_long_name_{n}" for n in range(8))
USED = NAMES.replace(", ", " + ")


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("import os\nimport re\n\nre\n", "import re\n\nre\n"),
        ("from a import b, c\n\nc\n", "from a import c\n\nc\n"),
        ("import a.b\nimport c.d\n\na.b.x\n", "import a.b\n\na.b.x\n"),
        ("import a as b\nimport c as d\n\nd\n", "import c as d\n\nd\n"),
        # Only written to.
        ("import a\nimport b\n\na = b\n", "import b\n\na = b\n"),
        # For other modules.
        ("import a  # noqa: F401\nimport b\n\nb\n", None),
        ("from a import B as B\nimport c\n\nc\n", None),
        # Not at the beginning.
        ("import a\n\na\n\n\n\nimport b\n", None),
    ],
)
def test_unused_imports_are_removed(source: str, kept: str | None) -> None:
    assert prune_imports(source) == (source if kept is None else kept)


def test_a_group_without_imports_leaves_no_line() -> None:
    source = '"""Doc."""\n\nimport a\n\nimport b\n\nimport c\n\n\ndef d():\n    b(c)\n'
    assert prune_imports(source) == source.replace("import a\n\n", "")
    unused = '"""Doc."""\n\nimport a\n\n\ndef d():\n    pass\n'
    assert prune_imports(unused) == unused.replace("import a\n\n", "")


def test_an_import_on_several_lines_is_as_wide_as_formatters_have_it() -> None:
    source = "from a import (\n    b,\n    c,\n    {},\n)\n\n{}\n"
    names = NAMES.replace(", ", ",\n    ")
    assert (
        prune_imports(source.format(names, USED))
        == f"from a import (\n    {names},\n)\n\n{USED}\n"
    )
    assert prune_imports(source.format(names, "c")) == "from a import c\n\nc\n"
    assert prune_imports(source.format("d", "b, c, d")) == source.format("d", "b, c, d")
