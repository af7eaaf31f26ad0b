"""Loads entities.json: parses it, checks it, resolves relations, returns a `Spec`."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scaffold.spec.checks import (
    access,
    collisions,
    comparisons,
    composites,
    cycles,
    field_rules,
    lists,
    renames,
    soft_delete,
)
from scaffold.spec.drafts import EntityDraft, FileDraft, read_file
from scaffold.spec.json.decoding import MAX_BYTES, EncodingError, decode
from scaffold.spec.json.parsing import Lines, Parser
from scaffold.spec.json.syntax_errors import SourceError
from scaffold.spec.model import MISSING, Entity, Field, Link, Reference, Reverse, Spec
from scaffold.spec.problems import Problem, Problems, SpecError, quote, report
from scaffold.spec.relations import Resolved, Resolver

__all__ = [
    "MISSING",
    "Entity",
    "Field",
    "Link",
    "Problem",
    "Reference",
    "Reverse",
    "Spec",
    "SpecError",
    "load",
    "parse",
    "report",
]


def load(path: Path) -> Spec:
    """Return the spec of a file; raise SpecError with all of its problems."""
    try:
        if path.exists() and not path.is_file():
            raise _unreadable(path, "it is not a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", "") or str(error)) from None
    return parse(data, path.name)


def parse(data: bytes, filename: str = "entities.json") -> Spec:
    """Return the spec of a file's content; raise SpecError with all of its problems."""
    with _without_garbage_collection():
        return _parse(data, filename)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector: it would scan thousands of nodes, all in use."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _parse(data: bytes, filename: str) -> Spec:
    try:
        parser = Parser(decode(data))
    except EncodingError as error:
        raise _fatal(error, Lines(error.readable), filename) from None
    try:
        document = parser.parse()
    except SourceError as error:
        raise _fatal(error, parser.lines, filename) from None
    problems = Problems()
    for at, message in parser.problems:
        problems.shape(at, "", message)
    file = read_file(document, problems)
    entities = _check(file, problems)
    if problems:
        raise problems.error(filename, parser.lines.position)
    return Spec(entities, auth=file.flag("auth"))


def _unreadable(path: Path, reason: str) -> SpecError:
    problem = Problem(0, 0, "", f"cannot be read: {reason}")
    return SpecError((problem,), path.name, 1)


def _fatal(error: SourceError, lines: Lines, filename: str) -> SpecError:
    line, column = lines.position(error.at)
    return SpecError((Problem(line, column, "", error.message),), filename, 1)


def _check(file: FileDraft, problems: Problems) -> tuple[Entity, ...]:
    """Apply the rules about more than one value, and return the entities."""
    drafts = file.entities
    named = _by_name(drafts, problems)
    for name, draft in named.items():
        for field in draft.fields:
            field_rules.check(field, name, problems)
    names = [str(draft.node.get("name")) for draft in drafts]
    resolved = Resolver(named, names, problems).run()
    collisions.check(named.values(), resolved, problems)
    cycles.check(resolved, problems)
    soft_delete.check(named, resolved, problems)
    renames.check(named.values(), resolved, problems)
    access.check(file, problems)
    paths = access.owner_paths(named, resolved, problems)
    entities = [
        _entity(draft, resolved[name], named, paths[name], problems)
        for name, draft in named.items()
    ]
    if not problems:
        pairs = zip(named.values(), entities, strict=True)
        collisions.check_primary_keys(pairs, problems)
    return tuple(entities)


def _by_name(
    drafts: list[EntityDraft], problems: Problems
) -> Mapping[str, EntityDraft]:
    named: dict[str, EntityDraft] = {}
    for draft in drafts:
        if draft.name and named.setdefault(draft.name, draft) is not draft:
            message = f"duplicate entity {quote(draft.name)}; remove or rename it"
            problems.rule(draft.at("name"), draft.name, message)
    return named


def _entity(
    draft: EntityDraft,
    resolved: Resolved,
    named: Mapping[str, EntityDraft],
    owner_path: tuple[str, ...],
    problems: Problems,
) -> Entity:
    members = [placed.member for placed in resolved.placed]
    sides = {one.name: one for one in members}
    checks = comparisons.resolve(draft, sides, problems)
    return Entity(
        name=draft.name,
        plural=draft.plural,
        description=draft.text("description") or "",
        fields=(
            *(item.field for item in draft.fields if item.field),
            *(Field.of_subject(name, camel=draft.camel) for name in draft.subjects),
        ),
        references=tuple(one for one in members if isinstance(one, Reference)),
        reverses=tuple(one for one in members if isinstance(one, Reverse)),
        links=tuple(one for one in members if isinstance(one, Link)),
        unique=composites.resolve(draft, "unique", sides, named, problems),
        indexes=composites.resolve(draft, "indexes", sides, named, problems),
        checks=checks,
        windows=tuple(comparisons.find_windows(draft, checks, problems).items()),
        renamed_from=draft.text("renamed_from"),
        id=draft.id,
        timestamps=draft.timestamps,
        own_table=draft.text("table"),
        own_url=draft.text("url"),
        schema=draft.schema,
        default_sort=lists.default_sort(draft, sides, problems),
        search=lists.search(draft, sides, problems),
        operations=draft.operations,
        access=draft.access,
        owner=draft.owner,
        owner_path=owner_path,
        actors=draft.flag("actors"),
        history=draft.flag("history"),
        soft_delete=draft.flag("soft_delete"),
    )
