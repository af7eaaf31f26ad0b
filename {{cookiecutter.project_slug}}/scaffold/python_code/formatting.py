"""Formats Python code: literals, docstrings, and lines of at most 88 columns.

Templates write each statement on one line; `wrap` breaks those that are too long
where black and ruff would break them, so that a formatter changes nothing.
"""

import functools
import re
import textwrap
import unicodedata
from collections.abc import Iterator

WIDTH = 88
OPENING, CLOSING = "([{", ")]}"
_LAMBDA = re.compile(r"(.*=lambda: )(.+),")
_DEFINITION = re.compile(r"\s*(async )?def ")
_DOCSTRING = re.compile(r'( *)"""(.*)"""')
_ASSIGNED = re.compile(r"( *(?:return|[\w.]+(?:: [^=]+)? =)) (.+)")
_OPERATOR = re.compile(r"""( *(?:"[^"]*": )?[^"']+?) ((?:[|+]|==) .+)""")
_DECLARED = re.compile(r"( *\w+:) ([\w.]+ \| [\w. |]+)")
_ANNOTATED = re.compile(r"( *\w+: [\w.]+\[)(.+?)(\] = .+)")
_OPTIONAL = re.compile(r"( *\w+:) ([\w.]+\[[\w.]+\] \| None)((?: = .+)?)")
_COMPREHENSION = re.compile(r"(.+) (for n in range\(.+\))")
_IMPORT = re.compile(r"(from \S+ import )(.+)")
# A string literal, possibly without its end, or a comma or bracket.
_CODE = re.compile(r"""(["'])(?:(?!\1)[^\\]|\\.)*\1?|[,()[\]{}]""")
_QUOTES = re.compile('"{3,}')


def literal(value: str) -> str:
    """Return a string literal, in the quotes that need fewer escapes."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + "".join(_escape(character, quote) for character in value) + quote


def _escape(character: str, quote: str) -> str:
    if character in "\"'":
        return "\\" + character if character == quote else character
    return repr(character)[1:-1]


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return the key that import sorters use: digits in a name compare as numbers."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p.lower()) for p in parts)


def import_key(name: str) -> tuple[int, object, str]:
    """Return a sort key for imported names: CONSTANTS, Classes, then the others."""
    group = 0 if len(name) > 1 and name.isupper() else 1 if name[:1].isupper() else 2
    return group, natural_key(name), name


def docstring(text: str, indent: int) -> str:
    """Return a docstring with the words of a text, on as few lines as possible."""
    words = " ".join(_visible(text).split())
    words = _QUOTES.sub(_escape_quotes, words.replace("\\", "\\\\"))
    # Formatters add a space between a quote and the three quotes of the docstring.
    words = f" {words}" if words.startswith('"') else words
    words = f"{words} " if words.endswith('"') else words
    return _fill(words, indent)


def _escape_quotes(run: re.Match[str]) -> str:
    """Escape every other quote, but not the last one: formatters disagree on it."""
    quotes = len(run[0])
    return '"' * (quotes % 2) + '\\""' * (quotes // 2)


def _fill(words: str, indent: int) -> str:
    if (
        indent + len(words) + 6 <= WIDTH
    ):  # formatters count characters here, not columns
        return f'"""{words}"""'
    pad = " " * indent
    # Two lines at least, as formatters put the quotes at the end of a single line.
    room = WIDTH - indent - 6 - words.endswith(" ")
    lines = textwrap.wrap(words, room, break_on_hyphens=False)
    body = [lines[0], *textwrap.wrap(" ".join(lines[1:]), WIDTH - indent)]
    return '"""' + f"\n{pad}".join(body) + f'\n{pad}"""'


def _visible(text: str) -> str:
    """Return the text without characters that are invisible or reorder a line."""
    return "".join(c if c.isprintable() or c.isspace() else " " for c in text)


def width(text: str) -> int:
    """Return the columns of a text, as formatters count them: 漢 has two."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


