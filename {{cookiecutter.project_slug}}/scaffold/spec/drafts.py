"""Reads the JSON of entities.json into drafts, key by key, and reports bad ones."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from scaffold.patterns import ids, portable
from scaffold.spec import key_values, naming
from scaffold.spec.json.parsing import Array, Object
from scaffold.spec.model import (
    STANDARD_ID,
    STANDARD_TIMES,
    Access,
    Field,
    Id,
    Timestamps,
)
from scaffold.spec.problems import Problems, listing, quote
from scaffold.spec.vocabulary import keys
from scaffold.spec.vocabulary.field_types import SORTED_BYTES, TYPES
from scaffold.spec.vocabulary.keys import Key

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,62}")
_REQUIRED_HINTS = {
    "type": "one of " + ", ".join(TYPES),
    "values": 'list them, such as "values": ["open", "done"]',
    **dict.fromkeys(keys.ACCESS, 'write a rule, such as "nobody"'),
}


@dataclass(eq=False)
class Draft:
    """A JSON object with the values that could be read; `bad` has the other keys."""

    node: Object
    path: str
    siblings: Sequence[object] = ()
    values: dict[str, object] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)

    @cached_property
    def name(self) -> str:
        """The name, or "" if it could not be read."""
        return str(self.values.get("name", ""))

    def at(self, key: str) -> int:
        """Return the offset of the value of a key, or of the object if it has none."""
        return self.node.values_at.get(key, self.node.at)

    def names_of_siblings(self) -> list[str]:
        """Return the names in the same array, also those of bad siblings."""
        nodes = [node for node in self.siblings if isinstance(node, Object)]
        return [str(node.get("name")) for node in nodes]

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    def flag(self, key: str) -> bool:
        return self.values.get(key) is True

    def optional_flag(self, key: str) -> bool | None:
        value = self.values.get(key)
        return value if isinstance(value, bool) else None


@dataclass(eq=False)
class FieldDraft(Draft):
    """A field; `field` is None if a part of it could not be read."""

    field: Field | None = None


@dataclass(eq=False)
class EntityDraft(Draft):
    """An entity with its fields and relations; `label` names it in messages."""

    label: str = ""
    fields: list[FieldDraft] = field(default_factory=list)
    relations: list[Draft] = field(default_factory=list)
    id: Id = STANDARD_ID
    timestamps: Timestamps | None = STANDARD_TIMES
    access: Access | None = None
    camel: bool = False

    @cached_property
    def plural(self) -> str:
        return self.text("plural") or naming.table(self.name)

    @property
    def table(self) -> str:
        return self.text("table") or self.plural

    @property
    def schema(self) -> str | None:
        """The PostgreSQL schema, or None for the default one."""
        schema = self.text("schema")
        return None if schema == keys.DEFAULT_SCHEMA else schema

    @property
    def operations(self) -> tuple[str, ...]:
        """What the API offers."""
        listed = self.values.get("operations")
        return listed if isinstance(listed, tuple) else tuple(keys.OPERATIONS)

    @property
    def owner(self) -> bool | str | None:
        """True, the name of a to-one relation, or None."""
        written = self.values.get("owner")
        return written if isinstance(written, str) else written is True or None

    @property
    def subjects(self) -> dict[str, str]:
        """The columns with subjects of tokens, and the keys that add them."""
        added = dict.fromkeys([keys.OWNER_ID] * (self.owner is True), "owner")
        return added | dict.fromkeys(keys.ACTORS * self.flag("actors"), "actors")

    @property
    def added(self) -> dict[str, str]:
        """The columns that keys add besides those of every entity, with these keys."""
        marks = keys.SOFT_DELETE * self.flag("soft_delete")
        return self.subjects | dict.fromkeys(marks, "soft_delete")

    def at_inner(self, key: str, inner: str) -> int:
        """Return the offset of a value in the object that a key has, if it has one."""
        node = self.node.get(key)
        if isinstance(node, Object) and inner in node.values_at:
            return node.values_at[inner]
        return self.node.values_at.get(key, self.at("name"))


@dataclass(eq=False)
class FileDraft(Draft):
    """The whole file."""

    entities: list[EntityDraft] = field(default_factory=list)
    access: Access | None = None


def read_file(document: object, problems: Problems) -> FileDraft:
    """Return the whole document."""
    if not isinstance(document, Object):
        found = key_values.describe(document)
        message = f'must be an object with "entities", not {found}'
        problems.shape(getattr(document, "at", 0), "", message)
        return FileDraft(Object(0), "")
    top = FileDraft(document, "")
    _read(top, keys.TOP, ["entities"], problems)
    top.access = _access(top, problems)
    listed = top.values.get("entities")
    if not isinstance(listed, Array):
        return top
    if not listed:
        problems.shape(listed.at, "entities", "must not be empty; add an entity")
    if len(listed) > keys.MAX_ENTITIES:
        message = f"has {len(listed)} entities; the limit is {keys.MAX_ENTITIES}"
        problems.shape(listed.at, "entities", message)
        return top
    camel = top.text("json_case") == "camel"
    for index, item in enumerate(listed):
        path = f"entities[{index}]"
        node = _object(item, listed.items_at[index], path, problems)
        if node is not None:
            top.entities.append(_entity(node, path, listed, problems, camel=camel))
    return top


def _object(item: object, at: int, path: str, problems: Problems) -> Object | None:
    if isinstance(item, Object):
        return item
    problems.shape(at, path, f"must be an object, not {key_values.describe(item)}")
    return None


def _entity(
    node: Object,
    path: str,
    siblings: Sequence[object],
    problems: Problems,
    *,
    camel: bool,
) -> EntityDraft:
    written = node.get("name")
    label = path
    if isinstance(written, str) and key_values.CLASS.fullmatch(written):
        label = written[: keys.MAX_NAME]
    draft = EntityDraft(node, label, siblings, label=label, camel=camel)
    _read(draft, keys.ENTITY, ["name"], problems)
    draft.id = _id(draft, problems)
    draft.timestamps = _timestamps(draft, problems)
    draft.access = _access(draft, problems)
    for item in _members(draft, "fields", problems):
        draft.fields.append(_field(item, problems, camel=camel))
    for item in _members(draft, "relations", problems):
        draft.relations.append(_relation(item, problems))
    return draft


def _id(draft: EntityDraft, problems: Problems) -> Id:
    """Return the primary key; the default one if it cannot be read."""
    written = draft.values.get("id")
    if written is None and not draft.camel:
        return STANDARD_ID
    if isinstance(written, Object):
        return _id_object(draft, written, problems)
    if isinstance(written, str):
        try:
            key_values.KINDS["id_type"](written, keys.ID["type"])
        except key_values.BadValue as bad:
            path = f"{draft.path}.id"
            problems.shape(draft.at("id"), path, str(bad), bad.suggestion)
        else:
            return Id(type=written, camel=draft.camel)
    return Id(camel=draft.camel)


def _id_object(draft: EntityDraft, node: Object, problems: Problems) -> Id:
    read = Draft(node, f"{draft.path}.id")
    _read(read, keys.ID, [], problems)
    if read.bad:
        return Id(camel=draft.camel)
    kind = read.text("type") or "uuid"
    generated = read.values.get("generated", True) is True
    sent_string = kind == "string" and not generated
    allowed = {"bits": kind == "integer"}
    allowed |= dict.fromkeys(("max_length", "pattern"), sent_string)
    for key, is_allowed in allowed.items():
        if key in node and not is_allowed:
            what = 'ids of type "integer"'
            if key != "bits":
                what = 'ids of type "string" with "generated": false'
            message = f"only applies to {what}; remove it"
            problems.rule(node.keys_at[key], f"{read.path}.{key}", message)
    values = {"max_length": keys.MAX_ID} if sent_string else {}
    made = Id(**{**values, **read.values}, camel=draft.camel)  # type: ignore[arg-type]
    if made.pattern is not None and sent_string:
        _check_pattern(read, made, problems)
    return made


def _check_pattern(read: Draft, key: Id, problems: Problems) -> None:
    """Refuse a pattern that few ids match, or for which the tests find too few."""
    pattern = str(key.pattern)
    least, _ = portable.lengths(pattern)
    at, what = read.at("pattern"), f"pattern {quote(pattern)}"
    if least > key.length:
        limit = f"max_length {key.length}"
        if "max_length" not in read.node:
            limit = f"the default {limit}"
        message = f"{what} needs at least {least} characters, more than {limit}"
        problems.rule(at, read.path, message)
    elif len(ids.matching(pattern, key.length, keys.MIN_IDS)) < keys.MIN_IDS:
        message = f"fewer than {keys.MIN_IDS} ids were found that match {what}: an id"
        message += f" has 1 to {key.length} of A-Z, a-z, 0-9 and ._~-; correct or"
        message += " simplify it, or use an enum field for a fixed set of values"
        problems.rule(at, read.path, message)


def _timestamps(draft: EntityDraft, problems: Problems) -> Timestamps | None:
    """Return the names of the service's own times, or None if there are none."""
    written = draft.values.get("timestamps", True)
    if written is True and not draft.camel:
        return STANDARD_TIMES
    if isinstance(written, Object):
        read = Draft(written, f"{draft.path}.timestamps")
        _read(read, keys.TIMESTAMPS, [], problems)
        if not read.bad:
            return Timestamps(**read.values, camel=draft.camel)  # type: ignore[arg-type]
    return None if written is False else Timestamps(camel=draft.camel)


