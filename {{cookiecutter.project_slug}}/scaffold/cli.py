"""The command line of the generator: `python .devmatrix/generator.pyz <command>`.

  check    say whether entities.json, code, migrations and openapi.json agree
  plan     show what apply would change; write nothing
  access   show who may do what
  apply    bring the code in line with entities.json
  migrate  write the migration that the models lack; join those of two branches
  database  migrate the database of DATABASE_URL to the newest migration
  import   write entities.json from a database, a dump, or the schema of another tool
  setup    do the steps that follow the code: environment, migration, git
  upgrade  take over what is new in the template
  templates  lay out the templates under templates/, to change them

Each has --help.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from scaffold.processes import Unfinished

# The project that holds generator.pyz, which this module is a part of.
ROOT = Path(__file__).resolve().parents[3]

MISSING = "{}; if the file was removed, restore it with git, or remove what uses it"

Command = Callable[[Path, Sequence[str]], int]


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run a command; return 0, 1 for a problem, or 2 where `plan` finds changes."""
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        print(__doc__)
        return 0
    if name not in COMMANDS:
        print(f"unknown command {name!r}; see --help", file=sys.stderr)
        return 1
    try:
        return COMMANDS[name](root, rest)
    except BrokenPipeError:  # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Unfinished as error:
        print(f"{error}\nNothing was written.", file=sys.stderr)
    except ImportError as error:
        if "'src." not in str(error) or "circular import" in str(error):
            raise
        print(MISSING.format(str(error).partition(" (")[0]), file=sys.stderr)
    return 1


# Each command imports what it needs: `setup` runs before the environment exists, and
# `migrate` needs the libraries of the service.


def _check(root: Path, words: Sequence[str]) -> int:
    from scaffold.project import entities

    return entities.check(root, words)


def _plan(root: Path, words: Sequence[str]) -> int:
    from scaffold.project import entities

    return entities.plan(root, words)


def _access(root: Path, words: Sequence[str]) -> int:
    from scaffold.project import entities

    return entities.access(root, words)


def _apply(root: Path, words: Sequence[str]) -> int:
    from scaffold.project import entities

    return entities.apply(root, words)


def _templates(root: Path, words: Sequence[str]) -> int:
    from scaffold.project import own_templates

    return own_templates.main(root, words)


def _migrate(root: Path, words: Sequence[str]) -> int:
    sys.path.append(str(root))  # the models, and the development database
    os.chdir(root)
    from scaffold.migrations import command

    return command.main(root, words)


def _database(root: Path, words: Sequence[str]) -> int:
    sys.path.append(str(root))
    os.chdir(root)
    from scaffold.migrations import command

    return command.upgrade_database(root, words)


def _import(root: Path, words: Sequence[str]) -> int:
    sys.path.append(str(root))  # the embedded PostgreSQL, which reads a dump
    from scaffold.importing import command

    return command.main(root, words)


def _setup(root: Path, words: Sequence[str]) -> int:
    from scaffold.project import setup

    return setup.main(root, words)


def _upgrade(root: Path, words: Sequence[str]) -> int:
    from scaffold.project import upgrade

    return upgrade.main(root, words)


def _render(_root: Path, _words: Sequence[str]) -> int:
    """Render in the working directory, for another version of the generator."""
    from scaffold.project import state

    state.write_rendering(Path.cwd())
    return 0


COMMANDS: dict[str, Command] = {
    "check": _check,
    "plan": _plan,
    "access": _access,
    "apply": _apply,
    "migrate": _migrate,
    "database": _database,
    "import": _import,
    "setup": _setup,
    "upgrade": _upgrade,
    "templates": _templates,
    "render": _render,
}
