"""Entities whose names have common beginnings and ends: hundreds, or fewer."""

import random
from collections.abc import Sequence
from typing import Any

from scaffold.spec import naming

STARTS = [
    "Order",
    "OrderItem",
    "User",
    "UserGroup",
    "Task",
    "Series",
    "Health",
    "Metric",
]
ENDS = [
    *("", "s", "Base", "Create", "Created", "Deleted", "Entity", "Factory", "Group"),
    *("Groups", "Health", "Item", "List", "Member", "Metrics", "Page", "Problem"),
    *("Replace", "Repository", "Schema", "Service", "ServiceDep", "Status"),
    *("StatusChoice", "Total", "Update", "UpdateSchema", "X" * 50),
]
# Called like schemas of the service itself.
OWN = ["Problem", "ValidationProblem", "ErrorCode", "HealthStatus"]
KINDS = ["many_to_one", "one_to_one", "many_to_many"]
WORDS = sorted({naming.snake(end) for end in ENDS if end})
FIELDS: list[dict[str, Any]] = [
    {"type": "string", "max_length": 80},
    {"type": "enum", "values": ["open", "closed"]},
    {"type": "uuid"},
]


def entities(seed: int, starts: Sequence[str] = STARTS) -> list[dict[str, Any]]:
    """Return entities whose fields and relations are called like the ends of others."""
    dice = random.Random(seed)
    names = sorted({start + end for start in starts for end in ENDS} | {*OWN})
    dice.shuffle(names)
    made = [_entity(name, names, dice) for name in names]
    for entity in made:
        # A name that is a plural is its own, which its singular may have already.
        if entity["name"][-1] == "s" and entity["name"][:-1] in names:
            entity["plural"] = naming.shorten(f"{naming.snake(entity['name'])}_all")
    return made


def _entity(name: str, names: list[str], dice: random.Random) -> dict[str, Any]:
    fields = [
        {"name": word, "index": True, **field}
        for word, field in zip(dice.sample(WORDS, 3), FIELDS, strict=True)
    ]
    relations = [
        {
            "name": f"its_{word}",
            "type": dice.choice(KINDS),
            "target": dice.choice(names),
            "back_populates": naming.shorten(f"{naming.snake(name)}_{word}"),
        }
        for word in dice.sample(WORDS, 2)
    ]
    composite = [field["name"] for field in fields[:2]]
    return {
        "name": name,
        "fields": fields,
        "relations": relations,
        "indexes": [composite],
    }