def _access(draft: Draft, problems: Problems) -> Access | None:
    """Return the rules of an entity or of the whole file, if they can be read."""
    written = draft.values.get("access")
    if isinstance(written, tuple):
        return Access(**dict.fromkeys(keys.ACCESS, written))
    if not isinstance(written, Object):
        return None
    read = Draft(written, f"{draft.path}.access".removeprefix("."))
    _read(read, keys.ACCESS_OF, [*keys.ACCESS], problems)
    return None if read.bad else Access(**read.values)  # type: ignore[arg-type]


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
            members.append(Draft(node, path, listed))
    return members


def _field(item: Draft, problems: Problems, *, camel: bool) -> FieldDraft:
    draft = FieldDraft(item.node, item.path, item.siblings)
    written = item.node.get("type")
    field_type = TYPES.get(written) if isinstance(written, str) else None
    table = _TABLES[str(written)] if field_type else _TABLE_OF_UNKNOWN_TYPE
    required = ["name", "type"] + ["values"] * (written == "enum")
    _read(draft, table, required, problems, str(written))
    if field_type and not draft.bad:
        draft.field = _build(draft, str(written), camel=camel)
    return draft


# Keys with a default that the model derives.
_OWN = {"nullable": "own_nullable", "column": "own_column", "json": "own_json"}

