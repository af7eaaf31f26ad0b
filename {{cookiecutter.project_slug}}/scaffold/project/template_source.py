"""Where a template came from, so that its next version can be found."""

import re
from pathlib import Path

from scaffold.processes import Unfinished, find, run


def origin(folder: Path | None, typed: str) -> dict[str, str]:
    """Return the template's address and commit, as far as git knows them.

    A clone names where it was cloned from; `typed` is all there is about an archive.
    """
    if folder is None:
        return {"template": typed, "template_commit": ""}
    try:
        git = find("git")
        top = run([git, "rev-parse", "--show-toplevel"], folder, minutes=1).strip()
        if Path(top).resolve() != folder.resolve():
            raise Unfinished("a folder within somebody's repository")
        commit = run([git, "rev-parse", "HEAD"], folder, minutes=1).strip()
    except Unfinished:
        archive = typed.lower().endswith(".zip")
        return {"template": typed if archive else str(folder), "template_commit": ""}
    try:
        url = run([git, "remote", "get-url", "origin"], folder, minutes=1).strip()
    except Unfinished:
        url = str(folder)
    return {"template": without_secrets(url), "template_commit": commit}


def without_secrets(url: str) -> str:
    """A URL without the name and the password that may stand in it."""
    return re.sub(r"^(https?://)[^/@]*@", r"\1", url)
