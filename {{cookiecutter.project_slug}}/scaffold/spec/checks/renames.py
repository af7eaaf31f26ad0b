"""Checks renamed_from: a former name must be free, or its bearer must be renamed, too."""

from collections.abc import Iterable, Mapping

from scaffold.spec.drafts import Draft, EntityDraft
from scaffold.spec.model import Reference
from scaffold.spec.problems import Problems, quote
from scaffold.spec.relations import Resolved


def check(
    entities: Iterable[EntityDraft],
    resolved: Mapping[str, Resolved],
    problems: Problems,
) -> None:
    """Check entities against each other, and the members of each entity.

    Members may exchange names. Entities may not: a person's code in their files could
    not tell which of the two it is for.
    """
    entities = list(entities)
    _check_names({one.name: (one.name, one) for one in entities}, {}, problems)
    for entity in entities:
        members = [*entity.fields, *entity.relations]
        if any("renamed_from" in one.node for one in members):
            named = {one.name: (f"{entity.name}.{one.name}", one) for one in members}
            _check_names(named, _columns(entity, resolved[entity.name]), problems)


def _columns(entity: EntityDraft, resolved: Resolved) -> dict[str, str]:
    """Return the columns that have no field of that name, with why they exist."""
    own = [entity.id.column]
    if times := entity.timestamps:
        own += [times.created_at, times.updated_at]
    columns = dict.fromkeys(own, "every entity has that column")
    for name, key in entity.added.items():
        columns[name] = f'"{key}": true adds that column'
    for placed in resolved.placed:
        if isinstance(placed.member, Reference):
            label = f"{entity.name}.{placed.member.name}"
            columns[placed.member.column] = f"it is the column of {label}"
    return columns


def _check_names(
    drafts: Mapping[str, tuple[str, Draft]],
    columns: Mapping[str, str],
    problems: Problems,
) -> None:
    taken: dict[str, str] = {}
    for name, (label, draft) in drafts.items():
        former = draft.text("renamed_from")
        if former is None:
            continue
        if former == name:
            why = "is the current name; remove it"
        elif former in drafts and not _is_renamed(drafts[former][1], former):
            why = f"is already used by {drafts[former][0]}; rename or remove one"
        elif former in drafts and isinstance(draft, EntityDraft):
            other = drafts[former][0]
            why = (
                f"is already used by {other}; rename {other} in a run of its own first"
            )
        elif former in columns:
            why = f"cannot be a former name: {columns[former]}"
        elif former in taken:
            why = f"is already used by {taken[former]}; remove one"
        else:
            taken[former] = label
            continue
        message = f"renamed_from {quote(former)} {why}"
        problems.rule(draft.at("renamed_from"), label, message)


def _is_renamed(draft: Draft, name: str) -> bool:
    return draft.text("renamed_from") not in (None, name)
