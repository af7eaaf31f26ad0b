"""Checks what an entity says of its lists against its fields and relations."""

from collections.abc import Mapping

from scaffold.spec.drafts import EntityDraft
from scaffold.spec.json.parsing import Array
from scaffold.spec.model import Field, Link, Reference, Reverse
from scaffold.spec.problems import Problems, Suggestion, listing, quote
from scaffold.spec.vocabulary.keys import SEARCH_COLUMN, SEARCHED

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
    at, path = draft.at("default_sort"), f"{draft.label}.default_sort"
    if name in sortable:
        if any(one.name == name and one.read_access for one in fields):
            why = "some who list may not read it"
            message = f"{quote(name)} has read_access, and {why}; choose another"
            problems.rule(at, path, message)
        return "-" * written.startswith("-") + sortable[name]
    if any(one.name == name for one in members):
        is_array = any(one.name == name and one.array for one in fields)
        fix = "choose another"
        if not is_array:
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


def search(
    draft: EntityDraft, sides: Mapping[str, Member], problems: Problems
) -> tuple[str, ...]:
    """Return the columns of the fields that lists search."""
    listed = draft.values.get("search")
    if not isinstance(listed, Array):
        return ()
    fields = {item.name: item.field for item in draft.fields}
    found = []
    for index, name in enumerate(map(str, listed)):
        at, path = listed.items_at[index], f"{draft.label}.search[{index}]"
        field = fields.get(name)
        if field is not None:
            if reason := _search_problem(field):
                problems.rule(at, path, f"{quote(name)} {reason}")
            found.append(field.column)
        elif name in (draft.id.name, *_times(draft), *sides):
            problems.rule(at, path, f"{quote(name)} {_NO_TEXT}")
        elif not any(one.name == name for one in (*draft.fields, *draft.relations)):
            known = [n for n, one in fields.items() if one and not _search_problem(one)]
            otherwise = f"known here: {listing(known)}" if known else ""
            suggestion = Suggestion(
                name, known, otherwise, lambda: list(map(str, listed))
            )
            problems.shape(at, path, f"unknown field {quote(name)}", suggestion)
    references = (one for one in sides.values() if isinstance(one, Reference))
    members: list[Field | Reference] = [*filter(None, fields.values()), *references]
    for member in members:
        if member.column == SEARCH_COLUMN:
            message = (
                f"{quote(member.name)} has the column {quote(SEARCH_COLUMN)}, which"
            )
            message += " search needs; give it another column"
            problems.rule(draft.at("search"), f"{draft.label}.search", message)
    return tuple(found)


_NO_TEXT = "is not a string or text field; remove it"


def _search_problem(field: Field) -> str | None:
    """Return why lists cannot search a field, or None."""
    if field.type not in SEARCHED:
        return _NO_TEXT
    if field.array:
        return "is an array, which is not searched; remove it"
    if field.write_only:
        return "is write_only, and a search would help to guess it; remove it"
    if field.read_access:
        why = "some who search may not read it"
        return f"has read_access, and {why}; remove it"
    return None


def _times(draft: EntityDraft) -> tuple[str, ...]:
    times = draft.timestamps
    return (times.created_at, times.updated_at) if times else ()
