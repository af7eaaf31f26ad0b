"""Replaces several files as one step: after a failure or a kill, all are as before.

New texts and copies of the old ones are on disk, in `.devmatrix/new/`, before the first
file is replaced. An exception undoes what was done; what a killed run left is undone by
`recover`, which each command calls first.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scaffold.processes import Unfinished

FOLDER = Path(".devmatrix") / "new"
JOURNAL = "journal.json"


@dataclass(frozen=True)
class Write:
    """A file's new content, or None to remove it.

    `moved_from` is a file that is removed, and whose mode the new one takes.
    """

    path: str
    content: bytes | None
    moved_from: str | None = None


def replace_files(root: Path, writes: Sequence[Write]) -> None:
    """Write all files, in this order, or none.

    Raises `Unfinished`, naming the file, where one cannot be written.
    """
    if not writes:
        return
    folder = root / FOLDER
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        staged = _stage(root, folder, writes)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise _unfinished(error) from None
    try:
        for write, text in zip(writes, staged, strict=True):
            _put(root, write, text)
    except BaseException as error:
        recover(root)
        if isinstance(error, OSError):
            raise _unfinished(error) from None
        raise
    _forget(folder)


def recover(root: Path) -> bool:
    """Undo what an interrupted run did; return whether there was something.

    A file that somebody has changed since then stays as it is.
    """
    folder = root / FOLDER
    try:
        journal = json.loads((folder / JOURNAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing was replaced yet
        shutil.rmtree(folder, ignore_errors=True)
        return False
    for entry in reversed(journal):
        target = root / entry["path"]
        with contextlib.suppress(OSError, Unfinished):
            if _digest(read(target)) == entry["new"]:
                backup = folder / entry["backup"] if entry["backup"] else None
                _restore(target, backup)
    _forget(folder)
    return True


def is_interrupted(root: Path) -> bool:
    """Whether an earlier run was killed between its first file and its last."""
    return (root / FOLDER / JOURNAL).exists()


def read(path: Path) -> bytes | None:
    """Return a file's content, None if there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unfinished(f"{path}: {error.strerror}; it must be a file") from None


def _stage(root: Path, folder: Path, writes: Sequence[Write]) -> list[Path | None]:
    """Write new texts, copies of the old ones, and the journal."""
    journal = []
    staged: list[Path | None] = []
    for write in writes:
        text = None
        if write.content is not None:
            text = folder / f"{len(staged)}.new"
            text.write_bytes(write.content)
        staged.append(text)
        for number, path in enumerate((write.moved_from, write.path)):
            if path is None:
                continue
            new = write.content if path == write.path else None
            backup = f"{len(staged)}-{number}.old"
            if not (root / path).exists():
                backup = ""
            else:
                shutil.copy2(root / path, folder / backup)
            journal.append({"path": path, "backup": backup, "new": _digest(new)})
    draft = folder / "draft"
    draft.write_bytes(json.dumps(journal).encode())
    draft.replace(folder / JOURNAL)  # from here on there is something to undo
    return staged


def _put(root: Path, write: Write, text: Path | None) -> None:
    target = Path(os.path.realpath(root / write.path))  # a link stays one
    source = root / write.moved_from if write.moved_from else target
    if text is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.copymode(source, text)
    _replace(text, target)
    if write.moved_from:
        source.unlink()


def _restore(target: Path, backup: Path | None) -> None:
    if backup is None:
        target.unlink(missing_ok=True)
    else:
        _replace(backup, Path(os.path.realpath(target)))


def _replace(text: Path, target: Path) -> None:
    try:
        text.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # a link may lead to another file system
            raise
        shutil.copy(text, target)


def _forget(folder: Path) -> None:
    (folder / JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _digest(content: bytes | None) -> str:
    return "" if content is None else hashlib.sha256(content).hexdigest()


def _unfinished(error: OSError) -> Unfinished:
    return Unfinished(f"{error.filename}: {error.strerror}")
