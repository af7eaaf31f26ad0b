"""Former names: what is renamed was called something else, and that is gone."""

from collections.abc import Iterable, Mapping

from scaffold.spec.drafts import Draft, EntityDraft
from scaffold.spec.model import Reference
from scaffold.spec.problems import Problems, quote
from scaffold.spec.relations import Resolved
from scaffold.spec.vocabulary import reserved_names


def check(
    entities: Iterable[EntityDraft],
    resolved: Mapping[str, Resolved],
    problems: Problems,
) -> None:
    """Check entities against each other, and the members of each entity."""
    entities = list(entities)
    _among({one.name: (one.name, one) for one in entities}, {}, problems)
    for entity in entities:
        members = [*entity.fields, *entity.relations]
        if any("renamed_from" in one.node for one in members):
            named = {one.name: (f"{entity.name}.{one.name}", one) for one in members}
            _among(named, _columns(entity, resolved[entity.name]), problems)


def _columns(entity: EntityDraft, resolved: Resolved) -> dict[str, str]:
    """The columns that no member is named after, and whose they are."""
    columns = dict.fromkeys(reserved_names.COLUMNS, "every entity has that column")
    for placed in resolved.placed:
        if isinstance(placed.member, Reference):
            label = f"{entity.name}.{placed.member.name}"
            columns[placed.member.column] = f"it is the column of {label}"
    return columns


def _among(
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
            why = "is its name today; remove it"
        elif former in drafts:
            why = f"still exists: {drafts[former][0]} stands in this file"
        elif former in columns:
            why = f"still exists: {columns[former]}"
        elif former in taken:
            why = f"was renamed to {taken[former]} already"
        else:
            taken[former] = label
            continue
        message = f"renamed_from {quote(former)} {why}"
        problems.rule(draft.at("renamed_from"), label, message)
