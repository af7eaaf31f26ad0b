"""Checks the keys of one field against each other, and its default against them."""

import decimal
import math
from decimal import Decimal

from scaffold.patterns import portable
from scaffold.spec import key_values
from scaffold.spec.drafts import FieldDraft
from scaffold.spec.json.parsing import Array
from scaffold.spec.model import MISSING, Field
from scaffold.spec.problems import Problems, quote
from scaffold.spec.vocabulary import default_values, keys
from scaffold.spec.vocabulary.field_types import (
    INDEX_BYTES,
    INDEXED_LENGTH,
    SORTED_BYTES,
    TYPES,
)

_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of")
# Keys that can contradict another one; fields without them are skipped.
_CHECKED = {*_BOUNDS, "min_length", "pattern", "precision", "scale"}
_CHECKED |= {"unique", "index", "filter", "sort", "default", "example"}
_CHECKED |= {"read_only", "write_only", "nullable"}
_CHECKED |= {"array", "min_items", "max_items"}
_INDEXES = {
    "unique": "unique",
    "index": "indexed",
    "filter": "filtered",
    "sort": "sorted",
}
_ACCESS = ("read_only", "write_only", "immutable", "required")
_NO_NULL = {
    "default": ": a field without required and default can be null",
    "example": "",
}


def check(draft: FieldDraft, entity: str, problems: Problems) -> None:
    """Report contradictions; convert the default to what the templates use."""
    if draft.field is None or _CHECKED.isdisjoint(draft.node):
        return
    rules = _Rules(draft, draft.field, f"{entity}.{draft.field.name}", problems)
    before = len(problems)
    rules.lengths()
    rules.pattern()
    rules.decimals()
    rules.interval()
    rules.array()
    rules.index()
    rules.access()
    rules.null()
    for key in ("default", "example"):
        if len(problems) == before and getattr(draft.field, key) is not MISSING:
            draft.field = draft.field.with_values(**{key: rules.value(key)})


