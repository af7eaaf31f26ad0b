"""Random valid specs: hostile names, every type with its limits, any relations."""

from random import Random
from typing import Any

from scaffold.spec.vocabulary import reserved_names
from scaffold.spec.vocabulary.field_types import TYPES
from scaffold.spec.vocabulary.keys import ACCESS, COMPARISONS, OPERATIONS, SEARCHED
from tests.unit.evolution import (
    COLUMNS,
    IDS,
    JSON_KEYS,
    SCHEMAS,
    TABLES,
    TIMESTAMPS,
    URLS,
    Document,
    changed,
    spec_of,
)

CLASSES = [
    "Order",
    "User",
    "Group",
    "Select",
    "Table",
    "Column",
    "Session",
    "Request",
    "Response",
    "Base",
    "Field",
    "Health",
    "Metrics",
    "Entity",
    "Schema",
    "Service",
    "Repository",
    "Router",
    "Page",
    "Paging",
    "Link",
    "Data",
    "Any",
    "List",
    "Dict",
    "Int",
    "Str",
    "UUID",
    "Date",
    "Decimal",
    "Enum",
    "Literal",
    "Index",
    "Limit",
    "Offset",
    "Async",
    "Import",
    "Lambda",
    "Self",
    "Cls",
    "Type",
    "Object",
    "Exception",
    "Error",
    "Settings",
    "Config",
    "App",
    "Main",
    "Test",
    "Tests",
    "Factory",
    "Case",
    "Person",
    "Child",
    "Sheep",
    "News",
    "Analysis",
    "Status",
    "Quiz",
    "Bus",
    "HTTPRequest",
    "APIKey",
    "Id",
    "Item",
    "Items",
    "Points",
    "Preferences",
]
WORDS = sorted(
    reserved_names.ATTRIBUTES
    | reserved_names.POSTGRESQL
    | reserved_names.POSTGRESQL_EXPRESSIONS
    | reserved_names.VARIABLES - reserved_names.COLUMNS
)
RELATIONS = [
    "parent",
    "owner",
    "next",
    "from",
    "order",
    "class",
    "session",
    "links",
    "items",
    "data",
    "tags",
]
PATTERNS = [r"^[a-z]{2,9}$", r"\d", r"^(a|b)+$", "^[A-Z][A-Za-z0-9 ]*$", "é"]


RULES = [
    *("public", "authenticated", "nobody", "owner", "owner", "role:admin"),
    *("role:a{b}%c", "scope:https://a.example/b:c", "scope:{{x}}"),
]
OPEN = ["public", "authenticated", ["role:admin", "scope:write"]]


def legal(random: Random, *, access: bool = False) -> Document:
    """Return one to four entities with some fields each, and relations among them.

    With `access`, rules say who may do what.
    """
    document: Document = {"entities": []}
    if random.random() < 0.3:
        document["json_case"] = random.choice(["camel", "camel", "snake"])
    for _ in range(random.randint(1, 4)):
        document = changed(document, random, _add_entity)
    for _ in range(5 * len(document["entities"])):
        document = changed(document, random, _add_field)
    for _ in range(random.randint(0, 8)):
        document = changed(document, random, _add_relation)
    for _ in range(random.randint(0, 3)):
        document = changed(document, random, _add_composite)
    for _ in range(random.choice([0, 4 * len(document["entities"])])):
        document = changed(document, random, random.choice(OWN_NAMES))
    for _ in range(random.choice([0, 0, 3 * len(document["entities"])])):
        document = changed(document, random, random.choice(SHOWN))
    for _ in range(random.choice([0, 3 * len(document["entities"])])):
        document = changed(document, random, random.choice(LISTED))
    for _ in range(random.choice([0, 2 * len(document["entities"])])):
        document = changed(document, random, random.choice(KEPT))
    for _ in range(random.choice([0, 8 * len(document["entities"])])):
        document = changed(document, random, _compare)
    if access:
        document = {**document, "auth": True, "access": random.choice(OPEN)}
        for _ in range(8 * len(document["entities"])):
            document = changed(document, random, random.choice(GUARDED))
    assert spec_of(document)
    return document


def _add_entity(document: Document, random: Random) -> None:
    entity = {"name": random.choice(CLASSES), "fields": [], "relations": []}
    document["entities"].append({**entity, "unique": [], "indexes": []})


