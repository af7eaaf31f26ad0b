"""What git knows of the project: uncommitted edits, and files of earlier commits."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scaffold.merging import three_way
from scaffold.processes import Unfinished, environment, find, run

UNKNOWN = (
    "Only git knows whether it could undo the run; --allow-dirty runs without asking it"
)
Files = Mapping[str, bytes]
# What git is in the middle of, and the commit that it takes changes from.
MERGING = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", "REVERT_HEAD")
_MARKER_LABEL = re.compile(rb"^(<{7}|\|{7}|>{7}) .*$", re.MULTILINE)


@dataclass(frozen=True)
class Sides:
    """The versions of a file with a conflict, as git's index has them."""

    before: bytes
    ours: bytes
    theirs: bytes


def has_repository(root: Path) -> bool:
    """Whether the project is in a git repository, as far as files show it."""
    folder = root.resolve()
    return any((one / ".git").exists() for one in (folder, *folder.parents))


def repository(root: Path) -> str:
    """Return the top folder of the repository for the project, "" if there is none.

    A repository that ignores the project's folder is not for it.
    """
    found = _answer(root, "rev-parse", "--show-toplevel")
    ignored = _answer(root, "check-ignore", "--quiet", ".")
    if found.returncode or ignored.returncode == 0:
        return ""
    return found.stdout.decode("utf-8", "replace").rstrip("\n")


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
    untouched = open_conflicts(root)
    before = committed_base()
    return [
        path
        for path in dirty
        if path not in untouched and not is_a_runs_own_work(root, path, base, before)
    ]


def unmerged(root: Path) -> list[str]:
    """Return the paths that git's index has a conflict in."""
    if not has_repository(root):
        return []
    done = _answer(root, "ls-files", "--unmerged", "-z")
    entries = done.stdout.decode("utf-8", "replace").split("\0")
    return sorted({entry.partition("\t")[2] for entry in entries if entry})


def open_conflicts(root: Path) -> dict[str, Sides]:
    """Return the conflicts that are just as git left them, by path.

    They can be merged anew, and git can show them again (`git checkout --merge`).
    """
    found = {}
    for path in unmerged(root):
        before, ours, theirs = (_staged(root, stage, path) for stage in (1, 2, 3))
        if ours is None or theirs is None or not (root / path).is_file():
            continue
        sides = Sides(before or b"", ours, theirs)
        current = (root / path).read_bytes().replace(b"\r\n", b"\n")
        if _MARKER_LABEL.sub(rb"\1", current) == _merged_by_git(root, sides):
            found[path] = sides
    return found


def _staged(root: Path, stage: int, path: str) -> bytes | None:
    done = _answer(root, "show", f":{stage}:./{path}")
    return None if done.returncode else done.stdout


