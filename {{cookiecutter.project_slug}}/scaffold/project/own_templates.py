"""Lays out the templates in a project, where a team can change them."""

import argparse
from collections.abc import Sequence
from importlib.resources import files as resources
from pathlib import Path

from scaffold.rendering.app import packaged_templates

FOLDER = "templates"
DONE = """\
Wrote {count} to templates/. Change what you like, and delete the templates that you do
not change: then upgrades keep them up to date. `make entities` renders yours first.
"""


def main(root: Path, words: Sequence[str]) -> int:
    """Write each template that the project does not have; keep the others."""
    parser = argparse.ArgumentParser(prog="templates", description=__doc__)
    parser.parse_args(words)
    guide = resources("scaffold.rendering") / "templates" / "README.md"
    texts = {**packaged_templates(), "README.md": guide.read_text(encoding="utf-8")}
    count = 0
    for path, text in texts.items():
        target = root / FOLDER / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
            count += 1
    print(DONE.format(count=f"{count} files"), end="")
    return 0
