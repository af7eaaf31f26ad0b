"""Tests a running service: rows of every entity, with every verb that it has.

    python -m tools.smoke http://127.0.0.1:8000

It only needs the service's OpenAPI document, so it works for any entities.
"""

import argparse
import datetime as dt
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any

from tests.harness.schema_samples import NoSample, Sampler, Schema
from tools.smoke_client import Client, Unexpected, difference
from tools.smoke_lists import ListCheck, key_of

MORE_ROWS = 2
SYSTEM = ("/health/health", "/health/ready", "/metrics/metrics", "/docs", "/redoc")


@dataclass
class Resource:
    """One entity of the OpenAPI document."""

    path: str
    create: Schema
    update: Schema
    verbs: set[str] = field(default_factory=set)  # of one row
    lists: dict[str, Schema] = field(default_factory=dict)  # of other entities' rows
    own_list: Schema | None = None
    row: dict[str, Any] = field(default_factory=dict)
    more_rows: list[dict[str, Any]] = field(default_factory=list)  # for the lists
    # What the service says to refer to other rows, beside the UUIDs of that form.
    references: set[str] = field(default_factory=set)

    @property
    def key(self) -> str:
        """The name of the id."""
        return key_of(self.row)

    @property
    def id(self) -> Any:
        return self.row[self.key]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def location(self) -> str:
        return f"{self.path}/{self.id}"


