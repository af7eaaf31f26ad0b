"""Write-only values: they are looked for in all that a running service says."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness.project import Project

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("base")]

SECRETS: dict[str, Any] = {
    "string": "canary-string-7f3a",
    "text": "<b>canary-text-7f3a</b>",
    "integer": 8172635490718263,
    "float": 0.71829364558,
    "decimal": "7182936455.81",
    "date": "1907-03-17",
    "time": "03:17:19.190717",
    "datetime": "1908-04-18T04:18:20.180804Z",
    "uuid": "7f3a7f3a-7f3a-4f3a-8f3a-7f3a7f3a7f3a",
    "email": "canary-email-7f3a@example.com",
    "url": "https://example.com/canary-url-7f3a",
    "json": {"canary-key-7f3a": ["canary-json-7f3a"]},
}
# What to look for: the values as they are sent, and as Python shows some of them.
TRACES = [
    "canary",
    "8172635490718263",
    "0.71829364558",
    "7182936455.81",
    "1907-03-17",
    "1907, 3, 17",
    "03:17:19",
    "1908-04-18",
    "1908, 4, 18",
    "7f3a7f3a",
]
FIELDS = [
    {"name": f"secret_{kind}", "type": kind, "write_only": True} for kind in SECRETS
]
DOCUMENT = {
    "entities": [
        {
            "name": "Account",
            "fields": [
                {"name": "name", "type": "string", "required": True},
                *FIELDS,
                {
                    "name": "token",
                    "type": "string",
                    "required": True,
                    "unique": True,
                    "immutable": True,
                    "write_only": True,
                    "max_length": 40,
                },
            ],
            "relations": [
                {
                    "name": "parent",
                    "type": "many_to_one",
                    "target": "Account",
                    "back_populates": "children",
                }
            ],
        }
    ]
}
BODY = {f"secret_{kind}": value for kind, value in SECRETS.items()}
# Mistakes of a team, whose exceptions are logged.
MISTAKES = """\
        if data.name == "bug":
            raise RuntimeError(f"no account of {data!r} {data}")
        if data.name == "schema":
            AccountCreate.model_validate({**data.model_dump(), "secret_date": data.token})
        if data.name == "database":
            query = sa.text("SELECT 1 / 0, CAST(:token AS text)")
            await self.repository.db.execute(query, {"token": data.token})
"""


def send(url: str, method: str, body: object = None) -> tuple[int, str]:
    """Send a request; return the status, and the headers and the body as one text."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, f"{answer.headers}{answer.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return error.code, f"{error.headers}{error.read().decode()}"


def requests(url: str) -> Iterator[tuple[int, str]]:
    """Send valid and invalid requests with the secrets, and yield the answers."""
    accounts = f"{url}/api/v1/accounts"
    body = {"name": "Ada", "token": "canary-1", **BODY}
    created = send(accounts, "POST", body)
    assert created[0] == 201, created[1]
    yield created
    one = f"{accounts}/{json.loads(created[1][created[1].index('{') :])['id']}"
    yield send(accounts, "POST", body)  # another one has this token
    for key, value in body.items():
        yield send(accounts, "POST", {**body, key: [value]})
        yield send(one, "PATCH", {key: {"canary": value}})
        yield send(one, "PATCH", {key: value})
        yield send(one, "PUT", {"name": "Ada", key: 40 * str(value)})
    yield send(accounts, "POST", {**body, "token": "canary-\x00"})
    yield send(one, "PUT", {"name": "Ada", **BODY})
    yield send(one, "PUT", {"name": "Ada"})
    content = json.dumps(body).encode()
    for broken in (content[:-1], b"[%b" % content, content.replace(b":", b"=")):
        yield send(accounts, "POST", broken)
    for mistake in ("bug", "schema", "database"):
        status, text = send(accounts, "POST", {**body, "name": mistake})
        assert status == 500, text
        yield status, text
    for path in (accounts, one, f"{one}/children", f"{url}/openapi.json"):
        yield send(path, "GET")
    for kind in SECRETS:
        for operator in ("", "__ne", "__in", "__gte", "__contains", "__null"):
            value = quote(str(SECRETS[kind]))
            found = send(f"{accounts}?secret_{kind}{operator}={value}", "GET")
            assert found[0] == 422, found[1]
            yield found
        for sort in (f"secret_{kind}", f"-secret_{kind}"):
            yield send(f"{accounts}?sort={sort}", "GET")
    yield send(one, "DELETE")
    yield send(f"{url}/metrics/metrics", "GET")


def test_write_only_values_are_in_no_answer_and_no_log_line(
    sibling: Callable[[Any], Project],
) -> None:
    project = sibling(DOCUMENT)
    path = project.path / "src" / "services" / "account.py"
    text = path.read_text()
    create = "        return await self._create(data)\n"
    assert create in text
    text = text.replace(create, MISTAKES + create)
    path.write_text(
        text.replace("import uuid\n", "import uuid\n\nimport sqlalchemy as sa\n")
    )
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        answers = list(requests(url))
    statuses = {status for status, _ in answers}
    assert statuses == {200, 201, 204, 409, 422, 500}
    logged = project.log.read_text()
    assert "no account of" in logged
    assert "ZeroDivision" in logged or "division by zero" in logged
    for said in (*(text for _, text in answers), logged):
        found = [trace for trace in TRACES if trace in said]
        assert found == [], said
