"""An entity's table, as the template of models/entities.py uses it."""

from collections.abc import Collection, Iterable
from functools import cached_property

from scaffold.python_code import field_code, id_code
from scaffold.python_code.formatting import literal
from scaffold.rendering.derived_names import DerivedNames
from scaffold.spec import naming
from scaffold.spec.model import (
    Comparison,
    Entity,
    Field,
    Link,
    Reference,
    Reverse,
)
from scaffold.spec.vocabulary import keys
from scaffold.spec.vocabulary.keys import SEARCH_COLUMN

LIVE, MARKED = "deleted_at IS NULL", "deleted_at IS NOT NULL"
ON_DELETE = {"cascade": "CASCADE", "set_null": "SET NULL", "restrict": "RESTRICT"}


class TableView:
    """Columns, constraints and relationships, each as a Python statement."""

    def __init__(self, entity: Entity, names: DerivedNames) -> None:
        self.entity = entity
        self.names = names
        self.spec = names.spec

    @property
    def table_name(self) -> str:
        return field_code.sql_name(self.entity.table)

    @cached_property
    def table_args(self) -> str:
        """Composite constraints and indexes, CHECKs, and the index that sorts lists."""
        arguments = [self._unique_constraint(columns) for columns in self.entity.unique]
        key = self.entity.id
        if sql := id_code.check(key, field_code.quote_sql(key.column)):
            arguments.append(_check(key.column, "characters", sql))
        for field in self.entity.fields:
            for rule, sql in field_code.checks(field):
                if rule == "array":
                    arguments.append(f"base.check_array({literal(field.column)})")
                    continue
                arguments.append(_check(field.column, rule, sql))
        arguments += [_comparison(check) for check in self.entity.checks]
        arguments += [
            self._index(self.entity.table_key, columns)
            for columns in self.entity.sorted_indexes
        ]
        arguments += [self._item_index(one) for one in self.entity.item_indexes]
        if self.entity.search:
            columns = ", ".join(map(literal, self.entity.search))
            arguments.append(f"base.search_column({columns})")
            name = self.names.indexes["ix", self.entity.table_key, SEARCH_COLUMN]
            index = f'{literal(name)}, "{SEARCH_COLUMN}", postgresql_using="gin"'
            arguments.append(f"sa.Index({index})")
        arguments += [self._unique_constraint((one,)) for one in self._unique_apart]
        if self.entity.soft_delete:  # for the purge
            column = keys.SOFT_DELETE[0]
            name = self.names.indexes["ix", self.entity.table_key, column]
            where = f"postgresql_where=sa.text({literal(MARKED)})"
            arguments.append(f'sa.Index({literal(name)}, "{column}", {where})')
        if self._options:
            arguments.append(f"{{{', '.join(self._options)}}}")
        comma = "," if len(arguments) == 1 else ""
        return f"({', '.join(arguments)}{comma})"

    @property
    def _options(self) -> list[str]:
        """The schema of the table, and the JSON keys that its columns do not have."""
        options = []
        if self.entity.schema:
            options.append(f'"schema": {literal(self.entity.schema)}')
        names = {c: key for c, key in self.entity.json_keys.items() if c != key}
        if names:
            items = (f"{literal(c)}: {literal(key)}" for c, key in names.items())
            options.append(f'"info": {{{", ".join(items)}}}')
        return options

    @property
    def class_attributes(self) -> list[str]:
        """What the class says of itself beside its names, where it is not the usual."""
        lines = []
        if self.entity.table != self.entity.plural:
            lines.append(f"__plural__ = {literal(self.entity.plural)}")
        if self.linked_ids:
            linked = _tuple(link.attribute for link in self.linked_ids)
            lines.append(f"__linked__ = {linked}")
        if self.entity.history:
            hidden = _tuple(f.column for f in self.entity.fields if f.write_only)
            lines.append(f"__history__ = {hidden}")
        if self.entity.search:
            lines.append("__mapper_args__ = base.NOT_MAPPED")
        return lines

    @property
    def table_bases(self) -> str:
        base = "base.TimedEntity" if self.entity.timestamps else "base.BareEntity"
        if self.entity.is_standard:
            base = "base.Entity"
        if self.entity.soft_delete:
            # A base class comes after those that inherit it.
            mixin = "soft_delete.SoftDeleteEntity"
            return mixin if base == "base.BareEntity" else f"{base}, {mixin}"
        return base

    def linked_type(self, link: Link) -> str:
        """Return the type of the ids of a link."""
        return id_code.python_type(self.spec.entity(link.target).id)

    @property
    def id_type(self) -> str:
        return id_code.python_type(self.entity.id)

    def _unique_constraint(self, columns: tuple[str, ...]) -> str:
        """Return a unique constraint; only an index can be without regard to case."""
        options = ", unique=True"
        if self.entity.soft_delete:  # of rows that are not deleted
            options += f", postgresql_where=sa.text({literal(LIVE)})"
        elif self.entity.lowered.isdisjoint(columns):
            options = ""
        if options:
            index = literal(self.names.indexes["uq", self.entity.table_key, *columns])
            parts = _parts(columns, self.entity.lowered)
            return f"sa.Index({index}, {parts}{options})"
        name = self._unusual_name("uq", self.entity.table_key, columns)
        own_name = "" if name is None else f", name={literal(name)}"
        return f"sa.UniqueConstraint({_columns(columns)}{own_name})"

    def _index(self, table: str, columns: tuple[str, ...]) -> str:
        name = self._unusual_name("ix", table, columns)
        own_name = None if name is None else literal(name)
        lowered = self.entity.lowered if table == self.entity.table_key else ()
        return f"sa.Index({own_name}, {_parts(columns, lowered)})"

    def _item_index(self, column: str) -> str:
        """Return the index by which rows with an item are found."""
        name = self._unusual_name("ix", self.entity.table_key, (column,))
        own_name = None if name is None else literal(name)
        return f'sa.Index({own_name}, {literal(column)}, postgresql_using="gin")'

    def _unusual_name(
        self, kind: str, key: str, columns: tuple[str, ...]
    ) -> str | None:
        """Return an index's name if the naming convention does not give it."""
        name = self.names.indexes[kind, key, *columns]
        table = naming.split_key(key)[0]
        return None if name == naming.constraint(kind, table, *columns) else name

    @cached_property
    def _unique_apart(self) -> list[str]:
        """The unique columns whose constraint has an unusual name."""
        columns = [one.column for one in self.entity.members if one.unique]
        table = self.entity.table_key
        return [one for one in columns if self._unusual_name("uq", table, (one,))]

    @cached_property
    def attribute_blocks(self) -> list[list[str]]:
        """The attributes of the class: columns, then relationships."""
        fields = [
            field_code.column(field, unique=self._is_unique(field))
            for field in self.entity.fields
        ]
        own = [] if self.entity.is_standard else [id_code.column(self.entity.id)]
        foreign = [self._foreign_key(reference) for reference in self.entity.references]
        relationships = [self._owner(item) for item in self.entity.references]
        relationships += [self._reverse(item) for item in self.entity.reverses]
        relationships += [self._linked(item) for item in self.entity.links]
        columns = own + fields + foreign + self._times
        return [block for block in (columns, relationships) if block]

    def _is_unique(self, member: Field | Reference) -> bool:
        """Whether the column itself says that it is unique."""
        return member.unique and member.column not in self._unique_apart

    @property
    def _times(self) -> list[str]:
        """The columns of the times whose names are not the usual ones."""
        times = self.entity.timestamps
        if times is None:
            return []
        lines = []
        for attribute, name, more in (
            ("created_at", times.created_at, ""),
            ("updated_at", times.updated_at, ", onupdate=base.utc_now"),
        ):
            if name != attribute:
                lines.append(
                    f"{attribute}: orm.Mapped[dt.datetime] = orm.mapped_column("
                    f"{field_code.sql_name(name)}, sa.DateTime(timezone=True), "
                    f"server_default=sa.func.now(){more})"
                )
        return lines

    @property
    def linked_ids(self) -> list[Link]:
        """The links whose ids are in requests and responses."""
        return [link for link in self.entity.links if link.owner]

    @property
    def association_tables(self) -> list[str]:
        """The association tables of many-to-many relations that this side owns."""
        return [self._association(link) for link in self.entity.links if link.owner]

    def _association(self, link: Link) -> str:
        target = self.spec.entity(link.target)
        left = _linked_column(link.left_column, self.entity, "")
        index = self._index(link.table_key, (link.right_column,))
        usual = index.startswith("sa.Index(None")
        right = _linked_column(
            link.right_column, target, ", index=True" if usual else ""
        )
        # `info` maps a violated foreign key to the field in requests.
        info = f'info={{"{link.right_column}": "{link.ids}"}}'
        parts = [left, right, info] if usual else [left, right, index, info]
        if link.schema:
            parts.append(f"schema={literal(link.schema)}")
        arguments = f'"{link.table}", base.Entity.metadata, {", ".join(parts)}'
        return f"{link.table} = sa.Table({arguments})"

    def _foreign_key(self, reference: Reference) -> str:
        target = self.spec.entity(reference.target)
        action = ON_DELETE[reference.on_delete]
        arguments = [f'sa.ForeignKey({_id_column(target)}, ondelete="{action}")']
        if target.id.type != "uuid":
            arguments.insert(0, id_code.column_type(target.id))
        if reference.column_attribute != reference.column:
            arguments.insert(0, field_code.sql_name(reference.column))
        if self._is_unique(reference):
            arguments.append("unique=True")
        annotation = id_code.python_type(target.id)
        if reference.nullable:
            annotation += " | None"
        call = f"orm.mapped_column({', '.join(arguments)})"
        return f"{reference.column_attribute}: orm.Mapped[{annotation}] = {call}"

    def _owner(self, reference: Reference) -> str:
        annotation = f'"{reference.target}Entity"'
        if reference.nullable:
            annotation = f'"{reference.target}Entity | None"'
        arguments = ['lazy="raise"', self._key(reference)]
        if reference.target == self.entity.name:
            arguments.append(f'remote_side="{self.entity.name}Entity.id"')
            arguments.append("post_update=True")  # a row may refer to itself
        if reference.reverse:
            other = naming.attribute(reference.reverse)
            arguments.append(f"back_populates={literal(other)}")
        return _relationship(reference.attribute, annotation, arguments)

    def _key(self, reference: Reference) -> str:
        return f'foreign_keys="{self.entity.name}Entity.{reference.column_attribute}"'

    def _reverse(self, reverse: Reverse) -> str:
        source = self.spec.entity(reverse.source)
        reference = reference_of(source, reverse.reference)
        one = reverse.kind == "one"
        inner = f"{source.name}Entity"
        annotation = f'"{inner} | None"' if one else f'list["{inner}"]'
        arguments = [
            'lazy="raise"',
            'passive_deletes="all"',  # the database has ON DELETE
            f'foreign_keys="{inner}.{reference.column_attribute}"',
            f"back_populates={literal(reference.attribute)}",
        ]
        return _relationship(reverse.attribute, annotation, arguments)

    def _linked(self, link: Link) -> str:
        """Return the relationship of a many-to-many relation."""
        target = self.spec.entity(link.target)
        arguments = [f"secondary={link.table}", 'lazy="raise"', "passive_deletes=True"]
        if target.name == self.entity.name:  # both columns refer to the same table
            arguments += [
                f"primaryjoin={self._join(link, link.left_column)}",
                f"secondaryjoin={self._join(link, link.right_column)}",
            ]
        if link.reverse:
            arguments.append(
                f"back_populates={literal(naming.attribute(link.reverse))}"
            )
        annotation = f'list["{target.name}Entity"]'
        return _relationship(link.attribute, annotation, arguments)

    def _join(self, link: Link, column: str) -> str:
        joined = f"{self.entity.name}Entity.id == {link.table}.c.{column}"
        # In a string, SQLAlchemy finds tables of the default schema only.
        return f"lambda: {joined}" if link.schema else f'"{joined}"'


