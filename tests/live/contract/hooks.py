"""What schemathesis is told about a generated service: what no schema can say.

Loaded by schemathesis itself, through SCHEMATHESIS_HOOKS.
"""

import json
import os
import random
from collections import defaultdict
from typing import Any

import schemathesis

# The bounds of a decimal that is sent as text.
BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
# What a valid request does with rows that exist; else most would name none.
NAMING = 0.7
# Collections by the parameter that names one of their members, and ids that exist.
OWNERS: dict[str, str] = {}
CREATED: dict[str, list[str]] = defaultdict(list)
CREATED |= json.loads(os.environ.get("CREATED", "{}"))
# Rows that others refer to, by the key that does: `passport_id`.
REFERRED: dict[str, list[str]] = defaultdict(list)


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Note where each id comes from: `tag_id` from /api/v1/tags."""
    for path in raw_schema["paths"]:
        owner, _, parameter = path.partition("/{")
        if parameter.endswith("}") and "/" not in parameter:
            OWNERS[parameter[:-1]] = owner


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Note what was created, and what refers to what."""
    if response.status_code == 201:
        CREATED[case.operation.path].append(response.json()["id"])
        for name, value in response.json().items():
            if name.endswith("_id") and value is not None:
                REFERRED[name].append(value)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let valid requests name rows that exist, as clients do, where one has to."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if len(case.path_parameters or {}) == 1 and random.random() < NAMING:
        (name,) = case.path_parameters
        _name_existing(case.path_parameters, name)
        if REFERRED[name] and not case.operation.path.endswith("}"):
            case.path_parameters[name] = random.choice(REFERRED[name])
    if len(case.path_parameters or {}) > 1:
        owner = OWNERS.get(next(iter(case.path_parameters)))
        for name in case.path_parameters:
            _name_existing(case.path_parameters, name, owner)
    if isinstance(case.body, dict):
        for name, value in case.body.items():
            if name.endswith("_id") and value is not None:
                _name_existing(case.body, name)


def _name_existing(values: dict[str, Any], name: str, owner: str | None = None) -> None:
    """A relation of a resource with itself has a name that leads nowhere else."""
    ids = CREATED[OWNERS.get(name.removeprefix("other_"), owner or "")]
    if ids and values[name] not in ids:
        values[name] = random.choice(ids)


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
    value = case.body
    for name in problem["field"].split("/")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    if problem["type"] in BOUNDS and isinstance(value, str):
        return True
    if "not a valid email address" in problem["message"]:
        return True  # such as a name that is reserved: x@y.local
    # For JSON Schema 5.0 is an integer; for a strict service it is none.
    return problem["type"] == "int_type" and isinstance(value, float)
