"""The answers to Cookiecutter's questions: checked before, and recorded after."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scaffold.merging import git_state

ANSWERS = Path(".devmatrix") / "answers.json"
SINCE = (3, 11)
SLUG = re.compile(r"[a-z][a-z0-9_-]*")
# Names that no folder can have on Windows.
DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])")
EMAIL = re.compile(r"[!-~]+@[!-~]+")
# Control characters except whitespace, which becomes single spaces where it matters.
UNSAFE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")


def read_answers(root: Path) -> dict[str, Any]:
    """Return the recorded answers of a project; {} if they cannot be read."""
    try:
        return parse_answers((root / ANSWERS).read_bytes())
    except OSError:
        return {}


def parse_answers(content: bytes | None) -> dict[str, Any]:
    """Return the answers in the content of answers.json; {} if it cannot be read."""
    try:
        answers = json.loads((content or b"").decode("utf-8"))
    except ValueError:
        return {}
    return answers if isinstance(answers, dict) else {}


def as_json(answers: Mapping[str, Any]) -> bytes:
    """Return the content of answers.json."""
    return (json.dumps(answers, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


class AnswerError(Exception):
    """An answer cannot be used; the message says which, why, and what to do."""


def problems(answers: Mapping[str, str], tree: Path, root: Path) -> Iterator[str]:
    """Yield each problem of the answers, given the folder to generate into."""
    if sys.version_info < SINCE:
        wanted = ".".join(map(str, SINCE))
        yield f"Cookiecutter has to run on Python {wanted} or newer"
    yield from _problems_of_slug(answers["project_slug"], tree)
    for name in ("project_name", "description", "author_name"):
        if UNSAFE.search(answers[name]):
            yield f"{name}: it contains control characters; remove them"
        elif not answers[name].strip():
            yield f"{name}: it is empty"
    email = answers["author_email"]
    if not EMAIL.fullmatch(email) or re.search(r"[<>\"'\\,;]", email):
        yield f"author_email: {email!r} is not a valid email address; write one like you@example.com"
    if (root / ANSWERS).exists():
        yield from _problems_of_existing(answers, root)


def _problems_of_slug(slug: str, tree: Path) -> Iterator[str]:
    if not SLUG.fullmatch(slug) or DEVICE.fullmatch(slug):
        yield (
            f"project_slug: {slug!r} cannot be the name of a folder and a package; "
            "write a-z, 0-9, _ and -, and begin with a letter"
        )
        return
    pins = (tree / "requirements" / "dev.txt").read_text(encoding="utf-8")
    packages = re.findall(r"^[a-z0-9-]+", pins, re.MULTILINE)
    if re.sub("[_-]+", "-", slug).strip("-") in packages:
        yield f"project_slug: the service needs a package {slug!r} itself; choose another name"


def _problems_of_existing(answers: Mapping[str, str], root: Path) -> Iterator[str]:
    """Yield what prevents generating over an existing project: git could not undo it."""
    before = json.loads((root / ANSWERS).read_text(encoding="utf-8"))
    if before["mode"] != answers["mode"]:
        yield (
            f"mode: the existing project is {before['mode']}, which cannot be changed; "
            "generate into a new folder"
        )
    if not git_state.has_repository(root):
        return
    command = ["git", "status", "--porcelain", "."]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield f"git cannot tell whether the existing project has changes: {error}"
        return
    if done.returncode:
        yield f"git cannot tell whether the project has changes: {done.stderr}"
    elif done.stdout:
        yield (
            "the existing project has uncommitted changes; "
            "commit or stash them first:\n" + done.stdout.rstrip()
        )


def entities_source(answers: Mapping[str, str], tree: Path) -> Path:
    """Return the entities.json to copy; a relative path starts at the shell's folder."""
    written = answers["entities_file"]
    if not written:
        return tree / "scaffold" / "examples" / f"{answers['example']}.json"
    starts = (os.environ.get("PWD", os.curdir), answers["_output_dir"])
    paths = [os.path.join(start, os.path.expanduser(written)) for start in starts]
    for path in paths:
        if os.path.isfile(path):
            return Path(path)
    tried = " or ".join(dict.fromkeys(map(os.path.abspath, paths)))
    raise AnswerError(f"entities_file: no such file: {tried}")
