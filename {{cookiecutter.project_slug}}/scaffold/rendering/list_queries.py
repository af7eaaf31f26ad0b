"""The query parameters of an entity's lists, as the template of models/schemas.py has them."""

from collections.abc import Iterator

from scaffold.python_code.formatting import literal
from scaffold.rendering.derived_names import DerivedNames
from scaffold.spec import naming
from scaffold.spec.model import Entity, Field, Reference, Spec

# Parameters of every list: a field of such a name is filtered by `total__eq`.
RESERVED = ("skip", "limit", "after", "total", "sort", "include", "q")
MAX_INCLUDED = 100  # paths; with more, only the first level can be included
ORDERED = ("__gt", "__gte", "__lt", "__lte")
TYPES = {
    "string": "queries.Text",
    "email": "queries.Text",
    "url": "queries.Text",
    "integer": "queries.Integer",
    "float": "queries.Float",
    "decimal": "queries.Decimal",
    "boolean": "queries.Flag",
    "date": "types.Date",
    "time": "types.Time",
    "datetime": "queries.DateTime",
    "uuid": "queries.UUID",
}
ID_TYPES = {
    "string": "queries.Text",
    "integer": "queries.Integer",
    "uuid": "queries.UUID",
}
TEXTS = ("string", "email", "url")
NUMBERS = ("integer", "float", "decimal", "date", "time", "datetime")


class ListQueries:
    """The lines of an entity's query model."""

    def __init__(self, entity: Entity, names: DerivedNames) -> None:
        self.entity = entity
        self.names = names
        self.spec = names.spec

    def types(self) -> Iterator[str]:
        """Yield the definitions of what can be sorted by, and what can be included."""
        yield f"{self._type('Sort')} = {_literal(self._sorted)}"
        if self._included:
            yield f"{self._type('Include')} = {_literal(self._included)}"

    def lines(self) -> Iterator[str]:
        """Yield one line for each parameter."""
        default = self.entity.default_sort
        names = f"[{literal(default)}]" if default else "[]"
        yield f"sort: queries.SortBy[{self._type('Sort')}] = {_default(names)}"
        if self._included:
            paths = f"queries.Include[{self._type('Include')}]"
            yield f"include: {paths} = {_default('[]')}"
        key = self.entity.id
        yield from self._filters("id", key.json, ID_TYPES[key.type], key.type)
        times = self.entity.timestamps
        if times:
            names = ("created_at", "updated_at")
            for name, json in zip(names, times.json, strict=True):
                yield from self._filters(name, json, TYPES["datetime"], "datetime")
        for field in self.entity.fields:
            if field.filterable:
                yield from self._of_field(field)
        for reference in self.entity.references:
            if reference.filterable:
                yield from self._of_reference(reference)

    def _type(self, suffix: str) -> str:
        return self.names.schemas[self.entity.name, suffix]

    @property
    def _sorted(self) -> list[str]:
        keys = [self.entity.id.json]
        keys += self.entity.timestamps.json if self.entity.timestamps else ()
        members = (*self.entity.fields, *self.entity.references)
        keys += [one.json for one in members if one.sortable]
        return [sign + key for key in keys for sign in ("", "-")]

    @property
    def _included(self) -> list[str]:
        references = embeddable(self.entity, self.spec)
        first = [one.included for one in references]
        second = [
            f"{one.included}.{other.included}"
            for one in references
            for other in embeddable(self.spec.entity(one.target), self.spec)
        ]
        return first + second if len(first + second) <= MAX_INCLUDED else first

    def _of_field(self, field: Field) -> Iterator[str]:
        annotation = (
            TYPES.get(field.type) or self.names.choices[self.entity.name, field.name]
        )
        yield from self._filters(
            field.attribute, field.json, annotation, field.type, nullable=field.nullable
        )

    def _of_reference(self, reference: Reference) -> Iterator[str]:
        kind = self.spec.entity(reference.target).id.type
        yield from self._filters(
            reference.column_attribute,
            reference.json,
            ID_TYPES[kind],
            "reference",
            nullable=reference.nullable,
        )

    def _filters(
        self,
        attribute: str,
        key: str,
        annotation: str,
        kind: str,
        *,
        nullable: bool = False,
    ) -> Iterator[str]:
        equal = "__eq" if key in RESERVED else ""
        yield self._parameter(attribute, key, equal, annotation)
        yield self._parameter(attribute, key, "__in", f"queries.ListOf[{annotation}]")
        yield self._parameter(attribute, key, "__ne", annotation)
        if kind in NUMBERS:
            for operator in ORDERED:
                yield self._parameter(attribute, key, operator, annotation)
        if kind in TEXTS:
            yield self._parameter(attribute, key, "__startswith", annotation)
        if nullable:
            yield self._parameter(attribute, key, "__null", "queries.Flag")

    def _parameter(
        self, attribute: str, key: str, operator: str, annotation: str
    ) -> str:
        camel = self.entity.id.camel
        usual = naming.json_key(attribute.removesuffix("_"), camel=True)
        own = "" if key == (usual if camel else attribute) else key
        value = "base.UNSET"
        if own:
            alias = literal(f"{key}{operator}")
            value = f"pydantic.Field(default=base.UNSET, alias={alias})"
        return f"{attribute}{operator}: {annotation} = {value}"


def embeddable(entity: Entity, spec: Spec) -> list[Reference]:
    """Return the to-one relations whose targets can be read, and so be included."""
    return [
        one for one in entity.references if "get" in spec.entity(one.target).operations
    ]


def _default(value: str) -> str:
    return f"pydantic.Field(default={value})"


def _literal(values: list[str]) -> str:
    return f"typing.Literal[{', '.join(map(literal, values))}]"
