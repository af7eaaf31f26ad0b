"""Sample values: the value of a field in the n-th row of a test, as Python code."""

import base64
import datetime as dt
import decimal
import math
import uuid
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from scaffold.patterns import examples, ids, portable
from scaffold.python_code import field_code
from scaffold.python_code.formatting import literal
from scaffold.spec.model import MISSING, Entity, Field, Id
from scaffold.testdata import compared
from scaffold.testdata.series import Series, from_units

ENOUGH = 12
# A wider range is treated as unlimited.
WIDE = 1_000_000
SOME_ITEMS = 2
# Longer names are not used in values.
LONG_NAME = 40
# Samples are checked for these rows; tests make no more.
TRIED = (*range(1, ENOUGH + 1), 99, 100, 999)

_DAY = dt.date(2026, 1, 1)
_MOMENT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


# The owner of the rows of tests is their client.
_SUBJECT = Series("support.SUBJECT", lambda n: "ada")


def example_id(entity: Entity) -> object:
    """Return the id that examples have for an entity: always the same."""
    sent = key_series(entity)
    if sent is not None:
        return sent.at(1)
    if entity.id.type == "integer":
        return 1
    made = uuid.uuid5(uuid.NAMESPACE_OID, entity.name)
    return made if entity.id.type == "uuid" else str(made)


def key_series(entity: Entity) -> Series | None:
    """Return the values of an id that clients send, or None if the service makes it."""
    key = entity.id
    if key.generated:
        return None
    if key.type == "integer":
        return Series("n", lambda n: n)
    if key.type == "uuid":
        return _SIMPLE["uuid"]
    return _text_id(key)


def _text_id(key: Id) -> Series | None:
    """Return a series of readable ids if the pattern allows, or else a few ids."""
    most, pattern = key.length, key.pattern or ids.PATTERN
    field = Field(key.name, "string", min_length=1, max_length=most, pattern=pattern)
    for candidate in _candidates(field):
        made = (str(candidate.at(number)) for number in TRIED)
        if all(ids.is_id(text) and _is_valid(field, text) for text in made):
            return candidate
    texts = ids.matching(pattern, most, 2 * ENOUGH)  # with some that no row has
    return _table([literal(text) for text in texts], texts)


def distinct(*series: Series) -> int:
    """Return how many rows, up to ENOUGH, differ in at least one of the series."""
    seen: set[str] = set()
    for number in range(1, ENOUGH + 1):
        values = repr([one.at(number) for one in series])
        if values in seen:
            break
        seen.add(values)
    return len(seen)


def in_lower_case(one: Series) -> Series:
    """Return the values of a series as the database compares them without case."""
    return Series(one.expression, lambda n: str(one.at(n)).lower())


def series(entity: Entity, field: Field) -> Series | None:
    """Return the values of a field, or None if no valid ones are found.

    The first row has the example, if there is one.
    """
    if field.name in entity.subjects:
        return _SUBJECT
    if field.example is MISSING:
        return _series(entity, field)
    if field.type == "enum" and not field.array:
        return _choices(field)
    expression = field_code.value_expression(field, field.example)
    example = _parsed(field)
    others = _series(entity, field)
    if others is None:
        return Series(expression, lambda n: example)
    return Series(
        f"support.first(n, {expression}, {others.expression})",
        lambda n: example if n == 1 else others.at(n),
    )


def _parsed(field: Field) -> object:
    """Return the example as a Python value."""
    parse = _PARSED.get(field.type)
    if isinstance(field.example, list) and field.array:
        return [one if parse is None else parse(str(one)) for one in field.example]
    return field.example if parse is None else parse(str(field.example))


_PARSED: dict[str, Callable[[str], object]] = {
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "datetime": dt.datetime.fromisoformat,
    "uuid": uuid.UUID,
    "binary": base64.b64decode,
}