_EVERY_OWN_KEY: dict[str, Key] = {}
for _type in TYPES.values():
    _EVERY_OWN_KEY |= {
        name: Key("any", key.description) for name, key in _type.keys.items()
    }
# The keys of a field by its type.
_TABLES = {name: {**keys.FIELD, **_type.keys} for name, _type in TYPES.items()}
_TABLE_OF_UNKNOWN_TYPE = {**keys.FIELD, **_EVERY_OWN_KEY}


def _build(draft: FieldDraft, written: str, *, camel: bool) -> Field:
    values = dict(draft.values)
    for key, own in _OWN.items():
        if key in values:
            values[own] = values.pop(key)
    field_type = TYPES[written]
    if field_type.length is not None:
        values.setdefault("max_length", field_type.length)
    if draft.flag("write_only"):
        values["markup"] = "keep"  # secrets are stored as they were sent
    elif field_type.markup is not None:
        values.setdefault("markup", field_type.markup)
    for key in ("read_access", "write_access"):
        if values.get(key) == (keys.PUBLIC,):
            del values[key]  # as the entity
    if written == "decimal":
        values.setdefault("precision", 18)
        values.setdefault("scale", 2)
    if camel:
        values["camel"] = True
    made = Field.of(values)
    if (
        made.sortable
        and made.sort is None
        and field_type.index_bytes(made) > SORTED_BYTES
    ):
        return Field.of({**values, "sort": False})
    return made