def _merged_by_git(root: Path, sides: Sides) -> bytes:
    """Merge as git did, by the user's own conflict style; labels are left out."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name in ("ours", "before", "theirs"):
            path = Path(folder) / name
            path.write_bytes(getattr(sides, name))
            paths.append(str(path))
        merged = _answer(root, "merge-file", "--stdout", *paths).stdout
    return _MARKER_LABEL.sub(rb"\1", merged)


def _answer(
    root: Path, *arguments: str, typed: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Ask git what it may know; without git, the answer is empty."""
    command = [shutil.which("git") or "git", *arguments]
    try:
        return subprocess.run(
            command,
            cwd=root,
            env=environment(),
            input=typed,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return subprocess.CompletedProcess(command, 127, b"", b"")


def commits_of(root: Path, path: str) -> Iterator[str]:
    """Yield the commits of all branches that changed a file, the latest one first."""
    if has_repository(root):
        yield from _git(
            root, "log", "--all", "--full-history", "--format=%H", "--", path
        ).split()


def merging(root: Path) -> str:
    """Return the commit whose changes git is taking over, "" if it is not."""
    if not has_repository(root):
        return ""
    for name in MERGING:
        done = _answer(root, "rev-parse", "--quiet", "--verify", name)
        if done.returncode == 0:
            return done.stdout.decode().strip()
    return ""


def added_lines(root: Path, path: str) -> list[str]:
    """Return all lines that a file ever got on the way to what is checked out.

    What git is merging counts as well. The oldest ones come first.
    """
    if not has_repository(root):
        return []
    tips = ["HEAD", *filter(None, [merging(root)])]
    options = ["--reverse", "--full-history", "-m", "-p", "-U0", "--format="]
    done = _answer(root, "log", *options, *tips, "--", path)
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    found = (line[1:] for line in lines if line[:1] == "+" and line[:3] != "+++")
    return list(dict.fromkeys(found))


def committed(root: Path, commit: str, path: str) -> bytes | None:
    """Return a file as a commit has it, None if it has none."""
    if not has_repository(root):
        return None
    done = _answer(root, "show", f"{commit}:./{path}")
    return None if done.returncode else done.stdout


def contents(root: Path, names: Sequence[str]) -> list[bytes | None]:
    """Return objects such as "HEAD:./path", None for those that do not exist."""
    if not names:
        return []
    asked = "".join(f"{name}\n" for name in names).encode()
    done = _answer(root, "cat-file", "--batch", typed=asked)
    found: list[bytes | None] = []
    rest = done.stdout
    for _ in names:
        head, _, rest = rest.partition(b"\n")
        size = re.fullmatch(rb"[0-9a-f]+ \w+ (\d+)", head)
        found.append(rest[: int(size[1])] if size else None)
        rest = rest[int(size[1]) + 1 :] if size else rest
    return found


def commits_with_parents(
    root: Path, count: int, kind: str, *paths: str
) -> list[tuple[str, tuple[str, ...]]]:
    """Return the latest commits of a kind that changed a path, with their parents."""
    if not has_repository(root):
        return []
    options = [f"--max-count={count}", kind, "--full-history", "--format=%H %P"]
    done = _answer(root, "log", *options, "HEAD", "--", *paths)
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    return [(line[0], tuple(line[1:])) for line in lines]


def commits_since(root: Path, commit: str, path: str) -> list[str]:
    """Return the commits after one that changed a file."""
    done = _answer(root, "log", "--format=%H", f"{commit}..HEAD", "--", path)
    return done.stdout.decode().split()


def is_squashing(root: Path) -> bool:
    """Whether `git merge --squash` was called, and its result is not committed."""
    done = _answer(root, "rev-parse", "--git-path", "SQUASH_MSG")
    return (root / done.stdout.decode().strip()).is_file()


def committed_paths(root: Path, commit: str, folder: str) -> list[str]:
    """Return the paths of the files in a folder as a commit has them."""
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", commit, f"./{folder}/")
    return [path for path in listed.split("\0") if path]


def is_tracked(root: Path, path: str) -> bool:
    """Whether git has a file in its index."""
    return has_repository(root) and path in _tracked(root)


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


def is_a_runs_own_work(root: Path, path: str, base: Files, before: Files) -> bool:
    """Whether only a run has changed a file, whose result is not committed yet.

    Then merging what is committed gives just what the file is now. `base` is what the
    last run wrote, `before` what was written by the run that is committed.
    """
    yours = committed(root, "HEAD", path)
    file = root / path
    current = file.read_bytes() if file.is_file() else None
    if yours is None or current is None:
        new = base.get(path) if yours is None else None
        return current == new and (path in base or path in before)
    if path not in before or path not in base:
        return False
    merged = three_way.merge(
        path,
        three_way.decoded(yours),
        three_way.decoded(before[path]),
        three_way.decoded(base[path]),
        "",
    )
    return three_way.encoded(merged.text) == current


def changed(root: Path) -> list[str]:
    """Return all paths that git would commit or does not know yet."""
    if not has_repository(root):
        return []
    prefix = _git(root, "rev-parse", "--show-prefix").strip("\n")
    options = ("--porcelain", "-z", "--untracked-files=all", "--no-renames")
    listed = _git(root, "status", *options, ".").split("\0")
    return [entry[3:].removeprefix(prefix) for entry in listed if entry]
