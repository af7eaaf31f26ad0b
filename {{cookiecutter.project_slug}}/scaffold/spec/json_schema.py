"""Builds entities.schema.json for editors, from the tables that the checker uses."""

import json
from collections.abc import Iterable, Mapping

from scaffold.spec.vocabulary import keys, reserved_names
from scaffold.spec.vocabulary.field_types import (
    INDEXED_LENGTH,
    SORTED_BYTES,
    TYPES,
    FieldType,
)
from scaffold.spec.vocabulary.keys import Json, Key

_SYSTEM_COLUMNS = sorted(reserved_names.SYSTEM_COLUMNS)


def render() -> str:
    """Return the text of the file."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def build() -> Json:
    """Return the schema (draft 2020-12), with a description of every key."""
    top = _object(keys.TOP, ["entities"])
    lists: dict[str, Json] = {
        "access": _ACCESS,
        "entities": _list("entity", keys.MAX_ENTITIES, least=1),
        "json_case": _one_of(keys.JSON_CASES),
    }
    top["properties"] = _with_lists(keys.TOP, lists)
    top["allOf"] = [
        {"if": _set("auth"), "then": _WITH_AUTH, "else": _WITHOUT_AUTH},
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "entities.json",
        "description": "The resources that the service stores and serves.",
        **top,
        "$defs": {
            "entity": _entity(),
            "id": _id(),
            "timestamps": _timestamps(),
            "field": _field(),
            "relation": _relation(),
            "access": _object(keys.ACCESS_OF, keys.ACCESS),
            "rules": _rules(),
            "rule": _rule(),
        },
    }


_ACCESS: Json = {"anyOf": [{"$ref": "#/$defs/access"}, {"$ref": "#/$defs/rules"}]}
_WITH_AUTH: Json = {
    "anyOf": [
        {"required": ["access"]},
        {"properties": {"entities": {"items": {"required": ["access"]}}}},
    ]
}


def _off(*names: str) -> Json:
    """Return the schemas of keys that only false is allowed for."""
    return {name: {"const": False} for name in names}


_FIELD_WITHOUT_AUTH: Json = {"properties": _off("read_access", "write_access")}
_ENTITY_WITHOUT_AUTH: Json = {
    "properties": {
        **_off("access", "owner", "actors"),
        "fields": {"items": _FIELD_WITHOUT_AUTH},
    }
}
_WITHOUT_AUTH: Json = {
    "properties": {**_off("access"), "entities": {"items": _ENTITY_WITHOUT_AUTH}}
}


def _rules() -> Json:
    """Return the schema of one rule, or of several of which one must hold."""
    rule: Json = {"$ref": "#/$defs/rule"}
    alone = _but([keys.PUBLIC, keys.AUTHENTICATED, keys.NOBODY])
    several = {"minItems": 2, "maxItems": keys.MAX_RULES, "uniqueItems": True}
    return {
        "description": "A rule, or rules of which one must hold.",
        "anyOf": [
            rule,
            {"type": "array", "minItems": 1, "maxItems": 1, "items": rule},
            {"type": "array", **several, "items": {**rule, **alone}},
        ],
    }


def _rule() -> Json:
    named: Json = {
        "type": "string",
        "pattern": keys.NAMED_RULE,
        "description": "Whose token has this role or scope, such as role:admin.",
    }
    plain = [{"const": n, "description": d} for n, d in keys.RULES.items()]
    return {"anyOf": [*plain, named]}


def _property(key: Key) -> Json:
    return {"description": key.description, **key.schema}


def _with_lists(table: Mapping[str, Key], lists: Mapping[str, Json]) -> Json:
    return {name: _property(key) | lists.get(name, {}) for name, key in table.items()}


def _object(table: Mapping[str, Key], required: Iterable[str]) -> Json:
    return {
        "type": "object",
        "required": list(required),
        "additionalProperties": False,
        "properties": _with_lists(table, {}),
    }


def _list(definition: str, most: int, least: int = 0) -> Json:
    items = {"$ref": f"#/$defs/{definition}"}
    return {"type": "array", "minItems": least, "maxItems": most, "items": items}


def _entity() -> Json:
    lists: dict[str, Json] = {
        "name": _but(reserved_names.CLASSES | reserved_names.FASTAPI_SCHEMAS),
        "plural": _own_name(reserved_names.TABLES),
        "table": _own_name(reserved_names.TABLES),
        "schema": _own_name(reserved_names.SCHEMAS),
        "url": _but(reserved_names.SEGMENTS),
        "id": {"anyOf": [_one_of(keys.ID_TYPES), {"$ref": "#/$defs/id"}]},
        "timestamps": {"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/timestamps"}]},
        "access": _ACCESS,
        "owner": {
            "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": keys.NAME}]
        },
        "fields": _list("field", keys.MAX_MEMBERS),
        "relations": _list("relation", keys.MAX_MEMBERS),
    }
    entity = _object(keys.ENTITY, ["name"])
    entity["description"] = "A resource with its table, classes and URLs."
    entity["properties"] = _with_lists(keys.ENTITY, lists)
    timeless: Json = {
        "properties": {"timestamps": {"const": False}},
        "required": ["timestamps"],
    }
    entity["allOf"] = [{"if": timeless, "else": _with_times()}]
    return entity


def _with_times() -> Json:
    """Return what holds for entities that have created_at and updated_at."""
    name: Json = {"properties": {"name": _but(keys.SET_BY_SERVICE)}}
    together: Json = {"items": {"items": _but(keys.SET_BY_SERVICE)}}
    members: Json = {"items": name}
    return {"properties": {"fields": members, "relations": members, "unique": together}}


def _id() -> Json:
    one = _object(keys.ID, [])
    one["description"] = keys.ENTITY["id"].description
    lists: dict[str, Json] = {
        "name": _but(reserved_names.SYSTEM_COLUMNS),
        "type": _one_of(keys.ID_TYPES),
    }
    one["properties"] = _with_lists(keys.ID, lists)
    sent: Json = {
        "properties": {"type": {"const": "string"}, "generated": {"const": False}},
        "required": ["type", "generated"],
    }
    one["allOf"] = [
        {"if": _type_is(["integer"]), "else": _without(keys.ID, ["bits"])},
        {"if": sent, "else": _without(keys.ID, ["max_length", "pattern"])},
    ]
    return one


def _without(table: Iterable[str], names: Iterable[str]) -> Json:
    left = [name for name in table if name not in names]
    return {"propertyNames": {"enum": left}}


def _timestamps() -> Json:
    one = _object(keys.TIMESTAMPS, [])
    one["description"] = keys.ENTITY["timestamps"].description
    taken = _but({"id", *reserved_names.SYSTEM_COLUMNS})
    one["properties"] = _with_lists(
        keys.TIMESTAMPS, dict.fromkeys(keys.TIMESTAMPS, taken)
    )
    return one


def _one_of(options: Mapping[str, str]) -> Json:
    return {"oneOf": [{"const": n, "description": d} for n, d in options.items()]}


def _but(names: Iterable[str]) -> Json:
    return {"not": {"enum": sorted(names)}}


def _own_name(taken: Iterable[str]) -> Json:
    """Return the schema of the name of a table or schema."""
    return {"not": {"anyOf": [{"enum": sorted(taken)}, {"pattern": "^pg_"}]}}


def _field() -> Json:
    """Return the schema of a field; `if` and `then` add the keys of its type."""
    every: dict[str, Key] = dict(keys.FIELD)
    for one in TYPES.values():
        for name, key in one.keys.items():
            every.setdefault(name, Key(key.kind, key.description))
    types = _one_of({name: one.description for name, one in TYPES.items()})
    field = _object(every, ["name", "type"])
    field["description"] = "A column that is not a reference."
    lists = {"name": _but(["id"]), "type": types, "column": _but(_SYSTEM_COLUMNS)}
    field["properties"] = _with_lists(every, lists)
    named = {"properties": {"name": _but(_SYSTEM_COLUMNS)}}
    field["allOf"] = [
        {"if": {"not": {"required": ["column"]}}, "then": named},
        *(
            _not_both("read_only", key)
            for key in ("required", "write_only", "immutable")
        ),
        _not_both("nullable", "required"),
        *(
            {"if": _set(flag), "then": {"not": {"required": [key]}}}
            for key, (flag, _) in keys.NO_EFFECT.items()
        ),
        {"if": _set("write_only"), "then": _WRITE_ONLY},
        {"if": _set("nullable"), "then": {"required": ["default"]}},
        {
            "if": {
                "properties": {"nullable": {"const": False}},
                "required": ["nullable"],
            },
            "then": {"anyOf": [{"required": ["default"]}, _set("required")]},
        },
        *(_if_type(name, one) for name, one in TYPES.items()),
    ]
    return field


_WRITE_ONLY: Json = {
    "not": {"required": ["example"]},
    "properties": {"markup": {"const": "keep"}},
}


def _set(*flags: str) -> Json:
    """Return the schema of what has these flags."""
    properties: Json = {key: {"const": True} for key in flags}
    return {"properties": properties, "required": list(flags)}


def _not_both(*flags: str) -> Json:
    return {"not": _set(*flags)}


def _if_type(name: str, one: FieldType) -> Json:
    properties: Json = {own: _property(key) for own, key in one.keys.items()}
    values = _values(name, one)
    if "array" not in one.keys:
        properties |= values
    if not one.indexable:
        reason = f"A {name} field cannot be unique or indexed."
        for flag in ("unique", "index", "filter", "sort"):
            if flag != "filter" or not one.null_filter:
                properties[flag] = {"description": reason, "const": False}
    then: Json = {
        "propertyNames": {"enum": [*keys.FIELD, *one.keys]},
        "properties": properties,
    }
    if "values" in one.keys:
        then["required"] = ["values"]
    more: list[Json] = []
    if "array" in one.keys:
        alone = {**values, "min_items": False, "max_items": False}
        items = {"type": "array", "items": one.default_schema}
        described = {key: {**_described(key), **items} for key in values}
        several = described | _off(*keys.NO_ARRAY)
        parts = {"then": {"properties": several}, "else": {"properties": alone}}
        more.append({"if": _set("array"), **parts})
    if name == "string":
        flags = ("unique", "index", "filter")
        more += [
            *(_short_if(flag, INDEXED_LENGTH) for flag in flags),
            _short_if("sort", SORTED_BYTES // 4),
        ]
    if more:
        then["allOf"] = more
    return {"if": _type_is([name]), "then": then}


def _values(name: str, one: FieldType) -> dict[str, Json]:
    """Return the schemas of the default and the example of a single value."""
    schema = one.default_schema or {"not": {"type": "null"}}
    values = {key: {**_described(key), **schema} for key in ("default", "example")}
    if made := keys.MADE_DEFAULTS.get(name):
        constant = {"description": "A constant.", **one.default_schema}
        both = [constant, {"description": "The database makes it.", "const": made}]
        values["default"] = {**_described("default"), "anyOf": both}
    return values


def _described(key: str) -> Json:
    return {"description": keys.FIELD[key].description}


def _short_if(flag: str, most: int) -> Json:
    short = {
        "description": "The size of an index entry, or of a cursor, is limited.",
        "maximum": most,
    }
    return {
        "if": {"properties": {flag: {"const": True}}, "required": [flag]},
        "then": {"properties": {"max_length": short}},
    }


def _type_is(names: Iterable[str]) -> Json:
    return {"properties": {"type": {"enum": list(names)}}, "required": ["type"]}


def _relation() -> Json:
    lists: dict[str, Json] = {
        "name": _but(["id"]),
        "back_populates": _but(["id"]),
        "column": _but(_SYSTEM_COLUMNS),
        "type": _one_of(keys.RELATION_TYPES),
        "on_delete": _one_of(keys.ON_DELETE),
    }
    relation = _object(keys.RELATION, ["name", "type", "target"])
    relation["description"] = "A relation to another entity."
    relation["properties"] = _with_lists(keys.RELATION, lists)
    others = [name for name in keys.RELATION_TYPES if name not in keys.TO_ONE]
    emptied = {"on_delete": {"const": "set_null"}, "required": {"const": True}}
    relation["allOf"] = [
        {"if": _type_is(others), "then": _without(keys.RELATION, keys.ONLY_TO_ONE)},
        {
            "if": _type_is(["one_to_one"]),
            "then": {"properties": {"index": {"const": True}}},
        },
        {
            "if": _type_is(["one_to_many"]),
            "then": {"required": ["back_populates"]},
        },
        {"not": {"properties": emptied, "required": list(emptied)}},
    ]
    return relation
