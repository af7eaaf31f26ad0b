"""What git knows of the project: uncommitted edits, and files of earlier commits."""

import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from scaffold.merging import three_way
from scaffold.processes import Unfinished, environment, find, run

UNKNOWN = (
    "Only git knows whether it could undo the run; --allow-dirty runs without asking it"
)
Files = Mapping[str, bytes]


def has_repository(root: Path) -> bool:
    """Whether the project is in a git repository, as far as files show it."""
    folder = root.resolve()
    return any((one / ".git").exists() for one in (folder, *folder.parents))


def uncommitted(
    root: Path, paths: Iterable[str], base: Files, committed_base: Callable[[], Files]
) -> list[str]:
    """Return the paths whose edits git could not bring back; without git, none.

    What is staged can be brought back. `base` is what the last run wrote, and
    `committed_base()` what the run wrote that is in the last commit. Raises
    `Unfinished` if git does not answer.
    """
    wanted = set(paths)
    if not wanted or not has_repository(root):
        return []
    # Git does not list a file that it ignores, so an untracked file is not safe either.
    dirty = sorted(wanted & _changed(root) | wanted - _tracked(root))
    if not dirty:
        return []
    before = committed_base()
    return [path for path in dirty if not _is_a_runs_own_work(root, path, base, before)]


def commits_of(root: Path, path: str) -> Iterator[str]:
    """Yield the commits of all branches that changed a file, the latest one first."""
    if has_repository(root):
        yield from _git(root, "log", "--all", "--format=%H", "--", path).split()


def committed(root: Path, commit: str, path: str) -> bytes | None:
    """Return a file as a commit has it, None if it has none."""
    if not has_repository(root):
        return None
    done = subprocess.run(
        [find("git"), "show", f"{commit}:./{path}"],
        cwd=root,
        env=environment(),
        capture_output=True,
        timeout=60,
    )
    return None if done.returncode else done.stdout


def committed_paths(root: Path, commit: str, folder: str) -> list[str]:
    """Return the paths of the files in a folder as a commit has them."""
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", commit, f"./{folder}/")
    return [path for path in listed.split("\0") if path]


def _tracked(root: Path) -> set[str]:
    return set(_git(root, "ls-files", "-z").split("\0"))


def _changed(root: Path) -> set[str]:
    """The tracked files that differ from what is staged."""
    prefix = _git(root, "rev-parse", "--show-prefix").strip("\n")
    listed = _git(root, "status", "--porcelain", "-z", "--untracked-files=no", ".")
    changed = set()
    entries = iter(listed.split("\0"))
    for entry in entries:
        if entry[:1] in ("R", "C"):
            next(entries)  # the former name follows
        if entry[1:2].strip():
            changed.add(entry[3:].removeprefix(prefix))
    return changed


def _git(root: Path, *arguments: str) -> str:
    try:
        return run([find("git"), *arguments], root)
    except Unfinished as reason:
        raise Unfinished(f"{reason}\n{UNKNOWN}") from None


def _is_a_runs_own_work(root: Path, path: str, base: Files, before: Files) -> bool:
    """Whether merging what is committed gives just what the file is now.

    Then only a run has changed it, whose result is not committed yet.
    """
    yours = committed(root, "HEAD", path)
    if yours is None or path not in before or path not in base:
        return False
    merged = three_way.merge(
        path,
        three_way.decoded(yours),
        three_way.decoded(before[path]),
        three_way.decoded(base[path]),
        "",
    )
    return three_way.encoded(merged.text) == (root / path).read_bytes()
