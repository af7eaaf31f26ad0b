"""What the language of entities.json can say: asked of its own checker."""

import json
from collections.abc import Mapping
from functools import lru_cache

from scaffold.spec import loading


def can_say(field: Mapping[str, object]) -> bool:
    """Whether an entity may have such a field, apart from its name."""
    entity = {"name": "Probe", "fields": [{**field, "name": "probe"}]}
    return _is_valid(json.dumps({"entities": [entity]}))


def can_check(operator: str) -> bool:
    """Whether an entity may compare two of its fields."""
    fields = [{"name": name, "type": "integer"} for name in ("low", "high")]
    entity = {"name": "Probe", "fields": fields, "checks": [["low", operator, "high"]]}
    return _is_valid(json.dumps({"entities": [entity]}))


@lru_cache(maxsize=10_000)
def _is_valid(text: str) -> bool:
    try:
        loading.parse(text.encode())
    except loading.SpecError:
        return False
    return True
