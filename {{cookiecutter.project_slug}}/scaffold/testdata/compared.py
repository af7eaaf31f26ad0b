"""Values of fields that `checks` compare: samples within ranges, and pairs that break one."""

import datetime as dt
import itertools
import operator
from fractions import Fraction

from scaffold.spec import windows
from scaffold.spec.model import Comparison, Entity, Field, Window
from scaffold.testdata.series import Series, from_units

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_HOUR = 3_600
_MANY = 1_000
_MEANINGS = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "ne": operator.ne,
}


def narrowed(field: Field, window: Window) -> Field:
    """Return a number's field with the range as its bounds."""
    low, high = (value_of(field, one) for one in window)
    return field.with_values(ge=low, gt=None, le=high, lt=None)


def value_of(field: Field, number: Fraction) -> object:
    """Return the value that a number stands for."""
    if field.type == "integer":
        return int(number)
    if field.type == "float":
        return float(number)
    if field.type == "decimal":
        return from_units(int(number * 10**field.scale), field.scale)
    if field.type == "date":
        return dt.date.fromordinal(int(number))
    moment = _EPOCH + dt.timedelta(microseconds=int(number * 10**6))
    return moment if field.type == "datetime" else moment.time()


def times(field: Field, window: Window) -> Series:
    """Return the values of a date or time within a range."""
    low = int(window[0])
    count = int(window[1]) - low + 1
    if field.type == "date":
        return _dates(dt.date.fromordinal(low), count)
    start = _EPOCH + dt.timedelta(seconds=low)
    if field.type == "datetime":
        return _moments(start, count)
    return _clocks(start, count)


def _dates(start: dt.date, count: int) -> Series:
    number = "n" if count > _MANY else f"n % {count}"
    modulus = 10**6 if count > _MANY else count
    return Series(
        f"dt.date({start.year}, {start.month}, {start.day}) + dt.timedelta(days={number})",
        lambda n: start + dt.timedelta(days=n % modulus),
    )


def _moments(start: dt.datetime, count: int) -> Series:
    day = f"{start.year}, {start.month}, {start.day}"
    if start.hour == start.minute == start.second == 0 and count >= 24 * _HOUR:
        return Series(
            f"dt.datetime({day}, n % 24, tzinfo=dt.UTC)",
            lambda n: start + dt.timedelta(hours=n % 24),
        )
    clock = f"{start.hour}, {start.minute}, {start.second}"
    return Series(
        f"dt.datetime({day}, {clock}, tzinfo=dt.UTC) + dt.timedelta(seconds=n % {count})",
        lambda n: start + dt.timedelta(seconds=n % count),
    )


def _clocks(start: dt.datetime, count: int) -> Series:
    hour = -(-(start.hour * _HOUR + start.minute * 60 + start.second) // _HOUR)
    skipped = hour * _HOUR - (start.hour * _HOUR + start.minute * 60 + start.second)
    if count - skipped >= _HOUR:
        return Series(f"dt.time({hour}, n % 60)", lambda n: dt.time(hour, n % 60))
    clock = f"{start.hour}, {start.minute}, {start.second}"
    moment = f"dt.datetime(2026, 1, 1, {clock}) + dt.timedelta(seconds=n % {count})"
    return Series(
        f"({moment}).time()",
        lambda n: (start + dt.timedelta(seconds=n % count)).time(),
    )


def breaking(entity: Entity, check: Comparison) -> tuple[object, object] | None:
    """Return two values that their fields allow, but not the check; None without such."""
    named = {field.column: field for field in entity.fields}
    ranges = dict(entity.windows)
    fields = [named[check.left], named[check.right]]
    numbers = [*ranges[check.left], *ranges[check.right]]
    numbers += [end for one in fields for end in windows.limits(one)[:2]]
    for left, right in itertools.product(numbers, numbers):
        holds = _MEANINGS[check.operator](left, right)
        if not holds and _is_valid(fields[0], left) and _is_valid(fields[1], right):
            return value_of(fields[0], left), value_of(fields[1], right)
    return None


def _is_valid(field: Field, number: Fraction) -> bool:
    low, high, step = windows.limits(field)
    return low <= number <= high and number % step == 0
