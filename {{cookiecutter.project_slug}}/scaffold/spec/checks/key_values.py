"""Values of single keys: the right JSON type, the right form, within their limits."""

import re
from collections.abc import Callable, Mapping

from scaffold.patterns import portable
from scaffold.spec import naming
from scaffold.spec.json.parsing import Array, Object
from scaffold.spec.problems import Meant, listing, quote
from scaffold.spec.vocabulary import default_values, keys, synonyms
from scaffold.spec.vocabulary.field_types import INT64, TYPES
from scaffold.spec.vocabulary.keys import Key

NAME = re.compile(keys.NAME.removeprefix("^").removesuffix("$"))
CLASS = re.compile(keys.CLASS.removeprefix("^").removesuffix("$"))
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Bad(Exception):
    """A value cannot be used; for an item of a list, `item` and `at` say which."""

    def __init__(
        self,
        message: str,
        meant: Meant | None = None,
        item: int | None = None,
        at: int | None = None,
    ) -> None:
        super().__init__(message)
        self.meant = meant
        self.item = item
        self.at = at


def kind(value: object) -> str:
    """Name a JSON value for a message; short ones as they are."""
    if isinstance(value, Object):
        return "an object"
    return "a list" if isinstance(value, Array) else quote(value)


def unknown(
    what: str,
    word: str,
    known: Mapping[str, object],
    elsewhere: Mapping[str, str],
) -> Bad:
    """Prefer what a word is called elsewhere to what it looks like."""
    allowed = f"allowed here: {listing(known)}"
    guess = elsewhere.get(re.sub(r"[^a-z0-9]", "", word.lower()), word)
    if guess in keys.RELATION_TYPES and guess not in known:
        otherwise = f"what points to an entity stands in relations, as {guess}"
        return Bad(f"unknown {what} {quote(word)}", Meant(guess, (), otherwise))
    meant = Meant(guess if guess in known else word, tuple(known), allowed)
    return Bad(f"unknown {what} {quote(word)}", meant)


def text(value: object, key: Key) -> str:
    if not isinstance(value, str):
        raise Bad(f"must be text in quotes, not {kind(value)}")
    if control := _CONTROL.search(value):
        raise Bad(f"holds the control character \\u{ord(control[0]):04x}; remove it")
    return value


def flag(value: object, key: Key) -> bool:
    if not isinstance(value, bool):
        raise Bad(f"must be true or false, not {kind(value)}")
    return value


def items(value: object, key: Key) -> Array:
    if not isinstance(value, Array):
        raise Bad(f"must be a list, not {kind(value)}")
    return value


def name(value: object, key: Key) -> str:
    form = "ASCII letters, digits and _, a letter first, such as due_date"
    return _word(value, NAME, "snake_case", form)


def class_name(value: object, key: Key) -> str:
    form = "ASCII letters and digits, a capital first, such as OrderItem"
    return _word(value, CLASS, "PascalCase", form)


def _word(value: object, form: re.Pattern[str], case: str, means: str) -> str:
    if not isinstance(value, str):
        raise Bad(f"must be a name in {case}, not {kind(value)}")
    if not form.fullmatch(value):
        better = _better(value, form)
        hint = f"did you mean {quote(better)}?" if better else means
        raise Bad(f"{quote(value)} is no name in {case}; {hint}")
    if len(value) > keys.MAX_NAME:
        length = f"{len(value)} characters"
        raise Bad(f"{quote(value)} has {length}; the limit is {keys.MAX_NAME}")
    return value


def _better(value: str, form: re.Pattern[str]) -> str | None:
    """Put a word into the right case, where that is all it needs."""
    if not re.fullmatch(r"[A-Za-z0-9 _-]{1,63}", value):
        return None
    words = "_".join(filter(None, (naming.snake(w) for w in re.split("[ _-]", value))))
    better = words if form is NAME else naming.pascal(words)
    return better if form.fullmatch(better) else None


def count(value: object, key: Key) -> int:
    least, most = key.limit("minimum"), key.limit("maximum")
    if type(value) is not int:
        raise Bad(f"must be a whole number, not {kind(value)}")
    if not least <= value <= most:
        raise Bad(f"{quote(value)} is not between {least} and {most}")
    return value


def integer(value: object, key: Key) -> int:
    if type(value) is not int:
        raise Bad(f"must be a whole number, not {kind(value)}")
    if not -INT64 <= value < INT64:
        raise Bad(f"{quote(value)} is beyond 64 bits, from -2^63 to 2^63-1")
    return value


def number(value: object, key: Key) -> object:
    return _refused(lambda: default_values.finite(value))


def exact(value: object, key: Key) -> object:
    return _refused(lambda: default_values.number_or_string(value))


def _refused(read: Callable[[], object]) -> object:
    try:
        return read()
    except default_values.Refused as refused:
        raise Bad(str(refused)) from None


def pattern(value: object, key: Key) -> str:
    if not isinstance(value, str):
        raise Bad(f"must be text in quotes, not {kind(value)}")
    if reason := portable.judge(value):
        raise Bad(f"{quote(value)} {reason}")
    return value


def values(value: object, key: Key) -> tuple[str, ...]:
    listed = items(value, key)
    most = key.limit("maxItems")
    if not 1 <= len(listed) <= most:
        raise Bad(f"has {len(listed)} items; there must be 1 to {most}")
    seen: dict[str, int] = {}
    for index, item in enumerate(listed):
        problem = _value_problem(item, seen)
        if problem:
            raise Bad(problem, item=index, at=listed.items_at[index])
        seen[str(item)] = index
    return tuple(seen)


def _value_problem(item: object, seen: Mapping[str, int]) -> str | None:
    if not isinstance(item, str):
        return f"must be text in quotes, not {kind(item)}"
    if not item:
        return "is empty; a value has at least one character"
    if len(item) > 255:
        return f"{quote(item)} has {len(item)} characters; the limit is 255"
    if item in seen:
        return f"{quote(item)} stands in values[{seen[item]}] already"
    return None


def _known(
    what: str, known: Mapping[str, object], elsewhere: Mapping[str, str]
) -> Callable[[object, Key], str]:
    def read(value: object, key: Key) -> str:
        if not isinstance(value, str):
            raise Bad(f"must be one of {listing(known)}, not {kind(value)}")
        if value not in known:
            raise unknown(what, value, known, elsewhere)
        return value

    return read


KINDS: Mapping[str, Callable[[object, Key], object]] = {
    "any": lambda value, key: value,
    "class": class_name,
    "count": count,
    "decimal": exact,
    "flag": flag,
    "integer": integer,
    "list": items,
    "name": name,
    "number": number,
    "on_delete": _known("on_delete", keys.ON_DELETE, synonyms.ON_DELETE),
    "pattern": pattern,
    "relation": _known("relation type", keys.RELATION_TYPES, synonyms.TYPES),
    "text": text,
    "together": items,
    "type": _known("type", TYPES, synonyms.TYPES),
    "values": values,
}
