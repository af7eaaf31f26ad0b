"""Ranges of values for fields that `checks` compare, one for each field.

Every value of one field's range goes with every value of another's, so that a test can
take the values of a row from anywhere. Values are numbers here: days of dates, seconds of
times.
"""

import datetime as dt
import itertools
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter

from scaffold.spec.model import MISSING, Comparison, Field, Window

DAY = 86_400
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_START = dt.date(2026, 1, 1).toordinal()
_START_SECONDS = int(dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp())
# The least and the greatest value of types without bounds; where ranges begin if they can;
# and how much of the type a range takes at most.
_SPANS = {
    "date": (1, dt.date.max.toordinal(), _START, 3_650),
    "time": (0, DAY - 1, 0, DAY),
    "datetime": (
        int(dt.datetime(2, 1, 1, tzinfo=dt.UTC).timestamp()),
        int(dt.datetime(9998, 12, 31, tzinfo=dt.UTC).timestamp()),
        _START_SECONDS,
        DAY - 1,
    ),
}
# What "now" can be while a test runs.
_NOW = {
    "date": (_START, dt.date(2100, 1, 1).toordinal()),
    "datetime": (
        _START_SECONDS,
        int(dt.datetime(2100, 1, 1, tzinfo=dt.UTC).timestamp()),
    ),
    "time": (0, DAY - 1),
}
_WIDTH = 999
_MOST_ORDERS = 64  # that are tried for fields which must only differ
_ENOUGH = 100
_FLOAT_STEPS = (Fraction(1, 2), Fraction(1, 1024), Fraction(1, 2**30))


