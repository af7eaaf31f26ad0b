"""Names that are derived from several entities, and must differ from each other.

A name that is taken gets a longer form. What a person named keeps its name, and of two
derived names the first one in entities.json: an entity that is added at the end renames
nothing, except where a derived name is the new entity's own.
"""

from collections.abc import Mapping

from scaffold.python_code import field_code
from scaffold.spec import naming
from scaffold.spec.index_names import Index, index_names
from scaffold.spec.model import Entity, Spec

VERBS = ("create", "get", "replace", "update", "delete")
# Other classes of an entity, whose names field types do not get either.
_CLASSES = ("Entity", "Page")


class DerivedNames:
    """The derived names of all entities.

    `schemas` are by entity and suffix, such as `("Task", "Create")`; `choices` and `types`
    by entity and field; `operations` by entity and relation: the end of the names of its
    routes, `list_<operation>`.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._classes = {entity.name.lower() for entity in spec.entities}
        self.schemas = {
            (entity.name, suffix): self._class(f"{entity.name}{suffix}", "Schema")
            for entity in spec.entities
            for suffix in ("Base", "Create", "Update")
        }
        self._classes |= {
            f"{entity.name}{suffix}".lower()
            for entity in spec.entities
            for suffix in _CLASSES
        }
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
            if [*field_code.schema_arguments(field)]
        }
        self.operations = self._name_operations()
        self.indexes: Mapping[Index, str] = index_names(spec.entities)

    def _class(self, name: str, suffix: str = "_") -> str:
        """Return the name, or the name with a suffix if it is taken."""
        if name.lower() in self._classes:
            name += suffix
        while name.lower() in self._classes:
            name += "_"
        self._classes.add(name.lower())
        return name

    def _name_operations(self) -> Mapping[tuple[str, str], str]:
        taken = {
            f"{verb}_{entity.snake}" for entity in self.spec.entities for verb in VERBS
        }
        taken |= {f"list_{entity.plural}" for entity in self.spec.entities}
        operations = {}
        for entity in self.spec.entities:
            for name, verbs in _relations(entity).items():
                separator = "_"
                while not taken.isdisjoint(
                    routes := {f"{v}_{entity.snake}{separator}{name}" for v in verbs}
                ):
                    separator += "_"
                taken |= routes
                operations[entity.name, name] = f"{entity.snake}{separator}{name}"
        return operations


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _relations(entity: Entity) -> dict[str, tuple[str, ...]]:
    """Return the relations that have routes, with the verbs of those."""
    lists = {
        one.name: ("get",) if one.kind == "one" else ("list",)
        for one in entity.reverses
    }
    return {**lists, **{one.name: ("list", "link", "unlink") for one in entity.links}}