@functools.cache
def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrap(source: str) -> str:
    """Break the statements that are wider than WIDTH, and change nothing else."""
    lines: list[str] = []
    inside_docstring = False
    for line in source.splitlines():
        if width(line) > WIDTH and (found := _DOCSTRING.fullmatch(line)):
            indent = len(found[1])
            lines.append(found[1] + _fill(found[2], indent))
            continue
        opens = not inside_docstring and line.lstrip().startswith('"""')
        if inside_docstring or opens or width(line) <= WIDTH:
            lines.append(line)
        else:
            lines.extend(_break(line))
        if opens:
            inside_docstring = line.count('"""') == 1
        elif inside_docstring:
            inside_docstring = '"""' not in line
    return "\n".join(lines) + "\n"


def _break(line: str, *, inside: bool = False) -> Iterator[str]:
    """Yield the physical lines of a logical line."""
    if width(line) <= WIDTH:
        yield line
        return
    if imported := _IMPORT.fullmatch(line):
        yield f"{imported[1]}("
        yield from (f"    {name.strip()}," for name in imported[2].split(","))
        yield ")"
        return
    pair = _bracket(line)
    if pair is None or (inside and pair[1] < len(line.rstrip(",")) - 1):
        yield from _break_without_bracket(line, inside)
        return
    start, end = pair
    if whole := _break_assignment(line, start):
        yield from whole
        return
    pad = _pad(line)
    yield line[: start + 1]
    yield from _body(f"{pad}    ", line[start + 1 : end], start, line)
    yield pad + line[end:]


def _pad(line: str) -> str:
    return " " * (len(line) - len(line.lstrip()))


def _break_without_bracket(line: str, inside: bool) -> Iterator[str]:
    """Put parentheses around a value, or break at an operator or in a string."""
    bare = _bracket(line) is None
    pad = _pad(line)
    assigned, declared = _ASSIGNED.fullmatch(line), _DECLARED.fullmatch(line)
    if bare and not inside and assigned and width(assigned[1]) + 2 > WIDTH:
        yield line  # parentheses would not help, as its left side is too wide
    elif bare and not inside and declared:
        yield from (f"{declared[1]} (", f"{pad}    {declared[2]}", f"{pad})")
    elif bare and not inside and assigned:
        yield from (f"{assigned[1]} (", f"{pad}    {assigned[2]}", f"{pad})")
    elif bare and inside and (function := _LAMBDA.fullmatch(line)):
        yield f"{function[1]}("
        yield from _break(f"{pad}    {function[2]}", inside=True)
        yield f"{pad}),"
    elif bare and inside and (operands := _OPERATOR.fullmatch(line)):
        yield from (operands[1], pad + operands[2])
    else:
        yield from _break_string(line)


def _break_assignment(line: str, bracket: int) -> list[str]:
    """Return the lines of an assignment with a left side or call that is too wide."""
    assigned, annotated = _ASSIGNED.fullmatch(line), _ANNOTATED.fullmatch(line)
    pad = _pad(line)
    optional = _OPTIONAL.fullmatch(line)
    if optional and (not assigned or width(assigned[1]) + 2 > WIDTH):
        inner = [f"{pad}    {optional[2]}"]
        if width(inner[0]) > WIDTH:
            inner = [inner[0].removesuffix(" | None"), f"{pad}    | None"]
        rest = _break(f"{pad}){optional[3]}")
        return [f"{optional[1]} (", *inner, *rest]
    if not assigned:
        return []
    if annotated and width(assigned[1]) + 2 > WIDTH:
        rest = _break(pad + annotated[3])
        return [annotated[1], f"{pad}    {annotated[2]}", *rest]
    fits = width(assigned[1]) + 2 <= WIDTH
    if fits and bracket < len(assigned[1]):
        return [f"{assigned[1]} (", f"{pad}    {assigned[2]}", f"{pad})"]
    if fits and WIDTH <= bracket < WIDTH + len(assigned[1]) - len(pad) - 3:
        value = _break(f"{pad}    {assigned[2]}", inside=True)
        return [f"{assigned[1]} (", *value, f"{pad})"]
    return []


def _is_display(line: str, opening_at: int) -> bool:
    """Whether a bracket holds a tuple, list, set or dict, not arguments.

    Formatters put each of their items on a line if they do not all fit on one line.
    """
    return line[opening_at] == "{" or line[:opening_at][-1:] in ("", " ", "=", *OPENING)


