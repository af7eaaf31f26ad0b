"""Hooks of schemathesis for rules of the service that no JSON schema can express.

schemathesis loads them through SCHEMATHESIS_HOOKS. Valid requests get ids of existing
rows, new values for unique fields, and decimals with as many digits as allowed.
"""

import json
import os
import random
import re
from collections import defaultdict
from typing import Any

import schemathesis
from hypothesis import strategies as st

from tests.harness.schema_samples import NoSample, Sampler, Schema

# By the schema, an email address may have a domain that the service rejects: x@y.local.
EMAIL = r"[a-z0-9]{1,20}(\.[a-z0-9]{1,20})?@[a-z]{2,20}\.com"
schemathesis.openapi.format("email", st.from_regex(EMAIL, fullmatch=True))

# The share of valid requests that are completed; others stay as generated. The phases
# before fuzzing have one or two of an operation: all of these are.
HELPED = 0.8
FEW = {"examples", "coverage"}
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
# Rules of the parameters of lists: the cursor of this list, ten filters, one sort by a
# field, and an empty text, which is no list of one.
LISTS = {"cursor", "too_many_filters", "sort_keys", "no_value"}
# Which ids exist, which keys other requests had, and which versions rows have.
STORED = {"reference_not_found", "idempotency_key_reused", "precondition_failed"}
HEADERS = {"if-match", "if-none-match", "idempotency-key"}
# What cleaning may do to a text that holds markup.
CLEANED = {"string_too_long", "string_too_short", "string_pattern_mismatch"}
MARKUP = set("<>&")
# Bytes of a head that may be refused, whatever its values are: no schema has a limit for
# all parameters together. The service takes 64 KiB; headers are a part of it.
LONG_HEAD = 60_000
# What the id of a link that is null is sent as.
NULL = {"None", None}
# The checks that compare the answer with whether the values fit their schemas.
OF_VALUES = {"AcceptedNegativeData", "RejectedPositiveData"}
BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}

CHANCE = random.Random(os.environ.get("SEED"))
# By the path of a collection: the key of its id, where its references and links lead, and
# which references are behind the lists of its rows; test_contract.py writes it.
COLLECTIONS: dict[str, Any] = json.loads(os.environ["COLLECTIONS"])
# The properties of bodies, by method and path.
PROPERTIES: dict[tuple[str, str], Schema] = {}
SAMPLERS: list[Sampler] = []
# Ids that exist, by collection.
CREATED: dict[str, list[Any]] = defaultdict(list)
# Rows as they were last answered, by collection and id as text.
LAST: dict[tuple[str, str], dict[str, Any]] = {}
# What was deleted with what it refers to, by collection and id as text.
CASCADED: set[tuple[str, str]] = set()
# Names of which a collection takes no value twice, as it has said.
UNIQUE: dict[str, set[str]] = defaultdict(set)


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Note what bodies are made of, and the rows that exist."""
    sampler = Sampler(raw_schema, CHANCE)
    SAMPLERS.append(sampler)
    for path, rows in json.loads(os.environ["ROWS"]).items():
        for row in rows:
            _note(path, row)
    for path, operations in raw_schema["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {})
            schema = sampler.resolve(body.get("application/json", {}).get("schema", {}))
            PROPERTIES[method.upper(), path] = schema.get("properties", {})


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Note what was created and deleted, what refers to what, and what is unique."""
    path = _collection(case)
    if response.status_code in (200, 201) and case.operation.method.upper() != "GET":
        answer = response.json()
        for row in answer["items"] if _is_batch(case) else [answer]:
            _note(path, row)
    elif response.status_code == 409:
        UNIQUE[path] |= set(response.json().get("fields", ()))
    elif response.status_code == 204 and len(case.path_parameters or {}) == 1:
        (gone,) = case.path_parameters.values()
        _forget(path, str(gone))


def _note(path: str, row: dict[str, Any]) -> None:
    collection = COLLECTIONS[path]
    if row[collection["id"]] not in CREATED[path]:
        CREATED[path].append(row[collection["id"]])
    place = (path, str(row[collection["id"]]))
    LAST[place] = row
    CASCADED.discard(place)  # a row with the same id may be created again


