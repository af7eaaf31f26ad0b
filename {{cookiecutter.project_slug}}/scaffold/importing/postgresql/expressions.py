"""Understands the simple expressions of a catalog: defaults and CHECK constraints.

The server words them in its own way, with casts and parentheses that nobody wrote.
"""

import itertools
import re
from collections.abc import Iterator, Sequence

from scaffold.importing.found import Computed

_TOKENS = re.compile(
    r"""
    (?P<cast>::\s*(?:"[^"]+"\.|\w+\.)?(?:"[^"]+"|character\ varying|double\ precision
        |bit\ varying|timestamp\ (?:with|without)\ time\ zone
        |time\ (?:with|without)\ time\ zone|\w+)(?:\(\d+(?:,\s*-?\d+)?\))?(?:\[\])*)
    |(?P<string>[eE]?'(?:[^']|'')*')
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<name>"(?:[^"]|"")+"|[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)*)
    |(?P<mark><>|<=|>=|!=|!~\*?|~~\*?|~\*?|\|\||[-+*/%=<>\[\],.:@#&^?|])
    |(?P<space>[\s()]+)
    """,
    re.VERBOSE,
)
OPERATORS = {">": "gt", ">=": "ge", "<": "lt", "<=": "le", "<>": "ne"}
_FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "<>": "<>", "=": "="}
_LENGTH = ("char_length", "length", "character_length", "octet_length")
_NOW = {
    *("now", "transaction_timestamp", "statement_timestamp", "clock_timestamp"),
    *("current_timestamp", "current_date", "current_time", "localtime"),
    "localtimestamp",
}
_UTC = ("utc", "gmt", "z", "etc/utc")
_RANDOM = re.compile(r"(\w+\.)?(gen_random_uuid|uuid_generate_v\w+|uuidv[47])")
# The casts of a column in a CHECK that PostgreSQL adds, and one of a generated service;
# others change its value.
_HARMLESS = re.compile(r"::\s*((text|character varying|bpchar)(\[\])*|bigint\[\])")

Token = tuple[str, str]


def literal(expression: str) -> str | None:
    """Return the text of a constant, None if the expression is not one."""
    tokens = _flat(expression)
    if tokens and tokens[0] == ("mark", "-"):
        number = _signed(tokens)
        return number[0][1] if len(number) == 1 else None
    if len(tokens) == 1 and tokens[0][0] in ("string", "number"):
        return _value(tokens[0])
    if len(tokens) == 1 and tokens[0][1].lower() in ("true", "false", "null"):
        return tokens[0][1].lower()
    return None


def computed(expression: str) -> Computed | None:
    """Return what a default computes, None if the expression is not one of these."""
    words = [_value(one).lower() for one in _flat(expression)]
    match words:
        case ["nextval", _]:
            return Computed.SEQUENCE
        case [name] if _RANDOM.fullmatch(name):
            return Computed.RANDOM
        case [name, *digits] if name in _NOW and len(digits) < 2:
            return Computed.NOW if all(map(str.isdigit, digits)) else None
        case [name, "at", "time", "zone", zone] if name in _NOW and zone in _UTC:
            return Computed.NOW
        case ["timezone", zone, ",", name] if name in _NOW and zone in _UTC:
            return Computed.NOW
    return None


def is_null(expression: str) -> bool:
    tokens = _flat(expression)
    return len(tokens) == 1 and tokens[0][1].upper() == "NULL"


def items(expression: str) -> list[str] | None:
    """Return the constants in ARRAY[...], None if there is something else."""
    head, *tokens = _signed(_flat(expression))
    inner = [one for one in tokens if one[1] not in ("[", "]", ",")]
    known = ("string", "number")
    is_known = all(k in known or text in ("true", "false") for k, text in inner)
    return [_value(one) for one in inner] if head[1] == "ARRAY" and is_known else None


class Unknown(Exception):
    """The expression is not one of the simple ones."""


def rules(expression: str) -> Iterator[tuple[str, str, object]]:
    """Yield what a CHECK says: a column, a key of entities.json and its value.

    A comparison of two columns has the other one as value, and the key `lt` etc. with
    `checks.` before it. Raises Unknown for what is not understood.
    """
    tokens = _signed(_flat(expression))
    words = [text.upper() for kind, text in tokens if kind == "name"]
    if _casts_a_column(expression):
        raise Unknown(expression)
    if not tokens or "OR" in words or "CASE" in words:
        raise Unknown(expression)
    part: list[Token] = []
    for token in [*tokens, ("name", "AND")]:
        if token == ("name", "AND"):
            yield _rule(part)
            part = []
        else:
            part.append(token)


