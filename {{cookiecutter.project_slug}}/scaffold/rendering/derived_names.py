"""Names that are derived from several entities, and must differ from each other.

A name that is taken gets a longer form. What a person named keeps its name, and of two
derived names the first one in entities.json: an entity that is added at the end renames
nothing, except where a derived name is the new entity's own.
"""

from collections.abc import Iterator, Mapping

from scaffold.python_code import field_code
from scaffold.spec import naming
from scaffold.spec.index_names import Index, index_names
from scaffold.spec.model import Entity, Link, Reverse, Spec

PARAMETERS = ("Sort", "Include")  # the types of parameters that list names
VERBS = ("create", "get", "replace", "update", "delete")


class DerivedNames:
    """The derived names of all entities.

    `schemas` are by entity and suffix, such as `("Task", "Create")`; `choices`, `types`
    and `items`, the types of an array's items, by entity and field; `batches` by entity,
    the end of `create_<batch>`; `ids`, the types of string ids, and `list_items`, the
    resources in lists, by entity; `operations` by entity and relation: the end of the
    names of its routes, `list_<operation>`; `link_operations` likewise for
    `link_<operation>`.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._classes = {entity.name.lower() for entity in spec.entities}
        self.schemas = {
            (entity.name, suffix): self._class(f"{entity.name}{suffix}", "Schema")
            for entity in spec.entities
            for suffix in (
                "Base",
                "Create",
                "Replace",
                "Update",
                "BatchCreate",
                "Batch",
                "Page",
                "Query",
                *PARAMETERS,
            )
        }
        self.list_items = {
            entity.name: self._class(f"{entity.name}ListItem", "Schema")
            if entity.left_out_of_lists
            else entity.name
            for entity in spec.entities
        }
        # Field types do not get the names of tables either.
        self._classes |= {f"{entity.name}Entity".lower() for entity in spec.entities}
        self.choices = {
            (entity.name, field.name): self._class(
                f"{entity.name}{_pascal(field.name)}Choice"
            )
            for entity in spec.entities
            for field in entity.fields
            if field.type == "enum"
        }
        self.types = {
            (entity.name, field.name): self._class(
                f"{entity.name}{naming.pascal(field.name)}", "Field"
            )
            for entity in spec.entities
            for field in entity.fields
            if not field.read_only and [*field_code.schema_arguments(field)]
        }
        self.items = {
            (entity.name, field.name): self._class(
                f"{entity.name}{naming.pascal(field.name)}Item", "Field"
            )
            for entity in spec.entities
            for field in entity.fields
            if field.array and not field.read_only and [*field_code.limits(field)]
        }
        self._routes = {
            f"{verb}_{entity.snake}" for entity in spec.entities for verb in VERBS
        }
        self._routes |= {f"list_{entity.plural}" for entity in spec.entities}
        self.batches = {
            entity.name: self._operation(entity, "create", "batch")
            for entity in spec.entities
        }
        self.operations = {
            (entity.name, one.name): self._operation(entity, verb, one.name)
            for entity in spec.entities
            for verb, one in _lists(entity)
        }
        self.link_operations = {
            (entity.name, link.name): self._operation(entity, "link", one)
            for entity in spec.entities
            for link, one in single_links(entity).items()
        }
        self.ids = {
            entity.name: self._class(f"{entity.name}Id", "Type")
            for entity in spec.entities
            if entity.id.type == "string"
        }
        self.indexes: Mapping[Index, str] = index_names(spec.entities)

    def _class(self, name: str, suffix: str = "_") -> str:
        """Return the name, or the name with a suffix if it is taken."""
        if name.lower() in self._classes:
            name += suffix
        while name.lower() in self._classes:
            name += "_"
        self._classes.add(name.lower())
        return name

    def _operation(self, entity: Entity, verb: str, name: str) -> str:
        """Return a name of which no route is called `<verb>_<name>`."""
        verbs = ("link", "unlink") if verb == "link" else (verb,)
        operation = f"{entity.snake}_{name}"
        while not self._routes.isdisjoint(f"{one}_{operation}" for one in verbs):
            end = operation.removeprefix(entity.snake)
            operation = f"{entity.snake}_{end}"
        self._routes |= {f"{one}_{operation}" for one in verbs}
        return operation


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _lists(entity: Entity) -> Iterator[tuple[str, Reverse | Link]]:
    """Yield the relations that have a route for their rows, with its verb."""
    for reverse in entity.reverses:
        yield ("get" if reverse.kind == "one" else "list"), reverse
    for link in entity.links:
        yield "list", link


def single_links(entity: Entity) -> Mapping[Link, str]:
    """Return what one row of each link is called: the singular, if that is clear."""
    names = {}
    for link in entity.links:
        others = {one.name for one in entity.links if one is not link}
        one = naming.singular(link.name)
        clear = one not in others | {naming.singular(name) for name in others}
        names[link] = one if clear else link.name
    return names
