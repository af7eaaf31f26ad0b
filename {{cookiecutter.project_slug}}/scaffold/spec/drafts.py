"""JSON nodes to drafts: every key read by its table, what is wrong reported."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from scaffold.spec import naming
from scaffold.spec.checks import key_values
from scaffold.spec.json.parsing import Array, Object
from scaffold.spec.model import MISSING, Field
from scaffold.spec.problems import Problems, listing, quote
from scaffold.spec.vocabulary import keys, synonyms
from scaffold.spec.vocabulary.field_types import TYPES
from scaffold.spec.vocabulary.keys import Key

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,62}")
_MISSING_HINTS = {
    "type": "one of " + ", ".join(TYPES),
    "values": 'list them: "values": ["open", "done"]',
}


@dataclass(eq=False)
class Draft:
    """One JSON object with the values that could be read from it."""

    node: Object
    path: str
    values: dict[str, object] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)

    @cached_property
    def name(self) -> str:
        """The name, or "" where it could not be read."""
        return str(self.values.get("name", ""))

    def at(self, key: str) -> int:
        """Where the value of a key stands, else the object itself."""
        return self.node.values_at.get(key, self.node.at)

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    def flag(self, key: str) -> bool:
        return self.values.get(key) is True


@dataclass(eq=False)
class FieldDraft(Draft):
    """A field; `field` is None where something in it could not be read."""

    field: Field | None = None


@dataclass(eq=False)
class EntityDraft(Draft):
    """An entity with its members, and the raw composite lists."""

    label: str = ""
    fields: list[FieldDraft] = field(default_factory=list)
    relations: list[Draft] = field(default_factory=list)

    @cached_property
    def plural(self) -> str:
        return self.text("plural") or naming.plural(naming.snake(self.name))


def read_entities(document: object, problems: Problems) -> list[EntityDraft]:
    """Read the whole document."""
    if not isinstance(document, Object):
        message = f'must be an object with "entities", not {key_values.kind(document)}'
        problems.shape(getattr(document, "at", 0), "", message)
        return []
    top = Draft(document, "")
    _read(top, keys.TOP, ["entities"], problems)
    listed = top.values.get("entities")
    if not isinstance(listed, Array):
        return []
    if not listed:
        problems.shape(listed.at, "entities", "is empty; describe at least one entity")
    if len(listed) > keys.MAX_ENTITIES:
        message = f"has {len(listed)} entities; the limit is {keys.MAX_ENTITIES}"
        problems.shape(listed.at, "entities", message)
        return []
    drafts = []
    for index, item in enumerate(listed):
        path = f"entities[{index}]"
        node = _object(item, listed.items_at[index], path, problems)
        if node is not None:
            drafts.append(_entity(node, path, problems))
    return drafts


def _object(item: object, at: int, path: str, problems: Problems) -> Object | None:
    if isinstance(item, Object):
        return item
    problems.shape(at, path, f"must be an object, not {key_values.kind(item)}")
    return None


def _entity(node: Object, path: str, problems: Problems) -> EntityDraft:
    written = node.get("name")
    label = path
    if isinstance(written, str) and key_values.CLASS.fullmatch(written):
        label = written[: keys.MAX_NAME]
    draft = EntityDraft(node, label, label=label)
    _read(draft, keys.ENTITY, ["name"], problems)
    for item in _members(draft, "fields", problems):
        draft.fields.append(_field(item, problems))
    for item in _members(draft, "relations", problems):
        draft.relations.append(_relation(item, problems))
    return draft


def _members(draft: EntityDraft, key: str, problems: Problems) -> list[Draft]:
    listed = draft.values.get(key)
    if not isinstance(listed, Array):
        return []
    if len(listed) > keys.MAX_MEMBERS:
        message = f"has {len(listed)} items; the limit is {keys.MAX_MEMBERS}"
        problems.shape(listed.at, f"{draft.label}.{key}", message)
        return []
    members = []
    for index, item in enumerate(listed):
        path = f"{draft.label}.{key}[{index}]"
        node = _object(item, listed.items_at[index], path, problems)
        if node is not None:
            members.append(Draft(node, path))
    return members


def _field(item: Draft, problems: Problems) -> FieldDraft:
    draft = FieldDraft(item.node, item.path)
    written = item.node.get("type")
    field_type = TYPES.get(written) if isinstance(written, str) else None
    table = _TABLES[str(written)] if field_type else _TABLE_OF_NO_TYPE
    required = ["name", "type"] + ["values"] * (written == "enum")
    _read(draft, table, required, problems, str(written))
    if field_type and not draft.bad:
        draft.field = _build(draft, str(written))
    return draft


_EVERY_OWN_KEY: dict[str, Key] = {}
for _type in TYPES.values():
    _EVERY_OWN_KEY |= {
        name: Key("any", key.description) for name, key in _type.keys.items()
    }
# What a field of each type takes.
_TABLES = {name: {**keys.FIELD, **_type.keys} for name, _type in TYPES.items()}
_TABLE_OF_NO_TYPE = {**keys.FIELD, **_EVERY_OWN_KEY}


def _build(draft: FieldDraft, written: str) -> Field:
    values = dict(draft.values)
    field_type = TYPES[written]
    if written in ("string", "email", "url"):
        values.setdefault("max_length", field_type.length)
    if written == "decimal":
        values.setdefault("precision", 18)
        values.setdefault("scale", 2)
    values.setdefault("default", MISSING)
    return Field(**values)  # type: ignore[arg-type]  # the table checked each of them


def _relation(item: Draft, problems: Problems) -> Draft:
    draft = Draft(item.node, item.path)
    _read(draft, keys.RELATION, ["name", "type", "target"], problems)
    written = draft.text("type")
    if written and written not in keys.TO_ONE:
        for key in keys.ONLY_TO_ONE:
            if key in draft.node:
                _misplaced(draft, key, written, problems)
    if written == "one_to_many" and "back_populates" not in draft.node:
        draft.bad.add("back_populates")
        problems.shape(
            draft.node.at,
            draft.path,
            '"back_populates" is missing: a one_to_many needs the name of the '
            "relation on its target that holds the key",
        )
    return draft


def _misplaced(draft: Draft, key: str, written: str, problems: Problems) -> None:
    draft.bad.add(key)
    side = "the many_to_one on the target" if written == "one_to_many" else ""
    mend = f"set it on {side}" if side else "its rows are only links, remove it"
    message = f"does not apply to {written}: {mend}"
    problems.shape(draft.node.keys_at[key], f"{draft.path}.{key}", message)


def _read(
    draft: Draft,
    table: Mapping[str, Key],
    required: Collection[str],
    problems: Problems,
    field_type: str = "",
) -> None:
    """Read every key by its table; remember in `bad` those that cannot be used."""
    prefix = f"{draft.path}." if draft.path else ""
    for name, value in draft.node.items():
        key = table.get(name)
        try:
            if key is None:
                raise _unknown_key(name, table, field_type)
            draft.values[name] = key_values.KINDS[key.kind](value, key)
        except key_values.Bad as bad:
            draft.bad.add(name)
            places = draft.node.values_at if key else draft.node.keys_at
            item = "" if bad.item is None else f"[{bad.item}]"
            shown = name if _PLAIN_KEY.fullmatch(name) else quote(name)
            at = places[name] if bad.at is None else bad.at
            problems.shape(at, f"{prefix}{shown}{item}", str(bad), bad.meant)
    for name in required:
        if name not in draft.node:
            draft.bad.add(name)
            hint = f"; {_MISSING_HINTS[name]}" if name in _MISSING_HINTS else ""
            if name == "type" and not field_type:
                hint = f"; one of {listing(keys.RELATION_TYPES)}"
            problems.shape(draft.node.at, draft.path, f'"{name}" is missing{hint}')


def _unknown_key(
    name: str, table: Mapping[str, Key], field_type: str
) -> key_values.Bad:
    if field_type and name in _EVERY_OWN_KEY:
        own = TYPES[field_type].keys
        has = f"its own keys are {listing(own)}" if own else "it has no keys of its own"
        return key_values.Bad(f"does not apply to type {quote(field_type)}; {has}")
    return key_values.unknown("key", name, table, synonyms.KEYS)
