"""What the last run left in `.devmatrix/`, and the files that it wrote.

Rendering is pure, so what a run wrote is not stored: it is rendered again from the
recorded entities, by the generator and the templates that were recorded with them.
"""

import codecs
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scaffold.merging import git_state, history
from scaffold.merging.atomic_writer import read
from scaffold.merging.history import History
from scaffold.processes import Unfinished, environment
from scaffold.project import generator, skeleton
from scaffold.project.answers import parse_answers
from scaffold.rendering.app import (
    generate_modular_app,
    project_templates,
)
from scaffold.spec import json_schema
from scaffold.spec.loading import Spec, SpecError, parse, report

FOLDER = ".devmatrix"
ANSWERS = f"{FOLDER}/answers.json"
ENTITIES = f"{FOLDER}/entities.json"
GENERATOR = f"{FOLDER}/generator.pyz"
TEMPLATES = f"{FOLDER}/templates"
MIGRATED = f"{FOLDER}/migrated.json"  # only while migrations are behind the entities
SCHEMA = "entities.schema.json"  # for editors

Files = Mapping[str, bytes]

MERGED = (
    "The code and .devmatrix/entities.json come from two branches; the run merges from "
    "what both have in common, of commit {}."
)
UNKNOWN = (
    "The code and .devmatrix/entities.json do not belong together, and git has no state "
    "that both come from: the run only adds what is missing, and removes nothing. Check "
    "the result with `git diff`."
)

# What is around the specification in .devmatrix/entities.json.
_HEAD, _TAIL = b'{"applied by the last run":\n', b"}\n"


@dataclass(frozen=True)
class State:
    """Entities as a run applied them, and what rendered them.

    `generator` is None for the generator that is running. Without `answers`, the files of
    the skeleton that depend on the entities are not rendered.
    """

    entities: bytes
    templates: Mapping[str, str] = field(default_factory=dict)
    generator: bytes | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> Spec:
        return parse(self.entities)

    def files(self, *, only: str | None = None) -> Files:
        """Render what the run wrote. Raises `Unfinished` where that is impossible."""
        if self.generator is not None:
            generated, fixed = run_generator(self.generator, self)
            # What an older generator had in its skeleton.
            every = skeleton.render_optional(
                self.answers, auth=True, history=True, soft_delete=True
            )
            moved = fixed.keys() & every
            files = {**{path: fixed[path] for path in moved}, **generated}
            return {only: files[only]} if only else files
        try:
            return rendered(self.spec, self.templates, self.answers, only=only)
        except SpecError as error:
            raise Unfinished(f"{ENTITIES} cannot be used: {report(error)}") from None

    @property
    def digest(self) -> str:
        """What a line of `.devmatrix/runs` names the state by."""
        packed = self.generator
        digest = generator.sha256(packed) if packed else generator.own_sha256()
        texts = json.dumps(sorted(self.templates.items())).encode()
        return history.digest(to_record(self.entities), texts, digest.encode())


@dataclass(frozen=True)
class Last:
    """The state that the code comes from.

    `state` is None if no state is known that the code was made from; then `files` is
    None too, unless nothing was generated yet. `branches` are the states of the branches
    that were merged since. `note` says so, for a person. `every` has the runs that were
    reverted, too.
    """

    state: State | None
    history: History
    note: str = ""
    branches: Sequence[State] = ()
    every: History | None = None

    def history_after(self, digest: str) -> History:
        """Return the runs with one that leads to a state, unless they end there."""
        if self.history.runs and self.history.ends_in(digest):
            return self.history
        return (self.every or self.history).after(digest)

    def files(self, *, only: str | None = None) -> Files | None:
        if self.state:
            return self.state.files(only=only)
        return None if self.history.runs else {}


def rendered(
    spec: Spec,
    templates: Mapping[str, str] | None = None,
    answers: Mapping[str, Any] | None = None,
    *,
    only: str | None = None,
) -> Files:
    """Return every file that depends on entities.json, as bytes."""
    files = dict(generate_modular_app(spec, templates, only=only).files)
    if only is None:
        files[SCHEMA] = json_schema.render()
    optional: Files = {}
    if answers and only is None:
        optional = skeleton.render_optional(
            answers,
            auth=spec.auth,
            history=spec.history,
            soft_delete=spec.soft_delete,
        )
    return {**optional, **{path: text.encode("utf-8") for path, text in files.items()}}


def recorded(root: Path) -> State | None:
    """Return the state in `.devmatrix/`, whether the code belongs to it or not."""
    record = read(root / ENTITIES)
    if record is None:
        return None
    packed = read(root / GENERATOR)
    templates = project_templates(root / TEMPLATES)
    generator_used = None if _is_running(packed) else packed
    return State(from_record(record), templates, generator_used, answers_of(root))


