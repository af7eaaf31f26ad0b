"""Tests of the checker: who may do what, owners of rows and access to fields."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from scaffold.spec import loading
from scaffold.spec.json_schema import build
from scaffold.spec.model import Access, Entity, Spec
from scaffold.spec.vocabulary import keys, synonyms
from tests.unit.evolution import spec_of
from tests.unit.legal import legal
from tests.unit.test_spec import suggested

VALIDATOR = Draft202012Validator(build())
REQUIRED: dict[str, Any] = {"type": "many_to_one", "required": True}
ORDER = {"name": "order", "target": "Order", **REQUIRED}
CUSTOMER = {"name": "customer", "target": "Customer", **REQUIRED}


def document(*entities: dict[str, Any], access: Any = "authenticated") -> Any:
    return {"auth": True, "access": access, "entities": [*entities]}


def load(*entities: dict[str, Any], access: Any = "authenticated") -> Spec:
    return loading.parse(json.dumps(document(*entities, access=access)).encode())


def problems(*entities: dict[str, Any], access: Any = "authenticated") -> list[str]:
    with pytest.raises(loading.SpecError) as caught:
        load(*entities, access=access)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


def test_one_rule_is_for_reading_and_for_each_kind_of_write() -> None:
    (task,) = load({"name": "Task", "access": ["role:editor", "scope:tasks"]}).entities
    rules = ("role:editor", "scope:tasks")
    assert task.access == Access(read=rules, create=rules, update=rules, delete=rules)


def test_access_of_an_entity_replaces_that_of_the_top_level() -> None:
    own = {"read": "public", "create": "nobody", "update": "nobody", "delete": "nobody"}
    task, tag = load({"name": "Task"}, {"name": "Tag", "access": own}).entities
    assert task.access == Access(*[("authenticated",)] * 4)
    assert tag.access == Access(("public",), *[("nobody",)] * 3)


def test_there_is_no_access_without_auth() -> None:
    (task,) = loading.parse(b'{"entities": [{"name": "Task"}]}').entities
    assert (task.access, task.owner, task.owner_path) == (None, None, ())


def test_an_owner_is_found_through_relations_in_any_order_of_the_file() -> None:
    entities = [
        {"name": "Item", "owner": "order", "relations": [ORDER]},
        {"name": "Customer", "owner": True},
        {"name": "Order", "owner": "customer", "relations": [CUSTOMER]},
        {"name": "Product"},
    ]
    item, customer, order, product = load(*entities).entities
    assert (item.owner, item.owner_path) == ("order", ("order", "customer"))
    assert (order.owner, order.owner_path) == ("customer", ("customer",))
    assert (customer.owner, customer.owner_path) == (True, ())
    assert (product.owner, product.owner_path) == (None, ())


def test_an_owner_is_found_through_a_one_to_one_with_the_column() -> None:
    profile = {"name": "profile", "target": "Profile", "type": "one_to_one"}
    account = {**profile, "name": "account", "target": "Account", "required": True}
    entities = [
        {"name": "Account", "owner": True, "relations": [profile]},
        {"name": "Profile", "owner": "account", "relations": [account]},
    ]
    assert load(*entities).entity("Profile").owner_path == ("account",)


def test_the_service_sets_subjects_of_owners_and_actors() -> None:
    def subjects(**entity: Any) -> Entity:
        (task,) = load({"name": "Task", **entity}).entities
        return task

    assert subjects(owner=True).subjects == ("owner_id",)
    assert subjects(actors=True).subjects == ("created_by", "updated_by")
    assert subjects(owner=False, actors=False).subjects == ()
    assert subjects(owner=True).json_keys["owner_id"] == "owner_id"


def test_subjects_are_in_camel_case_where_the_other_keys_are() -> None:
    (task,) = loading.parse(
        b'{"auth": true, "access": "owner", "json_case": "camel",'
        b' "entities": [{"name": "Task", "owner": true, "actors": true}]}'
    ).entities
    found = [task.json_keys[name] for name in task.subjects]
    assert found == ["ownerId", "createdBy", "updatedBy"]


def test_unique_has_the_column_of_the_owner() -> None:
    fields = [{"name": "title", "type": "string"}]
    names = [["owner", "title"]]
    entity = {"name": "Task", "owner": True, "fields": fields, "unique": names}
    assert load(entity).entity("Task").unique == (("owner_id", "title"),)


def test_a_relation_may_be_called_owner() -> None:
    owner = {"name": "owner", "target": "User", **REQUIRED}
    fields = [{"name": "title", "type": "string"}]
    task: dict[str, Any] = {"name": "Task", "owner": "owner", "fields": fields}
    task |= {"relations": [owner], "unique": [["owner", "title"]]}
    found = load(task, {"name": "User", "owner": True}).entity("Task")
    assert found.owner_path == ("owner",)
    assert found.unique == (("owner_id", "title"),)


def test_a_field_has_the_rules_of_its_entity_by_default() -> None:
    fields = [
        {"name": "a", "type": "string"},
        {"name": "b", "type": "string", "read_access": "public"},
        {
            "name": "c",
            "type": "string",
            "read_access": "owner",
            "write_access": "nobody",
        },
        {"name": "d", "type": "string", "write_access": ["role:x", "owner"]},
    ]
    (task,) = load({"name": "Task", "owner": True, "fields": fields}).entities
    assert [(one.read_access, one.write_access) for one in task.fields[:4]] == [
        ((), ()),
        ((), ()),
        (("owner",), ("nobody",)),
        ((), ("role:x", "owner")),
    ]


@pytest.mark.parametrize(
    ("create", "owner", "write"),
    [
        ("role:editor", False, "authenticated"),
        ("role:editor", False, ["role:admin", "role:editor"]),
        ("authenticated", True, "owner"),
        ("owner", True, ["role:admin", "owner"]),
        ("public", False, "public"),
        ("nobody", False, "nobody"),
    ],
)
def test_a_required_field_can_be_set_by_all_who_create(
    create: str, owner: bool, write: Any
) -> None:
    access = {**dict.fromkeys(keys.ACCESS, "public"), "create": create}
    field = {"name": "a", "type": "string", "required": True, "write_access": write}
    load({"name": "Task", "access": access, "owner": owner, "fields": [field]})


def test_a_required_field_without_a_create_may_be_set_by_some() -> None:
    field = {"name": "a", "type": "string", "required": True, "write_access": "nobody"}
    entity = {"name": "Task", "fields": [field]}
    assert len(problems(entity)) == 1
    load({**entity, "operations": ["list", "get"]})


@pytest.mark.parametrize(
    "rule", ["role:admin", "scope:https://a.example/b:c", "role:a/b.c-d_e@f#g{h}"]
)
def test_names_of_roles_and_scopes(rule: str) -> None:
    entity = {"name": "Task", "access": rule}
    assert VALIDATOR.is_valid(document(entity))
    access = load(entity).entity("Task").access
    assert access
    assert access.rules == {rule}


@pytest.mark.parametrize("word", [*synonyms.RULES, "Nobody", "ROLES:admin"])
def test_a_rule_that_is_suggested_is_accepted(word: str) -> None:
    (problem,) = problems({"name": "Task", "access": word})
    rule = suggested(problem)
    assert rule
    load({"name": "Task", "access": rule, "owner": True})


@pytest.mark.parametrize("word", ["group:admin", "roles:store manager", "roles:", ":"])
def test_no_rule_is_suggested_that_would_be_refused(word: str) -> None:
    (problem,) = problems({"name": "Task", "access": word})
    assert suggested(problem) is None


def test_a_word_with_two_meanings_gets_no_suggestion() -> None:
    (problem,) = problems({"name": "Task", "access": "admin"})
    assert suggested(problem) is None
    assert problem.endswith('for a role, write "role:admin"')


def test_a_wrong_rule_is_not_reported_as_a_missing_one() -> None:
    assert len(problems({"name": "A"}, {"name": "B"}, access="admins")) == 1
    assert len(problems({"name": "A", "access": {"read": "public"}})) == 3


def test_a_wrong_owner_is_not_reported_as_a_missing_one() -> None:
    assert problems({"name": "A", "owner": "B c", "access": "owner"}) == [
        'A.owner: "B c" is not a valid name in snake_case; did you mean "b_c"?'
    ]
    entities = [{"name": "A", "owner": 1}, {"name": "B", "owner": "a"}]
    relation = {"name": "a", "target": "A", **REQUIRED}
    assert len(problems(entities[0], {**entities[1], "relations": [relation]})) == 1


@pytest.mark.parametrize("length", [2, 3, 12])
def test_a_cycle_of_owners_is_reported_once(length: int) -> None:
    def entity(index: int) -> dict[str, Any]:
        target = {"name": "next", "target": f"E{(index + 1) % length}", **REQUIRED}
        return {"name": f"E{index}", "owner": "next", "relations": [target]}

    found = problems(*[entity(index) for index in range(length)])
    assert sum("cycle of owner relations" in problem for problem in found) == 1


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_random_rules_that_are_accepted_fit_the_schema(seed: int) -> None:
    found = legal(Random(seed), access=True)
    assert VALIDATOR.is_valid(found)
    parsed = spec_of(found)
    assert parsed
    assert parsed.auth
    for entity in parsed.entities:
        assert entity.access
        here = entity
        for name in entity.owner_path:
            step = next(one for one in here.references if one.name == name)
            assert step.required
            here = parsed.entity(step.target)
        assert (here.owner is True) == (entity.owner is not None)
