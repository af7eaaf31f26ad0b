"""What git says of the working tree: git is how a person takes a run back."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from scaffold.merging import three_way
from scaffold.processes import Unfinished, environment, find, run

UNKNOWN = (
    "Whether git could take the run back, only git knows; --allow-dirty does without"
)


def has_repository(root: Path) -> bool:
    """Whether git keeps the project, as far as that can be seen without asking it."""
    folder = root.resolve()
    return any((one / ".git").exists() for one in (folder, *folder.parents))


def uncommitted(root: Path, base: Path, paths: Iterable[str]) -> list[str]:
    """Those of the paths whose edits git could not bring back; without git, none.

    `base` is the folder of what the last run wrote. Where git does not answer, nobody
    knows, and `Unfinished` has its words.
    """
    wanted = set(paths)
    if not wanted or not has_repository(root):
        return []
    # What git does not track, it may ignore: then it does not speak of it at all.
    dirty = sorted(wanted & _changed(root) | wanted - _tracked(root))
    return [path for path in dirty if not _is_a_runs_own_work(root, base, path)]


def _tracked(root: Path) -> set[str]:
    return set(_git(root, "ls-files", "-z").split("\0"))


def _changed(root: Path) -> set[str]:
    prefix = _git(root, "rev-parse", "--show-prefix").strip("\n")
    changed = set()
    entries = iter(
        _git(root, "status", "--porcelain", "-z", "--untracked-files=no", ".").split(
            "\0"
        )
    )
    for entry in entries:
        changed.add(entry[3:].removeprefix(prefix))
        if entry[:1] in ("R", "C"):  # then the former name follows
            changed.add(next(entries).removeprefix(prefix))
    return changed


def _git(root: Path, *arguments: str) -> str:
    try:
        return run([find("git"), *arguments], root)
    except Unfinished as reason:
        raise Unfinished(f"{reason}\n{UNKNOWN}") from None


def _is_a_runs_own_work(root: Path, base: Path, path: str) -> bool:
    """Whether merging what is committed gives just what stands there.

    Then only a run, whose result is not committed yet, has had its hand in it.
    """
    recorded = (base / path).as_posix()
    yours, before = _committed(root, path), _committed(root, recorded)
    if yours is None or before is None or not (root / recorded).exists():
        return False
    new = three_way.decoded((root / recorded).read_bytes())
    merged = three_way.merge(path, yours, before, new, "")
    return three_way.encoded(merged.text) == (root / path).read_bytes()


def _committed(root: Path, path: str) -> str | None:
    done = subprocess.run(
        [find("git"), "show", f"HEAD:./{path}"],
        cwd=root,
        env=environment(),
        capture_output=True,
        timeout=60,
    )
    return None if done.returncode else three_way.decoded(done.stdout)
