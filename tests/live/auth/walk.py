"""Requests to every operation that OpenAPI names, and what comes back for each.

Ids in paths, filters and bodies are those of the caller, of another owner, and of no row.
"""

import itertools
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import httpx2
from fastapi import FastAPI

from src.models.base import BareEntity
from tests.senders.callers import BY_NAME, body, sent_statements
from tests.support import Case, as_json

NO_ID = "00000000-0000-4000-8000-000000000000"
DEPTH = 3  # slashes in the path of a list: /api/v1/orders
# What differs between two requests.
DIFFERENT = {"x-request-id", "location", "content-length"}
BY_RESOURCE = {case.name: name for name, case in BY_NAME.items()}


class Sent(NamedTuple):
    """A request."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    content: Any = None
    accept: str = "application/json"


class Answer(NamedTuple):
    """What comes back for a request, and the statements that are sent for it."""

    request: Sent
    status: int
    headers: Mapping[str, str]
    content: Any
    statements: Sequence[str]


class Walk:
    """The requests to all operations; `mine` and `theirs` are rows by entity."""

    def __init__(
        self,
        app: FastAPI,
        mine: Mapping[str, BareEntity],
        theirs: Mapping[str, BareEntity],
    ) -> None:
        self.document = app.openapi()
        self.mine = mine
        self.theirs = theirs

    def requests(self) -> Iterator[Sent]:
        """Yield the requests, those that read first."""
        every = [*self._every()]
        yield from sorted(every, key=lambda sent: sent.method != "GET")

    def _every(self) -> Iterator[Sent]:
        for path, operations in self.document["paths"].items():
            if path.startswith(("/health/", "/metrics/")):
                continue
            for method, operation in operations.items():
                for address in self._addresses(path):
                    yield from self._operation(method.upper(), address, operation)

    def _addresses(self, path: str) -> Iterator[str]:
        """Yield the path with ids."""
        names = re.findall(r"{(\w+)}", path)
        for ids in itertools.product(*map(self._ids_of_parameter, names)):
            yield path.format(**dict(zip(names, ids, strict=True)))

    def _ids_of_parameter(self, name: str) -> list[str]:
        resource = name.removeprefix("other_").removesuffix("_id")
        return self.ids(BY_RESOURCE[resource])

    def ids(self, name: str) -> list[str]:
        """Return the id of an own row, of another's, and of none."""
        return [str(self.mine[name].id), str(self.theirs[name].id), NO_ID]

    def _is_mine(self, path: str) -> bool:
        return any(str(row.id) in path for row in self.mine.values())

    def _operation(self, method: str, path: str, operation: Any) -> Iterator[Sent]:
        if "requestBody" in operation:
            name = next(n for n, case in BY_NAME.items() if _is_of(path, case))
            for content in self._bodies(name, method, operation):
                yield Sent(method, path, content=content)
            return
        yield Sent(method, path)
        if method == "GET":
            for query in self._queries(operation, self._shown(operation)):
                yield Sent(method, path, query)
                if path.count("/") > DEPTH and not self._is_mine(path):
                    break  # the row in the path is not found, whatever the query
            if "text/csv" in operation["responses"]["200"]["content"]:
                yield Sent(method, path, accept="text/csv")

    def _resolved(self, schema: Any) -> Any:
        if "$ref" not in schema:
            return schema
        return self.document["components"]["schemas"][schema["$ref"].split("/")[-1]]

    def _shown(self, operation: Any) -> str:
        """Return the entity in the answers of an operation."""
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        items = self._resolved(schema)["properties"].get("items")
        return str((items["items"] if items else schema)["$ref"]).split("/")[-1]

    def _queries(self, operation: Any, name: str) -> Iterator[dict[str, str]]:
        for parameter in operation.get("parameters", ()):
            if parameter["in"] != "query":
                continue
            key = parameter["name"]
            if key == "sort":
                for sort in _choices(parameter):
                    yield {"sort": sort, "limit": "1"}
            else:
                for value in self._values(key, parameter, name):
                    yield {key: value}

    def _values(self, key: str, parameter: Any, entity: str) -> Iterator[str]:
        """Yield values of a parameter."""
        case, row = BY_NAME[entity], self.mine[entity]
        fixed = {"skip": "1", "limit": "1", "total": "false", "after": "AAAA"}
        attribute, _, operator = key.partition("__")
        targets = _targets(case)
        if key in fixed:
            yield fixed[key]
        elif key == "include":
            yield from _choices(parameter)
        elif key == "q":
            yield from case.words(row)
        elif operator == "null":
            yield from ("true", "false")
        elif attribute == "id" or attribute in targets:
            ids = self.ids(targets.get(attribute, entity))
            yield from ids
            if operator == "in":
                yield ",".join(ids)
        else:
            name = case.attribute(attribute)
            values = [getattr(one, name) for one in (row, self.theirs[entity])]
            if values == [None, None]:
                values = [getattr(case.factory.create(), name)]
            texts = map(as_json, values)
            written = (t if isinstance(t, str) else json.dumps(t) for t in texts)
            yield from dict.fromkeys(written)

    def _bodies(self, name: str, method: str, operation: Any) -> Iterator[Any]:
        case = BY_NAME[name]
        content = operation["requestBody"]["content"]["application/json"]
        keys = self._resolved(content["schema"])["properties"]
        mine = {key: [self.ids(target)[0]] for key, target in _links(case).items()}
        ids = {key: self.ids(target)[0] for key, target in _targets(case).items()}
        same = {**body(name, self.mine[name]), **ids, **mine}
        fresh = {**case.factory.payload(), **ids, **mine}
        bodies = [{}, {"no_such_key": 1}, same, fresh]
        base = {} if method == "PATCH" else fresh
        for key, target in _targets(case).items():
            bodies += [{**base, key: each} for each in self.ids(target)]
        for key, target in _links(case).items():
            own, other, none = self.ids(target)
            lists: list[list[str]] = [[], [other], [none], [own, other]]
            bodies += [{**base, key: each} for each in lists]
        if method == "PATCH":  # also those that the sender may not set
            bodies += [{key: fresh.get(key)} for key in keys]
        yield from bodies


