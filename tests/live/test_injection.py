"""A hundred hostile texts in a running service: nothing runs, every byte is kept."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.project import Project
from tests.payloads import CANARY, PAYLOADS, strings

pytestmark = [pytest.mark.live, pytest.mark.slow]

DESCRIBED = 10
ENTITIES = [
    *strings(PAYLOADS),
    *(
        {"name": f"Thing{n}", "description": "\n".join(PAYLOADS[n::DESCRIBED])}
        for n in range(DESCRIBED)
    ),
]


def ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_hostile_texts_are_stored_unchanged_and_never_run(
    sibling: Callable[[Any], Project],
) -> None:
    project = sibling({"entities": ENTITIES})
    project.run("make", "check")
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        document = ask(f"{url}/openapi.json")
        rows = {
            name: ask(f"{url}/api/v1/{name}", {})
            for name in ("lines", "choices", "documents")
        }
    shapes = document["components"]["schemas"]
    for n, text in enumerate(PAYLOADS):
        line = shapes["LineCreate"]["properties"][f"a{n}"]
        assert (line["description"], line["default"]) == (text, text)
        choice = shapes["ChoiceCreate"]["properties"][f"a{n}"]
        assert (choice["enum"], choice["default"]) == ([text, "x"], text)
        value = shapes["DocumentCreate"]["properties"][f"a{n}"]
        assert value["default"] == {text: [text]}
        found = [rows[name][f"a{n}"] for name in ("lines", "choices", "documents")]
        assert found == [text, text, {text: [text]}]
    told = {tag["name"]: tag["description"] for tag in document["tags"]}
    for entity in ENTITIES[-DESCRIBED:]:
        assert told[f"{str(entity['name']).lower()}s"] == entity["description"]
    assert list(project.path.rglob(f"{CANARY}*")) == []