class Smoke:
    """One pass over a service."""

    def __init__(self, client: Client, random: Random) -> None:
        self.client = client
        self.document = client.call("GET", "/openapi.json", 200)
        self.sampler = Sampler(self.document, random)

    def run(self) -> list[str]:
        """Test everything, and return the names of the resources."""
        for path in SYSTEM:
            self.client.call("GET", path, 200)
        resources = self.resources()
        created = self.create_all(resources)
        for resource in created:
            self.read(resource)
            self.create_more(resource)
        for resource in created:
            self.read_lists(resource)
        for resource in created:
            self.change(resource)
        self.delete_all(created)
        return [resource.name for resource in created]

    def resources(self) -> list[Resource]:
        paths = self.document["paths"]
        found = []
        for path, operations in paths.items():
            begins = re.compile(re.escape(path) + r"/{\w+}")
            items = [match[0] for match in map(begins.match, paths) if match]
            if "post" not in operations or not items:
                continue
            item = items[0]
            by_id = paths.get(item, {})
            lists = {
                inner.removeprefix(item): methods["get"]
                for inner, methods in paths.items()
                if re.fullmatch(re.escape(item) + r"/[\w-]+", inner)
                and not inner.endswith("/history")  # it lists changes, not rows
                and _is_page(methods, self.sampler)
            }
            update = self._body(by_id["patch"]) if "patch" in by_id else {}
            create = self._body(operations["post"])
            own_list = operations.get("get")
            found.append(Resource(path, create, update, {*by_id}, lists, own_list))
        if not found:
            raise Unexpected("the document has no resource to create")
        return found

    def _body(self, operation: Schema) -> Schema:
        content = operation["requestBody"]["content"]["application/json"]
        return self.sampler.resolve(content["schema"])

    def create_all(self, resources: list[Resource]) -> list[Resource]:
        """Create a row of each, in an order in which references exist."""
        waiting, created = list(resources), list[Resource]()
        while waiting:
            ready = [item for item in waiting if self.create(item, created)]
            if not ready:
                names = ", ".join(item.name for item in waiting)
                raise Unexpected(f"no row of these could be created: {names}")
            waiting = [item for item in waiting if item not in ready]
        return created

    def create(self, resource: Resource, created: list[Resource]) -> bool:
        """Create a row, trying the existing rows as targets of its references.

        The document does not say to which resource a reference leads. Its name is
        tried first; the service rejects a wrong row with the name of the reference.
        """
        body = self.payload(resource)
        required = resource.create.get("required", ())
        wrong = [name for name in required if self.is_reference(name, resource)]
        targets = {name: iter(_by_likeness(name, created)) for name in wrong}
        while True:
            for name in wrong:
                body.pop(name, None)
                if name not in required:
                    continue
                likely = iter(_by_likeness(name, created))
                target = next(targets.setdefault(name, likely), None)
                if target is None:
                    return False
                body[name] = target.id
            status, content = self.send("POST", resource.path, body, resource)
            if status == 201:
                break
            wrong = _wrong_references(content, {*targets, *resource.references})
            if not wrong:
                raise Unexpected(
                    difference("POST", resource.path, status, 201, content, body)
                )
            resource.references.update(wrong)
        answer = json.loads(content)
        resource.row = answer
        created.append(resource)
        self.compare(resource, body, answer)
        return True

    def payload(self, resource: Resource) -> dict[str, Any]:
        """Return values for all fields, without references."""
        properties = resource.create.get("properties", {})
        return {
            name: self.sampler.value(schema)
            for name, schema in properties.items()
            if not self.is_reference(name, resource)
        }

    def is_reference(self, name: str, resource: Resource) -> bool:
        found = self.sampler.resolve(resource.create["properties"][name])
        looks_so = name.endswith("_id") and found.get("format") == "uuid"
        sent_id = bool(resource.row) and name == resource.key
        return name in resource.references or (looks_so and not sent_id)

    def send(
        self, method: str, path: str, body: dict[str, Any], resource: Resource
    ) -> tuple[int, bytes]:
        """Send a body; where values break a comparison, send those of the row instead.

        Which fields are compared is not in the document; the service names them. The first
        row gets the values of the example.
        """
        (example,) = resource.create.get("examples", [{}])
        right = {**example, **resource.row}
        while True:
            status, content = self.client.send(method, path, body)
            compared = _fields_of(content, "comparison") if status == 422 else []
            changes = {name: right.get(name) for name in compared if name in body}
            if changes.items() <= body.items():
                return status, content
            body |= changes

    def read(self, resource: Resource) -> None:
        if "get" in resource.verbs:
            answer = self.client.call("GET", resource.location, 200)
            if answer != resource.row:
                raise Unexpected(f"{resource.location}: {answer} is not {resource.row}")
        if resource.own_list is not None:
            page = self.client.call("GET", f"{resource.path}?limit=100", 200)
            listed = [row[resource.key] for row in page["items"]]
            if page["next"] is None and resource.id not in listed:
                raise Unexpected(f"{resource.path}: the new row is not in the list")

    def create_more(self, resource: Resource) -> None:
        """Create other rows with the same references, if those may be repeated."""
        for _ in range(MORE_ROWS):
            body = self.payload(resource)
            for name in resource.create.get("required", ()):
                if self.is_reference(name, resource):
                    body[name] = resource.row[name]
            status, content = self.send("POST", resource.path, body, resource)
            if status == 201:
                resource.more_rows.append(json.loads(content))
            elif status != 409:
                raise Unexpected(
                    difference("POST", resource.path, status, 201, content, body)
                )

    def read_lists(self, resource: Resource) -> None:
        """Filter, sort, page and include the resource's list, and those below it."""
        if resource.own_list is not None:
            rows = [resource.row, *resource.more_rows]
            ListCheck(self.client, resource.path, resource.own_list, rows).run()
        for path, operation in resource.lists.items():
            location = resource.location + path
            rows = self.client.call("GET", location, 200)["items"]
            ListCheck(self.client, location, operation, rows[: 1 + MORE_ROWS]).run()

    def change(self, resource: Resource) -> None:
        """Replace the row, then change one field; other fields must not change."""
        references = {
            name: resource.row[name]
            for name in resource.create.get("required", ())
            if name == resource.key or self.is_reference(name, resource)
        }
        body = {}
        if "put" in resource.verbs:
            body = self.payload(resource) | references
            answer = self.set("PUT", resource, body)
            self.compare(resource, body, answer)
            resource.row = answer
        if "patch" in resource.verbs:
            fresh = self.payload(resource)
            fresh.pop(resource.key, None)
            changes = dict(list(fresh.items())[:1])
            answer = self.set("PATCH", resource, changes)
            self.compare(resource, {**body, **changes}, answer)

    def set(self, method: str, resource: Resource, body: dict[str, Any]) -> Any:
        """Change a row, and remove from the body what the service says is immutable."""
        status, content = self.send(method, resource.location, body, resource)
        immutable = _fields_of(content, "immutable") if status == 422 else []
        for name in immutable:
            del body[name]
        if immutable:
            return self.set(method, resource, body)
        if status != 200:
            raise Unexpected(
                difference(method, resource.location, status, 200, content, body)
            )
        return json.loads(content)

    def delete_all(self, created: list[Resource]) -> None:
        """Delete the rows; one that must stay may refer to others, which stay too."""
        some_stay = any("delete" not in resource.verbs for resource in created)
        for resource in reversed(created):
            if "delete" not in resource.verbs:
                continue
            for row in resource.more_rows:
                self.client.call("DELETE", f"{resource.path}/{row[resource.key]}", 204)
            status, content = self.client.send("DELETE", resource.location)
            if status == 409 and some_stay:
                continue
            if status != 204:
                raise Unexpected(
                    difference("DELETE", resource.location, status, 204, content, None)
                )
            if "get" in resource.verbs:
                self.client.call("GET", resource.location, 404)

    @staticmethod
    def compare(resource: Resource, sent: dict[str, Any], row: dict[str, Any]) -> None:
        properties = resource.create["properties"]
        shown = [name for name in sent if "writeOnly" not in properties[name]]
        for name, value in ((name, sent[name]) for name in shown):
            if not _same(value, row.get(name)):
                got = row.get(name)
                raise Unexpected(f"{resource.name}.{name}: {got!r} is not {value!r}")


