"""What the templates of the tests say of an entity: its rows, edges and relations."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property

from scaffold.python_code.formatting import WIDTH, literal
from scaffold.spec.model import Entity, Field, Link, Reference, Spec
from scaffold.testdata import boundaries
from scaffold.testdata.samples import ENOUGH, Series, distinct, series

# Where the entries of a factory's dictionaries begin, and names that leave room there.
INDENT = 12
SHORT_NAME = 50


class CaseView:
    """One entity, as Python text for tests/factories.py and tests/cases.py."""

    def __init__(self, entity: Entity, spec: Spec) -> None:
        self.entity = entity
        self.spec = spec

    @cached_property
    def values(self) -> str:
        """A dictionary of attributes, each an expression of n."""
        made = _series(self.entity)
        items = (
            _entry(field.attribute, made[field.name].expression)
            for field in self.entity.fields
            if field.name in made
        )
        return "{" + ", ".join(items) + "}"

    @property
    def parents(self) -> Iterator[str]:
        """The method that names the factories of required references, if any."""
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
        """How many rows tests can store at most before a unique value comes again.

        A row takes its required parents with it, and theirs.
        """
        taken = _rows(self.spec, self.entity)
        rows = (_own(self.spec.entity(name)) // taken[name] for name in taken)
        return max(1, min(rows))

    @property
    def unique(self) -> str:
        """The JSON keys of every unique constraint."""
        return _display(map(_names, self._unique()))

    @property
    def indexes(self) -> str:
        """The columns of every composite index."""
        return _display(map(_names, self.entity.indexes))

    def _unique(self) -> Iterator[tuple[str, ...]]:
        entity = self.entity
        yield from ((item.name,) for item in entity.fields if item.unique)
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
        arguments = [
            literal(reference.column),
            literal(self.spec.entity(reference.target).snake),
            f"required={reference.required}",
            f"on_delete={literal(reference.on_delete)}",
        ]
        if reference.reverse is not None:
            arguments.append(f"reverse={literal(_segment(reference.reverse))}")
        if reference.kind == "one_to_one":
            arguments.append("single=True")
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
        return f"support.Link({', '.join(arguments)})"


def _entry(name: str, expression: str) -> str:
    """An entry of a dictionary; a value that needs a line of its own gets it."""
    entry = f"{literal(name)}: {expression}"
    calls = expression.startswith("support.") and len(name) < SHORT_NAME
    if calls or INDENT + len(entry) + 1 <= WIDTH:
        return entry
    return f"{literal(name)}: ({expression})"


def _field(field: Field) -> str:
    edges = boundaries.edges(field)
    arguments = [literal(field.name), literal(field.type)]
    arguments += ["required=True"] if field.required else []
    arguments += ["nullable=True"] if field.nullable else []
    for name in ("accepted", "refused", "malformed"):
        values = getattr(edges, name)
        arguments += [f"{name}={_display(values)}"] if values else []
    if field.has_default:
        arguments.append(f"default={boundaries.json_expression(field.default)}")
    return f"support.Field({', '.join(arguments)})"


def _segment(name: str) -> str:
    """A relation's part of a URL."""
    return name.replace("_", "-")


def _display(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _names(names: Iterable[str]) -> str:
    return f"({_items(map(literal, names))})"


def _items(items: Iterable[str]) -> str:
    """The inside of a tuple, which needs a comma after a single item."""
    listed = list(items)
    return ", ".join(listed) + ("," if len(listed) == 1 else "")


def _series(entity: Entity) -> dict[str, Series]:
    made = {field.name: series(entity, field) for field in entity.fields}
    return {name: one for name, one in made.items() if one is not None}


def _rows(spec: Spec, entity: Entity) -> Counter[str]:
    """How many rows of each entity one stored row stands for.

    Parents come after all that needs them, so that each entity is looked at once,
    however many ways lead there and however long the chain is.
    """
    needed: dict[str, list[str]] = {}
    order: dict[str, None] = {}
    pending = [(entity.name, False)]
    while pending:
        name, parents_stand = pending.pop()
        if parents_stand:
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
    """How many rows of the entity alone can differ in what must be unique."""
    single = [(field.name,) for field in entity.fields if field.unique]
    sets = [*single, *entity.unique]
    made = _series(entity) if sets else {}
    counts = [ENOUGH]
    for names in sets:
        # Each row has parents of its own, or none: then nothing collides.
        if all(name in made for name in names):
            counts.append(distinct(*(made[name] for name in names)))
    return min(counts)
