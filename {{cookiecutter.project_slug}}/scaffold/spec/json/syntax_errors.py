"""Words for text that is no JSON: what people write instead, and how to mend it."""

import re

from scaffold.spec.problems import quote, visible


class SourceError(Exception):
    """The text is no JSON; checking cannot go on."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_TOKEN = re.compile(r"[^\s,\]}\[{:\"]{1,40}")
_PYTHON = {"True": "true", "False": "false", "None": "null", "undefined": "null"}
_NO_NUMBERS = re.compile(r"[+-]?(NaN|nan|Infinity|inf)\b")
_TYPOGRAPHIC = "“”„‟«»‘’"


def goes_on(text: str, at: int) -> bool:
    """Whether a number ends in the middle of a word, such as 01, 1.x or 0x1F."""
    return bool(re.match(r"[0-9A-Za-z_.+-]", text[at : at + 1]))


def _found(text: str, at: int) -> str:
    if at >= len(text):
        return "the end of the file"
    if text[at] == '"':
        return visible(text[at : text.find('"', at + 1) + 1 or None])
    token = _TOKEN.match(text, at)
    return quote(token[0] if token else text[at])


def _opened(line: int) -> str:
    return f"the bracket of line {line} is not closed"


def _common(text: str, at: int) -> str | None:
    """What is wrong wherever it stands."""
    if text.startswith(("//", "/*", "#"), at):
        return "JSON has no comments; a description can hold the words"
    if text[at : at + 1] == "'":
        return "JSON's strings stand in double quotes"
    if at < len(text) and text[at] in _TYPOGRAPHIC:
        return f'{text[at]} is a typographic quote; JSON takes only "'
    return None


def after_the_end(text: str, at: int) -> str:
    if common := _common(text, at):
        return common
    return f"the document ended before this {_found(text, at)}; remove what follows"


def no_value(text: str, at: int, opened: int) -> tuple[int, str]:
    """Tell why no value begins here."""
    if common := _common(text, at):
        return at, common
    if at >= len(text):
        return at, f"the file ends early: {_opened(opened)}"
    if text[at] in "]}":
        return _before_bracket(text, at)
    if number := _NO_NUMBERS.match(text, at):
        return at, f"{number[0]} is no JSON number; only finite numbers are"
    name = _NAME.match(text, at)
    if name and name[0] in _PYTHON:
        return at, f"{name[0]} is not JSON; write {_PYTHON[name[0]]}"
    if name:
        return at, f"{_found(text, at)} is no JSON value; text stands in double quotes"
    if re.match(r"[-+.0-9]", text[at]):
        return at, f"{_found(text, at)} is no JSON number; write it like 10 or 0.5"
    return at, f"a value is expected here, not {_found(text, at)}"


def _before_bracket(text: str, at: int) -> tuple[int, str]:
    before = text[:at].rstrip(" \t\r\n")
    if before.endswith(","):
        return (
            len(before) - 1,
            f"the comma before {text[at]} is one too many; remove it",
        )
    return at, f"a value is expected here, not {quote(text[at])}"


def no_key(text: str, at: int, opened: int) -> tuple[int, str]:
    """Tell why no key begins here."""
    if common := _common(text, at):
        return at, common
    if at >= len(text):
        return at, f"the file ends early: {_opened(opened)}"
    if text[at] == "}":
        return _before_bracket(text, at)
    if name := _NAME.match(text, at):
        return at, f"keys stand in double quotes: {quote(name[0])}"
    return at, f"a key in double quotes is expected here, not {_found(text, at)}"


def no_colon(text: str, at: int, opened: int) -> str:
    if at >= len(text):
        return f"the file ends early: {_opened(opened)}"
    return f'":" is expected after the key, not {_found(text, at)}'


def no_comma(text: str, at: int, bracket: str, opened: int) -> tuple[int, str]:
    """Tell what stands where a comma or the closing bracket should."""
    if common := _common(text, at):
        return at, common
    if at >= len(text):
        return at, f"the file ends early: {_opened(opened)}"
    if text[at] in "}]:":
        return at, f'"," or "{bracket}" is expected here, not "{text[at]}"'
    return at, f'"," is missing before {_found(text, at)}'


def bad_string(text: str, at: int) -> tuple[int, str]:
    """Tell where in the string that begins here something is wrong."""
    position = at + 1
    while position < len(text) and text[position] != '"':
        if text[position] in "\r\n":
            return at, 'this string has no closing "; a line break in it is \\n'
        if text[position] < " ":
            code = ord(text[position])
            return position, f"a control character; write it as \\u{code:04x}"
        if text[position] == "\\":
            if not re.match(r'["\\/bfnrt]|u[0-9a-fA-F]{4}', text[position + 1 :][:5]):
                return position, _bad_escape(text, position)
            position += 1
        position += 1
    return at, 'the file ends early: this string has no closing "'


def _bad_escape(text: str, at: int) -> str:
    if text[at + 1 : at + 2] == "u":
        return "\\u takes four hexadecimal digits"
    return f"{_visible_escape(text, at)} is no JSON escape; a backslash is \\\\"


def _visible_escape(text: str, at: int) -> str:
    character = text[at + 1 : at + 2]
    return "\\" + character if character.isprintable() else "this backslash"
