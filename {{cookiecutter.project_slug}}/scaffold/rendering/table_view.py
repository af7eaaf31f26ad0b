"""An entity's table, as the template of models/entities.py uses it."""

from functools import cached_property

from scaffold.python_code import field_code
from scaffold.python_code.formatting import literal
from scaffold.rendering.derived_names import DerivedNames
from scaffold.spec import naming
from scaffold.spec.model import Entity, Field, Link, Reference, Reverse

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
        for field in self.entity.fields:
            for rule, sql in field_code.checks(field):
                arguments.append(
                    f'base.check("{field.name}", "{rule}", {literal(sql)})'
                )
        indexes = [*self.entity.indexes, ("created_at", "id")]
        arguments += [self._index(self.entity.table, names) for names in indexes]
        for kind, column in self._declared_apart:
            if kind == "uq":
                arguments.append(self._unique_constraint((column,)))
            else:
                arguments.append(self._index(self.entity.table, (column,)))
        comma = "," if len(arguments) == 1 else ""
        return f"({', '.join(arguments)}{comma})"

    def _unique_constraint(self, columns: tuple[str, ...]) -> str:
        name = self._unusual_name("uq", self.entity.table, columns)
        own_name = "" if name is None else f", name={literal(name)}"
        return f"sa.UniqueConstraint({_columns(columns)}{own_name})"

    def _index(self, table: str, columns: tuple[str, ...]) -> str:
        name = self._unusual_name("ix", table, columns)
        own_name = None if name is None else literal(name)
        return f"sa.Index({own_name}, {_columns(columns)})"

    def _unusual_name(
        self, kind: str, table: str, columns: tuple[str, ...]
    ) -> str | None:
        """Return an index's name if it is not the one that the naming convention gives."""
        name = self.names.indexes[kind, table, *columns]
        return None if name == naming.constraint(kind, table, *columns) else name

    def _is_usual(self, kind: str, column: str) -> bool:
        """Whether an index of one column is declared with the column."""
        index = (kind, self.entity.table, column)
        return index not in self.names.indexes or not self._unusual_name(
            kind, self.entity.table, (column,)
        )

    @property
    def _declared_apart(self) -> list[tuple[str, str]]:
        """The kind and column of each index of one column that has an unusual name."""
        columns = [(_kind(field), field.name) for field in self.entity.fields]
        columns += [(_kind(item), item.column) for item in self.entity.references]
        return [one for one in columns if not self._is_usual(*one)]

    @cached_property
    def attribute_blocks(self) -> list[list[str]]:
        """The attributes of the class: columns, then relationships."""
        fields = [
            field_code.column(field, indexed=self._is_usual(_kind(field), field.name))
            for field in self.entity.fields
        ]
        keys = [self._foreign_key(reference) for reference in self.entity.references]
        relationships = [self._owner(item) for item in self.entity.references]
        relationships += [self._reverse(item) for item in self.entity.reverses]
        relationships += [self._linked(item) for item in self.entity.links]
        return [block for block in (fields + keys, relationships) if block]

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
        left = _linked_column(link.left_column, self.entity.table, "")
        index = self._index(link.table, (link.right_column,))
        usual = index.startswith("sa.Index(None")
        right = _linked_column(
            link.right_column, target.table, ", index=True" if usual else ""
        )
        # `info` maps a violated foreign key to the field in requests.
        info = f'info={{"{link.right_column}": "{link.ids}"}}'
        parts = [left, right, info] if usual else [left, right, index, info]
        arguments = f'"{link.table}", base.Entity.metadata, {", ".join(parts)}'
        return f"{link.table} = sa.Table({arguments})"

    def _foreign_key(self, reference: Reference) -> str:
        target = self.spec.entity(reference.target)
        action = ON_DELETE[reference.on_delete]
        arguments = [f'sa.ForeignKey("{target.table}.id", ondelete="{action}")']
        if reference.column_attribute != reference.column:
            arguments.insert(0, literal(reference.column))
        if self._is_usual(_kind(reference), reference.column):
            one = reference.kind == "one_to_one"
            arguments.append("unique=True" if one else "index=True")
        annotation = "uuid.UUID | None" if reference.nullable else "uuid.UUID"
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
            own_id, table = f"{self.entity.name}Entity.id", link.table
            arguments += [
                f'primaryjoin="{own_id} == {table}.c.{link.left_column}"',
                f'secondaryjoin="{own_id} == {table}.c.{link.right_column}"',
            ]
        if link.reverse:
            arguments.append(
                f"back_populates={literal(naming.attribute(link.reverse))}"
            )
        annotation = f'list["{target.name}Entity"]'
        return _relationship(link.attribute, annotation, arguments)


def _kind(member: Field | Reference) -> str:
    """Return the kind of the index that a field or reference has, if it has one."""
    if isinstance(member, Reference):
        return "uq" if member.kind == "one_to_one" else "ix"
    return "uq" if member.unique else "ix"


def reference_of(entity: Entity, name: str) -> Reference:
    return next(item for item in entity.references if item.name == name)


def _linked_column(name: str, table: str, index: str) -> str:
    key = f'sa.ForeignKey("{table}.id", ondelete="CASCADE")'
    return f'sa.Column("{name}", {key}, primary_key=True{index})'


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(map(literal, names))


def _relationship(attribute: str, annotation: str, arguments: list[str]) -> str:
    call = f"orm.relationship({', '.join(arguments)})"
    return f"{attribute}: orm.Mapped[{annotation}] = {call}"
