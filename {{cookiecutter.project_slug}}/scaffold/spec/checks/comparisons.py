"""Resolves `checks` to columns, and refuses those that no row can pass."""

from collections.abc import Mapping, Sequence

from scaffold.spec import windows
from scaffold.spec.drafts import EntityDraft
from scaffold.spec.json.parsing import Array
from scaffold.spec.key_values import describe
from scaffold.spec.model import (
    Comparison,
    Field,
    Link,
    Reference,
    Reverse,
    Window,
)
from scaffold.spec.problems import Problems, Suggestion, listing, quote
from scaffold.spec.vocabulary import keys, synonyms

Member = Field | Reference | Reverse | Link
_FORM = 'must be an array such as ["starts_at", "lt", "ends_at"]'
# What the names of constraints of one field end with.
_RULES_OF_FIELDS = (
    *("gt", "ge", "lt", "le", "multiple_of", "finite", "choice"),
    *("min_length", "max_length", "characters"),
    *("array", "min_items", "max_items"),
)
# The same from the other side.
_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "ne": "ne"}


def resolve(
    draft: EntityDraft, sides: Mapping[str, Member], problems: Problems
) -> tuple[Comparison, ...]:
    """Return what must hold between columns."""
    listed = draft.values.get("checks")
    if not isinstance(listed, Array):
        return ()
    if len(listed) > keys.MAX_TOGETHER:
        message = f"has {len(listed)} items; the limit is {keys.MAX_TOGETHER}"
        problems.shape(listed.at, f"{draft.label}.checks", message)
        return ()
    found: dict[Comparison, int] = {}
    for index, item in enumerate(listed):
        path, at = f"{draft.label}.checks[{index}]", listed.items_at[index]
        check = _Check(draft, sides, path, problems).read(item, at)
        if check is None:
            continue
        mirrored = Comparison(check.right, _MIRRORED[check.operator], check.left)
        first = found.get(check, found.get(mirrored))
        if first is not None:
            message = f"says the same as checks[{first}]; remove it"
            problems.rule(at, path, message)
        found.setdefault(check, index)
    return tuple(found)


def find_windows(
    draft: EntityDraft, checks: Sequence[Comparison], problems: Problems
) -> Mapping[str, Window]:
    """Return ranges of values that pass the checks, or report that there are none."""
    if not checks or problems:
        return {}
    fields = [one.field for one in draft.fields if one.field is not None]
    _check_names(draft, checks, problems)
    found = windows.find(fields, checks)
    if found is not None:
        return found
    for check in checks:  # one that is impossible by itself, rather than all of them
        if windows.find(fields, [check]) is None:
            _refuse(draft, checks, checks.index(check), problems)
    if not problems:
        message = "no values pass all of them: they contradict each other"
        message += " or the bounds, defaults and examples of the fields"
        problems.rule(draft.at("checks"), f"{draft.label}.checks", message)
    return {}


def _refuse(
    draft: EntityDraft, checks: Sequence[Comparison], index: int, problems: Problems
) -> None:
    listed = draft.values["checks"]
    at = listed.items_at[index] if isinstance(listed, Array) else draft.at("checks")
    message = "no values pass it, with the bounds, defaults and examples of the fields"
    fields = [one.field for one in draft.fields if one.field is not None]
    named = {field.column: field for field in fields}
    both = [named[column] for column in (checks[index].left, checks[index].right)]
    if any(one.type == "time" and one.default_is_made for one in both):
        message = 'a time of day with the default "now" can be any; remove the default'
    elif all(one.default_is_made for one in both):
        message = 'both fields have the default "now", the same moment; remove one'
    problems.rule(at, f"{draft.label}.checks[{index}]", message)


def _check_names(
    draft: EntityDraft, checks: Sequence[Comparison], problems: Problems
) -> None:
    """Report a constraint with the name of another one, such as `ck_tasks_a_lt_ge`.

    That would be the bound `ge` of a column `a_lt`.
    """
    columns = [one.field.column for one in draft.fields if one.field]
    ends = {f"{column}_{rule}" for column in columns for rule in _RULES_OF_FIELDS}
    for index, check in enumerate(checks):
        name = "_".join((check.left, check.operator, check.right))
        if name in ends:
            message = "its constraint would have the name of a field's own; change the"
            message += ' order of the two, or set the "column" of one'
            problems.rule(draft.at("checks"), f"{draft.label}.checks[{index}]", message)
        ends.add(name)


