"""An entity's schemas, as the template of models/schemas.py uses them."""

import datetime as dt
import uuid
from collections.abc import Iterable
from functools import cached_property

from scaffold.python_code import field_code
from scaffold.python_code.formatting import literal
from scaffold.rendering.derived_names import DerivedNames
from scaffold.spec.model import Entity, Field, Link, Reference
from scaffold.testdata import boundaries, samples

LONGEST_EXAMPLE = 200


class SchemaView:
    """The fields of requests and responses, each as a Python statement."""

    entity: Entity
    names: DerivedNames

    @property
    def base_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Base"]

    @property
    def create_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Create"]

    @property
    def replace_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Replace"]

    @property
    def page_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Page"]

    @property
    def update_schema(self) -> str:
        return self.names.schemas[self.entity.name, "Update"]

    @cached_property
    def own_types(self) -> list[str]:
        """The types of fields with choices or limits, which are declared once."""
        choices = [
            _choices(self._choice(field), field.values)
            for field in self.entity.fields
            if field.type == "enum"
        ]
        limited = [
            f"{self.names.types[self.entity.name, field.name]} = "
            f"{field_code.request_annotation(field, self._choice(field))}"
            for field in self.entity.fields
            if (self.entity.name, field.name) in self.names.types
        ]
        return choices + limited

    @cached_property
    def base_blocks(self) -> list[list[str]]:
        lines = [self._request_field(field) for field in self.entity.fields]
        lines += [self._request_reference(item) for item in self.entity.references]
        lines += [self._request_link(item) for item in self.entity.links if item.owner]
        return [block for block in (self._configured(example=True), lines) if block]

    @cached_property
    def update_blocks(self) -> list[list[str]]:
        lines = [self._request_field(item, update=True) for item in self.entity.fields]
        lines += [
            self._request_reference(item, update=True)
            for item in self.entity.references
        ]
        lines += [
            self._request_link(item, update=True)
            for item in self.entity.links
            if item.owner
        ]
        config = self._configured(example=True, described=False)
        return [block for block in (config, lines) if block]

    @cached_property
    def response_blocks(self) -> list[list[str]]:
        lines = [self._response_field(field) for field in self.entity.fields]
        lines += [self._response_reference(item) for item in self.entity.references]
        lines += [
            _declared(item.ids_attribute, "list[uuid.UUID]", item.ids, item.description)
            for item in self.entity.links
            if item.owner
        ]
        return [block for block in (self._configured(), lines) if block]

    def _configured(
        self, *, example: bool = False, described: bool = True
    ) -> list[str]:
        """Return the configuration of a schema: what OpenAPI says of it."""
        extra = []
        if described and self.entity.description:
            extra.append(f'"description": {literal(self.entity.description)}')
        if example and self.example:
            extra.append(f'"examples": [{self.example_name}]')
        if not extra:
            return []
        shown = f"json_schema_extra={{{', '.join(extra)}}}"
        return [f"model_config = pydantic.ConfigDict({shown})"]

    @property
    def example_name(self) -> str:
        return f"{self.entity.snake.upper()}_EXAMPLE"

    @cached_property
    def example(self) -> str:
        """The body of a request, as a dictionary; empty if no valid one is known."""
        values: dict[str, object] = {}
        for field in self.entity.fields:
            made = samples.series(self.entity, field)
            value = None if made is None else _json_value(made.at(1))
            if value is not None and len(str(value)) <= LONGEST_EXAMPLE:
                values[field.name] = value
            elif field.required:
                return ""
        for reference in self.entity.references:
            if reference.required:
                values[reference.column] = str(example_id(reference.target))
        return boundaries.json_expression(values) if values else ""

    def _choice(self, field: Field) -> str:
        """Return the name of an enum's type, or nothing for another type."""
        return self.names.choices.get((self.entity.name, field.name), "")

    def _request_field(self, field: Field, *, update: bool = False) -> str:
        own_type = self.names.types.get((self.entity.name, field.name))
        annotation = own_type or field_code.request_annotation(
            field, self._choice(field)
        )
        default = "base.UNSET" if update else field_code.schema_default(field)
        return f"{field.attribute}: {annotation}{_assigned(default)}"

    def _request_reference(self, reference: Reference, *, update: bool = False) -> str:
        annotation = "types.UUID | None" if reference.nullable else "types.UUID"
        default = "None" if reference.nullable else None
        arguments = _named(
            reference.column_attribute, reference.column, reference.description
        )
        text = _assigned("base.UNSET" if update else default, arguments)
        return f"{reference.column_attribute}: {annotation}{text}"

    def _request_link(self, link: Link, *, update: bool = False) -> str:
        arguments = _named(link.ids_attribute, link.ids, link.description)
        text = _assigned("base.UNSET" if update else "[]", arguments)
        return f"{link.ids_attribute}: types.Ids{text}"

    def _response_field(self, field: Field) -> str:
        annotation = field_code.response_annotation(field, self._choice(field))
        return _declared(field.attribute, annotation, field.name, field.description)

    def _response_reference(self, reference: Reference) -> str:
        annotation = "uuid.UUID | None" if reference.nullable else "uuid.UUID"
        return _declared(
            reference.column_attribute,
            annotation,
            reference.column,
            reference.description,
        )


def example_id(entity: str) -> uuid.UUID:
    """Return the id that examples have for an entity: always the same."""
    return uuid.uuid5(uuid.NAMESPACE_OID, entity)


def _json_value(value: object) -> object:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, uuid.UUID) else value


def _choices(name: str, values: Iterable[str]) -> str:
    """Return a named type, which is one schema in OpenAPI, wherever it is used."""
    listed = ", ".join(map(literal, values))
    return (
        f"{name} = typing_extensions.TypeAliasType"
        f"({literal(name)}, typing.Literal[{listed}])"
    )


def _named(attribute: str, key: str, description: str) -> list[str]:
    arguments = []
    if attribute != key:
        arguments.append(f"alias={literal(key)}")
    if description:
        arguments.append(f"description={literal(description)}")
    return arguments


def _declared(attribute: str, annotation: str, key: str, description: str) -> str:
    arguments = _named(attribute, key, description)
    return f"{attribute}: {annotation}{_assigned(None, arguments)}"


def _assigned(default: str | None, arguments: list[str] | None = None) -> str:
    """Return the right side of a field: nothing, a default, or pydantic.Field."""
    arguments = arguments or []
    if not arguments and (default or "")[:1] not in ("[", "{"):
        return "" if default is None else f" = {default}"
    if default is not None:
        arguments = [f"default={default}", *arguments]
    return f" = pydantic.Field({', '.join(arguments)})"
