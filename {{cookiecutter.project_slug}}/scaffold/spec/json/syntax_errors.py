"""Messages for text that is not valid JSON: the common mistakes and their fixes."""

import re

from scaffold.spec.problems import quote, visible


class SourceError(Exception):
    """The file cannot be parsed; `at` is the offset of the problem."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


class InvalidJSONError(SourceError):
    """The text is not valid JSON."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(at, f"not valid JSON: {reason}")


_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_TOKEN = re.compile(r"[^\s,\]}\[{:\"]{1,40}")
_PYTHON = {"True": "true", "False": "false", "None": "null", "undefined": "null"}
_NOT_FINITE = re.compile(r"[+-]?(NaN|nan|Infinity|inf)\b")
_TYPOGRAPHIC = "“”„‟«»‘’"


def continues(text: str, at: int) -> bool:
    """Whether a number goes on as no JSON number does, such as 01, 1.x or 0x1F."""
    return bool(re.match(r"[0-9A-Za-z_.+-]", text[at : at + 1]))


def _found(text: str, at: int) -> str:
    if at >= len(text):
        return "the end of the file"
    if text[at] == '"':
        return visible(text[at : text.find('"', at + 1) + 1 or None])
    token = _TOKEN.match(text, at)
    return quote(token[0] if token else text[at])


def _end_of_file(at: int, line: int) -> InvalidJSONError:
    reason = f"unexpected end of the file; the bracket in line {line} is not closed"
    return InvalidJSONError(at, reason)


def _common(text: str, at: int) -> InvalidJSONError | None:
    """Return the error for what is wrong wherever it occurs."""
    if text.startswith(("//", "/*", "#"), at):
        return InvalidJSONError(
            at, 'comments are not allowed; remove it or use a "description"'
        )
    if text[at : at + 1] == "'":
        return InvalidJSONError(at, "strings must be in double quotes")
    if at < len(text) and text[at] in _TYPOGRAPHIC:
        return InvalidJSONError(at, f'{text[at]} is a typographic quote; use "')
    return None


def after_the_end(text: str, at: int) -> InvalidJSONError:
    """Return the error for text after the document."""
    if common := _common(text, at):
        return common
    reason = f"unexpected {_found(text, at)} after the end of the document; remove it"
    return InvalidJSONError(at, reason)


def no_value(text: str, at: int, line: int) -> InvalidJSONError:
    """Return the error for a place where a value must begin but does not."""
    if common := _common(text, at):
        return common
    if at >= len(text):
        return _end_of_file(at, line)
    if text[at] in "]}":
        return _before_bracket(text, at)
    if number := _NOT_FINITE.match(text, at):
        reason = f"{number[0]} is not a JSON number; use a finite number"
        return InvalidJSONError(at, reason)
    name = _NAME.match(text, at)
    if name and name[0] in _PYTHON:
        return InvalidJSONError(at, f"write {_PYTHON[name[0]]} instead of {name[0]}")
    if name:
        reason = f"unexpected {name[0][:40]}; strings must be in double quotes"
        return InvalidJSONError(at, reason)
    if re.match(r"[-+.0-9]", text[at]):
        reason = f"{_found(text, at)} is not a valid number; write it as 10 or 0.5"
        return InvalidJSONError(at, reason)
    return InvalidJSONError(at, f"expected a value, found {_found(text, at)}")


def _before_bracket(text: str, at: int) -> InvalidJSONError:
    before = text[:at].rstrip(" \t\r\n")
    if before.endswith(","):
        reason = f"trailing comma before {text[at]}; remove it"
        return InvalidJSONError(len(before) - 1, reason)
    return InvalidJSONError(at, f"expected a value, found {quote(text[at])}")


def no_key(text: str, at: int, line: int) -> InvalidJSONError:
    """Return the error for a place where a key must begin but does not."""
    if common := _common(text, at):
        return common
    if at >= len(text):
        return _end_of_file(at, line)
    if text[at] == "}":
        return _before_bracket(text, at)
    if name := _NAME.match(text, at):
        reason = f"keys must be in double quotes; write {quote(name[0])}"
        return InvalidJSONError(at, reason)
    found = _found(text, at)
    return InvalidJSONError(at, f"expected a key in double quotes, found {found}")


def no_colon(text: str, at: int, line: int) -> InvalidJSONError:
    """Return the error for a key that no colon follows."""
    if at >= len(text):
        return _end_of_file(at, line)
    reason = f'expected ":" after the key, found {_found(text, at)}'
    return InvalidJSONError(at, reason)


def no_comma(text: str, at: int, bracket: str, line: int) -> InvalidJSONError:
    """Return the error for an item that no comma or closing bracket follows."""
    if common := _common(text, at):
        return common
    if at >= len(text):
        return _end_of_file(at, line)
    if text[at] in "}]:":
        reason = f'expected "," or "{bracket}", found "{text[at]}"'
        return InvalidJSONError(at, reason)
    return InvalidJSONError(at, f'missing "," before {_found(text, at)}')


def bad_string(text: str, at: int) -> InvalidJSONError:
    """Return the error for the string that begins here and is not valid."""
    position = at + 1
    while position < len(text) and text[position] != '"':
        if text[position] in "\r\n":
            reason = 'this string has no closing "; write a line break as \\n'
            return InvalidJSONError(at, reason)
        if text[position] < " ":
            escape = f"\\u{ord(text[position]):04x}"
            reason = f"control character in a string; write it as {escape}"
            return InvalidJSONError(position, reason)
        if text[position] == "\\":
            if not re.match(r'["\\/bfnrt]|u[0-9a-fA-F]{4}', text[position + 1 :][:5]):
                return InvalidJSONError(position, _bad_escape(text, position))
            position += 1
        position += 1
    reason = 'unexpected end of the file; this string has no closing "'
    return InvalidJSONError(at, reason)


def _bad_escape(text: str, at: int) -> str:
    if text[at + 1 : at + 2] == "u":
        return "\\u must be followed by four hexadecimal digits"
    character = text[at + 1 : at + 2]
    shown = "\\" + character if character.isprintable() else "this backslash"
    return f"{shown} is not a valid escape; write a backslash as \\\\"
