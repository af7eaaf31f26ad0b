"""Makes the generator importable from the template, whose name has braces."""

import sys
from pathlib import Path

from hypothesis import settings

# Cookiecutter would copy bytecode into every bake.
sys.dont_write_bytecode = True

TREE = Path(__file__).parents[1] / "{{cookiecutter.project_slug}}"
if str(TREE) not in sys.path:
    sys.path.insert(0, str(TREE))

# The same few examples in every run; `pytest --hypothesis-profile=explore` digs.
settings.register_profile("usual", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=5_000)
settings.load_profile("usual")
