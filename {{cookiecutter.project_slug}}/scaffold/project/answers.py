"""Judges the answers to Cookiecutter's questions, and finds the entities they name."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ANSWERS = Path(".devmatrix") / "answers.json"
SINCE = (3, 11)
SLUG = re.compile(r"[a-z][a-z0-9_-]*")
DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])")  # no folder's name on Windows
EMAIL = re.compile(r"[!-~]+@[!-~]+")
# Whitespace is made to single blanks where it matters; the rest has no place in a text.
UNSAFE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")


class AnswerError(Exception):
    """An answer cannot be used; the message says which, why, and what to do."""


def problems(answers: Mapping[str, str], tree: Path, root: Path) -> Iterator[str]:
    """Everything that is wrong with the answers, given the folder to generate into."""
    if sys.version_info < SINCE:
        wanted = ".".join(map(str, SINCE))
        yield f"Cookiecutter has to run on Python {wanted} or newer"
    yield from _problems_of_slug(answers["project_slug"], tree)
    for name in ("project_name", "description", "author_name"):
        if UNSAFE.search(answers[name]):
            yield f"{name}: it holds control characters; write visible ones"
        elif not answers[name].strip():
            yield f"{name}: it is empty"
    email = answers["author_email"]
    if not EMAIL.fullmatch(email) or re.search(r"[<>\"'\\,;]", email):
        yield f"author_email: {email!r} is no address; write you@example.com"
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
        yield f"project_slug: the service needs a package {slug!r} itself; take another"


def _problems_of_existing(answers: Mapping[str, str], root: Path) -> Iterator[str]:
    """With -f: only what git can bring back may be overwritten."""
    before = json.loads((root / ANSWERS).read_text(encoding="utf-8"))
    if before["mode"] != answers["mode"]:
        yield (
            f"mode: the existing project is {before['mode']}, which cannot be changed; "
            "generate into a new folder"
        )
    if not (root / ".git").exists():
        return
    command = ["git", "status", "--porcelain"]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield f"whether the existing project has changes, git has to say: {error}"
        return
    if done.returncode:
        yield f"whether the existing project has changes, git cannot say: {done.stderr}"
    elif done.stdout:
        yield (
            "the existing project has changes that are not committed; "
            "commit or stash them first:\n" + done.stdout.rstrip()
        )


def entities_source(answers: Mapping[str, str], tree: Path) -> Path:
    """The file to copy; a relative one begins where the person stands."""
    written = answers["entities_file"]
    if not written:
        return tree / "scaffold" / "examples" / f"{answers['example']}.json"
    starts = (os.environ.get("PWD", os.curdir), answers["_output_dir"])
    paths = [os.path.join(start, os.path.expanduser(written)) for start in starts]
    for path in paths:
        if os.path.isfile(path):
            return Path(path)
    tried = " or ".join(dict.fromkeys(map(os.path.abspath, paths)))
    raise AnswerError(f"entities_file: there is no file {tried}")
