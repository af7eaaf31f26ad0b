"""`make pins`: writes the versions of dependencies that generated projects install."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness.project import ROOT
from tests.harness.skeleton import TREE, pyproject

PINS = TREE / "requirements"
LEGACY = TREE / "scaffold" / "legacy"
HEADER = (
    "# What the template was tested with; `make pins` in its repository writes this.\n"
)
COMPILE = "uv pip compile --quiet --universal --python-version 3.11 --no-annotate"
PLAIN = "--no-header --no-emit-index-url"  # nothing of the machine that it ran on


def compile_pins(project: str, *options: str, known: Path | None = None) -> list[str]:
    """Resolve the dependencies of a pyproject.toml; return a line for each package."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [one for one in project.splitlines() if not one.startswith("authors")]
        Path(folder, "pyproject.toml").write_text("\n".join(lines), encoding="utf-8")
        limits = ["--constraint", str(known)] if known else []
        command = [*COMPILE.split(), *PLAIN.split(), *limits, *options]
        done = subprocess.run(
            [*command, "pyproject.toml"],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return done.stdout.splitlines()


def write(target: Path, lines: list[str]) -> None:
    target.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    print(target.relative_to(ROOT))


def main() -> int:
    dev = ("--group", "dev")
    everything, plain = PINS / "dev.txt", pyproject(auth=False)
    write(everything, compile_pins(plain, *dev))
    # One version of a package, wherever it is used.
    write(PINS / "runtime.txt", compile_pins(plain, known=everything))
    with_auth = compile_pins(pyproject(auth=True), *dev, known=everything)
    known = everything.read_text(encoding="utf-8").splitlines()
    write(PINS / "auth.txt", [line for line in with_auth if line not in known])
    legacy = (LEGACY / "pyproject.toml.jinja").read_text(encoding="utf-8")
    legacy = re.sub(r"\{\{.*?\}\}", '"x"', legacy)
    pinned = compile_pins(legacy, *dev, known=everything)
    write(LEGACY / "requirements.txt", pinned)
    return 0


if __name__ == "__main__":
    sys.exit(main())