def _choices(field: Field) -> Series | None:
    """Return the values of an enum in turn, with the example in the first row."""
    at = field.values.index(str(field.example)) - (1 % len(field.values))
    values = (*field.values[at:], *field.values[:at])
    return _table([literal(value) for value in values], values)


def _array(entity: Entity, field: Field) -> Series | None:
    """Return arrays of two items if possible, one of which the next row has as well."""
    items = _series(entity, field.of_items)
    if items is None:
        return None
    least, most = field.min_items or 0, field.max_items or SOME_ITEMS
    count = max(least, min(most, SOME_ITEMS))
    if distinct(items) == 1:  # an expression without n
        count = max(least, 1)
        shown = f"[{items.expression}]" + f" * {count}" * (count > 1)
    elif count == 1:
        shown = f"[{items.expression}]"
    elif items.expression == "n":
        shown = f"list(range(n, n + {count}))"
    else:
        shown = f"[{items.expression} for n in range(n, n + {count})]"
    return Series(shown, lambda n: [items.at(k) for k in range(n, n + count)])


def _series(entity: Entity, field: Field) -> Series | None:
    if field.array:
        return _array(entity, field)
    window = dict(entity.windows).get(field.column)
    if window is not None:
        if field.type in _SIMPLE:
            return compared.times(field, window)
        field = compared.narrowed(field, window)
    if field.type in ("string", "text"):
        return _text(field)
    if field.type == "binary":
        return _binary(field)
    if field.type == "url":
        return _url(field)
    if field.type == "email":
        name = entity.snake if len(entity.snake) <= LONG_NAME else "someone"
        return _formatted(name, "{n}", "@example.com")
    if field.type == "enum":
        return _table([literal(v) for v in field.values], field.values)
    if field.type == "integer":
        return _integer(field)
    if field.type == "float":
        return _float(field)
    if field.type == "decimal":
        return _decimal(field)
    return _SIMPLE[field.type]


_SIMPLE = {
    "boolean": Series("n % 2 == 0", lambda n: n % 2 == 0),
    "date": Series(
        "dt.date(2026, 1, 1) + dt.timedelta(days=n)",
        lambda n: _DAY + dt.timedelta(days=n),
    ),
    "time": Series("dt.time(n % 24, 30)", lambda n: dt.time(n % 24, 30)),
    "datetime": Series(
        "dt.datetime(2026, 1, 1, n % 24, tzinfo=dt.UTC)",
        lambda n: _MOMENT + dt.timedelta(hours=n % 24),
    ),
    "uuid": Series("uuid.UUID(int=n)", lambda n: uuid.UUID(int=n)),
    "json": Series('{"number": n}', lambda n: {"number": n}),
}


def _table(expressions: Sequence[str], values: Sequence[object]) -> Series | None:
    """Return a series that repeats a few values."""
    if not values:
        return None
    if len(values) == 1:
        return Series(expressions[0], lambda n: values[0])
    listed = ", ".join(expressions)
    return Series(f"support.pick(n, {listed})", lambda n: values[n % len(values)])


# Text


def _formatted(before: str, number: str, after: str = "") -> Series:
    """Return a series of an f-string; `number` is the replacement field with n."""
    template = f"{before}{number}{after}"
    return Series(f'f"{template}"', lambda n: template.format(n=n))


def _text(field: Field) -> Series | None:
    for candidate in _candidates(field):
        if all(_is_valid(field, str(candidate.at(number))) for number in TRIED):
            return candidate
    least, most = field.min_length or 0, field.max_length
    if field.pattern is None:
        return _short(least, most or ENOUGH)
    texts = examples.matching(field.pattern, least, most, ENOUGH)
    return _table([text_expression(text) for text in texts], texts)


def _is_valid(field: Field, text: str) -> bool:
    if len(text) < (field.min_length or 0):
        return False
    if field.max_length is not None and len(text) > field.max_length:
        return False
    return field.pattern is None or portable.search(field.pattern, text) is True


