"""Finishes a generated project: environment, migration, openapi, format, git.

`make setup` does every step that is still open; the hook does the same ones.
"""

import contextlib
import itertools
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scaffold.merging import git_state
from scaffold.processes import Unfinished, find, project_python, run
from scaffold.project import environment
from scaffold.project.answers import read_answers
from scaffold.project.formatters import format_code

GENERATOR = ".devmatrix/generator.pyz"
TO_CHOOSE = re.compile(r"=change-me$", re.MULTILINE)
SKIPPED = "DEVMATRIX_SKIP"  # names of steps to leave out, such as environment,git
READY = """
{name} is ready. Next steps:

  cd {name}
  make dev      start it on an embedded PostgreSQL: http://127.0.0.1:8000/docs
  make test     run its tests
  make help     see the rest; then edit entities.json and run `make entities`
"""
READY_LEGACY = """
{name} is ready. Next steps:

  cd {name}
  .venv/bin/uvicorn main:app --reload      start it: http://127.0.0.1:8000/docs
  .venv/bin/python -m pytest               run its tests
"""
OPEN_STEP = "  open  "
OPEN = """
{name} is generated and its code is complete. To finish the open steps, fix the reason
above and run this command:

  {command}
"""


def migrate(root: Path) -> str:
    """Write the first migration, from the difference to an empty database."""
    interrupted = (root / ".devmatrix" / "migrating").exists()
    if any((root / "alembic" / "versions").glob("*.py")) and not interrupted:
        return "exists"
    python = project_python(root)
    run([python, GENERATOR, "migrate", "initial schema"], root)
    return "written and tested on an empty PostgreSQL"


def describe(root: Path) -> str:
    """Write openapi.json, which the service serves as it is.

    It takes an import of the whole service, which leaves its bytecode: the first
    start is as fast as the second.
    """
    said = run([project_python(root), "-m", "scripts.openapi"], root)
    return "written" if said else "is current"


def tidy(root: Path) -> str:
    """Format the migration; what is rendered is formatted as it comes."""
    if (root / ".git").exists() or git_state.committed(root, "HEAD", GENERATOR):
        return "left as it is"
    return format_code(root, python=project_python(root))


def commit(root: Path) -> str:
    """Make the repository and its first commit; an existing one is left alone."""
    if (root / ".git").exists():
        return "exists"
    git = find("git")
    if outer := git_state.repository(root):
        return f"inside the repository {outer}: commit the project there"
    run([git, "init", "--quiet"], root)
    run([git, "symbolic-ref", "HEAD", "refs/heads/main"], root)
    run([git, "add", "--all"], root)
    identity = _identity(git, root)
    message = "Generate the service"
    # Without hooks and signing, which could ask for input.
    plain = ["--quiet", "--no-verify", "--no-gpg-sign"]
    run([git, *identity, "commit", *plain, "--message", message], root)
    return "first commit"


def _identity(git: str, root: Path) -> list[str]:
    """Return no options if git knows the user, else those of the author in the answers."""
    with contextlib.suppress(Unfinished):
        for key in ("user.name", "user.email"):
            run([git, "config", key], root)
        return []
    answers = read_answers(root)
    name = " ".join(str(answers.get("author_name", "")).split()) or "nobody"
    email = str(answers.get("author_email", "")) or "nobody@localhost"
    return ["-c", f"user.name={name}", "-c", f"user.email={email}"]


def write_settings(root: Path) -> str:
    """Make each .env from its example, with random secrets for `change-me`."""
    for example in (root / ".env.example", root / "docker" / ".env.example"):
        target = example.with_name(".env")
        if example.exists() and not target.exists():
            text = example.read_text(encoding="utf-8")
            text = TO_CHOOSE.sub(lambda _: f"={secrets.token_hex(24)}", text)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
    return "in .env"


STEPS: dict[str, Callable[[Path], str]] = {
    "settings": write_settings,
    "environment": environment.install,
    "migration": migrate,
    "openapi": describe,
    "format": tidy,
    "git": commit,
    # After the first commit, because the service works without a lock file.
    "lockfile": environment.check_lock,
}
OTHER_STEPS = {"lock": environment.upgrade}  # done when they are named

# Separate processes that do not need each other.
TOGETHER = {"migration", "openapi"}


def finish(root: Path, names: Sequence[str]) -> bool:
    """Do the steps in order, and print a line for each; a failed one ends it.

    Later steps need earlier ones: the first commit has to contain the migration and the
    lock file.
    """
    skipped = os.environ.get(SKIPPED, "").split(",")
    chosen = [n for n in names if n not in skipped and "all" not in skipped]
    for _, group in itertools.groupby(chosen, lambda name: name in TOGETHER or name):
        steps = list(group)
        with _spinning(", ".join(steps)), ThreadPoolExecutor() as pool:
            told = list(pool.map(lambda name: _step(root, name), steps))
        print(*told, sep="\n", flush=True)
        if any(line.startswith(OPEN_STEP) for line in told):
            return False
    return True


def _step(root: Path, name: str) -> str:
    """Do a step, and return the line that says how it went."""
    started = time.monotonic()
    try:
        result = {**STEPS, **OTHER_STEPS}[name](root)
    except Unfinished as reason:
        return f"{OPEN_STEP}{name}: {reason}"
    return f"  done  {name:<12} {result} ({time.monotonic() - started:.1f} s)"


@contextlib.contextmanager
def _spinning(name: str) -> Iterator[None]:
    """Show a spinner at a terminal if rich is installed."""
    try:
        from rich.console import Console
    except ImportError:
        yield
        return
    with Console().status(f"{name} ..."):
        yield


def finish_new(root: Path) -> None:
    """Do every step that follows the code, and print what to type next."""
    legacy = (root / "main.py").exists()
    name = root.name
    steps = ["environment", "git"] if legacy else [*STEPS]
    if finish(root, steps):
        print((READY_LEGACY if legacy else READY).format(name=name), flush=True)
        return
    poetry = (root / "poetry.toml").exists()
    by_hand = f"cd {name} && {'poetry install' if poetry else 'uv sync'}"
    command = by_hand if legacy else f"make -C {name} setup"
    print(OPEN.format(name=name, command=command), flush=True)


def main(root: Path, words: Sequence[str]) -> int:
    """Do the named steps, or all; return 1 if one stays open."""
    unknown = [name for name in words if name not in {**STEPS, **OTHER_STEPS}]
    if unknown:
        known = ", ".join([*STEPS, *OTHER_STEPS])
        print(f"unknown step {unknown[0]!r}; there are {known}", file=sys.stderr)
        return 1
    return 0 if finish(root, words or list(STEPS)) else 1
