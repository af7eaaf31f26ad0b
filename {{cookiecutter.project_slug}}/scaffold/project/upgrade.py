"""Takes over what is new in the template, by the same merge as `make entities`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scaffold.merging import atomic_writer, git_state, history, merge
from scaffold.merging.git_state import uncommitted
from scaffold.merging.three_way import decoded
from scaffold.processes import Unfinished, find, run
from scaffold.project import entities, generator, own_templates, skeleton, state
from scaffold.project.answers import ANSWERS, as_json
from scaffold.project.state import State
from scaffold.project.template_source import without_secrets
from scaffold.rendering.app import packaged_templates, project_templates

# Cookiecutter's own.
ABBREVIATIONS = {
    "bb": "https://bitbucket.org/{}",
    "gh": "https://github.com/{}.git",
    "gl": "https://gitlab.com/{}.git",
}
DIRTY = (
    "the project has uncommitted changes; commit or stash them first, so that git can "
    "undo the upgrade, or add --allow-dirty: {}"
)
# What the steps after an upgrade write: lock files, the description, migrations.
MADE_BY_STEPS = ("uv.lock", "poetry.lock", "openapi.json", "alembic/versions/")
NAME_IT = "name its repository: make upgrade ARGS='--from https://…'"
IGNORED = (
    "git ignores these files, so it could not undo the upgrade in them; move your "
    "changes elsewhere, or add --allow-dirty: {}"
)
UNKNOWN = f"the project does not say which template it came from; {NAME_IT}"
ARCHIVE = f"an archive has one version, and the template came as {{}}; {NAME_IT}"
ELSEWHERE = f"If the template has moved, {NAME_IT}"
TOO_OLD = "that version of the template is too old to upgrade to"
NEXT = """\
The new version is merged, with open conflicts. Resolve them, then run
`make install entities`: it updates the environment, the code and the migrations.
"""


def main(root: Path, words: Sequence[str]) -> int:
    """Merge the next version of the template; return 1 for a problem or a conflict."""
    parser = argparse.ArgumentParser(prog="upgrade", description=__doc__)
    parser.add_argument("--to", default="", help="a tag, branch or commit; the newest")
    parser.add_argument("--from", dest="source", help="the template's repository")
    parser.add_argument("--allow-dirty", action="store_true", help="ignore changes")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another answer to one of the template's questions",
    )
    options = parser.parse_args(words)
    try:
        if atomic_writer.recover(root):
            print(entities.UNDONE, file=sys.stderr)
        answers = read_recorded_answers(root)
        source = locate(options.source or answers.get("template") or "", root)
        if not options.allow_dirty and (edited := edited_since_commit(root, answers)):
            raise Unfinished(DIRTY.format(", ".join(edited[:5])))
        with tempfile.TemporaryDirectory() as folder:
            return upgrade(root, Path(folder) / "template", answers, source, options)
    except Unfinished as error:
        print(f"upgrade: {error}\nNothing was written.", file=sys.stderr)
    return 1


def upgrade(
    root: Path,
    clone: Path,
    answers: Mapping[str, Any],
    source: str,
    options: argparse.Namespace,
) -> int:
    """Merge the skeleton, the templates and the generated code of a newer version."""
    commit = fetch(source, options.to, clone)
    packed = pack(clone)
    digest = generator.sha256(packed)
    questions = json.loads((clone / generator.QUESTIONS).read_text("utf-8"))
    chosen = changed_answers(answers, options.set, questions)
    plan = make_plan(root, packed, answers, chosen)
    is_current = digest == answers.get("generator_sha256") == generator.own_sha256()
    if is_current and chosen == answers and not plan.written:
        print(f"the project is at {commit[:12]}, which is what the template has")
        return 0
    if not options.allow_dirty and (
        ignored := uncommitted(root, plan.edited(), plan.base, dict)
    ):
        raise Unfinished(IGNORED.format(", ".join(ignored)))
    version = questions["_version"]
    record = {
        **chosen,
        "template_version": version,
        "template": without_secrets(source),
        "template_commit": commit,
        "generator_sha256": digest,
    }
    records = {
        **plan.records,
        state.GENERATOR: packed,
        ANSWERS.as_posix(): as_json(record),
    }
    status = entities.carry_out(replace(plan, records=records), allow_dirty=True)
    print(f"from {answers.get('template_version')} to {version}")
    if status:
        print(NEXT, file=sys.stderr, end="")
    return status


def changed_answers(
    answers: Mapping[str, Any], changes: Sequence[str], questions: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the answers with the changes, and defaults for new questions."""
    chosen = dict(answers)
    asked = {key for key in questions if key[0] != "_"} - {"entities_file"}
    for change in changes:
        name, _, value = change.partition("=")
        options = questions.get(name)
        if name not in asked:
            known = ", ".join(sorted(asked))
            raise Unfinished(f"--set {change}: no such question; there are {known}")
        if isinstance(options, list) and value not in options:
            raise Unfinished(f"--set {change}: choose one of {', '.join(options)}")
        chosen[name] = value
    complete = skeleton.complete(chosen, questions)
    return chosen | {key: complete[key] for key in questions if key in asked}


