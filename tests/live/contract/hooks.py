"""Hooks of schemathesis for rules of the service that no JSON schema can express.

schemathesis loads them through SCHEMATHESIS_HOOKS. Valid requests get ids of existing
rows, new values for unique fields, and decimals with as many digits as allowed.
"""

import json
import os
import random
from collections import defaultdict
from typing import Any

import schemathesis
from hypothesis import strategies as st

from tests.harness.schema_samples import NoSample, Sampler, Schema

# By the schema, an email address may have a domain that the service rejects: x@y.local.
EMAIL = r"[a-z0-9]{1,20}(\.[a-z0-9]{1,20})?@[a-z]{2,20}\.com"
schemathesis.openapi.format("email", st.from_regex(EMAIL, fullmatch=True))

# The share of valid requests that are completed; others stay as generated.
HELPED = 0.8
# What a decimal is sent as.
DECIMAL = {"number", "string"}
# Rules of its digits, and of its bounds where it is sent as text.
DIGITS = {
    "decimal_max_digits",
    "decimal_max_places",
    "decimal_number",
    "decimal_parsing",
    "decimal_whole_digits",
}
# What cleaning may do to a text that holds markup.
CLEANED = {"string_too_long", "string_too_short", "string_pattern_mismatch"}
MARKUP = set("<>&")
BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}

CHANCE = random.Random(os.environ.get("SEED"))
# The properties of bodies, by method and path.
PROPERTIES: dict[tuple[str, str], Schema] = {}
SAMPLERS: list[Sampler] = []
# Collections by the parameter that names one of their members, and ids that exist.
OWNERS: dict[str, str] = {}
CREATED: dict[str, list[str]] = defaultdict(list)
# Rows that others refer to, by the key that does: `passport_id`; and by its path too.
REFERRED: dict[str, list[str]] = defaultdict(list)
TAKEN: dict[tuple[str, str], list[str]] = defaultdict(list)
# Names of which a collection takes no value twice, as it has said.
UNIQUE: dict[str, set[str]] = defaultdict(set)


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Note what bodies are made of, and where ids come from: `tag_id` from /tags."""
    sampler = Sampler(raw_schema, CHANCE)
    SAMPLERS.append(sampler)
    for path, rows in json.loads(os.environ["ROWS"]).items():
        for row in rows:
            _note(path, row)
    for path, operations in raw_schema["paths"].items():
        owner, _, parameter = path.partition("/{")
        if parameter.endswith("}") and "/" not in parameter:
            OWNERS[parameter[:-1]] = owner
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {})
            schema = sampler.resolve(body.get("application/json", {}).get("schema", {}))
            PROPERTIES[method.upper(), path] = schema.get("properties", {})


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Note what was created and deleted, what refers to what, and what is unique."""
    path = case.operation.path.partition("/{")[0]
    if response.status_code in (200, 201) and case.operation.method.upper() != "GET":
        _note(path, response.json())
    elif response.status_code == 409:
        UNIQUE[path] |= set(response.json().get("fields", ()))
    elif response.status_code == 204 and len(case.path_parameters or {}) == 1:
        for gone in case.path_parameters.values():
            for ids in CREATED.values():
                ids[:] = [one for one in ids if one != gone]


def _note(path: str, row: dict[str, Any]) -> None:
    if row["id"] not in CREATED[path]:
        CREATED[path].append(row["id"])
    for name, value in row.items():
        if name.endswith("_id") and value is not None:
            REFERRED[name].append(value)
            TAKEN[path, name].append(value)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let valid requests be what a client would send."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    path, parameters = case.operation.path, case.path_parameters or {}
    if len(parameters) == 1 and CHANCE.random() < HELPED:
        (name,) = parameters
        _name_existing(parameters, name)
        if REFERRED[name] and not path.endswith("}"):
            parameters[name] = CHANCE.choice(REFERRED[name])
    if len(parameters) > 1:
        owner = OWNERS.get(next(iter(parameters)))
        for name in parameters:
            _name_existing(parameters, name, owner)
    if isinstance(case.body, dict):
        properties = PROPERTIES.get((case.operation.method.upper(), path), {})
        for name in case.body.keys() & properties.keys():
            _help(case.body, name, properties[name], path.partition("/{")[0])


def _help(body: dict[str, Any], name: str, schema: Schema, path: str) -> None:
    if body[name] is None:
        return
    kinds = {branch.get("type") for branch in schema.get("anyOf", [schema])}
    if name.endswith("_ids"):
        ids = CREATED[OWNERS.get(name.removesuffix("s"), "")]
        body[name] = CHANCE.sample(ids, min(2, len(ids)))
    elif name.endswith("_id"):
        taken = TAKEN[path, name] if name in UNIQUE[path] else []
        _name_existing(body, name, path, taken)
        if body[name] in taken and "null" in kinds:
            body[name] = None
    elif CHANCE.random() < HELPED and (kinds >= DECIMAL or name in UNIQUE[path]):
        try:
            body[name] = SAMPLERS[-1].value(schema)
        except NoSample:
            return


def _name_existing(
    values: dict[str, Any], name: str, owner: str | None = None, taken: Any = ()
) -> None:
    """`billing_address_id` is named after addresses; `parent_id` leads back here."""
    names = (one for one in OWNERS if f"_{name}".endswith(f"_{one}"))
    ids = CREATED[OWNERS.get(next(names, ""), owner or "")]
    free = [one for one in ids if one not in taken]
    if free and values[name] not in free:
        values[name] = CHANCE.choice(free)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep a failure, unless a schema could not have said so."""
    problem = response.json()
    kind = type(failure).__name__
    if kind == "EnsureResourceAvailability":
        # Nothing points back at it yet: the reverse side of a one-to-one relation.
        return "resource_id" in problem
    if kind != "RejectedPositiveData":
        return True
    if problem["error"] == "reference_not_found":
        return False  # which ids exist
    if {"None", None} & set((case.path_parameters or {}).values()):
        return False  # a link that was followed out of an answer where it is null
    return not all(_is_beyond_schemas(one, case) for one in problem["errors"])


def _is_beyond_schemas(problem: dict[str, Any], case: Any) -> bool:
    if problem["type"] in DIGITS:
        return True
    value = case.body
    for name in problem["field"].split("/")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    if problem["type"] in CLEANED:
        return isinstance(value, str) and bool(MARKUP & set(value))
    return problem["type"] in BOUNDS and isinstance(value, str)
