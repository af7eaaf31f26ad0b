"""What a change of entities.json allows and forbids: who may do more, and who less."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from scaffold.rendering.access_matrix import (
    ANY_TOKEN,
    NO,
    UNNAMED,
    YES,
    AccessMatrix,
    FieldUse,
    uses_of,
)
from scaffold.spec.model import Entity, Spec
from scaffold.spec.vocabulary import keys


class Change(NamedTuple):
    """A right that callers get or lose; None for an operation that does not exist."""

    more: bool
    entity: str
    what: str
    callers: list[str]
    before: str | None
    after: str | None

    def __str__(self) -> str:
        sign, callers = "+" if self.more else "-", ", ".join(self.callers)
        steps = f"{self.before or 'nothing'} -> {self.after or 'nothing'}"
        return f"{sign} {self.entity}: {self.what}: {callers}: {steps}"


# What a caller gets, and how much it allows.
_Right = tuple[str | None, int]
_Rights = Mapping[str, _Right]


def changes(old: Spec, new: Spec) -> list[Change]:
    """Return who may do more than before, and then who may do less.

    Without auth everyone may do everything, so there is nothing to tell.
    """
    if not (old.auth or new.auth) or old == new:
        return []
    before, after = AccessMatrix(old), AccessMatrix(new)
    callers = list(dict.fromkeys([*before.callers, *after.callers]))
    found: list[Change] = []
    for one, other in _pairs(old, new):
        olds = _rights(before, one, other, callers)
        news = _rights(after, other, one, callers)
        named = other or one
        for key in dict.fromkeys([*news, *olds]):
            what = (news.get(key) or olds[key])[0]
            rights = [
                matrix[key][1] if key in matrix else {} for matrix in (olds, news)
            ]
            found += _compared(named.name if named else "", what, callers, *rights)
    return sorted(found, key=lambda change: not change.more)


def text(old: Spec, new: Spec) -> str:
    """Return the same for a person; an empty text if there is nothing to tell."""
    found = changes(old, new)
    titles = {True: "becomes allowed:", False: "becomes forbidden:"}
    lines = []
    for more, title in titles.items():
        some = [f"    {one}" for one in found if one.more is more]
        lines += [f"  {title}", *some] if some else []
    moved = list(_owner_changes(old, new))
    lines += ["  belongs to others:", *moved] if moved else []
    return "\n".join(["access:", *lines, ""]) if lines else ""


def _owner_changes(old: Spec, new: Spec) -> Iterator[str]:
    for one, other in _pairs(old, new):
        if one and other and (before := _owner(one)) != (after := _owner(other)):
            yield f"    ~ {other.name}: the owner of a row: {before} -> {after}"


def _owner(entity: Entity) -> str:
    if entity.owner is True:
        return keys.OWNER_ID
    return ".".join(entity.owner_path) or "no one"


def _pairs(old: Spec, new: Spec) -> Iterator[tuple[Entity | None, Entity | None]]:
    """Yield each entity as it was and as it is."""
    names = {one.name for one in new.entities}
    former = {one.name: one for one in old.entities}
    for entity in new.entities:
        name = entity.name
        renamed = entity.renamed_from
        if name not in former and renamed and renamed not in names:
            name = renamed
        yield former.pop(name, None), entity
    for left in former.values():
        yield left, None


def _rights(
    matrix: AccessMatrix,
    entity: Entity | None,
    other: Entity | None,
    callers: Iterable[str],
) -> dict[tuple[str, str], tuple[str, _Rights]]:
    """Return all rights, by what they have in common with those of the other state.

    Of fields, only those that both states have, with rules in one of them.
    """
    found: dict[tuple[str, str], tuple[str, _Rights]] = {}
    if entity is None:
        return found
    for one in matrix.operations(entity):
        answers = {caller: matrix.answer(one, caller) for caller in callers}
        rights = {caller: (str(got), got.right) for caller, got in answers.items()}
        found[one.kind, one.relation] = str(one), rights
    others = {one.name: one for one in other.fields} if other else {}
    for field in entity.fields:
        twin = others.get(field.name)
        rules = (*field.read_access, *field.write_access)
        if twin is None or not (*rules, *twin.read_access, *twin.write_access):
            continue
        for kind in uses_of(entity, field):
            use = FieldUse(entity, kind, field)
            may = {caller: matrix.may_use(use, caller) for caller in callers}
            rights = {caller: (YES, 2) if may[caller] else (NO, 0) for caller in may}
            found[f"{kind} field", field.name] = str(use), rights
    return found


def _compared(
    entity: str,
    what: str,
    callers: Iterable[str],
    old: _Rights,
    new: _Rights,
) -> Iterator[Change]:
    """Yield the changes of one right; who changes as any token does is not named."""
    none: _Right = (None, 0)
    steps: dict[str, tuple[_Right, _Right]] = {
        caller: (old.get(caller, none), new.get(caller, none)) for caller in callers
    }
    groups: dict[tuple[_Right, _Right], list[str]] = {}
    for caller, step in steps.items():
        unnamed = caller not in UNNAMED
        if not (unnamed and step == steps[ANY_TOKEN]):
            groups.setdefault(step, []).append(caller)
    for (before, after), who in groups.items():
        if before[1] != after[1]:
            yield Change(after[1] > before[1], entity, what, who, before[0], after[0])
