"""Parses Prisma's schema language into blocks, fields and attributes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from scaffold.importing.tokens import END, Reader, Text

_TOKENS = re.compile(
    r"""
    (?P<doc>///[^\n]*)
    |(?P<space>[^\S\n]+|//[^\n]*|/\*.*?\*/)
    |(?P<line>\n)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<bad_the_string_does_not_end_on_this_line__add_a_quote>")
    |(?P<bad_the_comment_does_not_end__add_a_star_and_a_slash>/\*)
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    |(?P<mark>@@?|[{}()\[\]:,.?=!])
    """,
    re.VERBOSE | re.DOTALL,
)
MAX_NESTING = 50
MODELS = ("model", "view", "type")
BLOCKS = (*MODELS, "enum", "datasource", "generator")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True)
class Call:
    """A name with arguments, such as now(); without parentheses, `args` is None."""

    name: str
    args: "tuple[Argument, ...] | None" = None


Value = str | Decimal | Call | list["Value"]


@dataclass(frozen=True)
class Argument:
    """An argument; `name` is empty for one by position."""

    name: str
    value: Value


@dataclass(frozen=True)
class Attribute:
    """Such as @id, @db.VarChar(20) or @@unique([a, b])."""

    name: str
    args: tuple[Argument, ...]
    place: str

    def get(self, name: str, position: int | None = 0) -> Value | None:
        """Return an argument by its name or its position."""
        for one in self.args:
            if one.name == name:
                return one.value
        plain = [one.value for one in self.args if not one.name]
        is_there = position is not None and position < len(plain)
        return plain[position] if is_there and position is not None else None


@dataclass
class Member:
    """A field of a model, or a value of an enum, which has no type."""

    name: str
    place: str
    type: str = ""
    many: bool = False
    optional: bool = False
    unsupported: bool = False
    doc: str = ""
    attributes: list[Attribute] = field(default_factory=list)

    def attribute(self, *names: str) -> Attribute | None:
        return next((one for one in self.attributes if one.name in names), None)


@dataclass
class Block:
    """A block: a model, an enum, a datasource, …"""

    kind: str
    name: str
    place: str
    doc: str = ""
    members: list[Member] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    settings: dict[str, Value] = field(default_factory=dict)

    def attribute(self, *names: str) -> Attribute | None:
        return next((one for one in self.attributes if one.name in names), None)


def parse(name: str, content: str) -> list[Block]:
    """Return the blocks of a file; raise SourceError for a syntax error."""
    text = Text(name, content)
    return list(_Parser(text).blocks())


class _Parser(Reader):
    def __init__(self, text: Text) -> None:
        super().__init__(text, text.tokens(_TOKENS, "space"))

    def blocks(self) -> Iterator[Block]:
        doc = self._doc()
        while self.token.kind != END:
            place = self.place()
            kind = self.name(f"a block ({', '.join(BLOCKS)})").text
            if kind not in BLOCKS:
                message = f"unknown block {kind!r}; known are {', '.join(BLOCKS)}"
                raise self.text.error(self._tokens[self._next - 1].at, message)
            block = Block(kind, self.name(f"the name of the {kind}").text, place, doc)
            self.expect("{", f"after {kind} {block.name}")
            self._body(block)
            yield block
            doc = self._doc()

    def _doc(self) -> str:
        """Skip empty lines; return the text of the comments before what follows."""
        lines = []
        while self.token.kind in ("line", "doc"):
            token = self.take()
            if token.kind == "doc":
                lines.append(token.text.removeprefix("///").strip())
        return "\n".join(lines)

    def _body(self, block: Block) -> None:
        of = f"in {block.kind} {block.name}"
        doc = self._doc()
        while not self.accept("}"):
            if self.token.kind == END:
                raise self.unexpected('"}"', of)
            if self.sees("@@"):
                block.attributes.append(self._attribute())
            elif block.kind in ("datasource", "generator"):
                key = self.name(f'a setting or "}}" {of}').text
                self.expect("=", f"after {key}")
                block.settings[key] = self._value(0)
            else:
                block.members.append(self._member(block, doc))
            if not self.sees("}") and self.token.kind not in ("line", "doc"):
                raise self.unexpected("the end of the line", of)
            doc = self._doc()

    def _member(self, block: Block, doc: str) -> Member:
        place = self.place()
        name = self.name(f'a field or "}}" in {block.kind} {block.name}').text
        member = Member(name, place, doc=doc)
        if block.kind != "enum":
            self._type(member)
        while self.sees("@"):
            member.attributes.append(self._attribute())
        if self.token.kind == "doc":
            said = self.take().text.removeprefix("///").strip()
            member.doc = f"{doc}\n{said}".strip()
        return member

    def _type(self, member: Member) -> None:
        self.accept(":")  # as in Prisma 1
        member.type = self.name(f"the type of {member.name}").text
        if member.type == "Unsupported" and self.accept("("):
            member.unsupported = True
            member.type = str(self._value(0))
            self.expect(")", "after the type")
        if self.accept("["):
            self.expect("]", "after [")
            member.many = True
        member.optional = self.accept("?")
        self.accept("!")

    def _attribute(self) -> Attribute:
        place = self.place()
        self.take()
        name = self._dotted("the name of an attribute")
        args = self._arguments(0) if self.sees("(") else ()
        return Attribute(name, args, place)

    def _dotted(self, what: str) -> str:
        name = self.name(what).text
        while self.accept("."):
            name += f".{self.name('a name').text}"
        return name

    def _arguments(self, depth: int) -> tuple[Argument, ...]:
        self.expect("(", "")
        args = []
        self._lines()
        while not self.accept(")"):
            name = ""
            follows = self._tokens[self._next + 1 : self._next + 2]
            if self.token.kind == "name" and follows and follows[0].text == ":":
                name = self.take().text
                self.take()
            self._lines()
            args.append(Argument(name, self._value(depth + 1)))
            self._separator(")")
        return tuple(args)

    def _separator(self, end: str) -> None:
        self._lines()
        if not self.accept(",") and not self.sees(end):
            raise self.unexpected(f'"," or "{end}"', "after a value")
        self._lines()

    def _lines(self) -> None:
        while self.token.kind in ("line", "doc"):
            self.take()

    def _value(self, depth: int) -> Value:
        if depth > MAX_NESTING:
            message = f"values are nested more than {MAX_NESTING} deep; simplify this"
            raise self.text.error(self.token.at, message)
        if self.token.kind == "string":
            return _unquoted(self.take().text)
        if self.token.kind == "number":
            return Decimal(self.take().text)
        if self.accept("["):
            items: list[Value] = []
            self._lines()
            while not self.accept("]"):
                items.append(self._value(depth + 1))
                self._separator("]")
            return items
        name = self._dotted("a value")
        return Call(name, self._arguments(depth) if self.sees("(") else None)


def _unquoted(text: str) -> str:
    return re.sub(
        r"\\(u[0-9a-fA-F]{4}|.)",
        lambda one: (
            chr(int(one[1][1:], 16))
            if len(one[1]) == 5
            else _ESCAPES.get(one[1], one[1])
        ),
        text[1:-1],
    )
