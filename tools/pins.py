"""`make pins`: writes the versions of dependencies that generated projects install."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness.project import ROOT

TREE = ROOT / "{{cookiecutter.project_slug}}"
SOURCES = {
    TREE / "requirements" / "dev.txt": TREE / "pyproject.toml",
    TREE / "requirements" / "runtime.txt": TREE / "pyproject.toml",
    TREE / "scaffold" / "legacy" / "requirements.txt": (
        TREE / "scaffold" / "legacy" / "pyproject.toml.jinja"
    ),
}
HEADER = (
    "# What the template was tested with; `make pins` in its repository writes this.\n"
)
COMPILE = "uv pip compile --quiet --universal --python-version 3.11 --no-annotate"
PLAIN = "--no-header --no-emit-index-url"  # nothing of the machine that it ran on


def compile_pins(source: Path, target: Path, known: Path | None) -> None:
    """Resolve the dependencies of a pyproject.toml, which may have Jinja expressions."""
    text = source.read_text(encoding="utf-8")
    text = re.sub(r'(?<!")\{\{.*?\}\}', '"x"', text)
    text = re.sub(r"\{\{.*?\}\}", "x", text)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "pyproject.toml")
        lines = [line for line in text.splitlines() if not line.startswith("authors")]
        project.write_text("\n".join(lines), encoding="utf-8")
        group = [] if target.name == "runtime.txt" else ["--group", "dev"]
        limits = ["--constraint", str(known)] if known else []
        command = [*COMPILE.split(), *PLAIN.split(), *limits, *group, "pyproject.toml"]
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True
        )
    target.write_text(HEADER + done.stdout, encoding="utf-8", newline="\n")


def main() -> int:
    known = None
    for target, source in SOURCES.items():
        compile_pins(source, target, known)
        known = known or target  # one version of a package, wherever it is used
        print(target.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
