"""Entities that were renamed: where their files were, and what was called how."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from scaffold.merging import translation
from scaffold.merging.python_source import is_valid
from scaffold.merging.translation import attributes, words_of
from scaffold.processes import Unfinished
from scaffold.rendering.app import entity_paths, generate_modular_app
from scaffold.spec import naming
from scaffold.spec.model import Entity, Field, Link, Reference, Spec

TAKEN = (
    "{new}: the last run has another entity of that name, and its files. Do it in two "
    "steps: leave {old} as it is, remove or rename {new}, and run `make entities`; then "
    "rename {old} to {new}, and run it again"
)


@dataclass(frozen=True)
class Move:
    """Where a file's text is today, and how the old spec renders: before, and renamed.

    `uses` are the attributes that generated code reads, each with its owner. `modules`
    are the modules of entities that have new names.
    """

    path: str
    before: str = ""
    after: str = ""
    uses: frozenset[tuple[str, str]] = frozenset()
    modules: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def words(self) -> Mapping[str, str]:
        """The words in it that are others now."""
        return _words(self.before, self.after) if self.path.endswith(".py") else {}

    @property
    def owners(self) -> frozenset[str]:
        """Whose attributes such words are: in `entities.TaskEntity`, it is entities."""
        return frozenset(owner for owner, word in self.uses if word in self.words)

    def translated(self, yours: str, before: str) -> tuple[str, str]:
        """Return a person's text and its base with the new words."""
        if not self.words:
            return yours, before
        words = self.words, self.owners
        # The base may be lines of several branches, which make no program together.
        base = before if is_valid(before) else self.before
        return (
            translation.translate(yours, *words, base, self.modules),
            translation.translate(before, *words, modules=self.modules),
        )


def find_moves(
    old: Spec,
    new: Spec,
    templates: Mapping[str, str] | None = None,
    old_templates: Mapping[str, str] | None = None,
) -> dict[str, Move]:
    """Return the move of each file that a renamed entity concerns, by its new path.

    What a person wrote into a renamed entity's files goes along. To learn the words,
    the old entities are rendered under their old and under their new names.
    """
    _check_names_are_free(old, new)
    renamed = {
        former.name: entity
        for entity in new.entities
        if (former := find_former(old, entity))
        and _has_a_name_of_its_own(entity, former, old)
    }
    if not renamed:
        return {}
    before = generate_modular_app(old, old_templates).files
    after = generate_modular_app(_under_new_names(old, renamed), old_templates).files
    paths = {path: path for path in before}
    for former_name, entity in renamed.items():
        former = old.entity(former_name)
        own = entity_paths(entity, templates), entity_paths(former, templates)
        paths |= dict(zip(*own, strict=True))
    uses = frozenset(use for text in before.values() for use in attributes(text))
    modules = {
        _module(source): _module(path)
        for path, source in paths.items()
        if path != source and path.endswith(".py")
    }
    return {
        path: Move(source, before[source], after[path], uses, modules)
        for path, source in paths.items()
        if path in after and source in before
    }


def _check_names_are_free(old: Spec, new: Spec) -> None:
    """Raise `Unfinished` if an entity takes the name that another one had until now.

    A person's code for the other one is in the files of that name.
    """
    taken = {entity.name for entity in old.entities}
    for entity in new.entities:
        former = find_former(old, entity)
        if former and former.name != entity.name and entity.name in taken:
            raise Unfinished(TAKEN.format(old=former.name, new=entity.name))


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def renames(old: Spec, new: Spec) -> bool:
    """Whether the new spec renames something, and the old one did not do so."""
    return bool(_renames_of(new) - _renames_of(old))


def _renames_of(spec: Spec) -> set[tuple[str, str]]:
    members: list[Entity | Field | Reference | Link] = [*spec.entities]
    for entity in spec.entities:
        members += [*entity.fields, *entity.references, *entity.links]
    return {(one.renamed_from, one.name) for one in members if one.renamed_from}


def _has_a_name_of_its_own(entity: Entity, former: Entity, old: Spec) -> bool:
    """Whether it is called anew, and by a name that nothing else had."""
    others = [one for one in old.entities if one is not former]
    taken = {one.name for one in others} | {one.plural for one in others}
    names = entity.name, entity.plural
    return names != (former.name, former.plural) and taken.isdisjoint(names)


def find_former(old: Spec, entity: Entity) -> Entity | None:
    """What an entity was when the spec was the old one."""
    by_name = {former.name: former for former in old.entities}
    same = by_name.get(entity.name)
    if same and same.renamed_from == entity.renamed_from:  # not renamed since
        return same
    return by_name.get(entity.renamed_from or entity.name, same)


def under_former_names(spec: Spec) -> Spec:
    """Return a spec with the names of entities that `renamed_from` tells."""
    former = {
        entity.name: replace(
            entity,
            name=entity.renamed_from,
            plural=naming.table(entity.renamed_from),
        )
        for entity in spec.entities
        if entity.renamed_from
    }
    return _under_new_names(spec, former)


def _under_new_names(old: Spec, renamed: Mapping[str, Entity]) -> Spec:
    """The old spec, with the new names of entities and nothing else new."""
    entities = tuple(_renamed(entity, old, renamed) for entity in old.entities)
    return replace(old, entities=entities)


def _renamed(entity: Entity, old: Spec, renamed: Mapping[str, Entity]) -> Entity:
    def name(of: str) -> str:
        return renamed[of].name if of in renamed else of

    now = renamed.get(entity.name, entity)
    return replace(
        entity,
        name=now.name,
        plural=now.plural,
        references=tuple(
            replace(one, target=name(one.target)) for one in entity.references
        ),
        reverses=tuple(
            replace(one, source=name(one.source)) for one in entity.reverses
        ),
        links=tuple(_renamed_link(entity, link, old, renamed) for link in entity.links),
    )


def _renamed_link(
    entity: Entity, link: Link, old: Spec, renamed: Mapping[str, Entity]
) -> Link:
    target = old.entity(link.target)
    owner, name = (entity, link.name) if link.owner else (target, link.reverse)
    columns = {
        naming.key(side.snake): naming.key(renamed.get(side.name, side).snake)
        for side in (entity, target)
    }
    return replace(
        link,
        target=renamed.get(target.name, target).name,
        table=naming.association(renamed.get(owner.name, owner).plural, name or ""),
        left_column=columns.get(link.left_column, link.left_column),
        right_column=columns.get(link.right_column, link.right_column),
    )


def _words(before: str, after: str) -> dict[str, str]:
    """The words that differ between two texts of one shape, where that is certain."""
    pairs = list(words_of(before)), list(words_of(after))
    if len(pairs[0]) != len(pairs[1]):
        return {}
    words: dict[str, str] = {}
    unsure = set()
    for old, new in zip(*pairs, strict=True):
        if words.setdefault(old, new) != new:
            unsure.add(old)
    return {o: n for o, n in words.items() if o != n and o not in unsure}