def _add_field(document: Document, random: Random) -> None:
    field: Document = {"name": random.choice(WORDS), "type": random.choice([*TYPES])}
    field |= _limits(field["type"], random)
    if "array" in TYPES[field["type"]].keys and random.random() < 0.25:
        field |= _items(random)
    for key in ("required", "unique", "index"):
        if random.random() < 0.25:
            field[key] = True
    if random.random() < 0.3:
        field["default"] = _default(field, random)
    random.choice(document["entities"])["fields"].append(field)


def _items(random: Random) -> Document:
    least = random.randint(0, 4)
    numbers = {"min_items": least, "max_items": max(least, 1) + random.randint(0, 3)}
    some = {key: numbers[key] for key in numbers if random.random() < 0.5}
    return {"array": True, **some}


def _limits(kind: str, random: Random) -> Document:
    low = random.randint(-1000, 1000)
    high = low + random.randint(0, 50)
    both = {random.choice(["ge", "gt"]): low, random.choice(["le", "lt"]): high}
    some = {key: both[key] for key in both if random.random() < 0.5}
    match kind:
        case "string" | "text":
            least = random.randint(0, 20)
            length = {"min_length": least, "max_length": least + random.randint(1, 80)}
            pattern = {"pattern": random.choice(PATTERNS)}
            return random.choice([{}, length, pattern])
        case "integer":
            return some | random.choice([{}, {"multiple_of": random.randint(1, 9)}])
        case "float":
            return some
        case "decimal":
            scale = random.randint(0, 30)
            digits = {"scale": scale, "precision": max(scale + random.randint(0, 9), 1)}
            return random.choice([{}, digits, some, digits | {"gt": 0}])
        case "enum":
            words = ["a", "b b", "c'c", 'd"d', "é", "{{ e }}", "f\\", "g%s", ":h"]
            return {"values": random.sample(words, random.randint(1, 5))}
        case "url":
            return random.choice([{}, {"max_length": random.randint(30, 300)}])
        case "binary":
            return random.choice([{}, {"max_length": random.randint(4, 80_000)}])
    return {}


def _default(field: Document, random: Random) -> Any:
    if field.get("array"):
        one = {**field, "array": False}
        return [_default(one, random) for _ in range(random.randint(0, 3))]
    values: Document = {
        "string": ["", "abc", "Ab 1", "it's {{ x }}"],
        "text": ["", "abc", "two\nlines"],
        "integer": [0, 5, -7, 100],
        "float": [0, 0.5, -7.25, 1e300],
        "decimal": [0, "0.5", "-7.25", 100],
        "boolean": [True, False],
        "date": ["0001-01-01", "2024-02-29"],
        "time": ["00:00:00", "23:59:59.5", "now"],
        "datetime": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+05:30"],
        "uuid": ["00000000-0000-4000-8000-000000000000", "random"],
        "enum": field.get("values", []),
        "email": ["someone@example.com"],
        "url": ["https://example.com/?q=%20#x"],
        "json": [{}, [], {"class": [1, None, "é"]}, "text", 0],
        "binary": ["", "AAEC/w=="],
    }
    return random.choice(values[field["type"]])


def _add_relation(document: Document, random: Random) -> None:
    source, target = (random.choice(document["entities"]) for _ in range(2))
    kinds = ["many_to_one", "many_to_one", "one_to_one", "many_to_many", "one_to_many"]
    relation = {
        "name": random.choice(RELATIONS),
        "type": random.choice(kinds),
        "target": target["name"],
    }
    if relation["type"] == "one_to_many" or random.random() < 0.6:
        relation["back_populates"] = f"{relation['name']}_of"
    if relation["type"].endswith("to_one") and random.random() < 0.4:
        relation["required"] = True
    if relation["type"].endswith("to_one") and random.random() < 0.5:
        relation["on_delete"] = random.choice(["cascade", "restrict", "set_null"])
    source["relations"].append(relation)


