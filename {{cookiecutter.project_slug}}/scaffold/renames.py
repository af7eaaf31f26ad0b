"""Former names: what is renamed was called something else, and that is gone."""

from collections.abc import Iterable, Mapping

from scaffold.problems import Problems, quote
from scaffold.read import Draft, EntityDraft


def check(entities: Iterable[EntityDraft], problems: Problems) -> None:
    """Check entities against each other, and the members of each entity."""
    entities = list(entities)
    _among({entity.name: (entity.name, entity) for entity in entities}, problems)
    for entity in entities:
        members = [*entity.fields, *entity.relations]
        _among(
            {one.name: (f"{entity.name}.{one.name}", one) for one in members}, problems
        )


def _among(drafts: Mapping[str, tuple[str, Draft]], problems: Problems) -> None:
    taken: dict[str, str] = {}
    for name, (label, draft) in drafts.items():
        former = draft.text("renamed_from")
        if former is None:
            continue
        if former == name:
            why = "is its name today; remove it"
        elif former in drafts:
            why = f"still exists: {drafts[former][0]} stands in this file"
        elif former in taken:
            why = f"was renamed to {taken[former]} already"
        else:
            taken[former] = label
            continue
        message = f"renamed_from {quote(former)} {why}"
        problems.rule(draft.at("renamed_from"), label, message)