def _body(indent: str, content: str, opening_at: int, line: str) -> Iterator[str]:
    flat = indent + content.strip()
    items = split(content)
    definition = _DEFINITION.match(line) is not None
    display = len(items) > 1 and _is_display(line, opening_at)
    # Formatters add a comma after the only parameter of a definition.
    comma = "," if definition and len(items) == 1 else ""
    ends_in_comma = content.rstrip().endswith(",")
    if width(flat + comma) <= WIDTH and not ends_in_comma and not display:
        yield flat + comma
        return
    if len(items) == 1 and (found := _COMPREHENSION.fullmatch(flat)):
        yield from _break(found[1], inside=True)
        yield indent + found[2]
        return
    if len(items) == 1 and not ends_in_comma and not definition:
        yield from _break(flat, inside=True)
        return
    for item in items:
        yield from _break(f"{indent}{item},", inside=True)


def _bracket(line: str) -> tuple[int, int] | None:
    """Return the brackets to break in: a definition's first ones, else the last."""
    pairs = []
    stack: list[int] = []
    for position, character in _code(line):
        if character in OPENING:
            stack.append(position)
        elif character in CLOSING and stack:
            start = stack.pop()
            if not stack and position > start + 1:
                pairs.append((start, position))
    if not pairs:
        return None
    return pairs[0] if _DEFINITION.match(line) else pairs[-1]


def split(content: str) -> list[str]:
    """Return the items between the commas at depth 0."""
    items, depth, start = [], 0, 0
    for position, character in _code(content):
        depth += (character in OPENING) - (character in CLOSING)
        if character == "," and depth == 0:
            items.append(content[start:position].strip())
            start = position + 1
    last = content[start:].strip()
    return [*items, last] if last else items


def _code(line: str) -> Iterator[tuple[int, str]]:
    """Yield the commas and brackets outside of string literals."""
    for found in _CODE.finditer(line):
        if found[0][0] not in "\"'":
            yield found.start(), found[0]


_STRING = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
# A character or an escape sequence, which must not be split.
_ATOM = re.compile(r"\\(?:x..|u.{4}|U.{8}|N\{[^}]*\}|.)|.", re.DOTALL)


def _break_string(line: str) -> Iterator[str]:
    """Break the longest string of a line into adjacent literals."""
    found = max(_STRING.finditer(line), key=lambda m: len(m[0]), default=None)
    if found is None or len(found[0]) < 10:
        yield line
        return
    prefix, suffix = line[: found.start()], line[found.end() :]
    indent = " " * (len(line) - len(line.lstrip()))
    pieces = _pieces(found[0], WIDTH - width(prefix), WIDTH - len(indent), suffix)
    for number, piece in enumerate(pieces):
        start = prefix if number == 0 else indent
        yield start + piece + (suffix if number == len(pieces) - 1 else "")


def _pieces(string: str, first: int, rest: int, suffix: str) -> list[str]:
    """Split a literal into literals that fit, after spaces where possible."""
    quote = string[0]
    pieces: list[list[str]] = []
    current: list[str] = []
    room, used = first - 2, 0
    for atom in [*_ATOM.findall(string[1:-1]), ""]:
        needed = width(atom) if atom else width(suffix)
        if used + needed > room:
            spaces = [n for n, character in enumerate(current) if character == " "]
            cut = spaces[-1] + 1 if spaces else len(current) - (not atom)
            pieces.append(current[:cut])
            current, room = current[cut:], rest - 2
            used = sum(map(width, current))
        current.append(atom)
        used += width(atom)
    pieces.append(current)
    return [_quoted(piece, quote) for piece in pieces if any(piece)]


def _quoted(atoms: list[str], quote: str) -> str:
    """Return a literal, in the quotes that need fewer escapes."""
    plain = [atom[1:] if atom == f"\\{quote}" else atom for atom in atoms]
    best = "'" if plain.count('"') > plain.count("'") else '"'
    return best + "".join(f"\\{a}" if a == best else a for a in plain) + best
