"""A service of entities whose derived names would meet.

tests/unit/test_derived_names.py renders hundreds of them.
"""

import json
import re
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.harness.meeting_names import entities
from tests.harness.project import Project

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.xdist_group("base")]

STARTS = ["Order", "OrderItem"]
LONGER = {"OrderCreateSchema", "OrderItemUpdateSchema_"}  # the shorter ones are taken


def twice(names: Iterable[str]) -> list[str]:
    """Return the names that are there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


def read(url: str) -> str:
    """Return the text of a response."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


def test_no_two_names_meet_in_a_running_service(
    sibling: Callable[[Any], Project],
) -> None:
    project = sibling({"entities": entities(seed=1, starts=STARTS)})
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        document = json.loads(read(f"{url}/openapi.json"))
        metrics = read(f"{url}/metrics/metrics")
        assert json.loads(read(f"{url}/api/v1/orders"))["items"] == []
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert twice(one["operationId"] for one in operations) == []
    schemas = document["components"]["schemas"]
    assert schemas.keys() > LONGER
    used = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))
    assert {*used} - schemas.keys() == set()
    assert schemas["Problem"]["properties"].keys() >= {"id", "created_at"}
    assert twice(tag["name"] for tag in document["tags"]) == []
    assert twice(re.findall(r"^# TYPE (\S+)", metrics, re.MULTILINE)) == []
    paths = defaultdict(set)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for tag in operation.get("tags", []):
                paths[tag].add(path.removeprefix("/api/v1").split("/")[1])
    assert [tag for tag, urls in paths.items() if len(urls) > 1] == []
