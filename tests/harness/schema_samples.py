"""Generates values for JSON schemas of OpenAPI documents."""

import base64
import datetime as dt
import decimal
import re
import uuid
from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random
from typing import Any

# The parser of re, whose tree says what a pattern can match. It is private, but the same
# in Python 3.11 to 3.14; the tests fail if it changes.
from re import _constants as codes  # type: ignore[attr-defined] # isort: skip
from re import _parser as parser  # type: ignore[attr-defined] # isort: skip

Schema = dict[str, Any]
WORDS = ("amber", "birch", "cedar", "delta", "ember", "flint", "grove", "haven")
# Letters first: they mean nothing to HTML, JSON or SQL.
CHARACTERS: list[str] = [
    *map(chr, range(97, 123)),
    *map(chr, range(65, 91)),
    *"0123456789",
]
CHARACTERS += [chr(code) for code in range(32, 127) if chr(code) not in CHARACTERS]
CHARACTERS += ["\t", "\n", "ä", "ß", "é", "中", "🙂"]
MORE_ITEMS = 2  # than an array must have
MAX_TRIES = 200
MAX_SCALE = 400
MAX_DIGITS = 2_000  # with which decimals are computed: more than any has


class NoSample(ValueError):
    """No value was found; the message has the schema."""


class Sampler:
    """Generates values for the schemas of one OpenAPI document."""

    def __init__(self, document: Schema, random: Random) -> None:
        self.document = document
        self.random = random

    def resolve(self, schema: Schema) -> Schema:
        """Follow references, and take the branch of a choice that is not null."""
        while True:
            if "$ref" in schema:
                found: Any = self.document
                for name in schema["$ref"].removeprefix("#/").split("/"):
                    found = found[name]
                schema = {**found, **{k: v for k, v in schema.items() if k != "$ref"}}
                continue
            branches = [
                branch
                for key in ("anyOf", "oneOf", "allOf")
                for branch in schema.get(key, ())
                if branch.get("type") != "null"
            ]
            if len(branches) != 1 or "type" in schema:
                return schema
            schema = branches[0]

    def value(self, schema: Schema) -> Any:
        """Return a valid value, if possible a different one each time."""
        schema = self.resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        if "anyOf" in schema:
            return self._decimal(schema)
        makers: dict[str, Callable[[Schema], Any]] = {
            "array": self._array,
            "boolean": lambda _: self.random.random() < 0.5,
            "integer": lambda found: int(self._number(found, (0,))),
            "number": lambda found: float(self._number(found, range(MAX_SCALE))),
            "object": self.row,
            "string": self._string,
        }
        kind = schema.get("type")
        if kind is None:  # any JSON value
            return {"sample": [self.random.choice(WORDS), 1, None]}
        return makers[kind](schema)

    def _array(self, schema: Schema) -> list[Any]:
        """Return some items; a list of unique ones has ids of rows, and is left empty."""
        least = schema.get("minItems", 0)
        if schema.get("uniqueItems"):
            return []
        most = min(least + MORE_ITEMS, schema.get("maxItems", least + MORE_ITEMS))
        count = self.random.randint(max(least, min(most, 1)), most)
        return [self.value(schema["items"]) for _ in range(count)]

    def row(self, schema: Schema) -> dict[str, Any]:
        properties = self.resolve(schema).get("properties", {})
        return {name: self.value(found) for name, found in properties.items()}

    def _decimal(self, schema: Schema) -> str:
        """Return a decimal as a string; the pattern of the string limits its digits."""
        kinds = {self.resolve(branch).get("type"): branch for branch in schema["anyOf"]}
        if set(kinds) - {"null"} != {"number", "string"}:
            raise NoSample(f"anyOf is not a decimal: {schema}")
        pattern = kinds["string"].get("pattern", "")
        numbers = self._numbers(kinds["number"], range(MAX_SCALE))
        for number in numbers:
            text = f"{number:f}"
            if re.search(pattern, text):
                return text
        raise NoSample(f"no decimal fits {schema}")

    def _number(self, schema: Schema, scales: range | tuple[int, ...]) -> Decimal:
        number = next(self._numbers(schema, scales), None)
        if number is None:
            raise NoSample(f"no number fits {schema}")
        return number

    def _numbers(
        self, schema: Schema, scales: range | tuple[int, ...]
    ) -> Iterator[Decimal]:
        """Yield numbers within the bounds, with more and more decimal places."""
        low, high = (
            self._bound(schema, "minimum", "exclusiveMinimum"),
            self._bound(schema, "maximum", "exclusiveMaximum"),
        )
        for scale in scales:
            with decimal.localcontext(prec=MAX_DIGITS):
                step = Decimal(schema.get("multipleOf", 1)) * Decimal(1).scaleb(-scale)
                first, last = _steps(low, high, step)
                if first > last:
                    continue
                found = [self.random.randint(first, last) * step, first * step]
            yield from found

    @staticmethod
    def _bound(
        schema: Schema, inclusive: str, exclusive: str
    ) -> tuple[Decimal | None, bool]:
        bounds = [
            (Decimal(str(schema[key])), key == exclusive)
            for key in (inclusive, exclusive)
            if key in schema
        ]
        if not bounds:
            return None, False
        # With both bounds, the narrower one applies; if equal, the exclusive one.
        sign = 1 if inclusive == "minimum" else -1
        return max(bounds, key=lambda bound: (sign * bound[0], bound[1]))

    def _string(self, schema: Schema) -> str:
        number = self.random.getrandbits(32)
        moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
            seconds=number % 10**7
        )
        formats = {
            "binary": "",
            "byte": base64.b64encode(b"sample").decode(),
            "date": moment.date().isoformat(),
            "date-time": moment.isoformat(),
            "email": f"sample.{number:x}@example.com",
            "time-local": moment.time().isoformat(),
            "uri": _uri(number, schema.get("maxLength", 255)),
            "uuid": str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
        }
        if schema.get("format") in formats:
            return formats[schema["format"]]
        if schema.get("contentEncoding") == "base64":
            # Bytes: a limit of 4 characters is one of 1 to 3 bytes.
            most = schema.get("maxLength", 340) // 4 * 3 - 2
            return base64.b64encode(f"{number:x}".encode()[:most]).decode()
        if "pattern" in schema:
            return self._matching(schema)
        least, most = schema.get("minLength", 0), schema.get("maxLength", 255)
        text = f"{self.random.choice(WORDS)} {number:x}"
        return text.ljust(least, "x")[:most].strip().ljust(least, "x")

    def _matching(self, schema: Schema) -> str:
        """Return a text that matches the pattern, by random walks of its parse tree."""
        pattern = re.compile(schema["pattern"])
        least, most = schema.get("minLength", 0), schema.get("maxLength", 255)
        tree = parser.parse(schema["pattern"])
        for attempt in range(MAX_TRIES):
            text = "".join(self._walk(tree, (12 - attempt) % 40))
            for candidate in (text, text.ljust(least, "x"), text.rjust(least, "x")):
                if least <= len(candidate) <= most and pattern.search(candidate):
                    return candidate
        raise NoSample(f"no text matches {schema}")

    def _walk(self, tree: Any, extra: int) -> Iterator[str]:
        for code, argument in tree:
            if code in (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN):
                yield self._character(code, argument)
            elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
                least, most, inner = argument
                most = min(most, least + extra)
                for _ in range(self.random.randint((least + most + 1) // 2, most)):
                    yield from self._walk(inner, extra)
            elif code is codes.SUBPATTERN:
                yield from self._walk(argument[-1], extra)
            elif code is codes.BRANCH:
                yield from self._walk(self.random.choice(argument[1]), extra)
            elif code is not codes.AT:
                raise NoSample(f"a pattern with {code} is not supported")

    def _character(self, code: Any, argument: Any) -> str:
        if code is codes.LITERAL:
            return chr(argument)
        if code is codes.ANY:
            return self.random.choice(CHARACTERS[:62])
        items = [(codes.NEGATE, None), (codes.LITERAL, argument)]
        items = argument if code is codes.IN else items
        fitting = [text for text in CHARACTERS if _in_set(text, items)]
        if fitting:
            return self.random.choice(fitting)
        kind, first = items[0]  # a set of rarer characters
        return chr(first if kind is codes.LITERAL else first[0])


def _uri(number: int, most: int) -> str:
    long = f"https://example.com/{number:x}"
    return long if len(long) <= most else f"http://a.b/{number:x}"[:most]


def _steps(
    low: tuple[Decimal | None, bool], high: tuple[Decimal | None, bool], step: Decimal
) -> tuple[int, int]:
    """Return the first and the last multiple of the step within the bounds."""
    (least, above), (most, below) = low, high
    if least is None:
        least = Decimal(0) if most is None or most > 0 else most - 1000 * step
    first = int((least / step).to_integral_value(ROUND_CEILING))
    first += above and first * step == least
    if most is None:
        return first, first + 1000
    last = int((most / step).to_integral_value(ROUND_FLOOR))
    last -= below and last * step == most
    return first, min(last, first + 1000)


def _in_set(text: str, items: Any) -> bool:
    categories = {
        codes.CATEGORY_DIGIT: r"\d",
        codes.CATEGORY_NOT_DIGIT: r"\D",
        codes.CATEGORY_SPACE: r"\s",
        codes.CATEGORY_NOT_SPACE: r"\S",
        codes.CATEGORY_WORD: r"\w",
        codes.CATEGORY_NOT_WORD: r"\W",
    }
    negated, found = False, False
    for code, argument in items:
        if code is codes.NEGATE:
            negated = True
        elif code is codes.LITERAL:
            found |= ord(text) == argument
        elif code is codes.RANGE:
            found |= argument[0] <= ord(text) <= argument[1]
        elif code is codes.CATEGORY:
            found |= re.fullmatch(categories[argument], text) is not None
    return found is not negated