def _name_entity(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    key, values = random.choice(
        [
            ("table", TABLES),
            ("schema", SCHEMAS),
            ("url", URLS),
            ("id", IDS),
            ("id", IDS),
            ("timestamps", TIMESTAMPS),
        ]
    )
    entity[key] = random.choice(values)


def _name_member(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    members = entity["fields"] + entity["relations"]
    if members:
        key, values = random.choice([("column", COLUMNS), ("json", JSON_KEYS)])
        random.choice(members)[key] = random.choice(values)


def _leave_out_index(document: Document, random: Random) -> None:
    relations = random.choice(document["entities"])["relations"]
    if relations:
        random.choice(relations)["index"] = False


def _show_field(document: Document, random: Random) -> None:
    fields = random.choice(document["entities"])["fields"]
    if fields:
        field = random.choice(fields)
        field[random.choice(["read_only", "write_only", "immutable"])] = True


def _give_example(document: Document, random: Random) -> None:
    fields = random.choice(document["entities"])["fields"]
    if fields:
        field = random.choice(fields)
        field["example"] = _default(field, random)


def _leave_out_operations(document: Document, random: Random) -> None:
    some = random.sample([*OPERATIONS], random.randint(0, len(OPERATIONS)))
    random.choice(document["entities"])["operations"] = some


def _open_or_close_list(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    if members := entity["fields"] + entity["relations"]:
        member = random.choice(members)
        member[random.choice(["filter", "sort"])] = random.random() < 0.7


def _sort_list(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    members = [one["name"] for one in entity["fields"] + entity["relations"]]
    name = random.choice([*members, "created_at", "updated_at", "id"])
    entity["default_sort"] = random.choice(["", "-"]) + name


def _compare(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    names = [one["name"] for one in entity["fields"] + entity["relations"]]
    if len(names) > 1:
        left, right = random.sample(names, 2)
        check = [left, random.choice([*COMPARISONS]), right]
        entity["checks"] = [*entity.get("checks", []), check]


def _search(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    names = [one["name"] for one in entity["fields"] if one["type"] in SEARCHED]
    if names:
        entity["search"] = random.sample(names, random.randint(1, len(names)))


def _ignore_case(document: Document, random: Random) -> None:
    fields = random.choice(document["entities"])["fields"]
    some = [field for field in fields if field["type"] in ("string", "email")]
    if some:
        random.choice(some)["case_insensitive"] = True


def _record_history(document: Document, random: Random) -> None:
    random.choice(document["entities"])["history"] = True


def _delete_softly(document: Document, random: Random) -> None:
    random.choice(document["entities"])["soft_delete"] = True


def _rules(random: Random) -> Any:
    """Return a rule or two of them, which may not go together."""
    return random.choice([random.choice(RULES), random.sample(RULES, 2)])


def _guard_entity(document: Document, random: Random) -> None:
    rules = {name: _rules(random) for name in ACCESS}
    entity = random.choice(document["entities"])
    entity["access"] = random.choice([rules, rules, _rules(random)])


def _guard_field(document: Document, random: Random) -> None:
    if fields := random.choice(document["entities"])["fields"]:
        key = random.choice(["read_access", "write_access"])
        random.choice(fields)[key] = _rules(random)


def _give_owner(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    required = [one["name"] for one in entity["relations"] if one.get("required")]
    entity["owner"] = random.choice([True, *required])


def _name_actors(document: Document, random: Random) -> None:
    random.choice(document["entities"])["actors"] = True


def _unique_to_owner(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    if names := [one["name"] for one in entity["fields"] + entity["relations"]]:
        entity["unique"].append(["owner", random.choice(names)])


GUARDED = (
    *(_guard_entity, _guard_entity, _guard_field, _guard_field),
    *(_give_owner, _give_owner, _name_actors, _unique_to_owner),
)
SHOWN = (_show_field, _show_field, _show_field, _give_example, _leave_out_operations)
LISTED = (
    *(_open_or_close_list, _open_or_close_list, _sort_list),
    *(_search, _ignore_case, _ignore_case),
)
KEPT = (_record_history, _delete_softly)
OWN_NAMES = (_name_entity, _name_entity, _name_member, _leave_out_index)


def _add_composite(document: Document, random: Random) -> None:
    entity = random.choice(document["entities"])
    names = [one["name"] for one in entity["fields"] + entity["relations"]]
    if len(names) > 1:
        chosen = random.sample(names, random.randint(2, min(3, len(names))))
        entity[random.choice(["unique", "indexes"])].append(chosen)
