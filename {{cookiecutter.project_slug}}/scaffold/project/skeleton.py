"""What the template wrote beside the generated files: the base for its next version."""

import fnmatch
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

SKELETON = Path(".devmatrix") / "skeleton"
# What is a person's, a machine's or a tool's from the first minute.
NOT_OURS = (
    "*.lock",
    "*.pyc",
    ".data/*",
    ".env",
    "alembic/versions/*.py",
    "docker/.env",
    "entities.json",
    "licences/*",
    "openapi.json",
    "requirements/*",
)
FOREIGN_FOLDERS = {".devmatrix", ".git", ".venv", "__pycache__"}


def record(root: Path, tree: Path | None) -> None:
    """Keep a copy of every file that the template wrote into a project.

    Git stores equal contents once, so the copies cost a repository nothing. `tree` is
    where the template has them: over an existing project it tells them from others.
    """
    target = root / SKELETON
    known = set(listed(tree)) | {"LICENSE"} if tree else None
    if known is None and target.exists():
        known = {path.relative_to(target).as_posix() for path in target.rglob("*")}
    paths = [path for path in listed(root) if known is None or path in known]
    shutil.rmtree(target, ignore_errors=True)
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)


def listed(root: Path) -> Iterator[str]:
    """Yield the paths of the files that come from a template."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(
            name
            for name in names
            if name not in FOREIGN_FOLDERS and not name.endswith("_cache")
        )
        for name in sorted(files):
            path = (Path(folder) / name).relative_to(root).as_posix()
            if not any(fnmatch.fnmatch(path, pattern) for pattern in NOT_OURS):
                yield path
