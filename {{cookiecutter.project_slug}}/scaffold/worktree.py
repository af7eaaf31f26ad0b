"""What git says of the working tree: git is how a person takes a run back."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from scaffold import threeway
from scaffold.tools import Unfinished, environment, find, run


def uncommitted(root: Path, base: Path, paths: Iterable[str]) -> list[str]:
    """Those of the paths whose edits git could not bring back; without git, none.

    `base` is the folder of what the last run wrote.
    """
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
    dirty = sorted(wanted & changed)
    return [path for path in dirty if not _is_a_runs_own_work(root, base, path)]


def _is_a_runs_own_work(root: Path, base: Path, path: str) -> bool:
    """Whether merging what is committed gives just what stands there.

    Then only a run, whose result is not committed yet, has had its hand in it.
    """
    recorded = (base / path).as_posix()
    yours, before = _committed(root, path), _committed(root, recorded)
    if yours is None or before is None or not (root / recorded).exists():
        return False
    new = threeway.decoded((root / recorded).read_bytes())
    merged = threeway.merge(path, yours, before, new, "")
    return threeway.encoded(merged.text) == (root / path).read_bytes()


def _committed(root: Path, path: str) -> str | None:
    done = subprocess.run(
        [find("git"), "show", f"HEAD:./{path}"],
        cwd=root,
        env=environment(),
        capture_output=True,
        timeout=60,
    )
    return None if done.returncode else threeway.decoded(done.stdout)
