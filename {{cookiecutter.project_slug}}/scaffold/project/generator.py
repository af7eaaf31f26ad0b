"""The generator as one file: `.devmatrix/generator.pyz`, a Python zip application.

It holds the generator's modules, the templates, and the skeleton as the template has it.
The same template gives the same bytes on every platform and Python: names are sorted,
nothing is compressed, and dates, modes and line ends are fixed.
"""

import functools
import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

# Where this module runs from: a generator.pyz, or the template's folder.
HOME = Path(__file__).resolve().parents[2]
SKELETON = "skeleton/"
QUESTIONS = "cookiecutter.json"
TEMPLATES = "scaffold/rendering/templates/"
FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can name
MAIN = '''\
"""The generator of this project, which docs/upgrading.md describes."""

import sys

from scaffold.cli import main

sys.exit(main())
'''
# What a hook of the template uses, and no project.
_HOOKS_ONLY = ("scaffold/examples/", "scaffold/legacy/", "scaffold/new_project.py")
_FOREIGN_FOLDERS = {
    ".data",
    ".devmatrix",
    ".git",
    ".hypothesis",
    ".venv",
    "__pycache__",
}
_FOREIGN_FILES = {".coverage", ".env"}


@functools.cache
def archive(home: Path = HOME) -> bytes:
    """Return the bytes of generator.pyz, given the template's folder or such a file."""
    if home.is_file():
        return home.read_bytes()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for name, content in sorted(contents(home).items()):
            info = zipfile.ZipInfo(name, FIRST_DATE)
            info.create_system = 3  # Unix, wherever this runs
            info.external_attr = 0o100644 << 16
            file.writestr(info, content)
    return target.getvalue()


def contents(home: Path = HOME) -> Mapping[str, bytes]:
    """Return the files of generator.pyz by name."""
    if home.is_file():
        with zipfile.ZipFile(home) as file:
            return {name: file.read(name) for name in file.namelist()}
    packed = {"__main__.py": MAIN.encode()}
    packed[QUESTIONS] = _with_unix_line_ends(home.parent / QUESTIONS)
    for path in tree_files(home):
        if path.startswith(_HOOKS_ONLY):
            continue
        name = path if path.startswith("scaffold/") else SKELETON + path
        packed[name] = _with_unix_line_ends(home / path)
    return packed


def sha256(data: bytes) -> str:
    """Return the digest that answers.json and the release name."""
    return hashlib.sha256(data).hexdigest()


def own_sha256() -> str:
    """Return the digest of the generator that is running."""
    return sha256(archive())


def tree_files(home: Path) -> Iterator[str]:
    """Yield the paths of the template's files, without what tools leave beside them."""
    for folder, names, files in os.walk(home):
        names[:] = sorted(
            name
            for name in names
            if name not in _FOREIGN_FOLDERS and not name.endswith("_cache")
        )
        for name in sorted(files):
            if name not in _FOREIGN_FILES and not name.endswith(".pyc"):
                yield (Path(folder) / name).relative_to(home).as_posix()


def _with_unix_line_ends(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


def packaged_templates_of(packed: bytes) -> dict[str, str]:
    """Return the templates in a generator.pyz, by path."""
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        return {
            name.removeprefix(TEMPLATES): file.read(name).decode("utf-8")
            for name in file.namelist()
            if name.startswith(TEMPLATES) and name.endswith(".jinja")
        }


if __name__ == "__main__":  # called by an upgrade of an older project
    Path(sys.argv[1]).write_bytes(archive())
