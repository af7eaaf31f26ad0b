"""The query parameters of an entity's lists, as the template of models/schemas.py has them."""

from collections.abc import Iterator
from typing import NamedTuple

from scaffold.python_code.formatting import literal
from scaffold.rendering.derived_names import DerivedNames
from scaffold.spec import naming
from scaffold.spec.model import Entity, Field, Id, Reference, Spec

# Parameters of every list: a field of such a name is filtered by `total__eq`.
RESERVED = ("skip", "limit", "after", "total", "sort", "include", "q")
MAX_INCLUDED = 100  # paths; with more, only the first level can be included
TYPES = {
    "string": "queries.Text",
    "email": "queries.Text",
    "url": "queries.Text",
    "float": "queries.Float",
    "decimal": "queries.Decimal",
    "boolean": "queries.Flag",
    "date": "types.Date",
    "time": "types.Time",
    "datetime": "queries.DateTime",
    "uuid": "queries.UUID",
    "binary": "queries.Flag",
}
INTEGERS = {
    16: "queries.SmallInteger",
    32: "queries.Integer32",
    64: "queries.Integer",
}
TEXTS = ("string", "email", "url")
NUMBERS = ("integer", "float", "decimal", "date", "time", "datetime")


class Filter(NamedTuple):
    """What a list can be filtered by: an attribute, its JSON key, type and operators."""

    attribute: str
    key: str
    annotation: str
    operators: tuple[str, ...]


class ListQueries:
    """An entity's query model, and the words about it in the documentation."""

    def __init__(self, entity: Entity, names: DerivedNames) -> None:
        self.entity = entity
        self.names = names
        self.spec = names.spec

    def types(self) -> Iterator[str]:
        """Yield the definitions of what can be sorted by, and what can be included."""
        every = [sign + key for key in self.sorted for sign in ("", "-")]
        yield f"{self._type('Sort')} = {_literal(every)}"
        if self.included:
            yield f"{self._type('Include')} = {_literal(self.included)}"

    def lines(self) -> Iterator[str]:
        """Yield one line for each parameter."""
        default = self.entity.default_sort
        names = f"[{literal(default)}]" if default else "[]"
        yield f"sort: queries.SortBy[{self._type('Sort')}] = {_default(names)}"
        if self.included:
            paths = f"queries.Include[{self._type('Include')}]"
            yield f"include: {paths} = {_default('[]')}"
        if self.entity.search:
            yield "q: queries.Search = base.UNSET"
        for one in self.filters():
            for operator in one.operators:
                yield self._parameter(one, operator)

    def _type(self, suffix: str) -> str:
        return self.names.schemas[self.entity.name, suffix]

    @property
    def sorted(self) -> list[str]:
        """The JSON keys that lists can be sorted by."""
        keys = [self.entity.id.json]
        keys += self.entity.timestamps.json if self.entity.timestamps else ()
        return keys + [one.json for one in self.entity.members if one.sortable]

    @property
    def included(self) -> list[str]:
        """The relations that lists can embed: `order` and `order.customer`."""
        references = embeddable(self.entity, self.spec)
        first = [one.included for one in references]
        second = [
            f"{one.included}.{other.included}"
            for one in references
            for other in embeddable(self.spec.entity(one.target), self.spec)
        ]
        return first + second if len(first + second) <= MAX_INCLUDED else first

    def filters(self) -> Iterator[Filter]:
        """Yield what lists can be filtered by."""
        key, times = self.entity.id, self.entity.timestamps
        yield _filter("id", key.json, _id_type(key), key.type)
        if times:
            names = ("created_at", "updated_at")
            for name, json in zip(names, times.json, strict=True):
                yield _filter(name, json, TYPES["datetime"], "datetime")
        for field in self.entity.fields:
            if field.filterable:
                own = self.names.choices.get((self.entity.name, field.name))
                annotation = own or _type_of(field)
                yield _filter(
                    field.attribute,
                    field.json,
                    annotation,
                    "array" if field.array else field.type,
                    nullable=field.nullable,
                )
        for reference in self.entity.references:
            if reference.filterable:
                yield _filter(
                    reference.column_attribute,
                    reference.json,
                    _id_type(self.spec.entity(reference.target).id),
                    "reference",
                    nullable=reference.nullable,
                )

    def _parameter(self, one: Filter, operator: str) -> str:
        annotation = one.annotation
        if operator == "__in":
            annotation = f"queries.ListOf[{annotation}]"
        elif operator == "__null":
            annotation = "queries.Flag"
        camel = self.entity.id.camel
        attribute = one.attribute
        usual = naming.json_key(attribute.removesuffix("_"), camel=True)
        value = "base.UNSET"
        if one.key != (usual if camel else attribute):
            alias = literal(f"{one.key}{operator}")
            value = f"pydantic.Field(default=base.UNSET, alias={alias})"
        return f"{attribute}{operator}: {annotation} = {value}"


def _filter(
    attribute: str, key: str, annotation: str, kind: str, *, nullable: bool = False
) -> Filter:
    if kind == "binary":
        return Filter(attribute, key, annotation, ("__null",))
    operators = ["__eq" if key in RESERVED else "", "__in", "__ne"]
    if kind == "array":
        operators = ["__has"]
    if kind in NUMBERS:
        operators += ["__gt", "__gte", "__lt", "__lte"]
    if kind in TEXTS:
        operators.append("__startswith")
    if nullable:
        operators.append("__null")
    return Filter(attribute, key, annotation, tuple(operators))


def _type_of(field: Field) -> str:
    """Return the type of a field in a query."""
    return INTEGERS[field.bits] if field.type == "integer" else TYPES[field.type]


def _id_type(key: Id) -> str:
    """Return the type of an id in a query."""
    if key.type == "integer":
        return INTEGERS[key.bits]
    return "queries.Text" if key.type == "string" else "queries.UUID"


def embeddable(entity: Entity, spec: Spec) -> list[Reference]:
    """Return the to-one relations that can be included.

    Their targets can be read, and no other member has the name of what is embedded.
    """
    taken = {one.json for one in entity.members}
    taken |= {field.attribute for field in entity.fields}
    return [
        one
        for one in entity.references
        if "get" in spec.entity(one.target).operations
        and not {one.included, f"included_{one.attribute}"} & taken
    ]


def _default(value: str) -> str:
    return f"pydantic.Field(default={value})"


def _literal(values: list[str]) -> str:
    return f"typing.Literal[{', '.join(map(literal, values))}]"
