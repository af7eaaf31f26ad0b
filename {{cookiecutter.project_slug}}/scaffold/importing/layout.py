"""How entities.json is laid out: a line for each field and relation."""

import json

FILE = "entities.json"


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def text(document: dict[str, object]) -> str:
    """Return the document as a file."""
    entities = document["entities"]
    top = {key: value for key, value in document.items() if key != "entities"}
    lines = [f"  {dump(key)}: {dump(value)}," for key, value in top.items()]
    shown = [_entity(one) for one in entities] if isinstance(entities, list) else []
    joined = ",\n".join(shown)
    return "\n".join(["{", *lines, '  "entities": [', joined, "  ]", "}", ""])


def _entity(entity: dict[str, object]) -> str:
    lines = []
    for key, value in entity.items():
        if key in ("fields", "relations") and isinstance(value, list) and value:
            items = ",\n".join(f"        {dump(one)}" for one in value)
            lines.append(f"      {dump(key)}: [\n{items}\n      ]")
        else:
            lines.append(f"      {dump(key)}: {dump(value)}")
    return "    {\n" + ",\n".join(lines) + "\n    }"
