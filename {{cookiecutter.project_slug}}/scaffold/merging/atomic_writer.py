"""Replaces files, each by one step; after a failure all is as it was."""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType

from scaffold.processes import Unfinished


class Writer:
    """Keeps new texts in a folder beside the files until they take their places.

    Somebody who kills it finds every file as it was or as it was to be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.staged = 0
        self.undo: list[Callable[[], object]] = []

    def __enter__(self) -> "Writer":
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(parents=True)
        except OSError as error:
            reason = f"{self.folder}: {error.strerror}; new texts are to be kept here"
            raise Unfinished(reason) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for step in reversed(self.undo) if error else ():
            with contextlib.suppress(OSError, Unfinished):
                step()
        shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise Unfinished(f"{error.filename}: {error.strerror}") from None

    def stage(self, content: bytes) -> Path:
        """Bring a text to the disk."""
        self.staged += 1
        path = self.folder / str(self.staged)
        path.write_bytes(content)
        return path

    def put(self, path: Path, text: Path) -> None:
        """Let a staged text take its place, with the mode of what was there."""
        self.undo.append(partial(_restore, path, read(path)))
        target = Path(os.path.realpath(path))  # a link stays one
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(target, text)
        try:
            text.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copy(text, target)

    def move(self, path: Path, target: Path) -> None:
        self.undo.append(partial(target.replace, path))
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)

    def remove(self, path: Path) -> None:
        self.undo.append(partial(_restore, path, read(path)))
        path.unlink(missing_ok=True)


def read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unfinished(f"{path}: {error.strerror}; a file is to stand here") from None


def _restore(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif read(path) != content:
        path.write_bytes(content)