@dataclass(frozen=True)
class _Node:
    """What a field can be; `anchors` are values that it has in any case."""

    low: Fraction
    high: Fraction
    start: Fraction
    width: Fraction
    step: Fraction
    anchors: Sequence[Window]

    def up(self, value: Fraction) -> Fraction:
        """Return the least value that is not less than this."""
        return -(-value // self.step) * self.step

    def down(self, value: Fraction) -> Fraction:
        """Return the greatest value that is not greater than this."""
        return value // self.step * self.step


@dataclass(frozen=True)
class _Edge:
    """The values of `less` are less than those of `more`, or equal if not `strict`."""

    less: str
    more: str
    strict: bool


def find(
    fields: Sequence[Field], checks: Sequence[Comparison]
) -> Mapping[str, Window] | None:
    """Return the ranges of the fields that are compared, by their columns.

    None means that no values pass all of the checks.
    """
    named = {field.column: field for field in fields}
    among = [check for check in checks if check.left in named]
    compared = {name for check in among for name in (check.left, check.right)}
    nodes = {name: _node(named[name]) for name in compared}
    made = {name for name in compared if named[name].default_is_made}
    for edges in _orders(among):
        found = _ranges(nodes, edges, made)
        if found is not None:
            return found
    return None


def number(field: Field, value: object) -> Fraction:
    """Return a default or an example as a number."""
    if field.type == "date":
        return Fraction(dt.date.fromisoformat(str(value)).toordinal())
    if field.type == "datetime":
        passed = dt.datetime.fromisoformat(str(value)) - _EPOCH
        return Fraction(passed // dt.timedelta(microseconds=1), 10**6)
    if field.type == "time":
        moment = dt.datetime.combine(_EPOCH, dt.time.fromisoformat(str(value)))
        passed = moment.replace(tzinfo=dt.UTC) - _EPOCH
        return Fraction(passed // dt.timedelta(microseconds=1), 10**6)
    if not isinstance(value, int | float | Decimal):
        raise TypeError(f"{field.name} is not a number")
    return Fraction(value)


def limits(field: Field) -> tuple[Fraction, Fraction, Fraction]:
    """Return the least and the greatest value of a field, and the step between them."""
    if field.type in _SPANS:
        least, most, *_ = _SPANS[field.type]
        return Fraction(least), Fraction(most), Fraction(1)
    step, outermost = Fraction(1, 2), Fraction(sys.float_info.max)
    if field.type == "integer":
        step, outermost = (
            Fraction(field.multiple_of or 1),
            Fraction(2 ** (field.bits - 1)),
        )
    elif field.type == "decimal":
        step = Fraction(1, 10**field.scale)
        outermost = (10**field.precision - 1) * step
    low, high = -outermost, outermost
    if field.type == "integer":
        high -= 1
    for key, sign in (("gt", 1), ("ge", 1), ("lt", -1), ("le", -1)):
        bound = getattr(field, key)
        if bound is None:
            continue
        limit = Fraction(bound)
        if key in ("gt", "lt"):
            limit = _beyond(limit, step, sign)
        low, high = (max(low, limit), high) if sign > 0 else (low, min(high, limit))
    return low, high, step


def _beyond(bound: Fraction, step: Fraction, sign: int) -> Fraction:
    """Return the value next to a bound that is not allowed itself."""
    return (bound * sign // step + 1) * step * sign


def _node(field: Field) -> _Node:
    _, _, *numbers = _SPANS.get(field.type, (0, 0, 0, _WIDTH))
    start, width = map(Fraction, numbers)
    if field.type == "float":
        low, high = _float_limits(field)
        step = _float_step(low, high)
        width = max(width, _ENOUGH * step)
    else:
        low, high, step = limits(field)
    anchors = []
    if field.default_is_made:
        least, most = _NOW[field.type]
        anchors.append((Fraction(least), Fraction(most)))
    for value in (field.default, field.example):
        if value is not MISSING and not (
            value is field.default and field.default_is_made
        ):
            anchors.append((number(field, value),) * 2)
    return _Node(low, high, start, width, step, anchors)


def _float_step(low: Fraction, high: Fraction) -> Fraction:
    """Return a distance of floats that are different, and of which enough are allowed."""
    nearest = low if low > 0 else min(high, Fraction(0))  # to 0, where floats are dense
    step = next((one for one in _FLOAT_STEPS if high - low >= _ENOUGH * one), None)
    return max(step or _FLOAT_STEPS[-1], Fraction(math.ulp(float(nearest))))


def _float_limits(field: Field) -> tuple[Fraction, Fraction]:
    low, high = -sys.float_info.max, sys.float_info.max
    if isinstance(field.ge, float):
        low = max(low, field.ge)
    if isinstance(field.gt, float):
        low = max(low, math.nextafter(field.gt, math.inf))
    if isinstance(field.le, float):
        high = min(high, field.le)
    if isinstance(field.lt, float):
        high = min(high, math.nextafter(field.lt, -math.inf))
    return Fraction(low), Fraction(high)


def _orders(checks: Sequence[Comparison]) -> Iterator[Sequence[_Edge]]:
    """Yield the orders in which the fields can be: those that differ have one as well."""
    fixed = [_edge(check) for check in checks if check.operator != "ne"]
    differing = [check for check in checks if check.operator == "ne"]
    ways = (
        (_Edge(check.left, check.right, True), _Edge(check.right, check.left, True))
        for check in differing
    )
    for chosen in itertools.islice(itertools.product(*ways), _MOST_ORDERS):
        yield [*fixed, *chosen]


def _edge(check: Comparison) -> _Edge:
    strict = check.operator in ("lt", "gt")
    if check.operator in ("lt", "le"):
        return _Edge(check.left, check.right, strict)
    return _Edge(check.right, check.left, strict)


def _ranges(
    nodes: Mapping[str, _Node], edges: Sequence[_Edge], made: set[str]
) -> Mapping[str, Window] | None:
    """Return disjoint ranges in the order of the edges, or None if there are none."""
    before: dict[str, list[_Edge]] = {name: [] for name in nodes}
    after: dict[str, list[_Edge]] = {name: [] for name in nodes}
    for edge in edges:
        before[edge.more].append(edge)
        after[edge.less].append(edge)
    sorter = TopologicalSorter({n: [e.less for e in before[n]] for n in sorted(nodes)})
    try:
        order = list(sorter.static_order())
    except CycleError:
        return None
    highest, height = _from_the_end(nodes, order, after, made)
    found: dict[str, Window] = {}
    for name in order:
        node = nodes[name]
        low = node.up(node.low)
        for edge in before[name]:
            least = _most(found[edge.less], nodes[edge.less], made, edge)
            low = max(low, node.up(least))
            if edge.strict and low == least:
                low += node.step
        high = node.down(highest[name])
        if low > high or any(
            first < low or last > highest[name]
            for first, last in _counted(node, name, before[name], after[name], made)
        ):
            return None
        low = _begin(node, low, high)
        share = (high - low) / (1 + height[name])
        width = share if share < node.width else node.width
        found[name] = (low, node.down(low + width))
    return found


def _counted(
    node: _Node,
    name: str,
    before: Sequence[_Edge],
    after: Sequence[_Edge],
    made: set[str],
) -> Iterator[Window]:
    """Yield the anchors; two moments of one insert are equal, which can be allowed."""
    for anchor in node.anchors:
        edges = [*before, *after]
        others = {other for e in edges for other in (e.less, e.more)} - {name}
        equal = name in made and others <= made and not any(e.strict for e in edges)
        if not equal:
            yield anchor


def _most(found: Window, node: _Node, made: set[str], edge: _Edge) -> Fraction:
    """Return the greatest value that a field has in tests."""
    both_made = {edge.less, edge.more} <= made and not edge.strict
    anchors = () if both_made else node.anchors
    return max([found[1], *(last for _, last in anchors)])


def _from_the_end(
    nodes: Mapping[str, _Node],
    order: Sequence[str],
    after: Mapping[str, Sequence[_Edge]],
    made: set[str],
) -> tuple[dict[str, Fraction], dict[str, int]]:
    """Return the greatest possible value of each field, and how many come after it."""
    highest: dict[str, Fraction] = {}
    height: dict[str, int] = {}
    for name in reversed(order):
        node = nodes[name]
        high, above = node.down(node.high), 0
        for edge in after[name]:
            other = nodes[edge.more]
            both_made = {name, edge.more} <= made and not edge.strict
            anchors = () if both_made else other.anchors
            limit = min([highest[edge.more], *(first for first, _ in anchors)])
            value = node.down(limit)
            if edge.strict and value == limit:
                value -= node.step
            high, above = min(high, value), max(above, 1 + height[edge.more])
        highest[name], height[name] = high, above
    return highest, height


def _begin(node: _Node, low: Fraction, high: Fraction) -> Fraction:
    """Return where a range begins: at a round value, if it can."""
    if low <= node.start <= high:
        return node.start
    if high < node.start:
        return max(low, node.up(high - node.width))
    whole = Fraction(-(-low // DAY) * DAY)
    return whole if node.width == DAY - 1 and whole + node.width <= high else low