def _forget(path: str, gone: str) -> None:
    """Note that a row is deleted, with all that the service deletes with it."""
    CREATED[path][:] = [one for one in CREATED[path] if str(one) != gone]
    LAST.pop((path, gone), None)
    for (other, id), row in list(LAST.items()):
        collection = COLLECTIONS[other]
        for name in collection["cascades"]:
            leads = (collection["references"][name], str(row[name]))
            if leads == (path, gone) and (other, id) in LAST:
                CASCADED.add((other, id))
                _forget(other, id)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let valid requests be what a client would send."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    share = 1 if case.meta.phase.name in FEW else HELPED
    for name, value in [*(case.headers or {}).items()]:
        # Versions are seldom those of the row, and keys seldom new ones. Instead of a tag,
        # schemathesis may send a 0.
        if name.lower() in HEADERS and (value == "0" or CHANCE.random() < share):
            del case.headers[name]
    path, rest = _collection(case), case.operation.path.partition("/{")[2]
    below = rest.split("/")[1:]  # such as actors and {actor_id}
    parameters = case.path_parameters or {}
    if len(parameters) == 1 and CHANCE.random() < share:
        (name,) = parameters
        is_deletion = case.operation.method.upper() == "DELETE"
        ids = (_free(path) if is_deletion else []) or CREATED[path]
        _name_existing(parameters, name, ids)
        behind = COLLECTIONS[path]["lists"].get(below[0]) if below else None
        if behind and (taken := _taken(*behind)):
            parameters[name] = CHANCE.choice(taken)
    if len(parameters) > 1:
        collections = (path, COLLECTIONS[path]["linked"][below[0]])
        for name, collection in zip(_placeholders(case), collections, strict=True):
            _name_existing(parameters, name, CREATED[collection])
    if isinstance(case.body, dict):
        method = case.operation.method.upper()
        whole = path if _is_batch(case) else case.operation.path
        properties = PROPERTIES.get((method, whole), {})
        is_helped = CHANCE.random() < share
        for body in case.body.get("items", []) if _is_batch(case) else [case.body]:
            for name in body.keys() & properties.keys():
                _help(body, name, properties[name], path, is_helped=is_helped)


def _is_batch(case: Any) -> bool:
    return bool(case.operation.path.endswith("/batch"))


def _collection(case: Any) -> str:
    """Return the path of the rows that an operation is about."""
    return str(case.operation.path.partition("/{")[0].removesuffix("/batch"))


def _placeholders(case: Any) -> list[str]:
    """Return the names of the path's parameters in their order."""
    return re.findall(r"{(\w+)}", case.operation.path)


def _taken(path: str, name: str) -> list[Any]:
    """Return the ids that rows of a collection refer to by a key."""
    found = [row.get(name) for (other, _), row in LAST.items() if other == path]
    return [one for one in found if one is not None]


def _free(path: str) -> list[Any]:
    """Return the ids of rows that no reference keeps from being deleted."""
    kept = {
        str(row[name])
        for (other, _), row in LAST.items()
        for name in COLLECTIONS[other]["restricts"]
        if COLLECTIONS[other]["references"][name] == path
    }
    return [one for one in CREATED[path] if str(one) not in kept]


def _help(
    body: dict[str, Any], name: str, schema: Schema, path: str, *, is_helped: bool
) -> None:
    if body[name] is None:
        return
    kinds = {branch.get("type") for branch in schema.get("anyOf", [schema])}
    collection = COLLECTIONS[path]
    if name in collection["links"]:
        ids = CREATED[collection["links"][name]]
        body[name] = CHANCE.sample(ids, min(2, len(ids)))
    elif name in collection["references"]:
        taken = _taken(path, name) if name in UNIQUE[path] else []
        ids = CREATED[collection["references"][name]]
        free = [one for one in ids if one not in taken]
        _name_existing(body, name, free or ids)
        if body[name] in taken and "null" in kinds:
            body[name] = None
    elif is_helped and (kinds >= DECIMAL or name in UNIQUE[path]):
        try:
            body[name] = SAMPLERS[-1].value(schema)
        except NoSample:
            return


def _name_existing(values: dict[str, Any], name: str, ids: list[Any]) -> None:
    if ids and values[name] not in ids:
        values[name] = CHANCE.choice(ids)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep a failure, unless a schema could not have said so."""
    kind = type(failure).__name__
    if _is_batch(case) and case.method.upper() != "POST":
        return False  # it is also the path of a row with this id
    problem = response.json()
    if kind in OF_VALUES and problem.get("error") == "header_too_large":
        return _head(response.request) < LONG_HEAD
    if kind == "EnsureResourceAvailability":
        # What is missing may be another row, such as the reverse side of a one-to-one
        # relation; or it was deleted with its parent, by a request on another path.
        own = case.path_parameters[_placeholders(case)[0]]
        path = case.operation.path.partition("/{")[0]
        deleted = (path, str(own)) in CASCADED
        return str(problem.get("resource_id")) == str(own) and not deleted
    if kind != "RejectedPositiveData":
        return True
    if problem["error"] in STORED:
        return False
    if NULL & set((case.path_parameters or {}).values()):
        return False  # a link that was followed out of an answer where it is null
    errors = problem.get("errors", [])
    return not errors or not all(_is_beyond_schemas(one, case) for one in errors)


def _head(request: Any) -> int:
    """Return about how many bytes the address and the headers of a request have."""
    headers = request.headers.items()
    return len(request.url) + sum(len(name) + len(value) for name, value in headers)


def _is_beyond_schemas(problem: dict[str, Any], case: Any) -> bool:
    query = case.query or {}
    name = problem["field"].removeprefix("/")
    if problem["in"] == "query" and name in query and query[name] in (None, "None"):
        return True  # a link that was followed out of an answer where it is null
    if problem["type"] in DIGITS | LISTS | {"comparison", "bytes_too_long"}:
        return True
    if (problem["in"], problem["type"]) == ("query", "too_long"):
        return True  # a comma in a value separates two
    value = case.body
    for name in problem["field"].split("/")[1:]:
        if isinstance(value, list):
            value = value[int(name)]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    if problem["type"] in CLEANED:
        return isinstance(value, str) and bool(MARKUP & set(value))
    return problem["type"] in BOUNDS and isinstance(value, str)
