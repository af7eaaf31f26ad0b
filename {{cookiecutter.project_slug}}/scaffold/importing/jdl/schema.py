"""Turns parsed JDL into what was found."""

import re
from decimal import Decimal

from scaffold.importing.found import (
    Column,
    Computed,
    Found,
    Link,
    Reference,
    SourceError,
    Table,
)
from scaffold.importing.jdl.parsing import (
    Document,
    Entity,
    EnumType,
    Field,
    Relationship,
    Side,
    iterate,
    parse,
)
from scaffold.spec import naming

Json = dict[str, object]
TYPES: dict[str, tuple[str, Json]] = {
    "String": ("string", {"max_length": 255}),
    "Integer": ("integer", {"bits": 32}),
    "Long": ("integer", {}),
    "BigDecimal": ("decimal", {"precision": 21, "scale": 2}),
    "Float": ("float", {}),
    "Double": ("float", {}),
    "Boolean": ("boolean", {}),
    "LocalDate": ("date", {}),
    "LocalTime": ("time", {}),
    "ZonedDateTime": ("datetime", {}),
    "Instant": ("datetime", {}),
    "Duration": ("integer", {}),
    "UUID": ("uuid", {}),
    "TextBlob": ("text", {}),
    "Blob": ("binary", {}),
    "AnyBlob": ("binary", {}),
    "ImageBlob": ("binary", {}),
}
# The entities that JHipster brings itself.
BUILT_IN = ("User", "Authority")
_LENGTHS = {"minlength": "min_length", "maxlength": "max_length"}
_BOUNDS = {"min": "ge", "max": "le"}


def read(name: str, content: str) -> Found:
    """Return the entities of a file; raise SourceError for an error."""
    return _Schema(parse(name, content)).read()


