"""Turns a parsed schema of Prisma into what was found."""

from collections.abc import Iterable, Mapping

from scaffold.importing.found import (
    Column,
    Found,
    Link,
    Reference,
    SourceError,
    Table,
)
from scaffold.importing.prisma import types
from scaffold.importing.prisma.parsing import (
    MODELS,
    Attribute,
    Block,
    Call,
    Member,
    Value,
    parse,
)

ON_DELETE = {
    "Cascade": "cascade",
    "SetNull": "set_null",
    "Restrict": "restrict",
    "NoAction": "restrict",
}
_READ = ("id", "unique", "default", "map", "relation", "updatedAt", "ignore")


def read(files: Mapping[str, str]) -> Found:
    """Return the models of the files; raise SourceError for a syntax error."""
    blocks = [block for name, text in files.items() for block in parse(name, text)]
    return _Schema(blocks).read()


class _Schema:
    def __init__(self, blocks: Iterable[Block]) -> None:
        self.found = Found()
        self.blocks = list(blocks)
        self.models: dict[str, Block] = {}
        self.enums: dict[str, Block] = {}
        self.told: set[str] = set()  # the enums that were reported
        for block in self.blocks:
            kind = self.enums if block.kind == "enum" else self.models
            if block.kind not in ("enum", *MODELS):
                continue
            if block.name in self.models or block.name in self.enums:
                message = f"duplicate {block.kind} {block.name}; rename or remove it"
                raise SourceError(f"{block.place}: {message}")
            kind[block.name] = block

    def read(self) -> Found:
        for block in self.blocks:
            if block.kind == "datasource":
                self._datasource(block)
            elif block.kind == "view":
                self.found.lose(block.place, f"the view {block.name}")
            elif block.kind == "type":
                self.found.lose(block.place, f"the composite type {block.name}")
            elif block.kind == "model" and block.attribute("ignore"):
                self.found.lose(block.place, f"the model {block.name} with @@ignore")
        self.tables = {
            name: Table(
                key=name,
                name=_text(block.attribute("map"), "name") or name,
                place=block.place,
                schema=_text(block.attribute("schema"), "map"),
                entity=name,
                description=block.doc,
            )
            for name, block in self.models.items()
            if block.kind == "model" and not block.attribute("ignore")
        }
        for name in self.tables:
            self._model(self.models[name])
        self._links()
        self.found.tables = list(self.tables.values())
        self.found.camel = any(
            any(letter.isupper() for letter in column.json or "")
            for table in self.found.tables
            for column in table.columns
        )
        return self.found

    def _datasource(self, block: Block) -> None:
        provider = block.settings.get("provider")
        if provider == "mongodb":
            message = "documents of MongoDB cannot be imported, only tables"
            raise SourceError(f"{block.place}: {message}")
        if isinstance(provider, str) and provider not in ("postgresql", "postgres"):
            what = f"the provider {provider}"
            self.found.lose(block.place, what, "PostgreSQL, which the service uses")

    def _model(self, block: Block) -> None:
        table = self.tables[block.name]
        for member in block.members:
            if member.attribute("ignore"):
                self.found.lose(member.place, f"the field {member.name} with @ignore")
            elif member.type in self.models:
                self._related(block, member)
            elif column := self._column(member):
                table.columns.append(column)
                if member.attribute("id"):
                    table.primary_key = (column.name,)
                if member.attribute("unique"):
                    table.unique.append((column.name,))
        for one in block.attributes:
            self._of_table(one, block, table)

    def _related(self, block: Block, member: Member) -> None:
        """Read the side of a relation that has the columns."""
        relation = member.attribute("relation")
        target = self.models[member.type]
        if target.kind == "type":
            self.found.lose(
                member.place, f"a field of the composite type {target.name}"
            )
            return
        if relation is None or relation.get("fields", None) is None:
            return
        if target.name not in self.tables:
            what = f"a relation to {target.name}, which is left out"
            self.found.lose(member.place, what, "fields without a reference")
            return
        columns = self._columns(relation, "fields", block)
        is_optional = member.optional
        on_delete = "set_null" if is_optional else "restrict"
        if isinstance(action := relation.get("onDelete", None), Call):
            on_delete = ON_DELETE.get(action.name, "")
            if not on_delete:
                what = f"onDelete: {action.name}"
                self.found.lose(relation.place, what, on_delete := "restrict")
        reverse = self._other_side(block, member)
        self.tables[block.name].references.append(
            Reference(
                columns=columns,
                target=target.name,
                place=member.place,
                target_columns=self._columns(relation, "references", target),
                on_delete=on_delete,
                name=member.name,
                reverse=reverse.name if reverse else "",
                description=member.doc,
            )
        )

    def _other_side(self, block: Block, member: Member) -> Member | None:
        """Return the field of the other model that is the same relation."""
        name = _name(member)
        for other in self.models[member.type].members:
            is_same = other.type == block.name and _name(other) == name
            if is_same and other is not member and not _has_columns(other):
                return other
        return None

    def _links(self) -> None:
        """Find the many-to-many relations: lists on both sides."""
        seen: set[int] = set()
        for model in self.tables:
            for member in self.models[model].members:
                if not member.many or member.type not in self.tables:
                    continue
                other = self._other_side(self.models[model], member)
                if id(member) in seen or (other is not None and not other.many):
                    continue
                if other is None:
                    if not self._is_reverse(model, member):
                        message = f"the other side of {model}.{member.name} is missing"
                        fix = f"add a field of the type {model} to {member.type}"
                        raise SourceError(f"{member.place}: {message}; {fix}")
                    continue
                seen.add(id(other))
                reverse = other.name
                self.found.links.append(
                    Link(model, member.type, member.place, member.name, reverse)
                )
                table = _name(member) or "To".join(sorted((model, member.type)))
                what = f"the association table _{table} (A, B)"
                became = f"the table of the relation {model}.{member.name}"
                self.found.lose(member.place, what, became)

    def _is_reverse(self, model: str, member: Member) -> bool:
        """Whether the other model has the columns of this relation."""
        name = _name(member)
        return any(
            one.type == model and _has_columns(one) and _name(one) == name
            for one in self.models[member.type].members
        )

    def _column(self, member: Member) -> Column | None:
        enum = self.enums.get(member.type)
        if enum is None and member.type not in types.SCALARS and not member.unsupported:
            message = f"unknown type {member.type}"
            fix = "add the model or enum, or correct the name"
            raise SourceError(f"{member.place}: {message}; {fix}")
        column = Column(
            name=_text(member.attribute("map"), "name") or member.name,
            place=member.place,
            type="",
            required=not member.optional,
            json=member.name,
            description=member.doc,
        )
        values = self._values(enum, member) if enum else ()
        for one in member.attributes:
            if one.name not in _READ and not one.name.startswith("db."):
                self.found.lose(one.place, f"@{one.name}")
        return types.typed(column, member, values, self.found)

    def _values(self, enum: Block, member: Member) -> tuple[str, ...]:
        if enum.name not in self.told:
            self.told.add(enum.name)
            what = f"the native enum {enum.name}"
            self.found.lose(enum.place, what, "varchar with a CHECK")
            for one in enum.members:
                if mapped := _text(one.attribute("map"), "name"):
                    what = f"the value {mapped} of the enum {enum.name} in the database"
                    self.found.lose(one.place, what, one.name)
        return tuple(one.name for one in enum.members)

    def _of_table(self, one: Attribute, block: Block, table: Table) -> None:
        """Read an attribute of a model, such as @@index([a, b])."""
        if one.name in ("map", "schema", "ignore"):
            return
        if one.name not in ("id", "unique", "index"):
            self.found.lose(one.place, f"@@{one.name}")
            return
        columns = self._columns(one, "fields", block)
        kind = one.get("type", None)
        if isinstance(kind, Call) and kind.name != "BTree":
            self.found.lose(one.place, f"an index of the type {kind.name}")
        elif one.name == "id":
            table.primary_key = columns
        else:
            groups = table.unique if one.name == "unique" else table.indexes
            groups.append(columns)

    def _columns(self, one: Attribute, key: str, block: Block) -> tuple[str, ...]:
        """Return the columns of the fields that an attribute lists."""
        listed = one.get(key)
        names = [each.name for each in _calls(listed)]
        members = {each.name: each for each in block.members}
        for name in names:
            if name not in members:
                message = f"{block.name} has no field {name}; correct the name"
                raise SourceError(f"{one.place}: {message}")
        return tuple(
            _text(members[each].attribute("map"), "name") or each for each in names
        )


def _calls(value: Value | None) -> Iterable[Call]:
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, Call)]


def _text(attribute: Attribute | None, name: str) -> str | None:
    value = attribute.get(name) if attribute else None
    return value if isinstance(value, str) and value else None


def _name(member: Member) -> str | None:
    """Return the name of a relation, which tells several of two models apart."""
    return _text(member.attribute("relation"), "name")


def _has_columns(member: Member) -> bool:
    relation = member.attribute("relation")
    return relation is not None and relation.get("fields", None) is not None
