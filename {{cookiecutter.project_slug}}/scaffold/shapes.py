"""An entity's JSON shapes as the template of models/schemas.py sees them."""

from functools import cached_property

from scaffold import columns
from scaffold.layout import literal
from scaffold.model import Entity, Field, Link, Reference


class SchemaView:
    """The fields of requests and answers, each a statement of Python."""

    entity: Entity

    @property
    def choices(self) -> list[str]:
        return [
            f"{columns.choice_name(self.entity.name, field)} = typing.Literal"
            f"[{', '.join(map(literal, field.values))}]"
            for field in self.entity.fields
            if field.type == "enum"
        ]

    @cached_property
    def base_blocks(self) -> list[list[str]]:
        lines = [self._schema_field(field) for field in self.entity.fields]
        lines += [self._schema_reference(item) for item in self.entity.references]
        lines += [self._schema_link(item) for item in self.entity.links if item.owner]
        if self.entity.description:
            description = literal(self.entity.description)
            config = "model_config = pydantic.ConfigDict(json_schema_extra="
            documented = f'{config}{{"description": {description}}})'
            return [block for block in ([documented], lines, self._exact) if block]
        return [block for block in (lines, self._exact) if block]

    @cached_property
    def update_blocks(self) -> list[list[str]]:
        lines = [self._schema_field(item, update=True) for item in self.entity.fields]
        lines += [
            self._schema_reference(item, update=True) for item in self.entity.references
        ]
        lines += [
            self._schema_link(item, update=True)
            for item in self.entity.links
            if item.owner
        ]
        return [block for block in (lines, self._exact) if block]

    @property
    def _exact(self) -> list[str]:
        """What keeps the digits of decimals, where there are any."""
        decimals = [f.attribute for f in self.entity.fields if f.type == "decimal"]
        if not decimals:
            return []
        return [f"_exact = types.exact({', '.join(map(literal, decimals))})"]

    def _schema_field(self, field: Field, *, update: bool = False) -> str:
        annotation = columns.schema_annotation(self.entity.name, field)
        default = "base.UNSET" if update else columns.schema_default(field)
        arguments = list(columns.schema_arguments(field))
        return f"{field.attribute}: {annotation}{_assigned(default, arguments)}"

    def _schema_reference(self, reference: Reference, *, update: bool = False) -> str:
        annotation = "uuid.UUID | None" if reference.nullable else "uuid.UUID"
        default = "None" if reference.nullable else None
        arguments = []
        if reference.column_attribute != reference.column:
            arguments.append(f"alias={literal(reference.column)}")
        if reference.description:
            arguments.append(f"description={literal(reference.description)}")
        text = _assigned("base.UNSET" if update else default, arguments)
        return f"{reference.column_attribute}: {annotation}{text}"

    def _schema_link(self, link: Link, *, update: bool = False) -> str:
        arguments = []
        if link.ids_attribute != link.ids:
            arguments.append(f"alias={literal(link.ids)}")
        if link.description:
            arguments.append(f"description={literal(link.description)}")
        text = _assigned("base.UNSET" if update else "[]", arguments)
        return f"{link.ids_attribute}: types.Ids{text}"


def _assigned(default: str | None, arguments: list[str]) -> str:
    """The right side of a schema's field: nothing, a default, or pydantic.Field."""
    if not arguments and (default or "")[:1] not in ("[", "{"):
        return "" if default is None else f" = {default}"
    if default is not None:
        arguments = [f"default={default}", *arguments]
    return f" = pydantic.Field({', '.join(arguments)})"