class _Check:
    """One item of `checks`."""

    def __init__(
        self,
        draft: EntityDraft,
        sides: Mapping[str, Member],
        path: str,
        problems: Problems,
    ) -> None:
        self.draft = draft
        self.path = path
        self.problems = problems
        self.members: dict[str, Member] = dict(sides)
        for field in draft.fields:
            if field.field is not None:
                self.members.setdefault(field.name, field.field)

    def read(self, item: object, at: int) -> Comparison | None:
        if not isinstance(item, Array) or len(item) != 3:
            found = describe(item)
            if isinstance(item, Array):
                found = f"{found} of {len(item)}"
            self.problems.shape(at, self.path, f"{_FORM}, not {found}")
            return None
        before = len(self.problems)
        operator = self._operator(item[1], item.items_at[1])
        left, right = (self._member(item, place) for place in (0, 2))
        if len(self.problems) > before or left is None or right is None:
            return None
        problem = _mismatch(left, operator, right)
        if problem:
            self.problems.rule(at, self.path, problem)
            return None
        return Comparison(left.column, operator, right.column)

    def _operator(self, word: object, at: int) -> str:
        place = f"{self.path}[1]"
        known = listing(keys.COMPARISONS)
        if not isinstance(word, str):
            message = f"must be one of {known}, not {describe(word)}"
            self.problems.shape(at, place, message)
        elif word not in keys.COMPARISONS:
            meant = synonyms.COMPARISONS.get(word.lower(), word)
            suggestion = Suggestion(
                meant, tuple(keys.COMPARISONS), f"allowed here: {known}"
            )
            message = f"unknown operator {quote(word)}"
            self.problems.shape(at, place, message, suggestion)
        return str(word)

    def _member(self, item: Array, index: int) -> Field | Reference | None:
        name, at = item[index], item.items_at[index]
        place = f"{self.path}[{index}]"
        if not isinstance(name, str):
            message = f"must be a string, not {describe(name)}"
            self.problems.shape(at, place, message)
            return None
        member = self.members.get(name)
        if isinstance(member, Field):
            problem = _unusable(member)
        elif isinstance(member, Reference):
            return member
        elif member is not None:
            problem = f"{quote(name)} is a relation without a column; remove it"
        else:
            self._unknown(name, at, place)
            return None
        if problem:
            self.problems.rule(at, place, problem)
            return None
        return member if isinstance(member, Field) else None

    def _unknown(self, name: str, at: int, place: str) -> None:
        draft = self.draft
        if any(one.name == name for one in [*draft.fields, *draft.relations]):
            return  # its declaration was already reported
        times = draft.timestamps
        taken = (times.created_at, times.updated_at) if times else ()
        if name in (*taken, draft.id.name, *draft.added):
            message = f"{quote(name)} is set by the service; it cannot be compared"
            self.problems.rule(at, place, message)
            return
        known = [n for n, one in self.members.items() if _is_comparable(one)]
        otherwise = f"known here: {listing(known)}" if known else ""
        suggestion = Suggestion(name, known, otherwise)
        message = f"unknown field or relation {quote(name)}"
        self.problems.shape(at, place, message, suggestion)


def _is_comparable(member: Member) -> bool:
    if isinstance(member, Field):
        return not _unusable(member)
    return isinstance(member, Reference)


def _unusable(field: Field) -> str:
    """Return why a field cannot be compared, or nothing."""
    if field.type not in keys.COMPARED:
        kinds = listing(keys.COMPARED)
        what = f"{quote(field.name)} has the type {field.type}"
        return f"{what}; only {kinds} can be compared"
    if field.array:
        return f"{quote(field.name)} is an array; it cannot be compared"
    told = "a 422 would tell of a value that"
    if field.write_only:
        return f"{quote(field.name)} is write_only: {told} no one may read"
    if field.read_access:
        return f"{quote(field.name)} has read_access: {told} not all may read"
    return ""


def _mismatch(left: Field | Reference, operator: str, right: Field | Reference) -> str:
    """Return why two members cannot be compared, or nothing."""
    if left.name == right.name:
        return f"{quote(left.name)} is compared with itself; remove it"
    if isinstance(left, Field) and isinstance(right, Field):
        if left.type != right.type:
            types = f"{quote(left.name)} has the type {left.type}, {quote(right.name)}"
            return f"{types} {right.type}; what is compared must have one type"
        return ""
    if isinstance(left, Field) or isinstance(right, Field):
        return "a field and a relation cannot be compared"
    if operator != "ne":
        return f'relations can only be compared by "ne", not {quote(operator)}'
    if left.target != right.target:
        both = f"{left.target} and {right.target}"
        return f"relations that are compared must have one target, not {both}"
    return ""