def _rule(part: Sequence[Token]) -> tuple[str, str, object]:
    if found := _rule_of_items(part):
        return found
    kinds = [kind for kind, _ in part]
    texts = [_value(one) for one in part]
    constant = ("string", "number")
    if len(part) == 3 and kinds[0] in constant and kinds[2] == "name":
        texts = [texts[2], _FLIPPED.get(texts[1], ""), texts[0]]
        kinds = [kinds[2], kinds[1], kinds[0]]
    operator = texts[1] if len(texts) > 1 else ""
    if len(part) == 3 and kinds[0] == "name" and operator in OPERATORS:
        key = OPERATORS[operator]
        if kinds[2] in constant:
            if operator == "<>":
                return _not(texts[0], texts[2])
            return texts[0], key, texts[2]
        if kinds[2] == "name":
            return texts[0], f"checks.{key}", texts[2]
    if texts[0].lower() in _LENGTH and len(part) == 4 and kinds[3] == "number":
        name, key, number = _length(texts[1], texts[2], int(float(texts[3])))
        is_of_bytes = texts[0].lower() == "octet_length"
        return name, f"bytes.{key}" if is_of_bytes else key, number
    if texts[1:4] == ["=", "ANY", "ARRAY"] and kinds[0] == "name":
        return texts[0], "values", _listed(part[4:])
    if len(part) == 3 and kinds == ["name", "mark", "string"] and operator == "=":
        return texts[0], "values", [texts[2]]
    if texts[1:4] == ["<>", "ALL", "ARRAY"] and "NaN" in _listed(part[4:]):
        return texts[0], "finite", None
    if [*texts[1:]] == ["IS", "NOT", "NULL"]:
        return texts[0], "required", True
    if len(part) == 5 and operator == "%" and texts[3:] == ["=", "0"]:
        return texts[0], "multiple_of", texts[2]
    if len(part) == 3 and operator == "~" and kinds[2] == "string":
        return texts[0], "pattern", texts[2]
    raise Unknown


def _rule_of_items(part: Sequence[Token]) -> tuple[str, str, object] | None:
    """Read what a CHECK says of an array, such as `0 <= ALL (prices)`."""
    words = [_value(one).removeprefix("public.") for one in part]
    match words:
        case ["array_ndims", column, "=", "1"]:
            return column, "array", True
        case ["num_nulls", "VARIADIC", column, "=", "0"]:
            return column, "array", True
        case ["cardinality", column, operator, number]:
            _, key, count = _length(column, operator, int(number))
            return column, key.replace("length", "items"), count
        case [number, operator, "ALL", "item_lengths", column]:
            return _length(column, _FLIPPED.get(operator, ""), int(number))
        case ["0", "=", "ALL", "item_remainders", column, ",", number]:
            return column, "multiple_of", number
        case [value, "<>", "ALL", column]:
            return _not(column, value)
        case [value, operator, "ALL", column] if operator in OPERATORS:
            return column, OPERATORS[_FLIPPED[operator]], value
        case ["NOT", column, "&", "&", "{NaN,Infinity,-Infinity}"]:
            return column, "finite", None
        case [column, "<", "@", "ARRAY", *_]:
            return column, "items.values", _listed(part[4:])
    return None


def _not(column: str, value: str) -> tuple[str, str, object]:
    if value == "NaN":
        return column, "finite", None
    if value == "":
        return column, "min_length", 1
    raise Unknown


def _length(column: str, operator: str, number: int) -> tuple[str, str, object]:
    keys = {">": ("min_length", 1), ">=": ("min_length", 0)}
    keys |= {"<": ("max_length", -1), "<=": ("max_length", 0)}
    if operator not in keys:
        raise Unknown
    key, more = keys[operator]
    return column, key, number + more


def _listed(tokens: Sequence[Token]) -> list[str]:
    """Return the strings between brackets."""
    inner = [one for one in tokens if one[1] not in ("[", "]", ",")]
    if any(kind != "string" for kind, _ in inner):
        raise Unknown
    return [_value(one) for one in inner]


def _flat(expression: str) -> list[Token]:
    """Return the tokens without casts and parentheses."""
    return [token for token in _tokens(expression) if token[0] != "cast"]


def _casts_a_column(expression: str) -> bool:
    tokens = _tokens(expression)
    return any(
        before == "name" and kind == "cast" and not _HARMLESS.fullmatch(text)
        for (before, _), (kind, text) in itertools.pairwise(tokens)
    )


def _tokens(expression: str) -> list[Token]:
    """Return the tokens without parentheses."""
    found, at = [], 0
    while at < len(expression):
        match = _TOKENS.match(expression, at)
        if match is None or match.lastgroup is None:
            return [("unknown", expression[at])]
        if match.lastgroup != "space":
            found.append((match.lastgroup, match[0]))
        at = match.end()
    return found


def _signed(tokens: Sequence[Token]) -> list[Token]:
    """Join a minus with the number after it, where nothing is before it."""
    made: list[Token] = []
    for token in tokens:
        if token[0] == "number" and made and made[-1] == ("mark", "-"):
            before = made[-2] if len(made) > 1 else ("mark", "")
            if before[0] == "mark" or before[1] == "AND":
                made[-1] = ("number", f"-{token[1]}")
                continue
        made.append(token)
    return made


def _value(token: Token) -> str:
    kind, text = token
    if kind == "string":
        inner = text.lstrip("eE")[1:-1].replace("''", "'")
        return inner.replace("\\\\", "\\") if text[0] in "eE" else inner
    if kind == "name" and text.startswith('"'):
        return text[1:-1].replace('""', '"')
    return text
