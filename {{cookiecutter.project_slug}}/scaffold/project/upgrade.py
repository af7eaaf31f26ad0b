"""Takes over what is new in the template, by the same merge as `make entities`."""

import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scaffold.cli import ROOT, apply
from scaffold.merging import merge
from scaffold.merging.git_state import has_repository, uncommitted
from scaffold.merging.three_way import decoded
from scaffold.processes import Unfinished, find, run
from scaffold.project.answers import ANSWERS
from scaffold.project.skeleton import SKELETON
from scaffold.project.template_source import without_secrets

# Cookiecutter's own.
ABBREVIATIONS = {
    "bb": "https://bitbucket.org/{}",
    "gh": "https://github.com/{}.git",
    "gl": "https://gitlab.com/{}.git",
}
SKIP_ALL = {"DEVMATRIX_SKIP": "all"}  # of what follows the code
DIRTY = (
    "the project has changes that are not committed; commit or stash them first, so "
    "that git can take the upgrade back, or add --allow-dirty"
)
NAME_IT = "name its repository: make upgrade ARGS='--from https://…'"
IGNORED = (
    "git ignores these files, so it could not take the upgrade back in them; move your "
    "changes elsewhere, or add --allow-dirty: {}"
)
UNKNOWN = f"the project does not say which template it came from; {NAME_IT}"
ARCHIVE = f"an archive has one version, and the template came as {{}}; {NAME_IT}"
ELSEWHERE = f"If the template is somewhere else now, {NAME_IT}"
NEXT = """\
The template's part is in. `make install entities` does the rest: the environment, the
generated code, the migration. `make upgrade` types it for you, once no conflict is open.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scaffold.upgrade", description=__doc__
    )
    parser.add_argument("--to", default="", help="a tag, branch or commit; the newest")
    parser.add_argument("--from", dest="source", help="the template's repository")
    parser.add_argument("--allow-dirty", action="store_true", help="ignore changes")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root: Path = options.root.resolve()
    try:
        answers = read_answers(root)
        source = locate(options.source or answers.get("template") or "", root)
        if not options.allow_dirty and is_dirty(root):
            raise Unfinished(DIRTY)
        with tempfile.TemporaryDirectory() as folder:
            return upgrade(root, Path(folder), answers, source, options)
    except Unfinished as error:
        print(f"upgrade: {error}\nNothing was written.", file=sys.stderr)
    return 1


def upgrade(
    root: Path,
    folder: Path,
    answers: Mapping[str, str],
    source: str,
    options: argparse.Namespace,
) -> int:
    """Render the newer template with the recorded answers, and merge its skeleton."""
    commit = fetch(source, options.to, folder / "template")
    fresh = render(root, folder, answers)
    plan, handed = make_plan(root, fresh, folder / "base")
    if plan.is_idle and commit == answers.get("template_commit"):
        print(f"the project is at {commit[:12]}, which is what the template has")
        return 0
    if not options.allow_dirty and (
        ignored := uncommitted(root, plan.base, plan.edited())
    ):
        raise Unfinished(IGNORED.format(", ".join(ignored)))
    status = apply(plan, allow_dirty=True)
    hand_over(root, handed)
    record = {**read_answers(fresh), "template": without_secrets(source)}
    record["template_commit"] = commit
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (root / ANSWERS).write_text(text, encoding="utf-8", newline="\n")
    print(f"from {answers.get('template_version')} to {record['template_version']}")
    if status:
        print(NEXT, file=sys.stderr, end="")
    return status


def read_answers(root: Path) -> dict[str, Any]:
    try:
        answers: dict[str, Any] = json.loads((root / ANSWERS).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unfinished(f"{ANSWERS.as_posix()} cannot be read: {error}") from None
    return answers


def is_dirty(root: Path) -> bool:
    """Whether git has something to commit; without git, nothing is to go back to."""
    return has_repository(root) and bool(
        run([find("git"), "status", "--porcelain", "."], root)
    )


def locate(source: str, root: Path) -> str:
    """The address of a template's repository; a folder's is the whole path."""
    if not source:
        raise Unfinished(UNKNOWN)
    if source.lower().endswith(".zip"):
        raise Unfinished(ARCHIVE.format(source))
    folder = root / Path(source).expanduser()
    return str(folder.resolve()) if folder.is_dir() else source


def fetch(source: str, to: str, folder: Path) -> str:
    """Clone the template; return the commit that is checked out."""
    git = find("git")
    host, _, path = source.partition(":")
    address = ABBREVIATIONS.get(host, "{}").format(
        path if host in ABBREVIATIONS else source
    )
    try:
        run([git, "clone", "--quiet", "--", address, folder], folder.parent)
    except Unfinished as error:
        raise Unfinished(f"{error}\n{ELSEWHERE}") from None
    if to:
        run([git, "checkout", "--quiet", to, "--"], folder)
    return run([git, "rev-parse", "HEAD"], folder).strip()


def render(root: Path, folder: Path, answers: Mapping[str, str]) -> Path:
    """Generate the project anew, beside the one that there is."""
    config = folder / "cookiecutter.json"
    places = {key: str(folder / key) for key in ("cookiecutters_dir", "replay_dir")}
    config.write_text(json.dumps(places), encoding="utf-8")
    output = folder / "output"
    known = json.loads((folder / "template" / "cookiecutter.json").read_text("utf-8"))
    pairs = [
        f"{key}={_quoted(str(value))}" for key, value in answers.items() if key in known
    ]
    entities = f"entities_file={_quoted(str(root / 'entities.json'))}"
    options = ["--no-input", f"--config-file={config}", f"--output-dir={output}"]
    command: list[str | Path] = [
        *_cookiecutter(),
        str(folder / "template"),
        *options,
        *pairs,
        entities,
    ]
    run(command, folder, extra=SKIP_ALL)
    fresh = output / answers["project_slug"]
    if not (fresh / SKELETON).is_dir():
        raise Unfinished("that version of the template is too old to upgrade to")
    return fresh


def _quoted(value: str) -> str:
    """An answer that Cookiecutter, which renders it, gives back as it is."""
    if "{" not in value and "#" not in value:
        return value
    codes = "".join(f"\\U{ord(character):08x}" for character in value)
    return '{{ "' + codes + '" }}'


def _cookiecutter() -> list[str]:
    if importlib.util.find_spec("cookiecutter"):
        return [sys.executable, "-m", "cookiecutter"]
    for command in (
        ["cookiecutter"],
        ["uvx", "cookiecutter"],
        ["pipx", "run", "cookiecutter"],
    ):
        if path := shutil.which(command[0]):
            return [path, *command[1:]]
    raise Unfinished("cookiecutter is needed; install it: pipx install cookiecutter")


def make_plan(
    root: Path, fresh: Path, base: Path
) -> tuple[merge.Plan, dict[str, bytes | None]]:
    """Compare the skeletons; return what changes hands between them and entities too.

    A file that was the template's may be generated from now on, and the reverse. Its
    base goes along: None where the generated files' own base has to forget it.
    """
    old, new = _texts(root / SKELETON), _texts(fresh / SKELETON)
    was_generated, generated = _texts(root / merge.BASE), _texts(fresh / merge.BASE)
    handed: dict[str, bytes | None] = {}
    for path in old.keys() & generated.keys() - new.keys():
        handed[path] = old.pop(path)
    for path in new.keys() & was_generated.keys() - old.keys():
        old[path] = was_generated[path]
        handed[path] = None
    for path, content in old.items():
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_bytes(content)
    files = {path: decoded(content) for path, content in new.items()}
    plan = merge.make_plan(root, files, base=base, label="the template")
    return replace(plan, base=SKELETON), handed


def hand_over(root: Path, handed: Mapping[str, bytes | None]) -> None:
    for path, content in handed.items():
        target = root / merge.BASE / path
        if content is None:
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def _texts(folder: Path) -> dict[str, bytes]:
    return dict(_read(folder))


def _read(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