def answers_of(root: Path) -> Mapping[str, Any]:
    """Return the recorded answers; those of the last commit in an open conflict."""
    answers = parse_answers(read(root / ANSWERS))
    return answers or parse_answers(git_state.committed(root, "HEAD", ANSWERS))


def last(root: Path) -> Last:
    """Return the state that the code in the working tree comes from.

    Usually that is the recorded one. After a merge, in which code and state were put
    together from two branches, it is the latest state that both branches come from.
    """
    text = read(root / history.FILE) or b""
    runs = history.parse(text.decode("utf-8", "replace"))
    every = history.parse(
        "\n".join([str(runs), *git_state.added_lines(root, history.FILE)])
    )
    runs = runs if runs.runs else every
    state = recorded(root)
    if not runs.runs:
        return Last(state, runs)
    if state and runs.ends_in(state.digest) and not every.branched_from(runs):
        return Last(state, runs, every=every)
    runs = every
    states = {one.digest: (commit, one) for commit, one in _committed_states(root)}
    branches = [states[run.state][1] for run in runs.heads if run.state in states]
    for digest in runs.common_states():
        if digest in states:
            commit, common = states[digest]
            return Last(common, runs, MERGED.format(commit[:12]), branches)
    return Last(None, runs, UNKNOWN)


def merging(root: Path) -> list[State]:
    """Return the states of the commits that git is putting together."""
    other = git_state.merging(root)
    found = [state_at(root, commit) for commit in ("HEAD", other)] if other else []
    return [one for one in found if one]


def committed_files(root: Path) -> Files:
    """Return what the run wrote whose result is in the last commit; {} if unknown."""
    state = state_at(root, "HEAD")
    return state.files() if state else {}


def _committed_states(root: Path) -> Iterator[tuple[str, State]]:
    """Yield the states of all branches, the latest one first."""
    for commit in git_state.commits_of(root, history.FILE):
        if state := state_at(root, commit):
            yield commit, state


def state_at(root: Path, commit: str) -> State | None:
    """Return the state that a commit has recorded."""
    record = git_state.committed(root, commit, ENTITIES)
    if record is None:
        return None
    packed = git_state.committed(root, commit, GENERATOR)
    templates = {
        path.removeprefix(f"{TEMPLATES}/"): content.decode("utf-8")
        for path in git_state.committed_paths(root, commit, TEMPLATES)
        if (content := git_state.committed(root, commit, path)) is not None
    }
    generator_used = None if _is_running(packed) else packed
    answers = parse_answers(git_state.committed(root, commit, ANSWERS))
    known = answers if answers_of(root) else {}  # then nothing else renders them either
    return State(from_record(record), templates, generator_used, known)


def _is_running(packed: bytes | None) -> bool:
    return packed is None or generator.sha256(packed) == generator.own_sha256()


def run_generator(packed: bytes, state: State) -> tuple[Files, Files]:
    """Let another version of the generator render: entities' files, and the skeleton.

    The skeleton is {} without answers. Raises `Unfinished` with what it says.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "generator.pyz").write_bytes(packed)
        (folder / "entities.json").write_bytes(state.entities)
        for path, text in state.templates.items():
            target = folder / "templates" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        if state.answers:
            text = json.dumps(state.answers)
            (folder / "answers.json").write_text(text, encoding="utf-8")
        command = [sys.executable, "-B", "generator.pyz", "render"]
        done = subprocess.run(
            command, cwd=folder, env=environment(), capture_output=True, check=False
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise Unfinished(f"the generator cannot render {ENTITIES}: {said}")
        return _files(folder / "generated"), _files(folder / "skeleton")


def write_rendering(folder: Path) -> None:
    """Do what `run_generator` asks for, in its folder."""
    spec = parse((folder / "entities.json").read_bytes())
    answers: dict[str, Any] = {}
    if (folder / "answers.json").exists():
        answers = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    templates = project_templates(folder / "templates")
    parts = {"generated": rendered(spec, templates, answers)}
    if answers:
        parts["skeleton"] = skeleton.render(answers)
    for part, files in parts.items():
        for path, content in files.items():
            target = folder / part / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def to_record(entities: bytes) -> bytes:
    """Return the content of .devmatrix/entities.json for a specification."""
    return _HEAD + _lf(entities).removeprefix(codecs.BOM_UTF8) + _TAIL


def from_record(record: bytes) -> bytes:
    """Return the specification in the content of .devmatrix/entities.json."""
    return _lf(record).removeprefix(_HEAD).removesuffix(_TAIL)


def template_records(
    root: Path, templates: Mapping[str, str]
) -> dict[str, bytes | None]:
    """Return the copies of a project's templates to keep, and those to remove."""
    known = {
        f"{TEMPLATES}/{path}": None for path in project_templates(root / TEMPLATES)
    }
    kept = {
        f"{TEMPLATES}/{path}": text.encode("utf-8") for path, text in templates.items()
    }
    return {**known, **kept}


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")