def make_plan(
    root: Path, packed: bytes, answers: Mapping[str, Any], chosen: Mapping[str, Any]
) -> merge.Plan:
    """Compare what the old and the new generator render with the working tree.

    A team's own templates are merged first: what they render follows in the same plan,
    unless a conflict is open in one, whose files then stay as they are.
    """
    last = state.last(root)
    if last.state is None or last.note:
        raise Unfinished(
            f"the code and {state.ENTITIES} come from two branches; run `make entities` "
            "first"
        )
    old = {**skeleton.render(answers), **last.state.files()}
    templates, changes = _merged_templates(root, packed)
    now = State(last.state.entities, templates, packed, chosen)
    generated, fresh = state.run_generator(packed, now)
    if not fresh:
        raise Unfinished(TOO_OLD)
    texts = {path: decoded(text) for path, text in {**fresh, **generated}.items()}
    plan = merge.make_plan(root, old, texts, label="the template")
    runs = str(last.history.after(now.digest)).encode()
    records = {history.FILE: runs, **state.template_records(root, templates)}
    return replace(plan, changes=[*plan.changes, *changes], records=records)


def _merged_templates(
    root: Path, packed: bytes
) -> tuple[Mapping[str, str], Sequence[merge.Change]]:
    """Return the templates to render with, and the changes of the team's own ones."""
    folder = own_templates.FOLDER
    mine = project_templates(root / folder)
    if not mine:
        return {}, []
    old = packaged_templates()
    new = generator.packaged_templates_of(packed)
    base = {f"{folder}/{path}": old[path].encode() for path in mine if path in old}
    texts = {f"{folder}/{path}": new[path] for path in mine if path in new}
    plan = merge.make_plan(root, base, texts, label="the template")
    used = dict(mine)
    for change in plan.with_outcome(merge.MERGED, merge.UPDATED):
        used[change.path.removeprefix(f"{folder}/")] = decoded(change.after or b"")
    return used, plan.changes


def read_recorded_answers(root: Path) -> dict[str, Any]:
    """Return the content of answers.json, or raise `Unfinished`."""
    try:
        answers: dict[str, Any] = json.loads((root / ANSWERS).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unfinished(f"{ANSWERS.as_posix()} cannot be read: {error}") from None
    return answers


def edited_since_commit(root: Path, answers: Mapping[str, Any]) -> list[str]:
    """Return the changes that are not committed, but for those of an earlier upgrade.

    It may have been killed, or stopped before its steps were all done. Without git,
    nothing can be undone.
    """
    paths = git_state.changed(root)
    committed = git_state.committed(root, "HEAD", ANSWERS.as_posix()) if paths else None
    last = state.last(root).state if committed else None
    before = state.state_at(root, "HEAD") if committed else None
    if committed is None or last is None or before is None:
        return paths
    old_answers = json.loads(committed)
    if old_answers.get("generator_sha256") == answers.get("generator_sha256"):
        return paths
    packed = git_state.committed(root, "HEAD", state.GENERATOR)
    if packed is None or generator.own_sha256() != answers.get("generator_sha256"):
        return paths
    old = [*state.run_generator(packed, before)]
    new = {**skeleton.render(answers), **last.files()}
    return [
        path
        for path in paths
        if not path.startswith((f"{state.FOLDER}/", *MADE_BY_STEPS))
        and not git_state.is_a_runs_own_work(root, path, new, {**old[1], **old[0]})
    ]


def locate(source: str, root: Path) -> str:
    """Return the address of a template's repository; of a folder, its absolute path."""
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


def pack(clone: Path) -> bytes:
    """Return the generator.pyz of a clone of the template, as its own code packs it."""
    trees = list(clone.glob("*cookiecutter.*/scaffold/project/generator.py"))
    if not trees:
        raise Unfinished(TOO_OLD)
    tree = trees[0].parents[2]
    target = clone.parent / "generator.pyz"
    command = [sys.executable, "-B", "-m", "scaffold.project.generator", str(target)]
    run(command, tree, extra={"PYTHONPATH": str(tree)})
    return target.read_bytes()
