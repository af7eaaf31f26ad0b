"""Runs the formatters that the answer to `linters` names."""

import sys
from pathlib import Path

from scaffold.processes import run
from scaffold.project.answers import read_answers

# How each is called, before the names of files; the last one lays out the lines.
COMMANDS = {
    "ruff": ("ruff check --fix --exit-zero --quiet", "ruff format --quiet"),
    "black": ("isort --quiet", "black --quiet"),
}


def format_code(
    root: Path, path: str | Path = ".", python: str | Path = sys.executable
) -> str:
    """Sort imports and format the code in the project; return the answer to `linters`."""
    linters = read_answers(root).get("linters", "ruff")
    for command in COMMANDS[linters]:
        run([python, "-m", *command.split(), path], root)
    return str(linters)