def _wrong_references(content: bytes, known: set[str]) -> list[str]:
    """Return the references to no row, or with an id of another type, in an error."""
    answer = json.loads(content) if content[:1] == b"{" else {}
    if answer.get("error") == "reference_not_found":
        return list(answer["fields"])
    fields = [one["field"].strip("/") for one in answer.get("errors", ())]
    return fields if known.issuperset(fields) else []


def _fields_of(content: bytes, kind: str) -> list[str]:
    """Return the fields that the errors of this type in a 422 name."""
    errors = json.loads(content).get("errors", ())
    return [one["field"].strip("/") for one in errors if one.get("type") == kind]


def _is_page(methods: Schema, sampler: Sampler) -> bool:
    if "get" not in methods:
        return False
    content = methods["get"]["responses"]["200"]["content"]["application/json"]
    return "items" in sampler.resolve(content["schema"]).get("properties", {})


def _by_likeness(reference: str, resources: Sequence[Resource]) -> list[Resource]:
    """Sort resources by the similarity of their names to the reference's name."""
    words = set(reference.removesuffix("_id").split("_"))

    def unlikeness(resource: Resource) -> int:
        stems = resource.name.split("-")
        return -sum(
            any(stem.startswith(word[:3]) for stem in stems) + (word in stems)
            for word in words
        )

    return sorted(resources, key=unlikeness)


def _same(sent: Any, answered: Any) -> bool:
    if sent == answered:
        return True
    if isinstance(sent, list) and isinstance(answered, list):
        return len(sent) == len(answered) and all(map(_same, sent, answered))
    if not isinstance(sent, str) or not isinstance(answered, str):
        return False
    for read in (Decimal, dt.datetime.fromisoformat, dt.time.fromisoformat):
        try:
            return bool(read(sent) == read(answered))
        except (InvalidOperation, ValueError):
            continue
    return False


def smoke(base_url: str, token: str | None = None, seed: int | None = None) -> bool:
    """Test the service, print the result, and return whether it has passed.

    With access tokens, `token` must be one that may do everything.
    """
    seed = Random().getrandbits(32) if seed is None else seed
    try:
        names = Smoke(Client(base_url, token), Random(seed)).run()
    except (Unexpected, NoSample) as error:
        print(f"smoke: {error}\n  again with --seed {seed}", file=sys.stderr)
        return False
    print(
        f"smoke: created, read, filtered, sorted, paged, replaced, changed and deleted "
        f"{len(names)} resources: {', '.join(names)}"
    )
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.smoke", description=__doc__)
    parser.add_argument("url", help="URL of the service, such as http://127.0.0.1:80")
    parser.add_argument("--seed", type=int, help="the seed of an earlier run")
    parser.add_argument("--token", help="an access token that may do everything")
    options = parser.parse_args(arguments)
    return 0 if smoke(options.url, options.token, options.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
