"""Makes .venv and the lock file, at the versions that the template was tested with."""

import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scaffold.processes import Unfinished, base_python, project_python, run

TESTED = ("requirements/dev.txt", "requirements.txt")  # the latter in mode=legacy
LOCKS = ("uv.lock", "poetry.lock")
POETRY_SINCE = (2, 2)  # it reads [dependency-groups]
PYTHON_SINCE = (3, 11)


def install(root: Path) -> str:
    """Make the environment, and the lock file where there is none yet.

    poetry.toml says that the project is one of Poetry, else it is one of uv. Where
    that tool is not installed, venv and pip do, without writing a lock file.
    """
    if (root / "poetry.toml").exists():
        poetry = _poetry(root)
        return _with_poetry(poetry, root) if poetry else _with_pip(root)
    uv = shutil.which("uv")
    return _with_uv(uv, root) if uv else _with_pip(root)


def upgrade(root: Path) -> str:
    """Take the newest releases within pyproject.toml's bounds."""
    if (root / "poetry.toml").exists():
        poetry = _poetry(root)
        if poetry:
            return _with_poetry(poetry, root, "--regenerate")
        wanted = f"Poetry {'.'.join(map(str, POETRY_SINCE))} or newer"
    else:
        uv = shutil.which("uv")
        if uv:
            return _with_uv(uv, root, "--upgrade")
        wanted = "uv"
    raise Unfinished(f"pip writes no lock file; install {wanted}")


def _with_uv(uv: str, root: Path, *options: str) -> str:
    extra = {"UV_PROJECT_ENVIRONMENT": ".venv"}
    if not (root / ".venv").exists() and sys.version_info >= PYTHON_SINCE:
        extra["UV_PYTHON"] = base_python()
    lock = root / "uv.lock"
    if _pins(root) and not lock.exists():
        with tempfile.TemporaryDirectory() as folder:
            draft = _draft(root, Path(folder), "[tool.uv]", "constraint-dependencies")
            run([uv, "lock"], draft, extra=extra)
            shutil.copyfile(draft / "uv.lock", lock)
    run([uv, "lock", *options], root, extra=extra)
    run([uv, "sync", "--locked"], root, extra=extra)
    _drop_pins(root)
    return "uv, with uv.lock"


def _poetry(root: Path) -> str | None:
    """Poetry, unless it is missing or too old."""
    poetry = shutil.which("poetry")
    if poetry is None:
        return None
    version = re.search(r"(\d+)\.(\d+)", run([poetry, "--version"], root, minutes=1))
    fits = version is not None and (int(version[1]), int(version[2])) >= POETRY_SINCE
    return poetry if fits else None


def _with_poetry(poetry: str, root: Path, *options: str) -> str:
    lock = root / "poetry.lock"
    if _pins(root) and not lock.exists():
        with tempfile.TemporaryDirectory() as folder:
            draft = _draft(root, Path(folder), "[dependency-groups]", "tested")
            run([poetry, "lock", "--no-interaction"], draft)
            shutil.copyfile(draft / "poetry.lock", lock)
    if not (root / ".venv").exists() and sys.version_info >= PYTHON_SINCE:
        run([poetry, "env", "use", base_python()], root)
    run([poetry, "lock", "--no-interaction", *options], root)
    run([poetry, "sync", "--no-interaction"], root)
    _drop_pins(root)
    return "Poetry, with poetry.lock"


def _pins(root: Path) -> list[str]:
    """The tested versions, as long as no lock file has taken their place."""
    for name in TESTED:
        if (root / name).exists():
            lines = (root / name).read_text(encoding="utf-8").splitlines()
            return [line for line in lines if line and not line.startswith("#")]
    return []


def _draft(root: Path, folder: Path, table: str, key: str) -> Path:
    """A copy of pyproject.toml that also names every tested version.

    What is locked from it, the project's own file then takes over: the tested
    versions, and no word about them that would hold back a later upgrade.
    """
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    if f"{table}\n" not in text:
        text += f"\n{table}\n"
    pins = json.dumps(_pins(root))
    text = text.replace(f"{table}\n", f"{table}\n{key} = {pins}\n", 1)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8", newline="\n")
    return folder


def _drop_pins(root: Path) -> None:
    """From now on the lock file says what is installed; two answers would differ."""
    shutil.rmtree(root / "requirements", ignore_errors=True)


def _with_pip(root: Path) -> str:
    if sys.version_info < PYTHON_SINCE:
        wanted = ".".join(map(str, PYTHON_SINCE))
        raise Unfinished(f"Python {wanted} or newer is needed: PYTHON=python{wanted}")
    if not (root / ".venv").exists():
        try:
            run([base_python(), "-m", "venv", ".venv"], root)
        except Unfinished:  # Debian keeps ensurepip in a package of its own
            shutil.rmtree(root / ".venv", ignore_errors=True)
            run([base_python(), "-m", "venv", "--without-pip", ".venv"], root)
    pip = _pip(root, project_python(root))
    with tempfile.TemporaryDirectory() as folder:
        versions = Path(folder, "constraints.txt")
        versions.write_text("\n".join(_pins(root) or _locked(root)), encoding="utf-8")
        limits: list[str | Path] = ["--quiet", "--constraint", versions]
        run([*pip, "install", *limits, *_requirements(root)], root)
    return "pip"


def _pip(root: Path, python: Path) -> list[str | Path]:
    """The environment's own pip, or ours working on the environment."""
    commands: list[list[str | Path]] = [
        [python, "-m", "pip"],
        [sys.executable, "-m", "pip", "--python", python],
        [base_python(), "-m", "pip", "--python", python],
    ]
    for command in commands:
        try:
            run([*command, "--version"], root, minutes=1)
        except Unfinished:
            continue
        return command
    raise Unfinished("neither uv nor pip is installed")


def _requirements(root: Path) -> list[str]:
    import tomllib  # here, so that an older Python reads the message about its age

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    group = project.get("dependency-groups", {}).get("dev", [])
    return [*project["project"]["dependencies"], *group]


def _locked(root: Path) -> Iterator[str]:
    """The versions of a lock file that another tool has written."""
    import tomllib

    for name in LOCKS:
        if (root / name).exists():
            lock = tomllib.loads((root / name).read_text(encoding="utf-8"))
            packages = [item for item in lock["package"] if "version" in item]
            several = Counter(item["name"] for item in packages)
            for item in packages:
                if several[item["name"]] == 1:
                    yield f"{item['name']}=={item['version']}"
            return