def _candidates(field: Field) -> Iterator[Series]:
    """Yield series made of the field's name and a number, the most readable first."""
    name = field.name if len(field.name) <= LONG_NAME else field.type
    words = name.split("_")
    spoken = " ".join(words).capitalize()
    joined = "".join(words)
    least = field.min_length or 0
    width = least - len(spoken) - 1
    if 1 < width <= 8:
        yield _formatted(f"{spoken} ", f"{{n:0{width}}}")
    yield _formatted(f"{spoken} ", "{n}")
    if least > ENOUGH:
        yield Series(
            f'f"{spoken} {{n}} ".ljust({least}, "x")',
            lambda n: f"{spoken} {n} ".ljust(least, "x"),
        )
    if field.pattern is None:
        yield _formatted(words[0].capitalize(), "{n}")
        return
    for before in ("-".join(words) + "-", f"{name}_", joined, words[0]):
        yield _formatted(before, "{n}")
        yield _formatted(before.upper(), "{n}")
    yield _formatted("", "{n}")
    for width in sorted({4, 5, 6, 8, least}):
        yield _formatted("", f"{{n:0{width}}}")
    yield _formatted("+49301", "{n:06}")


def _short(least: int, most: int) -> Series:
    """Return a series of digits, for strings that are too short for words."""
    modulus = 10**most
    number = f"{{n % {modulus}:0{max(least, 1)}}}"
    template = f"{{n:0{max(least, 1)}}}"
    return Series(f'f"{number}"', lambda n: template.format(n=n % modulus))


def _binary(field: Field) -> Series | None:
    """Return the bytes of a series of texts."""
    texts = _text(Field(field.name, "string", max_length=field.max_length))
    if texts is None:
        return None
    return Series(f"{texts.expression}.encode()", lambda n: str(texts.at(n)).encode())


def _url(field: Field) -> Series | None:
    path = (field.name if len(field.name) <= LONG_NAME else "page").replace("_", "-")
    for before in (f"https://example.com/{path}/", "https://example.com/", "http://a/"):
        candidate = _formatted(before, "{n}")
        if all(_is_valid(field, str(candidate.at(number))) for number in TRIED):
            return candidate
    short = [f"http://{letter}" for letter in "abcdefghijkl"]
    legal = [text for text in short if _is_valid(field, text)]
    return _table([literal(text) for text in legal], legal)


def text_expression(text: str) -> str:
    """Return a literal; one character repeated at the end is written as a product."""
    if not text:
        return '""'
    body = text.rstrip(text[-1])
    times = len(text) - len(body)
    if times < 20:
        return literal(text)
    product = f"{literal(text[-1])} * {times}"
    return f"{literal(body)} + {product}" if body else product


# Numbers


