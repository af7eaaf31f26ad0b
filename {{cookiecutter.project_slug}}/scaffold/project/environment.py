"""Creates .venv and the lock file, with the versions that the template was tested with."""

import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scaffold.processes import Unfinished, base_python, project_python, run

# The second is for `auth`, the last for mode=legacy.
TESTED = ("requirements/dev.txt", "requirements/auth.txt", "requirements.txt")
LOCKS = ("uv.lock", "poetry.lock")
POETRY_SINCE = (2, 2)  # it reads [dependency-groups]
PYTHON_SINCE = (3, 11)
NO_LOCK = (
    "there is no {lock}, which docker/Dockerfile needs; install {tool}, run `make setup` "
    "and commit {lock}"
)


def install(root: Path) -> str:
    """Create the environment, and the lock file if there is none.

    A project with poetry.toml uses Poetry, any other uv. If that tool is not installed,
    venv and pip create the environment, without a lock file.
    """
    if (root / "poetry.toml").exists():
        poetry = _poetry(root)
        return _with_poetry(poetry, root) if poetry else _with_pip(root)
    uv = shutil.which("uv")
    return _with_uv(uv, root) if uv else _with_pip(root)


def upgrade(root: Path) -> str:
    """Lock and install the newest releases that pyproject.toml allows."""
    if (root / "poetry.toml").exists():
        poetry = _poetry(root)
        if poetry:
            return _with_poetry(poetry, root, "--regenerate")
    else:
        uv = shutil.which("uv")
        if uv:
            return _with_uv(uv, root, "--upgrade")
    raise Unfinished(f"pip writes no lock file; install {_manager(root)[0]}")


def check_lock(root: Path) -> str:
    """Return the name of the lock file; raise `Unfinished` if there is none."""
    tool, lock = _manager(root)
    if (root / lock).exists():
        return lock
    raise Unfinished(NO_LOCK.format(lock=lock, tool=tool))


def _manager(root: Path) -> tuple[str, str]:
    """Return the package manager that has to be installed, and its lock file."""
    if (root / "poetry.toml").exists():
        return f"Poetry {'.'.join(map(str, POETRY_SINCE))} or newer", "poetry.lock"
    return "uv", "uv.lock"


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
    """Return the path of Poetry, or None if it is missing or too old."""
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
    """Return the tested versions, until a lock file has replaced them."""
    lines: list[str] = []
    for name in TESTED:
        if (root / name).exists() and not (lines and name == TESTED[-1]):
            lines += (root / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _draft(root: Path, folder: Path, table: str, key: str) -> Path:
    """Copy pyproject.toml into the folder, with the tested versions as constraints.

    The project takes the lock file that is made from the copy. Its own pyproject.toml has
    no such constraints, which would hold back a later upgrade.
    """
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    if f"{table}\n" not in text:
        text += f"\n{table}\n"
    pins = json.dumps(_pins(root))
    text = text.replace(f"{table}\n", f"{table}\n{key} = {pins}\n", 1)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8", newline="\n")
    return folder


def _drop_pins(root: Path) -> None:
    """Remove the tested versions: from now on the lock file has the versions."""
    shutil.rmtree(root / "requirements", ignore_errors=True)


def _with_pip(root: Path) -> str:
    if sys.version_info < PYTHON_SINCE:
        wanted = ".".join(map(str, PYTHON_SINCE))
        raise Unfinished(f"Python {wanted} or newer is needed: PYTHON=python{wanted}")
    if not (root / ".venv").exists():
        try:
            run([base_python(), "-m", "venv", ".venv"], root)
        except Unfinished:  # on Debian ensurepip is a separate package
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
    """Return a command for pip: that of the environment, or another one for it."""
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
    import tomllib  # not at the top: older Pythons must get to the message of `_with_pip`

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    group = project.get("dependency-groups", {}).get("dev", [])
    return [*project["project"]["dependencies"], *group]


def _locked(root: Path) -> Iterator[str]:
    """Yield the versions of a lock file that uv or Poetry has written."""
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