def _relation(item: Draft, problems: Problems) -> Draft:
    draft = Draft(item.node, item.path, item.siblings)
    _read(draft, keys.RELATION, ["name", "type", "target"], problems)
    written = draft.text("type")
    if written and written not in keys.TO_ONE:
        for key in keys.ONLY_TO_ONE:
            if key in draft.node:
                _misplaced(draft, key, written, problems)
    if written == "one_to_one" and draft.values.get("index") is False:
        message = "a one_to_one relation is unique, and needs its index; remove it"
        problems.rule(draft.node.keys_at["index"], f"{draft.path}.index", message)
    if written == "one_to_many" and "back_populates" not in draft.node:
        draft.bad.add("back_populates")
        problems.shape(
            draft.node.at,
            draft.path,
            '"back_populates" is required for one_to_many: the name of the many_to_one '
            "relation on the target",
        )
    return draft


def _misplaced(draft: Draft, key: str, written: str, problems: Problems) -> None:
    draft.bad.add(key)
    fix = "remove it"
    if written == "one_to_many":
        fix = "set it on the many_to_one relation of the target"
    message = f"does not apply to {written}; {fix}"
    problems.shape(draft.node.keys_at[key], f"{draft.path}.{key}", message)


def _read(
    draft: Draft,
    table: Mapping[str, Key],
    required: Collection[str],
    problems: Problems,
    field_type: str = "",
) -> None:
    """Read every key by its table; add those that cannot be used to `draft.bad`."""
    prefix = f"{draft.path}." if draft.path else ""
    for name, value in draft.node.items():
        key = table.get(name)
        try:
            if key is None:
                raise _unknown_key(name, table, field_type, draft.node)
            draft.values[name] = key_values.KINDS[key.kind](value, key)
        except key_values.BadValue as bad:
            draft.bad.add(name)
            places = draft.node.values_at if key else draft.node.keys_at
            item = "" if bad.item is None else f"[{bad.item}]"
            shown = name if _PLAIN_KEY.fullmatch(name) else quote(name)
            at = places[name] if bad.at is None else bad.at
            suggestion = bad.suggestion
            if name == "name" and suggestion is not None:
                suggestion = replace(suggestion, taken=draft.names_of_siblings)
            problems.shape(at, f"{prefix}{shown}{item}", str(bad), suggestion)
    for name in required:
        if name not in draft.node:
            draft.bad.add(name)
            hint = f"; {_REQUIRED_HINTS[name]}" if name in _REQUIRED_HINTS else ""
            if name == "type" and not field_type:
                hint = f"; one of {listing(keys.RELATION_TYPES)}"
            problems.shape(draft.node.at, draft.path, f'"{name}" is required{hint}')


def _unknown_key(
    name: str, table: Mapping[str, Key], field_type: str, present: Collection[str]
) -> key_values.BadValue:
    if field_type and name in _EVERY_OWN_KEY:
        own = TYPES[field_type].keys
        takes = f"which takes {listing(own)}" if own else "which has no keys of its own"
        message = f"does not apply to type {quote(field_type)}, {takes}"
        return key_values.BadValue(message)
    return key_values.unknown_key(name, table, present)