def integer_range(field: Field) -> tuple[int, int, int]:
    """Return the smallest and the largest valid integer, and the step between them."""
    step = field.multiple_of or 1
    low, high = -(2 ** (field.bits - 1)), 2 ** (field.bits - 1) - 1
    for key, _ in field_code.BOUNDS:
        bound = getattr(field, key)
        if isinstance(bound, int):
            low = max(low, bound + (key == "gt")) if key in ("gt", "ge") else low
            high = min(high, bound - (key == "lt")) if key in ("lt", "le") else high
    return -(-low // step) * step, high // step * step, step


def _integer(field: Field) -> Series | None:
    low, high, step = integer_range(field)
    if low > high:
        return None
    start = low if low > 0 or high < step else 0
    return _steps(start // step, (high - start) // step + 1, step)


def _steps(start: int, count: int, step: int) -> Series:
    """Return a series of `count` integers from start * step, repeated."""
    if count == 1:
        return Series(str(start * step), lambda n: start * step)
    times = "" if step == 1 else f" * {step}"
    if count >= WIDE:
        base = start if start == 0 or start > 1 else start - 1
        text = "n" if base == 0 else f"({base} + n)" if step > 1 else f"{base} + n"
        return Series(f"{text}{times}", lambda n: (base + n) * step)
    text = f"n % {count}" if start == 0 else f"({start} + n % {count})"
    if step == 1:
        text = text.strip("()")
    return Series(f"{text}{times}", lambda n: (start + n % count) * step)


def float_range(field: Field) -> tuple[float, float]:
    """Return the smallest and the largest valid float."""
    low, high = -math.inf, math.inf
    for key, _ in field_code.BOUNDS:
        bound = getattr(field, key)
        if bound is None:
            continue
        if key in ("gt", "ge"):
            low = max(low, math.nextafter(bound, math.inf) if key == "gt" else bound)
        else:
            high = min(high, math.nextafter(bound, -math.inf) if key == "lt" else bound)
    greatest = math.nextafter(math.inf, 0)
    return max(float(low), -greatest), min(float(high), greatest)


def _float(field: Field) -> Series | None:
    """Return a series of halves, which floats and JSON numbers represent exactly."""
    low, high = float_range(field)
    if low > high:
        return None
    start = 0 if low <= 0.5 <= high else math.ceil(Fraction(low) - Fraction(1, 2))
    count = math.floor(Fraction(high) - Fraction(1, 2)) - start + 1
    if count >= ENOUGH and abs(start) < 2**50:
        shown = f"{start}.5" if start >= 0 else str(start + 0.5)
        number = "n" if count >= WIDE else f"n % {count}"
        modulus = WIDE * WIDE if count >= WIDE else count
        return Series(f"{shown} + {number}", lambda n: start + 0.5 + n % modulus)
    width = Fraction(high) - Fraction(low)
    parts = [Fraction(low) + width * k / (ENOUGH + 1) for k in range(1, ENOUGH + 1)]
    steps = dict.fromkeys(map(float, parts))
    legal = [value for value in steps if low <= value <= high] or [low]
    return _table([float_expression(value) for value in legal], legal)


def float_expression(value: float) -> str:
    """Return a float's literal as formatters write it: no plus in the exponent."""
    return repr(value).replace("e+", "e")


def decimal_range(field: Field) -> tuple[int, int]:
    """Return the smallest and the largest valid decimal, in units of the last digit."""
    low, high = 1 - 10**field.precision, 10**field.precision - 1
    for key, _ in field_code.BOUNDS:
        bound = getattr(field, key)
        if bound is None:
            continue
        units = Fraction(bound) * 10**field.scale
        if key in ("gt", "ge"):
            whole = math.ceil(units)
            low = max(low, whole + (key == "gt" and whole == units))
        else:
            whole = math.floor(units)
            high = min(high, whole - (key == "lt" and whole == units))
    return low, high


def _decimal(field: Field) -> Series | None:
    low, high = decimal_range(field)
    if low > high:
        return None
    one = 10**field.scale
    start = low if low > 0 or high < 1 else 0
    whole = -(-start // one)
    cents = "99".ljust(field.scale, "0")[: field.scale] if field.scale else ""
    room = (high - (whole + 1) * one) // one
    if cents and room >= WIDE and abs(whole) < WIDE and field.scale < 20:
        first = decimal.Decimal(f"{whole}.{cents}")
        return Series(f'decimal.Decimal("{first}") + n', lambda n: first + n)
    count = min(high - start + 1, WIDE)
    if start >= 0 and start + count < 10**18 and field.scale < 30:
        units = _steps(start, count, 1)
        exponent = f".scaleb(-{field.scale})" if field.scale else ""
        return Series(
            f"decimal.Decimal({units.expression}){exponent}",
            lambda n: from_units(int(str(units.at(n))), field.scale),
        )
    values = [from_units(start + k, field.scale) for k in range(min(count, ENOUGH))]
    return _table([f'decimal.Decimal("{value}")' for value in values], values)
