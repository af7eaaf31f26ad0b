"""Finds out where a template came from, so that an upgrade finds its next version."""

import re
from pathlib import Path

from scaffold.processes import Unfinished, find, run


def origin(folder: Path | None, typed: str) -> dict[str, str]:
    """Return the template's URL and commit, as far as git knows them.

    Of a clone it is the URL of `origin`, of an archive what the user typed.
    """
    if folder is None:
        return {"template": typed, "template_commit": ""}
    try:
        git = find("git")
        top = run([git, "rev-parse", "--show-toplevel"], folder, minutes=1).strip()
        if Path(top).resolve() != folder.resolve():
            raise Unfinished("the folder is part of another repository")
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
    """Return a URL without its user name and password."""
    return re.sub(r"^(https?://)[^/@]*@", r"\1", url)