class _Schema:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.found = Found()
        self.enums: dict[str, EnumType] = {}
        self.tables: dict[str, Table] = {}
        self.used: set[str] = set()  # enums that were reported

    def read(self) -> Found:
        for enum in self.document.enums:
            self.enums[enum.name] = enum
        for entity in self.document.entities:
            if entity.name in self.tables:
                message = f"duplicate entity {entity.name}; rename or remove it"
                raise SourceError(f"{entity.place}: {message}")
            self.tables[entity.name] = self._table(entity)
        for side in iterate(self.document):
            if side.entity not in (*self.tables, *BUILT_IN):
                message = (
                    f"unknown entity {side.entity}; declare it, or correct the name"
                )
                raise SourceError(f"{side.place}: {message}")
        for one in self.document.relationships:
            self._relationship(one)
        for word, place in self.document.options:
            self.found.lose(place, f"the option {word}")
        self.found.tables = list(self.tables.values())
        self.found.camel = True
        return self.found

    def _table(self, entity: Entity) -> Table:
        table = Table(
            key=entity.name,
            name=entity.table or naming.snake(entity.name),
            place=entity.place,
            entity=entity.name,
            description=entity.doc,
        )
        for one in entity.fields:
            if column := self._column(one):
                table.columns.append(column)
                if "Id" in one.annotations:
                    table.primary_key = (column.name,)
                if "unique" in one.rules:
                    table.unique.append((column.name,))
        if not table.primary_key:
            own = Column("id", entity.place, "integer", required=True)
            own.default = Computed.SEQUENCE
            table.columns = [own, *(c for c in table.columns if c.name != "id")]
            table.primary_key = ("id",)
        return table

    def _column(self, one: Field) -> Column | None:
        column = Column(
            name=naming.snake(one.name),
            place=one.place,
            type="enum",
            required="required" in one.rules,
            json=one.name,
            description=one.doc,
        )
        if enum := self.enums.get(one.type):
            column.keys = {"values": enum.values}
            self._stored(enum)
        elif one.type in TYPES:
            column.type, keys = TYPES[one.type]
            column.keys = dict(keys)
        else:
            known = ", ".join(TYPES)
            message = f"unknown type {one.type}; declare an enum, or use one of {known}"
            raise SourceError(f"{one.place}: {message}")
        if one.type == "Duration":
            self.found.lose(one.place, "a Duration", "integer, in nanoseconds")
        if one.type == "Float":
            self.found.lose(one.place, "a float of 32 bits", "float")
        for rule, value in one.rules.items():
            self._rule(column, rule, value)
        for annotation in one.annotations:
            if annotation != "Id":
                self.found.lose(one.place, f"the option @{annotation}")
        return column

    def _stored(self, enum: EnumType) -> None:
        if enum.name not in self.used:
            self.used.add(enum.name)
            for value, stored in enum.stored.items():
                what = f"the value {stored} of the enum {enum.name} in the database"
                self.found.lose(enum.place, what, value)

    def _rule(self, column: Column, rule: str, value: str) -> None:
        if rule in _LENGTHS and column.type in ("string", "text"):
            column.keys[_LENGTHS[rule]] = int(Decimal(value))
        elif rule in _BOUNDS and column.type in ("integer", "float", "decimal"):
            number = Decimal(value)
            is_whole = number == number.to_integral_value()
            bound = int(number) if is_whole else float(number)
            column.keys[_BOUNDS[rule]] = value if column.type == "decimal" else bound
        elif rule == "pattern" and column.type in ("string", "text"):
            pattern = value[1:-1].replace("\\/", "/")
            is_anchored = re.fullmatch(r"\^[^|]*\$", pattern)
            # JHipster matches all of a text.
            column.keys["pattern"] = pattern if is_anchored else f"^(?:{pattern})$"
        elif rule == "maxbytes" and column.type == "binary":
            column.keys["max_length"] = int(Decimal(value))
        elif rule not in ("required", "unique"):
            self.found.lose(column.place, f"{rule}({value})")

    def _relationship(self, one: Relationship) -> None:
        source, target = one.source, one.target
        for side in (source, target):
            for annotation in side.annotations:
                if not annotation.startswith("OnDelete"):
                    self.found.lose(side.place, f"the option @{annotation}")
        if one.kind == "OneToMany":  # the other side has the column
            name = target.name or _first_lower(source.entity)
            self._reference(target, name, source, source.name or target.entity)
        elif one.kind == "ManyToMany":
            self._link(source, target)
        else:
            name = source.name or _first_lower(target.entity)
            self._reference(source, name, target, target.name)
            if one.kind == "OneToOne" and source.entity in self.tables:
                column = self.tables[source.entity].columns[-1]
                self.tables[source.entity].unique.append((column.name,))

    def _reference(self, side: Side, name: str, target: Side, reverse: str) -> None:
        """Add the column of a relation to its side."""
        if side.entity not in self.tables:
            what = f"a relation of the built-in {side.entity}"
            self.found.lose(side.place, what)
            return
        if target.required:
            self.found.lose(target.place, "required, on the side without the column")
        table = self.tables[side.entity]
        column = Column(
            f"{naming.snake(name)}_id", side.place, "integer", required=side.required
        )
        table.columns.append(column)
        if target.entity not in self.tables:
            column.type, column.keys = "string", {"max_length": 255}
            column.description = side.doc
            what = f"a relation to the built-in {target.entity}"
            self.found.lose(side.place, what, f"the string {column.name}")
            return
        on_delete = "restrict" if side.required else "set_null"
        for annotation in (*side.annotations, *target.annotations):
            if found := re.fullmatch(r"OnDelete\(\W*(.*?)\W*\)", annotation):
                on_delete = found[1].lower().replace(" ", "_")
        table.references.append(
            Reference(
                columns=(column.name,),
                target=target.entity,
                place=side.place,
                on_delete=on_delete
                if on_delete in ("cascade", "set_null")
                else "restrict",
                name=name,
                reverse=reverse,
                description=side.doc,
            )
        )

    def _link(self, source: Side, target: Side) -> None:
        for side in (source, target):
            if side.entity not in self.tables:
                what = f"a many-to-many relation to the built-in {side.entity}"
                self.found.lose(source.place, what)
                return
        for side in (source, target):
            if side.required:
                self.found.lose(side.place, "required, of a many-to-many relation")
        name = source.name or _first_lower(target.entity)
        link = Link(source.entity, target.entity, source.place, name, target.name)
        self.found.links.append(link)
        table = f"rel_{naming.snake(source.entity)}__{naming.snake(name)}"
        became = f"the table of the relation {source.entity}.{name}"
        self.found.lose(source.place, f"the association table {table}", became)


def _first_lower(name: str) -> str:
    return name[:1].lower() + name[1:]
