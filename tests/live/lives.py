"""Runs within a project: random lives of it, each with rows in a database.

python lives.py KIND FIRST COUNT evolution.py prints a line for each life that ended
badly, and at the end how often what happened. KIND is:

  rows   entities.json changes, and nobody edits the code (life.py)
  names  its ids and names are those of a database, and change too (names.py)
  team   people edit the code, and work on branches (team.py)
"""

import importlib.util
import os
import sys
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path.cwd() / ".devmatrix" / "generator.pyz"))

import life
import names
import team

KINDS = {"rows": life.Life, "names": names.NamesLife, "team": team.TeamLife}


def main() -> None:
    kind, first, count, path = KINDS[sys.argv[1]], *map(int, sys.argv[2:4]), sys.argv[4]
    module = importlib.util.spec_from_file_location("evolution", path)
    assert module is not None
    assert module.loader is not None
    evolution = importlib.util.module_from_spec(module)
    module.loader.exec_module(evolution)
    happened: Counter[str] = Counter()
    for seed in range(first, first + count):
        one = kind(seed, evolution, os.environ["TEST_DATABASE_URL"])
        try:
            one.run()
        except Exception:
            print(f"life {seed}: {traceback.format_exc()}", flush=True)
        happened += one.happened
    told = ", ".join(f"{number} {what}" for what, number in sorted(happened.items()))
    print(f"{count} lives: {told}", flush=True)


if __name__ == "__main__":
    main()
