"""What git says of the working tree: git is how a person takes a run back."""

from collections.abc import Iterable
from pathlib import Path

from scaffold.tools import Unfinished, find, run


def uncommitted(root: Path, paths: Iterable[str]) -> list[str]:
    """Those of the paths that git could not bring back; without git there are none."""
    if not (wanted := set(paths)):
        return []
    try:
        git = find("git")
        prefix = run([git, "rev-parse", "--show-prefix"], root, minutes=1).strip("\n")
    except Unfinished:
        return []
    command = [git, "status", "--porcelain", "-z", "--untracked-files=all", "."]
    changed = set()
    entries = iter(run(command, root).split("\0"))
    for entry in entries:
        changed.add(entry[3:].removeprefix(prefix))
        if entry[:1] in ("R", "C"):  # then the former name follows
            changed.add(next(entries).removeprefix(prefix))
    return sorted(wanted & changed)
