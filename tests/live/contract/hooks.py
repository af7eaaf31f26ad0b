"""What schemathesis is told about a generated service: what no schema can say.

Loaded by schemathesis itself, through SCHEMATHESIS_HOOKS. Valid requests get what any
client knows: rows that exist, new values where there may be no second, decimals of as
many digits as there may be.
"""

import json
import os
import random
from collections import defaultdict
from typing import Any

import schemathesis
from hypothesis import strategies as st

from tools.samples import NoSample, Sampler, Schema

# What a schema calls an e-mail address may be at a domain that is nobody's: x@y.local.
EMAIL = r"[a-z0-9]{1,20}(\.[a-z0-9]{1,20})?@[a-z]{2,20}\.com"
schemathesis.openapi.format("email", st.from_regex(EMAIL, fullmatch=True))

# How often valid requests are helped; the others stay as they were generated.
HELPED = 0.8
# What a decimal is sent as.
DECIMAL = {"number", "string"}
# Rules of its digits, and of its bounds where it is sent as text.
DIGITS = {
    "decimal_max_digits",
    "decimal_max_places",
    "decimal_parsing",
    "decimal_whole_digits",
}
BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}

# The properties of bodies, by method and path.
PROPERTIES: dict[tuple[str, str], Schema] = {}
SAMPLERS: list[Sampler] = []
# Collections by the parameter that names one of their members, and ids that exist.
OWNERS: dict[str, str] = {}
CREATED: dict[str, list[str]] = defaultdict(list)
CREATED |= json.loads(os.environ.get("CREATED", "{}"))
# Rows that others refer to, by the key that does: `passport_id`; and by its path too.
REFERRED: dict[str, list[str]] = defaultdict(list)
TAKEN: dict[tuple[str, str], list[str]] = defaultdict(list)
# Names of which a path takes no value twice, as it has said.
UNIQUE: dict[str, set[str]] = defaultdict(set)


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Note what bodies are made of, and where ids come from: `tag_id` from /tags."""
    sampler = Sampler(raw_schema, random.Random(1))
    SAMPLERS.append(sampler)
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
    path = case.operation.path
    if response.status_code == 201:
        CREATED[path].append(response.json()["id"])
        for name, value in response.json().items():
            if name.endswith("_id") and value is not None:
                REFERRED[name].append(value)
                TAKEN[path, name].append(value)
    elif response.status_code == 409:
        UNIQUE[path.partition("/{")[0]] |= set(response.json().get("fields", ()))
    elif response.status_code == 204 and len(case.path_parameters or {}) == 1:
        for gone in case.path_parameters.values():
            for ids in CREATED.values():
                ids[:] = [one for one in ids if one != gone]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let valid requests be what a client would send."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    path, parameters = case.operation.path, case.path_parameters or {}
    if len(parameters) == 1 and random.random() < HELPED:
        (name,) = parameters
        _name_existing(parameters, name)
        if REFERRED[name] and not path.endswith("}"):
            parameters[name] = random.choice(REFERRED[name])
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
        collection = f"/api/v1/{name.removesuffix('_ids').replace('_', '-')}"
        body[name] = random.sample(
            CREATED[collection], min(2, len(CREATED[collection]))
        )
    elif name.endswith("_id"):
        _name_existing(body, name, taken=TAKEN[path, name] * (name in UNIQUE[path]))
    elif "integer" in kinds:
        body[name] = int(body[name])  # to JSON Schema 5.0 is one, to the service not
    elif random.random() < HELPED and (kinds >= DECIMAL or name in UNIQUE[path]):
        try:
            body[name] = SAMPLERS[-1].value(schema)
        except NoSample:
            return


def _name_existing(
    values: dict[str, Any], name: str, owner: str | None = None, taken: Any = ()
) -> None:
    """A relation of a resource with itself has a name that leads nowhere else."""
    ids = CREATED[OWNERS.get(name.removeprefix("other_"), owner or "")]
    free = [one for one in ids if one not in taken]
    if free and values[name] not in free:
        values[name] = random.choice(free)


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
    return problem["type"] in BOUNDS and isinstance(value, str)