def reference_of(entity: Entity, name: str) -> Reference:
    return next(item for item in entity.references if item.name == name)


def _check(column: str, rule: str, sql: str) -> str:
    return f'base.check({literal(column)}, "{rule}", {literal(sql)})'


def _comparison(check: Comparison) -> str:
    operator = field_code.OPERATORS[check.operator]
    left, right = map(field_code.quote_sql, (check.left, check.right))
    names = f"{literal(check.left)}, {literal(check.operator)}, {literal(check.right)}"
    return f"base.compare({names}, {literal(f'{left} {operator} {right}')})"


def _id_column(entity: Entity) -> str:
    """Return the name of an entity's id, as a foreign key has it."""
    return literal(f"{entity.table_key}.{entity.id.column}")


def _linked_column(name: str, entity: Entity, index: str) -> str:
    key = f'sa.ForeignKey({_id_column(entity)}, ondelete="CASCADE")'
    return f'sa.Column("{name}", {key}, primary_key=True{index})'


def _parts(columns: tuple[str, ...], lowered: Collection[str]) -> str:
    """Return what an index has: names of columns, and what ignores the case of some."""
    return ", ".join(
        f"base.lowered({literal(one)})" if one in lowered else literal(one)
        for one in columns
    )


def _tuple(names: Iterable[str]) -> str:
    """Return a tuple of texts as Python code."""
    literals = [literal(name) for name in names]
    return f"({', '.join(literals)}{',' * (len(literals) == 1)})"


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(map(literal, names))


def _relationship(attribute: str, annotation: str, arguments: list[str]) -> str:
    call = f"orm.relationship({', '.join(arguments)})"
    return f"{attribute}: orm.Mapped[{annotation}] = {call}"