class _Rules:
    def __init__(
        self, draft: FieldDraft, field: Field, label: str, problems: Problems
    ) -> None:
        self.draft = draft
        self.field = field
        self.label = label
        self.problems = problems

    def _refuse(self, key: str, message: str) -> None:
        self.problems.rule(self.draft.at(key), self.label, message)

    def _written(self, *names: str) -> list[str]:
        return [name for name in names if name in self.draft.node]

    def _shown(self, *names: str) -> str:
        """Return the bounds as they were written: `gt 1 and lt 2`."""
        bounds = [f"{name} {quote(self.draft.node[name])}" for name in names]
        return " and ".join(bounds)

    def _or_default(self, key: str) -> str:
        default = "" if key in self.draft.node else " (the default)"
        return f"{key} {getattr(self.field, key)}{default}"

    def lengths(self) -> None:
        least, most = self.field.min_length, self.field.max_length
        if least is not None and most is not None and least > most:
            self._refuse(
                "min_length",
                f"min_length {least} is greater than {self._or_default('max_length')}",
            )

    def pattern(self) -> None:
        """Refuse a pattern that only matches values that are too long or too short."""
        if self.field.pattern is None:
            return
        least, most = portable.lengths(self.field.pattern)
        what = f"pattern {quote(self.field.pattern)}"
        limit = self.field.max_length
        if limit is not None and least > limit:
            limits = self._or_default("max_length")
            needs = f"{what} needs at least {least} characters"
            self._refuse("pattern", f"{needs}, more than {limits}")
        if most is not None and most < (self.field.min_length or 0):
            takes = f"{what} takes at most {most} characters"
            limits = f"min_length {self.field.min_length}"
            self._refuse("pattern", f"{takes}, fewer than {limits}")

    def decimals(self) -> None:
        if self.field.scale > self.field.precision:
            key = self._written("scale", "precision")[0]
            self._refuse(
                key,
                f"{self._or_default('scale')} is greater than "
                f"{self._or_default('precision')}",
            )

    def interval(self) -> None:
        """Refuse bounds with no value of the type between them."""
        written = self._written(*_BOUNDS)
        if not written or self.field.scale > self.field.precision:
            return
        what = _EMPTY_RANGE[self.field.type](self.field)
        if what:
            bounds = [name for name in written if name != "multiple_of"]
            allow = "allows" if len(bounds) == 1 else "allow"
            self._refuse(written[0], f"{self._shown(*bounds)} {allow} no {what}")

    def array(self) -> None:
        """Refuse what only arrays have, what they do not have, and too few items."""
        if not self.field.array:
            for key in self._written("min_items", "max_items"):
                fix = 'set "array": true, or remove it'
                self._refuse(key, f"{key} only applies to arrays; {fix}")
            return
        for key, reason in keys.NO_ARRAY.items():
            if getattr(self.field, key):
                self._refuse(key, f"an array cannot be {reason}; remove {key}")
        least, most = self.field.min_items or 0, self.field.max_items
        if most is not None and least > most:
            message = f"min_items {least} is greater than max_items {most}"
            self._refuse("min_items", message)

    def index(self) -> None:
        for key in self._written(*_INDEXES):
            refused = self.field.array and key in keys.NO_ARRAY
            if refused or not getattr(self.field, key):
                continue
            if key == "filter" and TYPES[self.field.type].null_filter:
                if not self.field.nullable:
                    what = f"a filter of a {self.field.type} field is for null"
                    self._refuse(key, f"{what}, which this one never is; remove filter")
                continue
            reason = index_problem(self.field)
            if reason is None and key == "sort":
                reason = _sort_problem(self.field)
            if reason:
                self._refuse(key, f"cannot be {_INDEXES[key]}: {reason}")

    def access(self) -> None:
        """Refuse keys that say opposite things of who may see or set the field."""
        written = {key for key in _ACCESS if self.draft.flag(key)}
        for key, (flag, reason) in keys.NO_EFFECT.items():
            if flag in written and key in self.draft.node:
                self._refuse(key, f"{key} has no effect: {reason}; remove one of them")
        if written >= {"read_only", "write_only"}:
            message = "a field cannot be both read_only and write_only; remove one"
            self._refuse("write_only", message)
        elif written >= {"read_only", "required"}:
            fix = "remove required, and give it a default if it must not be null"
            self._refuse("required", f"a read_only field cannot be sent; {fix}")
        elif written >= {"read_only", "immutable"}:
            message = "a read_only field is never set by a request; remove immutable"
            self._refuse("immutable", message)
        if "write_only" not in written:
            return
        for key in self._written("filter", "sort"):
            if getattr(self.field, key):
                message = f"a write_only field is in no answer; remove {key}"
                self._refuse(key, message)
        if "example" in self.draft.node:
            message = "a write_only field cannot have an example; remove it"
            self._refuse("example", message)
        if self.draft.node.get("markup", "keep") != "keep":
            message = (
                "a write_only field is always stored as it was sent; remove markup"
            )
            self._refuse("markup", message)

    def null(self) -> None:
        """Refuse `nullable` where it changes nothing, or says the opposite."""
        written = self.draft.values.get("nullable")
        if written is None:
            return
        default = "default" in self.draft.node
        if written and self.field.required:
            message = "a required field cannot be null; remove nullable or required"
            self._refuse("nullable", message)
        elif written and not default:
            message = "nullable only applies to a field with a default; remove it: this"
            self._refuse("nullable", f"{message} one can be null already")
        elif not (written or default or self.field.required):
            fix = "add one of them, or remove nullable"
            message = "a field without required and default can be null"
            self._refuse("nullable", f"{message}; {fix}")

    def value(self, key: str) -> object:
        """Return the default or the example as the templates use it."""
        if self.draft.node.get(key) is None:
            reason = _NO_NULL[key]
            self._refuse(key, f"{key} must not be null; remove it{reason}")
            return MISSING
        if key == "default" and self.field.default_is_made:
            return self.field.default
        written = getattr(self.field, key)
        if self.field.array:
            return self._items(key, written)
        try:
            return TYPES[self.field.type].default(written, self.field)
        except default_values.Refused as refused:
            self._refuse(key, f"{key} {refused}")
            return MISSING

    def _items(self, key: str, written: object) -> object:
        """Return the default or the example of an array."""
        if not isinstance(written, Array):
            found = key_values.describe(written)
            self._refuse(key, f"{key} must be an array, not {found}")
            return MISSING
        least, most = self.field.min_items or 0, self.field.max_items
        count = f"{len(written)} item{'s' * (len(written) != 1)}"
        if len(written) < least:
            self._refuse(key, f"{key} has {count}, fewer than min_items {least}")
        if most is not None and len(written) > most:
            self._refuse(key, f"{key} has {count}, more than max_items {most}")
        items = []
        for index, item in enumerate(written):
            try:
                items.append(TYPES[self.field.type].default(item, self.field))
            except default_values.Refused as refused:
                at, place = written.items_at[index], f"{key}[{index}]"
                self.problems.rule(at, self.label, f"{place} {refused}")
        return items


