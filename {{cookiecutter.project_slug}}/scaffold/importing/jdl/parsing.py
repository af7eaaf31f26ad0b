"""Parses JDL into entities, enums and relationships."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scaffold.importing.tokens import END, Reader, Text, Token

_TOKENS = re.compile(
    r"""
    (?P<doc>/\*\*(?!/).*?\*/)
    |(?P<space>[^\S\n]+|//[^\n]*|/\*.*?\*/)
    |(?P<line>\n)
    |(?P<bad_the_comment_does_not_end__add_a_star_and_a_slash>/\*)
    |(?P<pattern>/(?:[^/\\\n]|\\.)+/)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<bad_the_string_does_not_end_on_this_line__add_a_quote>["'])
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)
    |(?P<mark>[{}()\[\],:=*@+])
    """,
    re.VERBOSE | re.DOTALL,
)
RELATIONSHIPS = ("OneToMany", "ManyToOne", "OneToOne", "ManyToMany")
_FLAGS = ("required", "unique")
_VALUED = ("min", "max", "minlength", "maxlength", "minbytes", "maxbytes", "pattern")
_VALIDATIONS = (*_FLAGS, *_VALUED)
_SKIPPED = ("application", "deployment")


@dataclass
class Field:
    """A field of an entity; `rules` has its validations."""

    name: str
    type: str
    place: str
    doc: str = ""
    annotations: tuple[str, ...] = ()
    rules: dict[str, str] = field(default_factory=dict)


@dataclass
class Entity:
    """An entity, with the name of its table if it is given."""

    name: str
    place: str
    table: str = ""
    doc: str = ""
    fields: list[Field] = field(default_factory=list)


@dataclass
class EnumType:
    """An enum: its values, and what the database has for some of them."""

    name: str
    place: str
    values: list[str] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)


@dataclass
class Side:
    """One side of a relationship; without a name the relation is not on it."""

    entity: str
    place: str
    name: str = ""
    required: bool = False
    doc: str = ""
    annotations: tuple[str, ...] = ()


@dataclass
class Relationship:
    """A relationship from one side to another."""

    kind: str
    source: Side
    target: Side


@dataclass
class Document:
    """All of a file; `options` has the words of options, with their places."""

    entities: list[Entity] = field(default_factory=list)
    enums: list[EnumType] = field(default_factory=list)
    relationships: list[Relationship] = field(default_factory=list)
    options: list[tuple[str, str]] = field(default_factory=list)


def parse(name: str, content: str) -> Document:
    """Return what a file says; raise SourceError for a syntax error."""
    return _Parser(Text(name, content)).document()


class _Parser(Reader):
    def __init__(self, text: Text) -> None:
        super().__init__(text, text.tokens(_TOKENS, "space"))
        self.made = Document()
        self.constants: dict[str, str] = {}

    def document(self) -> Document:
        while True:
            place = self.place()
            doc, annotations = self._before()
            self.made.options += [(f"@{one}", place) for one in annotations]
            if self.token.kind == END:
                return self.made
            self._statement(doc)

    def _before(self) -> tuple[str, tuple[str, ...]]:
        """Read comments and annotations, which belong to what follows."""
        doc, annotations = "", []
        while self.token.kind in ("line", "doc") or self.sees("@"):
            token = self.take()
            if token.kind == "doc":
                doc = _comment(token.text)
            elif token.text == "@":
                annotations.append(self._annotation())
        return doc, tuple(annotations)

    def _annotation(self) -> str:
        name = self.name("the name of an annotation").text
        if not self.accept("("):
            return name
        value = self.take().text
        self.expect(")", "after the value of an annotation")
        return f"{name}({value})"

    def _statement(self, doc: str) -> None:
        place = self.place()
        word = self.name("entity, enum, relationship or an option")
        if word.text == "entity":
            self.made.entities.append(self._entity(place, doc))
        elif word.text == "enum":
            self.made.enums.append(self._enum(place))
        elif word.text == "relationship":
            self._relationships()
        elif word.text in _SKIPPED:
            self.made.options.append((word.text, place))
            self._skip_block(word)
        elif self.accept("="):
            self.constants[word.text] = self.take().text
        else:
            self.made.options.append((word.text, place))
            self._skip_option()

    def _skip_option(self) -> None:
        """Skip to the end of the line, and on where it ends with a comma."""
        last = ""
        while self.token.kind != END and (self.token.kind != "line" or last == ","):
            if self.token.kind == "doc":
                return
            token = self.take()
            last = token.text if token.kind != "line" else last

    def _skip_block(self, word: Token) -> None:
        self.expect("{", f"after {word.text}")
        depth = 1
        while depth:
            if self.token.kind == END:
                raise self.unexpected('"}"', f"of {word.text}")
            token = self.take()
            if token.kind == "mark":
                depth += {"{": 1, "}": -1}.get(token.text, 0)

    def _entity(self, place: str, doc: str) -> Entity:
        made = Entity(self.name("the name of the entity").text, place, doc=doc)
        if self.accept("("):
            made.table = self.name("the name of the table").text
            self.expect(")", "after the name of the table")
        if not self._opens():
            return made
        while True:
            doc, annotations = self._before()
            if self.accept("}"):
                return made
            place = self.place()
            name = self.name(f'a field or "}}" of {made.name}').text
            kind = self.name(f"the type of {name}").text
            one = Field(name, kind, place, doc, annotations)
            self._rules(one)
            made.fields.append(one)
            self.accept(",")
            if self.token.kind == "doc":  # a comment at the end of the line
                one.doc = one.doc or _comment(self.take().text)

    def _opens(self) -> bool:
        """Whether a body follows, on this line or on the next one."""
        start = self._next
        self._lines()
        if self.accept("{"):
            return True
        self._next = start
        return False

    def _lines(self) -> None:
        while self.token.kind == "line":
            self.take()

    def _rules(self, one: Field) -> None:
        self._lines()
        while self.token.kind == "name" and self.token.text in _VALIDATIONS:
            follows = self._tokens[self._next + 1]
            is_flag = self.token.text in _FLAGS
            if not is_flag and follows.text != "(":
                return  # a field that is called max
            if is_flag and follows.kind == "name" and follows.text[:1].isupper():
                return  # a field that is called required
            rule = self.take().text
            value = ""
            if not is_flag:
                self.expect("(", f"after {rule}")
                value = self._rule_value(rule)
                self.expect(")", f"after the value of {rule}")
            one.rules[rule] = value
            self._lines()

    def _rule_value(self, rule: str) -> str:
        wanted = "pattern" if rule == "pattern" else "number"
        token = self.token
        if token.kind == wanted:
            self.take()
            return token.text
        if token.text in self.constants:
            return self.constants[self.take().text]
        what = (
            "a regular expression between slashes" if rule == "pattern" else "a number"
        )
        raise self.unexpected(f"{what}, or a constant that is defined above,", "")

    def _enum(self, place: str) -> EnumType:
        made = EnumType(self.name("the name of the enum").text, place)
        self._lines()
        self.expect("{", f"after enum {made.name}")
        while True:
            self._before()
            if self.accept("}"):
                return made
            value = self.name(f'a value or "}}" of enum {made.name}').text
            made.values.append(value)
            if self.accept("("):
                made.stored[value] = self.take().text.strip("\"'")
                self.expect(")", "after the stored value")
            self.accept(",")

    def _relationships(self) -> None:
        token = self.name("the type of the relationship")
        if token.text not in RELATIONSHIPS:
            known = ", ".join(RELATIONSHIPS)
            message = f"unknown relationship {token.text}; known are {known}"
            raise self.text.error(token.at, message)
        self._lines()
        self.expect("{", f"after relationship {token.text}")
        while True:
            doc, annotations = self._before()
            if self.accept("}"):
                return
            source = self._side(doc, annotations)
            self._lines()
            self.expect("to", f"after {source.entity}")
            target = self._side(*self._before())
            place = self.place()
            if self.accept("with"):
                option = self.name("an option of the relationship").text
                self.made.options.append((f"with {option}", place))
            self.made.relationships.append(Relationship(token.text, source, target))
            self.accept(",")

    def _side(self, doc: str, annotations: tuple[str, ...]) -> Side:
        place = self.place()
        entity = self.name('an entity or "}" of the relationship').text
        made = Side(entity, place, doc=doc, annotations=annotations)
        if not self.accept("{"):
            return made
        self._lines()
        made.name = self.name(f"the name of the relation of {entity}").text
        if self.accept("("):
            self.name("the field that is shown")
            self.expect(")", "after the field that is shown")
        self._lines()
        made.required = self.accept("required")
        self._lines()
        self.expect("}", f"after the relation of {entity}")
        return made


def _comment(text: str) -> str:
    """Return the text of a comment without its stars."""
    lines = text.removeprefix("/**").removesuffix("*/").splitlines()
    return "\n".join(one.strip().removeprefix("*").strip() for one in lines).strip()


def iterate(document: Document) -> Iterator[Side]:
    """Yield all sides of relationships."""
    for one in document.relationships:
        yield from (one.source, one.target)
