"""Checks what an entity says of its lists against its fields and relations."""

from collections.abc import Mapping

from scaffold.spec.drafts import EntityDraft
from scaffold.spec.model import Field, Link, Reference, Reverse
from scaffold.spec.problems import Problems, Suggestion, listing, quote

Member = Field | Reference | Reverse | Link


def default_sort(
    draft: EntityDraft, sides: Mapping[str, Member], problems: Problems
) -> str | None:
    """Return the JSON key that lists are sorted by, with its `-`, if there is one."""
    written = draft.text("default_sort")
    if written is None:
        return None
    name = written.removeprefix("-")
    sortable = {draft.id.name: draft.id.json}
    if draft.timestamps:
        times = draft.timestamps
        names = (times.created_at, times.updated_at)
        sortable |= dict(zip(names, times.json, strict=True))
    fields = [item.field for item in draft.fields if item.field]
    references = [one for one in sides.values() if isinstance(one, Reference)]
    members: list[Field | Reference] = [*fields, *references]
    sortable |= {one.name: one.json for one in members if one.sortable}
    if name in sortable:
        return "-" * written.startswith("-") + sortable[name]
    at, path = draft.at("default_sort"), f"{draft.label}.default_sort"
    if any(one.name == name for one in members):
        fix = f'set "sort": true on {quote(name)}'
        problems.rule(at, path, f"lists cannot be sorted by {quote(name)}; {fix}")
    elif name in sides:
        problems.rule(
            at, path, f"{quote(name)} is a relation without a column; choose another"
        )
    elif not any(one.name == name for one in (*draft.fields, *draft.relations)):
        suggestion = Suggestion(
            name, tuple(sortable), f"known here: {listing(sortable)}"
        )
        problems.shape(at, path, f"unknown field or relation {quote(name)}", suggestion)
    return None