def _is_of(path: str, case: Case) -> bool:
    return path == case.url or path.startswith(f"{case.url}/")


def _targets(case: Case) -> dict[str, str]:
    return {one.name: BY_RESOURCE[one.target] for one in case.references}


def _links(case: Case) -> dict[str, str]:
    return {one.key: BY_RESOURCE[one.target] for one in case.links if one.key}


def _choices(parameter: Any) -> list[str]:
    """Return the values that the items of a parameter can have."""
    schema = parameter["schema"]["items"]
    return list(schema.get("enum", [schema.get("const")]))


async def answers(
    app: FastAPI,
    client: httpx2.AsyncClient,
    requests: Sequence[Sent],
    restore: Callable[[], Awaitable[None]],
) -> list[Answer]:
    """Return what comes back for the requests; a change is undone before the next one."""
    found: list[Answer] = []

    async def send(sent: Sent) -> httpx2.Response:
        options: dict[str, Any] = {"params": sent.query}
        options["headers"] = {"Accept": sent.accept}
        if sent.content is not None:
            options["json"] = sent.content
        with sent_statements(app) as statements:
            answer = await client.request(sent.method, sent.path, **options)
        assert answer.status_code < 500, (sent, answer.text)
        kept = answer.headers.items()
        headers = {key: value for key, value in kept if key not in DIFFERENT}
        if "etag" in headers:  # it differs by times, and by links to rows of others
            headers["etag"] = "a tag"
        is_csv = "csv" in answer.headers.get("content-type", "")
        is_json = answer.content and not is_csv
        said = _comparable(sent, answer.json()) if is_json else answer.text
        found.append(Answer(sent, answer.status_code, headers, said, statements))
        return answer

    for sent in requests:
        answer = await send(sent)
        if sent.method != "GET" and answer.is_success:
            await restore()
        elif sent.query.get("limit") and answer.is_success and answer.json()["next"]:
            after = {**sent.query, "after": answer.json()["next"]}
            await send(sent._replace(query=after))
    return found


def _comparable(sent: Sent, answer: Any) -> Any:
    """Return an answer without what differs between two equal requests."""
    left_out = {"request_id"}
    if sent.method != "GET":
        left_out.add("updated_at")
    if sent.method == "POST":
        left_out |= {"id", "created_at"}
    return {key: value for key, value in answer.items() if key not in left_out}