def index_problem(field: Field) -> str | None:
    """Return why PostgreSQL cannot index every value of a field, or None."""
    if not TYPES[field.type].indexable:
        fix = "remove it"
        if field.type == "text":
            fix = f"use string with a max_length of at most {INDEXED_LENGTH}"
        return f"a {field.type} value can be larger than an index entry; {fix}"
    limit = INDEXED_LENGTH if field.type == "string" else INDEX_BYTES
    if field.max_length is not None and field.max_length > limit:
        return f"its max_length must be at most {limit}, not {field.max_length}"
    return None


def _sort_problem(field: Field) -> str | None:
    """Return why the cursor of a list cannot hold every value of a field, or None."""
    size = TYPES[field.type].index_bytes(field)
    if size <= SORTED_BYTES:
        return None
    fix = 'remove "sort"'
    if "max_length" in TYPES[field.type].keys:
        most = SORTED_BYTES * (field.max_length or 0) // size
        fix = f"its max_length must be at most {most}, or {fix}"
    return f"the cursor of a list would be too long; {fix}"


def _no_integer(field: Field) -> str | None:
    low, high = -(2 ** (field.bits - 1)), 2 ** (field.bits - 1) - 1
    if isinstance(field.ge, int):
        low = max(low, field.ge)
    if isinstance(field.gt, int):
        low = max(low, field.gt + 1)
    if isinstance(field.le, int):
        high = min(high, field.le)
    if isinstance(field.lt, int):
        high = min(high, field.lt - 1)
    step = field.multiple_of or 1
    if -(-low // step) * step <= high:
        return None
    what = f"multiple of {step}" if step > 1 else "integer"
    return what if field.bits == 64 else f"{what} of {field.bits} bits"


def _no_float(field: Field) -> str | None:
    low, high = -math.inf, math.inf
    if isinstance(field.ge, float):
        low = field.ge
    if isinstance(field.gt, float):
        low = max(low, math.nextafter(field.gt, math.inf))
    if isinstance(field.le, float):
        high = field.le
    if isinstance(field.lt, float):
        high = min(high, math.nextafter(field.lt, -math.inf))
    empty = low > high or low == math.inf or high == -math.inf
    return "float" if empty else None


def _no_decimal(field: Field) -> str | None:
    """Compare in units of the last digit, so that bounds are integers."""
    high = 10**field.precision - 1
    low = -high
    if isinstance(field.ge, Decimal):
        low = max(low, _units(field.ge, field.scale, _UP))
    if isinstance(field.gt, Decimal):
        low = max(low, _units(field.gt, field.scale, _DOWN) + 1)
    if isinstance(field.le, Decimal):
        high = min(high, _units(field.le, field.scale, _DOWN))
    if isinstance(field.lt, Decimal):
        high = min(high, _units(field.lt, field.scale, _UP) - 1)
    if low <= high:
        return None
    return f"decimal of precision {field.precision} and scale {field.scale}"


_UP = decimal.Context(prec=5_000, rounding=decimal.ROUND_CEILING)
_DOWN = decimal.Context(prec=5_000, rounding=decimal.ROUND_FLOOR)


def _units(bound: Decimal, scale: int, context: decimal.Context) -> int:
    return int(context.to_integral_value(context.scaleb(bound, scale)))


_EMPTY_RANGE = {"integer": _no_integer, "float": _no_float, "decimal": _no_decimal}
