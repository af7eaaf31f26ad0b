"""Tests of the checker: the examples, relations, suggestions, limits and speed."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scaffold.spec import loading
from scaffold.spec.model import (
    MISSING,
    Entity,
    Id,
    Link,
    Reference,
    Reverse,
    Spec,
    Timestamps,
)
from scaffold.spec.vocabulary import keys, synonyms
from scaffold.spec.vocabulary.field_types import TYPES

TESTS = Path(__file__).parents[1]
TREE = TESTS.parent / "{{cookiecutter.project_slug}}"
GOOD = sorted((TESTS / "specs" / "good").glob("*.json"))
BAD = sorted((TESTS / "specs" / "bad").glob("*.json"))
EXAMPLES = sorted((TREE / "scaffold" / "examples").glob("*.json"))


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


def load(*entities: dict[str, Any]) -> Spec:
    return loading.parse(json.dumps({"entities": entities}).encode())


def problems(*entities: dict[str, Any]) -> list[str]:
    with pytest.raises(loading.SpecError) as caught:
        load(*entities)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


def relation(name: str, kind: str, target: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "target": target, **more}


@pytest.mark.parametrize("path", GOOD + EXAMPLES, ids=names(GOOD + EXAMPLES))
def test_good(path: Path) -> None:
    parsed = loading.load(path)
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    assert [entity.name for entity in parsed.entities] == [
        entity["name"] for entity in document["entities"]
    ]
    for entity in parsed.entities:
        assert parsed.entity(entity.name) is entity
        check_both_sides(parsed, entity)


def check_both_sides(parsed: Spec, entity: Entity) -> None:
    """Check that each side of a relation names the other one."""
    for reference in entity.references:
        if reference.reverse:
            sides = parsed.entity(reference.target).reverses
            back = next(side for side in sides if side.name == reference.reverse)
            assert (back.source, back.reference) == (entity.name, reference.name)
            assert (back.kind == "one") == (reference.kind == "one_to_one")
    for reverse in entity.reverses:
        owners = parsed.entity(reverse.source).references
        owner = next(side for side in owners if side.name == reverse.reference)
        assert (owner.target, owner.reverse) == (entity.name, reverse.name)
    for link in entity.links:
        if link.reverse:
            links = parsed.entity(link.target).links
            other = next(one for one in links if one.name == link.reverse)
            assert (other.target, other.reverse) == (entity.name, link.name)
            assert other.table == link.table
            assert other.owner is not link.owner
            assert other.left_column == link.right_column != link.left_column


@pytest.mark.parametrize("path", BAD, ids=names(BAD))
def test_bad(path: Path) -> None:
    expected = path.with_suffix(".txt").read_text(encoding="utf-8")
    with pytest.raises(loading.SpecError) as caught:
        loading.parse(path.read_bytes())
    assert loading.report(caught.value) + "\n" == expected


def test_the_corpus_is_large_and_complete() -> None:
    assert len(GOOD) >= 40
    assert len(BAD) >= 120
    texts = {path.stem for path in (TESTS / "specs" / "bad").glob("*.txt")}
    assert texts == set(names(BAD))


@pytest.mark.parametrize("seed", ["0", "1"])
def test_reports_do_not_depend_on_the_hash_seed(seed: str) -> None:
    code = (
        "import sys, pathlib; from scaffold.spec import loading as spec\n"
        "for name in sys.argv[1:]:\n"
        "    try: spec.parse(pathlib.Path(name).read_bytes())\n"
        "    except spec.SpecError as error: sys.stdout.buffer.write("
        "(spec.report(error) + '\\n').encode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, *map(str, BAD)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(TREE), "PYTHONHASHSEED": seed},
    )
    texts = [path.with_suffix(".txt").read_text(encoding="utf-8") for path in BAD]
    assert done.stdout.decode() == "".join(texts)


def test_defaults_are_converted_for_templates() -> None:
    fields = (
        loading.load(TESTS / "specs/good/every_type_defaults.json").entities[0].fields
    )
    assert {field.type: field.default for field in fields} == {
        "string": "s",
        "text": "t",
        "integer": -7,
        "float": 0.1,
        "decimal": Decimal("1.50"),
        "boolean": True,
        "date": "2026-02-28",
        "time": "23:59:59.999999",
        "datetime": "2027-01-01T04:59:59.500000+00:00",
        "uuid": "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "enum": "x",
        "email": "Jo.Doe+tag@example.org",
        "url": "https://example.org:8080/a?b=c#d",
        "json": {"a": [1, 2.5, None, True, "x", {}]},
        "binary": "AAEC/w==",
    }
    exact = {type(field.default) for field in fields if field.type == "json"}
    assert exact == {dict}


def test_default_limits() -> None:
    (entity,) = loading.load(TESTS / "specs/good/every_type_plain.json").entities
    fields = {field.type: field for field in entity.fields}
    lengths = {name: field.max_length for name, field in fields.items()}
    assert {name: length for name, length in lengths.items() if length} == {
        "string": 255,
        "email": 320,
        "url": 2048,
        "binary": 65536,
    }
    assert (fields["decimal"].precision, fields["decimal"].scale) == (18, 2)
    assert all(field.default is MISSING and field.nullable for field in entity.fields)


def test_nullable_means_not_required_and_no_default() -> None:
    base = {"type": "integer"}
    (entity,) = load(
        {
            "name": "Task",
            "fields": [
                {"name": "a", **base},
                {"name": "b", "required": True, **base},
                {"name": "c", "default": 1, **base},
                {"name": "d", "required": True, "default": 1, **base},
            ],
        }
    ).entities
    assert [field.nullable for field in entity.fields] == [True, False, False, False]


def test_names_of_an_entity() -> None:
    (entity,) = load({"name": "OrderItem"}).entities
    assert entity.snake == entity.module == "order_item"
    assert entity.table == entity.plural == entity.routes_module == "order_items"
    assert (entity.url, entity.title) == ("order-items", "order item")
    health, class_ = load(
        {"name": "Health", "plural": "health"}, {"name": "Class"}
    ).entities
    assert (health.module, health.routes_module) == ("health", "health_")
    assert (class_.module, class_.variable, class_.plural) == (
        "class_",
        "class_",
        "classes",
    )


def test_an_entity_in_the_plural_needs_no_plural_key() -> None:
    points, order = load({"name": "Points"}, {"name": "OrderDetails"}).entities
    assert (points.table, points.url, points.titles) == ("points",) * 3
    assert (order.table, order.url) == ("order_details", "order-details")
    (problem,) = problems({"name": "Points"}, {"name": "Point"})
    assert problem.endswith('used by the table of Points; set another "plural"')


def test_reserved_attributes_get_an_underscore() -> None:
    (entity,) = load(
        {
            "name": "Task",
            "fields": [
                {"name": "class", "type": "text"},
                {"name": "a", "type": "text"},
            ],
            "relations": [relation("metadata", "many_to_one", "Task")],
        }
    ).entities
    assert [field.attribute for field in entity.fields] == ["class_", "a"]
    (reference,) = entity.references
    assert (reference.attribute, reference.column) == ("metadata_", "metadata_id")


def test_one_to_many_adds_its_other_side() -> None:
    project, task = load(
        {
            "name": "Project",
            "relations": [
                relation("tasks", "one_to_many", "Task", back_populates="plan")
            ],
        },
        {
            "name": "Task",
            "unique": [["plan", "title"]],
            "fields": [{"name": "title", "type": "string"}],
        },
    ).entities
    assert project.reverses == (Reverse("tasks", "many", "Task", "plan"),)
    assert task.references == (
        Reference("plan", "many_to_one", "Project", reverse="tasks"),
    )
    assert task.unique == (("plan_id", "title"),)


def test_two_sides_are_one_relation() -> None:
    both = (
        {
            "name": "Project",
            "relations": [
                relation("tasks", "one_to_many", "Task", back_populates="project")
            ],
        },
        {
            "name": "Task",
            "relations": [
                relation("project", "many_to_one", "Project", back_populates="tasks")
            ],
        },
    )
    alone = ({"name": "Project"}, both[1])
    assert load(*both) == load(*alone)
    one_names_the_other = json.loads(json.dumps(both))
    del one_names_the_other[1]["relations"][0]["back_populates"]
    assert load(*one_names_the_other) == load(*alone)


@pytest.mark.parametrize("marker", [{"required": True}, {"on_delete": "cascade"}])
def test_one_to_one_is_owned_by_the_side_with_required_or_on_delete(
    marker: dict[str, Any],
) -> None:
    person, passport = load(
        {
            "name": "Person",
            "relations": [
                relation("passport", "one_to_one", "Passport", back_populates="person")
            ],
        },
        {
            "name": "Passport",
            "relations": [relation("person", "one_to_one", "Person", **marker)],
        },
    ).entities
    assert person.reverses == (Reverse("passport", "one", "Passport", "person"),)
    assert passport.references[0].reverse == "passport"
    assert not person.references


def test_one_to_one_is_owned_by_the_first_of_two_equal_sides() -> None:
    person, passport = load(
        {
            "name": "Person",
            "relations": [relation("passport", "one_to_one", "Passport")],
        },
        {
            "name": "Passport",
            "relations": [
                relation("person", "one_to_one", "Person", back_populates="passport")
            ],
        },
    ).entities
    assert person.references[0].column == "passport_id"
    assert passport.reverses == (Reverse("person", "one", "Person", "passport"),)


def test_default_of_on_delete() -> None:
    (entity,) = load(
        {
            "name": "Task",
            "relations": [
                relation("a", "many_to_one", "Task"),
                relation("b", "many_to_one", "Task", on_delete="cascade"),
            ],
        }
    ).entities
    assert [one.on_delete for one in entity.references] == ["set_null", "cascade"]
    task, _ = load(
        {
            "name": "Task",
            "relations": [relation("tag", "many_to_one", "Tag", required=True)],
        },
        {"name": "Tag"},
    ).entities
    assert task.references[0].on_delete == "restrict"


def test_many_to_many() -> None:
    product, tag = load(
        {
            "name": "Product",
            "relations": [
                relation("tags", "many_to_many", "Tag", back_populates="products")
            ],
        },
        {"name": "Tag"},
    ).entities
    columns = ("products_tags", "product_id", "tag_id")
    assert product.links == (Link("tags", "Tag", True, "products", *columns),)
    table, left, right = columns
    assert tag.links == (
        Link("products", "Product", False, "tags", table, right, left),
    )
    assert product.links[0].ids == "tag_ids"


@pytest.mark.parametrize(
    ("name", "column"),
    [("friends", "friend_id"), ("related", "related_id"), ("users", "related_user_id")],
)
def test_many_to_many_with_itself_has_two_columns(name: str, column: str) -> None:
    (user,) = load(
        {"name": "User", "relations": [relation(name, "many_to_many", "User")]}
    ).entities
    (link,) = user.links
    assert (link.table, link.left_column) == (f"users_{name}", "user_id")
    assert link.right_column == column


def test_a_column_whose_name_would_be_too_long_is_shortened() -> None:
    (task,) = load(
        {"name": "Task", "relations": [relation("p" * 63, "many_to_one", "Task")]}
    ).entities
    (reference,) = task.references
    assert len(reference.column) == 63
    assert reference.column.startswith("p" * 54 + "_")


def test_a_bad_entity_neither_hides_problems_nor_causes_others() -> None:
    found = problems(
        {"name": "task", "fields": [{"name": "a", "type": "strng"}]},
        {"name": "Note", "relations": [relation("task", "many_to_one", "task")]},
        {
            "name": "Tag",
            "relations": [relation("note", "many_to_one", "Note", x=1)],
            "unique": [["note", "name"]],
            "fields": [{"name": "name", "type": "uid"}],
        },
    )
    assert len(found) == 5
    assert not [line for line in found if "unknown entity" in line or "unique" in line]


def suggested(problem: str) -> str | None:
    """Return what a problem suggests to write instead."""
    _, meant, word = problem.partition("did you mean ")
    return json.loads(word.removesuffix("?")) if meant else None


ELSEWHERE = [
    *synonyms.TYPES,
    *synonyms.TYPE_ADVICE,
    *[
        "varchar(255)",
        "DECIMAL(10,2)",
        "string[]",
        "list<int>",
        "timestamp with time zone",
    ],
]


@pytest.mark.parametrize("word", ELSEWHERE)
def test_a_type_that_is_suggested_is_accepted(word: str) -> None:
    field = {"name": "a", "type": word}
    (problem,) = problems({"name": "Task", "fields": [field]})
    field["type"] = suggested(problem) or ""
    if field["type"]:
        values = {"values": ["x"]} if field["type"] == "enum" else {}
        load({"name": "Task", "fields": [{**field, **values}]})
    else:  # advice in words
        assert not problem.endswith(f"unknown type {json.dumps(word)}")


# A value for each key that can be suggested.
VALUES = {
    **dict.fromkeys(["le", "lt", "max_length", "multiple_of", "precision"], 9),
    **dict.fromkeys(["ge", "gt", "min_length", "scale"], 1),
    **dict.fromkeys(["required", "unique", "index"], True),
    **{"pattern": "x", "values": ["x"], "description": "x", "type": "text"},
    **{"column": "x", "json": "x"},
}


@pytest.mark.parametrize("word", [*synonyms.KEYS, *synonyms.KEY_ADVICE])
def test_a_key_that_is_suggested_is_accepted(word: str) -> None:
    for type_name, field_type in TYPES.items():
        field: dict[str, Any] = {"name": "a", "type": type_name}
        if type_name == "enum":
            field["values"] = ["x"]
        (problem,) = problems({"name": "Task", "fields": [{**field, word: 1}]})
        key = suggested(problem)
        assert key is None or key not in field, problem
        if key in VALUES and field_type.indexable:
            load({"name": "Task", "fields": [{**field, key: VALUES[key]}]})


@pytest.mark.parametrize(("word", "key"), sorted(synonyms.OPPOSITES.items()))
def test_a_key_is_not_suggested_for_its_opposite(word: str, key: str) -> None:
    field = {"name": "a", "type": "string", word: True}
    (problem,) = problems({"name": "Task", "fields": [field]})
    assert problem.endswith(f'use "{key}", with the opposite value')
    (problem,) = problems({"name": "Task", "fields": [{**field, key: False}]})
    assert problem.endswith(f'remove it, as "{key}" says the same')


@pytest.mark.parametrize("name", ["createdAt", "ID", "updated-at", "Xmin", "CTID"])
def test_no_name_is_suggested_that_would_be_refused(name: str) -> None:
    (problem,) = problems({"name": "A", "fields": [{"name": name, "type": "text"}]})
    assert suggested(problem) is None
    (problem,) = problems({"name": "A", "relations": [relation(name, *TO_A)]})
    assert suggested(problem) is None


TO_A = ("many_to_one", "A")


@pytest.mark.parametrize(
    "entity",
    [
        {"name": "none"},
        {"name": "true"},
        {"name": "A", "plural": "AlembicVersion"},
        {"name": "A", "plural": "Pg-Dumps"},
    ],
)
def test_no_reserved_name_of_an_entity_is_suggested(entity: dict[str, Any]) -> None:
    (problem,) = problems(entity)
    assert suggested(problem) is None


def test_no_name_is_suggested_that_is_taken() -> None:
    named = [{"name": name, "type": "text"} for name in ("dueDate", "due_date")]
    (problem,) = problems({"name": "A", "fields": named})
    assert suggested(problem) is None
    (problem,) = problems({"name": "task"}, {"name": "Task"})
    assert suggested(problem) is None


def test_no_key_is_suggested_that_is_present() -> None:
    field = {"name": "a", "type": "integer", "le": 5, "max": 5}
    (problem,) = problems({"name": "A", "fields": [field]})
    assert suggested(problem) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [("tag_id", "tag"), ("bod", None), ("titel", "title"), ("note", None)],
)
def test_names_in_unique_are_suggested_if_they_have_an_index(
    name: str, meant: str | None
) -> None:
    (problem,) = problems(
        {
            "name": "A",
            "fields": [
                {"name": "title", "type": "string"},
                {"name": "body", "type": "text"},
            ],
            "relations": [
                relation("tag", "many_to_one", "A"),
                relation("notes", "many_to_many", "A"),
            ],
            "unique": [["title", name]] if meant != "title" else [["tag", name]],
        }
    )
    assert suggested(problem) == meant


COMPUTED = {
    "datetime": ["now()", "CURRENT_TIMESTAMP", "utcnow", "timezone.now()"],
    "date": ["today", "CURRENT_DATE", "date.today()"],
    "time": ["now()", "LOCALTIME"],
    "uuid": ["gen_random_uuid()", "uuid4", "uuid_generate_v4()"],
}


@pytest.mark.parametrize(
    ("type_name", "default"),
    [(name, default) for name, defaults in COMPUTED.items() for default in defaults],
)
def test_a_default_that_is_computed_is_explained(type_name: str, default: str) -> None:
    field = {"name": "a", "type": type_name, "default": default}
    (problem,) = problems({"name": "A", "fields": [field]})
    assert f"is not a valid {'UUID' if type_name == 'uuid' else type_name}" in problem
    assert problem.endswith(f'a default can be "{keys.MADE_DEFAULTS[type_name]}"')


def test_synonyms_are_not_words_of_the_language() -> None:
    assert not (synonyms.TYPES.keys() | synonyms.TYPE_ADVICE.keys()) & TYPES.keys()
    own = {key for one in TYPES.values() for key in one.keys}
    tables = (keys.TOP, keys.ENTITY, keys.ID, keys.TIMESTAMPS, keys.FIELD)
    known = {*keys.RELATION, *own}.union(*tables)
    words = (
        synonyms.KEYS.keys() | synonyms.KEY_ADVICE.keys() | synonyms.OPPOSITES.keys()
    )
    assert not words & known
    assert {key for found in synonyms.KEYS.values() for key in found} <= known


@pytest.mark.parametrize("word", [*synonyms.ID_TYPES, "varchar(20)"])
def test_an_id_type_that_is_suggested_is_accepted(word: str) -> None:
    (problem,) = problems({"name": "A", "id": word})
    assert suggested(problem) in {*keys.ID_TYPES, None}
    (problem,) = problems({"name": "A", "id": {"type": word}})
    assert suggested(problem) in {*keys.ID_TYPES, None}


@pytest.mark.parametrize("key", keys.PLACES)
def test_a_key_in_the_wrong_place_is_explained(key: str) -> None:
    places = [{"name": "A", key: 1}, {"name": "A", "fields": [{**A_FIELD, key: 1}]}]
    places = [one for one in places if not _is_read(one, key)]
    for entity in places:
        (problem,) = problems(entity)
        assert problem.endswith(f"it is a key of {keys.PLACES[key]}")


A_FIELD = {"name": "a", "type": "string"}


def _is_read(entity: dict[str, Any], key: str) -> bool:
    own = {key for one in TYPES.values() for key in one.keys}
    return key in ({*keys.FIELD, *own} if "fields" in entity else keys.ENTITY)


def test_ids_and_times_have_their_usual_names_by_default() -> None:
    (entity,) = load({"name": "Task"}).entities
    assert (entity.id, entity.timestamps) == (Id(), Timestamps())
    assert entity.is_standard
    for key in ("uuid", {}, {"name": "id", "type": "uuid", "generated": True}):
        assert load({"name": "Task", "id": key, "timestamps": {}}).entities == (entity,)


def test_names_of_a_database_are_kept() -> None:
    path = TESTS / "specs/good/ids_and_names_of_a_database.json"
    spec = loading.load(path)
    film, language, note = (spec.entity(n) for n in ("Film", "Language", "Note"))
    assert (film.schema, film.table, film.url) == ("catalogue", "film", "movies")
    assert language.schema is None
    assert (film.id.column, film.id.json) == ("film_id", "filmId")
    assert film.timestamps == Timestamps("inserted", "last_update", camel=True)
    assert language.timestamps is None
    assert language.order == ("iso_code",)
    title, year, *_ = film.fields
    assert (title.column, title.json) == ("TheTitle", "film-title")
    assert (year.column, year.json) == ("release_year", "releaseYear")
    references = {one.name: (one.column, one.json) for one in film.references}
    assert references == {
        "language": ("language_id", "languageId"),
        "original_language": ("orig lang", "spokenIn"),
        "sequel_of": ("sequel_of_id", "sequelOfId"),
    }
    assert film.unique == (("language_id", "release_year", "TheTitle"),)
    assert film.links[0].ids == "actorIds"
    assert note.references[0].json == "movie"


def keys_of(node: Any) -> set[str]:
    """Return the keys of all objects in a document, but not those in defaults."""
    if isinstance(node, list):
        return set().union(*map(keys_of, node))
    if not isinstance(node, dict):
        return set()
    inner = [value for key, value in node.items() if key != "default"]
    return {*node}.union(*map(keys_of, inner))


def test_the_good_examples_use_every_key() -> None:
    documents = [json.loads(path.read_text(encoding="utf-8-sig")) for path in GOOD]
    tables = (keys.TOP, keys.ENTITY, keys.ID, keys.TIMESTAMPS, keys.FIELD)
    own = {key for one in TYPES.values() for key in one.keys}
    known = {*keys.RELATION, *own}.union(*tables)
    assert known <= set().union(*map(keys_of, documents))


def test_the_id_of_a_target_counts_in_composites() -> None:
    code = {"name": "Code", "id": {"type": "string", "generated": False}}
    names = [f"a{number}" for number in range(11)]
    task = {
        "name": "Task",
        "relations": [relation(name, "many_to_one", "Code") for name in names],
    }
    load(code, {**task, "unique": [names[:10]]})
    (problem,) = problems(code, {**task, "unique": [names]})
    assert "can take 2805 bytes" in problem
    code["id"] = "integer"
    load(code, {**task, "unique": [names]})


def test_a_report_lists_fifty_problems_and_counts_all() -> None:
    with pytest.raises(loading.SpecError) as caught:
        load({"name": "Task", "fields": [{"name": f"f{i}"} for i in range(120)]})
    assert len(caught.value.problems) == 50
    assert caught.value.count == 120
    last = loading.report(caught.value).splitlines()[-1]
    assert last == ("entities.json: 120 problems, 50 are shown; nothing was generated")


def test_the_report_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.json"
    path.write_bytes(b"[]")
    with pytest.raises(loading.SpecError) as caught:
        loading.load(path)
    assert loading.report(caught.value).startswith("shop.json:1:1: must be an object")


@pytest.mark.parametrize("name", ["missing.json", ".", "a\0b"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(loading.SpecError) as caught:
        loading.load(tmp_path / name)
    assert "cannot be read" in loading.report(caught.value).splitlines()[0]


def test_a_spec_is_immutable() -> None:
    (entity,) = load({"name": "Task"}).entities
    with pytest.raises(dataclasses.FrozenInstanceError):
        entity.name = "Other"  # type: ignore[misc]  # that is the test
    assert hash(Reference("a", "many_to_one", "Task"))


def large(entities: int, wrong: bool) -> bytes:
    kind = "type" if not wrong else "typ"
    fields = [
        {"name": "title", kind: "string", "max_length": 200, "pattern": "^[a-z]+$"},
        {"name": "done", kind: "boolean", "default": False},
        {"name": "amount", kind: "decimal", "ge": 0},
    ]
    document = [
        {
            "name": f"Thing{index}",
            "fields": fields,
            "relations": [
                relation("next", "many_to_one", f"Thing{(index + 1) % entities}")
            ],
        }
        for index in range(entities)
    ]
    return json.dumps({"entities": document}).encode()


def many(**entity: Any) -> bytes:
    """Return as many entities as allowed, which differ in their names only."""
    document = [{"name": f"Thing{index}", **entity} for index in range(2_000)]
    return json.dumps({"entities": document}).encode()


def fields(count: int, **field: Any) -> list[dict[str, Any]]:
    return [{"name": f"a{index}", **field} for index in range(count)]


PATTERNS = fields(8, type="string", pattern="^[a-z]+$", default="abc")
DECIMALS = fields(10, type="decimal", default="1.50", ge=0)
UNKNOWN = [relation("next", "many_to_one", "Thing")]


@pytest.mark.parametrize(
    ("data", "good", "seconds"),
    [
        pytest.param(large(2_000, False), True, 0.3, id="usual"),
        pytest.param(large(2_000, True), False, 0.3, id="a wrong key in each field"),
        pytest.param(many(relations=UNKNOWN), False, 0.3, id="unknown targets"),
        # Files of 1.3 MB, of 2 MiB that are allowed.
        pytest.param(many(fields=PATTERNS), True, 0.35, id="16,000 patterns"),
        pytest.param(many(fields=DECIMALS), True, 0.5, id="20,000 decimals"),
    ],
)
def test_two_thousand_entities_are_checked_quickly(
    data: bytes, good: bool, seconds: float
) -> None:
    """Compare with twice the time that it took on the machines it was written on."""
    times = []
    for _ in range(3):
        started = time.process_time()
        with nullcontext() if good else pytest.raises(loading.SpecError):
            loading.parse(data)
        times.append(time.process_time() - started)
    assert min(times) < 2 * seconds
