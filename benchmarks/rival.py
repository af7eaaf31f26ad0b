"""Another generator of services, s3rius' `fastapi_template` of PyPI, beside ours.

Its project needs a Python of its own, 3.12 at present: UV_PYTHON names one that uv does
not find by itself. cookiecutter-django is on GitHub alone, so it is not compared.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.things import clock

NAME = "fastapi_template"
# What our services have, as far as it offers it.
FEATURES = ("--api-type=rest", "--db=postgresql", "--orm=sqlalchemy", "--migrations")
EXTRAS = ("--ci=github", "--redis", "--swagger", "--prometheus", "--dummy", "--routers")
# It commits, and has nobody to ask who does.
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "nobody"), ("EMAIL", "nobody@localhost"))
}


def install(folder: Path) -> str | None:
    """Install and try it; return its version, or nothing where that fails."""
    home = _home(folder)
    pip: list[str | Path] = ["uv", "pip", "install", "--python", home, NAME]
    try:
        clock(["uv", "venv", "--no-project", home], {}, folder)
        clock(pip, {}, folder)
        generate(folder, folder / "trial", {})
        said = clock([home / "bin" / NAME, "--version"], {}, folder)[1]
    except RuntimeError as error:
        print(f"{NAME} is left out: {error}", flush=True)
        return None
    return said.split()[-1]


def generate(
    installed: Path, folder: Path, environment: Mapping[str, str]
) -> dict[str, float]:
    """Make a project, with environment and first commit, and no questions."""
    folder.mkdir(exist_ok=True)
    options = ["--quiet", "--name=rival", *FEATURES, *EXTRAS]
    program = _home(installed) / "bin" / NAME
    seconds, said = clock([program, *options], {**IDENTITY, **environment}, folder)
    # Whatever fails, it ends with 0, and without the commit.
    last = ["git", "-C", str(folder / "rival"), "rev-parse", "--verify", "HEAD"]
    if subprocess.run(last, capture_output=True).returncode:
        raise RuntimeError(said)
    return {"seconds": seconds}


def _home(folder: Path) -> Path:
    return folder / NAME
