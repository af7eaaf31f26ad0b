"""An entity in the templates of tests: its rows, boundary values and relations."""

import base64
import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property

from scaffold.python_code.formatting import WIDTH, literal
from scaffold.spec.model import (
    MISSING,
    Comparison,
    Entity,
    Field,
    Link,
    Reference,
    Spec,
)
from scaffold.testdata import boundaries, compared
from scaffold.testdata.samples import (
    ENOUGH,
    distinct,
    example_id,
    in_lower_case,
    key_series,
    series,
)
from scaffold.testdata.series import Series

# The indentation in a factory's dictionaries, and the longest names that fit there.
INDENT = 12
SHORT_NAME = 50
LONGEST_EXAMPLE = 200  # characters of a value


class CaseView:
    """One entity as Python code for tests/factories.py and tests/cases.py."""

    def __init__(self, entity: Entity, spec: Spec) -> None:
        self.entity = entity
        self.spec = spec

    @cached_property
    def values(self) -> str:
        """A dictionary of the attributes, whose values are expressions of n."""
        made = self._made
        items = [
            _entry(field.attribute, made[field.name].expression)
            for field in self.entity.fields
            if field.name in made
        ]
        if key := key_series(self.entity):
            items.insert(0, _entry("id", key.expression))
        return "{" + ", ".join(items) + "}"

    @cached_property
    def example(self) -> str:
        """The example of requests in OpenAPI; empty if no valid one is known.

        Optional references are left out, and required ones have ids that never change.
        """
        return boundaries.json_expression(self._example) if self._example else ""

    @cached_property
    def example_id(self) -> str:
        """The item of the example with the id, where clients send it with a create."""
        if self.entity.id.generated or self._example is None:
            return ""
        key = {self.entity.id.json: _json_value(example_id(self.entity))}
        return boundaries.json_expression(key)[1:-1]

    @property
    def example_values(self) -> dict[str, object]:
        """The keys of the example with their values in JSON."""
        return self._example or {}

    @cached_property
    def _example(self) -> dict[str, object] | None:
        return self._values_of(self.entity.fields)

    @property
    def example_of_changes(self) -> str:
        """The example of a PUT or PATCH: without what cannot be changed."""
        kept = [field for field in self.entity.fields if not field.immutable]
        values = self._values_of(kept)
        if values:
            return boundaries.json_expression(values)
        return "{}" if self.example else ""

    def _values_of(self, fields: Iterable[Field]) -> dict[str, object] | None:
        values: dict[str, object] = {}
        for field in fields:
            if field.read_only or (field.write_access and not field.required):
                continue
            made = self._made.get(field.name)
            value = None if made is None else _json_value(made.at(1))
            is_short = len(str(value)) <= LONGEST_EXAMPLE
            if value is not None and (is_short or field.example is not MISSING):
                values[field.json] = value
            elif field.required:
                return None
        for reference in self.entity.references:
            if reference.required:
                target = self.spec.entity(reference.target)
                values[reference.json] = _json_value(example_id(target))
        return values

    @cached_property
    def _made(self) -> dict[str, Series]:
        return _series(self.entity)

    @property
    def parents(self) -> Iterator[str]:
        """The method that returns the factories of required references, if any."""
        needed = [item for item in self.entity.references if item.required]
        if not needed:
            return
        items = ", ".join(
            _entry(item.column_attribute, f"{item.target}Factory") for item in needed
        )
        yield ""
        yield "    @classmethod"
        yield "    def parents(cls) -> support.Parents:"
        yield f'        """Return the factories of what {self.entity.titles} refer to."""'
        yield f"        return {{{items}}}"

    @cached_property
    def capacity(self) -> int:
        """How many rows tests can store until a unique value is repeated.

        A row counts with its required parents, and theirs.
        """
        taken = _rows(self.spec, self.entity)
        rows = (_own(self.spec.entity(name)) // taken[name] for name in taken)
        return max(1, min(rows))

    @property
    def unique(self) -> str:
        """The JSON keys of every unique constraint."""
        keys = self.entity.json_keys
        named = (tuple(keys[column] for column in one) for one in self._unique())
        return _display(map(_names, named))

    @property
    def checks(self) -> Iterator[str]:
        """What must hold between two keys, if anything."""
        if self.entity.checks:
            yield f"checks={_display(map(self._check, self.entity.checks))}"

    def _check(self, check: Comparison) -> str:
        keys = self.entity.json_keys
        arguments = [keys[check.left], check.operator, keys[check.right]]
        words = [literal(word) for word in arguments]
        references = {one.column: one for one in self.entity.references}
        if check.left in references:
            target = self.spec.entity(references[check.left].target).snake
            words.append(f"target={literal(target)}")
        elif (values := compared.breaking(self.entity, check)) is not None:
            shown = (boundaries.json_expression(_json_value(one)) for one in values)
            words.append(f"broken=({', '.join(shown)})")
        return f"support.Check({', '.join(words)})"

    @property
    def own_key(self) -> Iterator[str]:
        """What the tests need to know of an id and of times that are not the usual."""
        key, times = self.entity.id, self.entity.timestamps
        arguments = []
        if key.json != "id":
            arguments.append(f"name={literal(key.json)}")
        if key.type != "uuid":
            arguments.append(f"type={literal(f'{key.type}_id')}")
            refused = boundaries.refused_ids(key)
            arguments.append(f"refused=({_items(map(literal, refused))})")
        if not key.generated:
            arguments.append("sent=True")
        if arguments:
            yield f"key=support.Key({', '.join(arguments)})"
        json = times.json if times else ()
        if json != ("created_at", "updated_at"):
            yield f"times=({_items(map(literal, json))})"

    @property
    def indexes(self) -> str:
        """The columns of every index that is not unique."""
        return _display(map(_names, self.entity.sorted_indexes))

    def _unique(self) -> Iterator[tuple[str, ...]]:
        entity = self.entity
        yield from ((item.column,) for item in entity.fields if item.unique)
        yield from (
            (item.column,) for item in entity.references if item.kind == "one_to_one"
        )
        yield from entity.unique

    @property
    def fields(self) -> str:
        return _display(map(_field, self.entity.fields))

    @property
    def references(self) -> str:
        return _display(map(self._reference, self.entity.references))

    def _reference(self, reference: Reference) -> str:
        target = self.spec.entity(reference.target)
        arguments = [
            literal(reference.json),
            literal(target.snake),
            f"required={reference.required}",
            f"on_delete={literal(reference.on_delete)}",
        ]
        if reference.reverse is not None:
            arguments.append(f"reverse={literal(_segment(reference.reverse))}")
        if reference.kind == "one_to_one":
            arguments.append("single=True")
        if target.id.type != "uuid":
            arguments.append(f"type={literal(f'{target.id.type}_id')}")
        return f"support.Reference({', '.join(arguments)})"

    @property
    def links(self) -> str:
        return _display(map(self._link, self.entity.links))

    def _link(self, link: Link) -> str:
        arguments = [
            literal(link.attribute),
            literal(self.spec.entity(link.target).snake),
            literal(_segment(link.name)),
        ]
        if link.owner:
            arguments.append(f"key={literal(link.ids)}")
            key = self.spec.entity(link.target).id
            if key.type != "uuid":
                arguments.append(f"type={literal(f'{key.type}_ids')}")
        return f"support.Link({', '.join(arguments)})"


def _json_value(value: object) -> object:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if isinstance(value, uuid.UUID) else value


def _entry(name: str, expression: str) -> str:
    """Return an entry of a dictionary; a long value is put in parentheses."""
    entry = f"{literal(name)}: {expression}"
    calls = expression.startswith("support.") and len(name) < SHORT_NAME
    if calls or INDENT + len(entry) + 1 <= WIDTH:
        return entry
    return f"{literal(name)}: ({expression})"


def _field(field: Field) -> str:
    edges = boundaries.edges(field)
    arguments = [literal(field.json), literal(field.type)]
    arguments += ["required=True"] if field.required else []
    arguments += ["nullable=True"] if field.nullable else []
    for name in ("accepted", "refused", "malformed"):
        values = getattr(edges, name)
        arguments += [f"{name}={_display(values)}"] if values else []
    if field.default_is_made:
        arguments.append("made=True")
    elif field.has_default:
        arguments.append(f"default={boundaries.json_expression(field.default)}")
    return f"support.Field({', '.join(arguments)})"


def _segment(name: str) -> str:
    """Return the URL segment of a relation."""
    return name.replace("_", "-")


def _display(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _names(names: Iterable[str]) -> str:
    return f"({_items(map(literal, names))})"


def _items(items: Iterable[str]) -> str:
    """Return the items of a tuple; a single one is followed by a comma."""
    listed = list(items)
    return ", ".join(listed) + ("," if len(listed) == 1 else "")


def _series(entity: Entity) -> dict[str, Series]:
    made = {field.name: series(entity, field) for field in entity.fields}
    return {name: one for name, one in made.items() if one is not None}


def _rows(spec: Spec, entity: Entity) -> Counter[str]:
    """Return how many rows of each entity are stored with one row of this entity.

    Parents are counted after the entities that need them, so that each entity is
    visited once, however many paths lead to it and however long they are.
    """
    needed: dict[str, list[str]] = {}
    order: dict[str, None] = {}
    pending = [(entity.name, False)]
    while pending:
        name, parents_done = pending.pop()
        if parents_done:
            order[name] = None
        elif name not in needed:
            references = spec.entity(name).references
            needed[name] = [item.target for item in references if item.required]
            pending.append((name, True))
            pending += [(target, False) for target in needed[name]]
    rows = Counter({entity.name: 1})
    for name in reversed(order):
        for target in needed[name]:
            rows[target] += rows[name]
    return rows


def _own(entity: Entity) -> int:
    """Return how many rows of the entity can have different unique values."""
    single = [(field.name,) for field in entity.fields if field.unique]
    sets = [*single, *entity.unique]
    made = _series(entity) if sets else {}
    for field in entity.fields:
        if field.case_insensitive and field.name in made:
            made[field.name] = in_lower_case(made[field.name])
    counts = [ENOUGH]
    for names in sets:
        # Each row has its own parents or none, so that references do not collide.
        if all(name in made for name in names):
            counts.append(distinct(*(made[name] for name in names)))
    return min(counts)
