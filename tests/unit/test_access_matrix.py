"""The access matrix: what each caller gets, the command that shows it, and its changes."""

import ast
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scaffold.cli import main
from scaffold.rendering import access_changes
from scaffold.rendering.access_matrix import AccessMatrix, Answer, text
from scaffold.rendering.app import generate_modular_app
from scaffold.spec.loading import Spec, parse
from tests.harness.project import ROOT

SHOP = parse((ROOT / "tests" / "specs" / "good" / "access.json").read_bytes())
Document = dict[str, Any]


def spec(*entities: Document, auth: bool = True, **top: Any) -> Spec:
    return parse(json.dumps({"auth": auth, **top, "entities": entities}).encode())


def answers(spec: Spec, name: str, callers: list[str]) -> dict[str, str]:
    """Return what the callers get from each operation, in one line each."""
    matrix, entity = AccessMatrix(spec), spec.entity(name)
    found = {}
    for one in matrix.operations(entity):
        cells = [str(matrix.answer(one, caller)) for caller in callers]
        brief = [cell.removesuffix(" rows").replace(" ", "-") for cell in cells]
        line = " ".join(brief).replace("-reference_not_found", "")
        found[str(one).replace("/api/v1", "")] = line
    return found


# What the answers are

SHOP_CALLERS = [
    "no token",
    "bad token",
    "any token",
    "owner",
    "another owner",
    "role:admin",
    "role:editor",
    "role:finance",
    "role:support",
    "scope:https://shop.example/credit:read",
    "scope:products:write",
]


def test_the_callers_are_those_that_the_file_names() -> None:
    assert AccessMatrix(SHOP).callers == SHOP_CALLERS
    without_owners = spec({"name": "Note", "access": ["role:a", "scope:b"]})
    assert AccessMatrix(without_owners).callers == [
        "no token",
        "bad token",
        "any token",
        "role:a",
        "scope:b",
    ]


ORDERS = {
    # Order and OrderItem belong to the owner of the row that they refer to. Who does not
    # see that row cannot refer to it; support sees it, and does not own it.
    "POST": "401 401 422 201 422 422 422 422 403 422 422",
    "GET": "401 401 200-own 200-own 200-own 200-own 200-own 200-own 200-all 200-own 200-own",
    "one": "401 401 404 200 404 404 404 404 200 404 404",
    "DELETE": "401 401 403 403 403 403 403 403 403 403 403",
    "below": "401 401 404 200-own 404 404 404 404 200-all 404 404",
}
EXPECTED = {
    "Customer": {
        "POST /customers": "401 401 201 201 201 201 201 201 201 201 201",
        "POST /customers/batch": "401 401 201 201 201 201 201 201 201 201 201",
        "GET /customers": ORDERS["GET"],
        "GET /customers/{id}": ORDERS["one"],
        "PUT /customers/{id}": ORDERS["one"],
        "PATCH /customers/{id}": ORDERS["one"],
        "DELETE /customers/{id}": ORDERS["DELETE"],
        "GET /customers/{id}/orders": ORDERS["below"],
    },
    "Order": {
        "POST /orders": ORDERS["POST"],
        "POST /orders/batch": ORDERS["POST"],
        "GET /orders": ORDERS["GET"],
        "GET /orders/{id}": ORDERS["one"],
        "PUT /orders/{id}": ORDERS["one"],
        "PATCH /orders/{id}": ORDERS["one"],
        "DELETE /orders/{id}": ORDERS["DELETE"],
        "GET /orders/{id}/items": ORDERS["below"],
    },
    "OrderItem": {
        "POST /order-items": ORDERS["POST"],
        "POST /order-items/batch": ORDERS["POST"],
        "GET /order-items": ORDERS["GET"],
        "GET /order-items/{id}": ORDERS["one"],
        "PUT /order-items/{id}": ORDERS["one"],
        "PATCH /order-items/{id}": ORDERS["one"],
        "DELETE /order-items/{id}": ORDERS["DELETE"],
    },
    "Product": {
        "POST /products": "401 401 403 403 403 403 201 403 403 403 201",
        "POST /products/batch": "401 401 403 403 403 403 201 403 403 403 201",
        "GET /products": "200-all 401" + " 200-all" * 9,
        "GET /products/{id}": "200 401" + " 200" * 9,
        "PUT /products/{id}": "401 401 403 403 403 403 200 403 403 403 200",
        "PATCH /products/{id}": "401 401 403 403 403 403 200 403 403 403 200",
        "DELETE /products/{id}": "401 401 403 403 403 204 403 403 403 403 403",
        "GET /products/{id}/tags": "200-all 401" + " 200-all" * 9,
        "PUT /products/{id}/tags/{other_id}": (
            "401 401 403 403 403 403 204 403 403 403 204"
        ),
        "DELETE /products/{id}/tags/{other_id}": (
            "401 401 403 403 403 403 204 403 403 403 204"
        ),
    },
    "Tag": {
        "POST /tags": "401 401 403 403 403 403 201 403 403 403 403",
        "POST /tags/batch": "401 401 403 403 403 403 201 403 403 403 403",
        "GET /tags": "200-all 401" + " 200-all" * 9,
        "GET /tags/{id}": "200 401" + " 200" * 9,
        "PUT /tags/{id}": "401 401 403 403 403 403 200 403 403 403 403",
        "PATCH /tags/{id}": "401 401 403 403 403 403 200 403 403 403 403",
        "DELETE /tags/{id}": "401 401 403 403 403 403 204 403 403 403 403",
        "GET /tags/{id}/products": "200-all 401" + " 200-all" * 9,
        # The list of ids is the product's, whichever URL changes it.
        "PUT /tags/{id}/products/{other_id}": (
            "401 401 403 403 403 403 204 403 403 403 204"
        ),
        "DELETE /tags/{id}/products/{other_id}": (
            "401 401 403 403 403 403 204 403 403 403 204"
        ),
    },
    "AuditEntry": {
        "POST /audit-entries": "401 401" + " 403" * 9,
        "POST /audit-entries/batch": "401 401" + " 403" * 9,
        "GET /audit-entries": "401 401" + " 403" * 9,
        "GET /audit-entries/{id}": "401 401" + " 403" * 9,
        "PUT /audit-entries/{id}": "401 401" + " 403" * 9,
        "PATCH /audit-entries/{id}": "401 401" + " 403" * 9,
        "DELETE /audit-entries/{id}": "401 401" + " 403" * 9,
    },
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_caller_gets_what_the_rules_say(name: str) -> None:
    assert answers(SHOP, name, SHOP_CALLERS) == EXPECTED[name]


def test_every_entity_of_the_example_is_tested() -> None:
    assert list(EXPECTED) == [entity.name for entity in SHOP.entities]


OWNER_AND_OTHER = ["no token", "any token", "owner", "another owner"]


def notes(**access: Any) -> Spec:
    """Notes with labels, which both have owners, and a cover for each note."""
    rules = {"read": "owner", "create": "owner", "update": "owner", "delete": "owner"}
    relation = {"target": "Note", "required": True, "back_populates": "cover"}
    return spec(
        {
            "name": "Note",
            "owner": True,
            "operations": ["get", "update", "delete"],
            "access": {**rules, **access.get("Note", {})},
            "relations": [
                {
                    "name": "labels",
                    "type": "many_to_many",
                    "target": "Label",
                    "back_populates": "notes",
                }
            ],
        },
        {
            "name": "Label",
            "owner": True,
            "operations": ["list"],
            "access": {**rules, **access.get("Label", {})},
        },
        {
            "name": "Cover",
            "owner": "note",
            "operations": ["create", "get"],
            "access": {**rules, **access.get("Cover", {})},
            "relations": [{"name": "note", "type": "one_to_one", **relation}],
        },
    )


def test_operations_that_do_not_exist_are_left_out() -> None:
    assert list(answers(notes(), "Note", [])) == [
        "GET /notes/{id}",
        "PATCH /notes/{id}",
        "DELETE /notes/{id}",
        "GET /notes/{id}/cover",
        "GET /notes/{id}/labels",
        "PUT /notes/{id}/labels/{other_id}",
        "DELETE /notes/{id}/labels/{other_id}",
    ]
    # Notes have no list, so a label has none of them either.
    assert list(answers(notes(), "Label", [])) == [
        "GET /labels",
        "PUT /labels/{id}/notes/{other_id}",
        "DELETE /labels/{id}/notes/{other_id}",
    ]


def test_a_row_that_one_sees_and_may_not_change_is_a_403() -> None:
    found = answers(notes(Note={"read": "authenticated"}), "Note", OWNER_AND_OTHER)
    assert found["GET /notes/{id}"] == "401 200 200 200"
    assert found["PATCH /notes/{id}"] == "401 403 200 403"
    assert found["DELETE /notes/{id}"] == "401 403 204 403"


def test_who_may_change_but_not_read_a_row_gets_a_404() -> None:
    changed = notes(Note={"update": "authenticated", "delete": "role:cleaner"})
    found = answers(changed, "Note", [*OWNER_AND_OTHER, "role:cleaner"])
    assert found["PATCH /notes/{id}"] == "401 404 200 404 404"
    assert found["DELETE /notes/{id}"] == "401 403 403 403 404"


def test_both_sides_of_a_link_must_be_readable() -> None:
    labels_of_all = notes(Label={"read": "authenticated"})
    found = answers(labels_of_all, "Note", OWNER_AND_OTHER)
    assert found["GET /notes/{id}/labels"] == "401 404 200-all 404"
    assert found["PUT /notes/{id}/labels/{other_id}"] == "401 404 204 404"
    found = answers(labels_of_all, "Label", OWNER_AND_OTHER)
    assert found["PUT /labels/{id}/notes/{other_id}"] == "401 404 204 404"
    # As if the note did not exist: to unlink it again is no error, and changes nothing.
    unlinked = found["DELETE /labels/{id}/notes/{other_id}"]
    assert unlinked == "401 204-unchanged 204 204-unchanged"


def test_links_follow_the_rule_of_the_side_with_the_list_of_ids() -> None:
    everyone = {"read": "authenticated"}
    for label in ({"update": "nobody"}, {"update": "authenticated"}):
        found = notes(Note=everyone, Label={**everyone, **label})
        for name, url in (
            ("Note", "notes/{id}/labels"),
            ("Label", "labels/{id}/notes"),
        ):
            for method in ("PUT", "DELETE"):
                line = answers(found, name, OWNER_AND_OTHER)[
                    f"{method} /{url}/{{other_id}}"
                ]
                assert line == "401 403 204 403"


def test_the_only_row_of_the_other_side_needs_the_rules_of_both() -> None:
    get_cover = "GET /notes/{id}/cover"
    for rules, line in (
        ({}, "401 404 200 404"),
        ({"Note": {"read": "public"}}, "401 404 200 404"),
        ({"Cover": {"read": "public"}}, "401 404 200 404"),
        ({"Note": {"read": "public"}, "Cover": {"read": "public"}}, "200 200 200 200"),
        ({"Note": {"read": "public"}, "Cover": {"read": "role:a"}}, "401 403 403 403"),
    ):
        assert answers(notes(**rules), "Note", OWNER_AND_OTHER)[get_cover] == line


def test_a_new_row_can_refer_only_to_rows_that_its_caller_sees() -> None:
    create = "POST /covers"
    for rules, line in (
        ({}, "401 422 201 422"),
        ({"Note": {"read": "public"}}, "401 403 201 403"),
        ({"Cover": {"create": "public"}}, "422 422 201 422"),
        (
            {"Note": {"read": "public"}, "Cover": {"create": "public"}},
            "201 201 201 201",
        ),
        ({"Note": {"read": "nobody"}}, "401 422 422 422"),
    ):
        assert answers(notes(**rules), "Cover", OWNER_AND_OTHER)[create] == line


def test_a_token_that_is_not_valid_is_rejected_even_where_none_is_needed() -> None:
    public = spec({"name": "Note"}, access="public")
    assert set(answers(public, "Note", ["bad token"]).values()) == {"401"}


def test_no_role_or_ownership_takes_rights_away() -> None:
    for one in (SHOP, notes(), notes(Note={"read": "authenticated"})):
        matrix = AccessMatrix(one)
        for entity in one.entities:
            for operation in matrix.operations(entity):
                usual = matrix.answer(operation, "any token").right
                for caller in matrix.callers[3:]:
                    assert matrix.answer(operation, caller).right >= usual


def test_a_list_of_own_rows_is_less_than_one_of_all() -> None:
    ranks = [Answer(404), Answer(200, "own rows"), Answer(200, "all rows")]
    assert [one.right for one in ranks] == [0, 1, 2]
    assert Answer(204, "unchanged").right == 0


# Fields

FIELDS = {
    "read email": "owner, role:support",
    "read credit": "role:support",  # the scope alone does not read customers
    "create with credit": "role:support",
    "update credit": "role:support",
    "read phone": "owner",
    # Who creates a customer owns it.
    "create with phone": ", ".join(SHOP_CALLERS[2:]),
    "update phone": "owner",
    "create with code": ", ".join(SHOP_CALLERS[2:]),
    "read margin": "",
    "create with margin": "",
    "update margin": "",
    "read cost": "role:editor",
    "create with slug": "role:editor, scope:products:write",
    "update slug": "role:editor, scope:products:write",
}


def test_fields_with_rules_of_their_own_are_for_those_who_may_use_the_row_too() -> None:
    matrix = AccessMatrix(SHOP)
    found = {
        str(use): ", ".join(one for one in SHOP_CALLERS if matrix.may_use(use, one))
        for entity in SHOP.entities
        for use in matrix.field_uses(entity)
    }
    assert found == FIELDS


# What a person reads


def test_the_table_has_no_column_for_those_who_get_what_any_token_gets() -> None:
    table = AccessMatrix(SHOP).table(SHOP.entity("Order"))
    assert list(table.callers) == [
        "no token",
        "bad token",
        "any token",
        "owner",
        "role:support",
    ]
    assert "\n".join(table.text.splitlines()[:2]) == (
        "                               no token  bad token  any token"
        "                owner         role:support\n"
        "POST /api/v1/orders            401       401        "
        "422 reference_not_found  201           403"
    )


def test_names_of_roles_do_not_break_the_table_in_markdown() -> None:
    named = spec({"name": "Note"}, access=["role:a|b", "role:c`d", "role:<b>"])
    table = AccessMatrix(named).table(named.entity("Note")).markdown
    head, rule, *lines = table.splitlines()
    assert head.endswith(r"| `any token` | `role:<b>` | `role:a\|b` | `` role:c`d `` |")
    columns = rule.count("|")
    assert all(line.replace(r"\|", "").count("|") == columns for line in (head, *lines))


def test_what_cannot_be_hidden_is_told_of_each_entity() -> None:
    matrix = AccessMatrix(SHOP)
    unhidden = {one.name: list(matrix.unhidden(one)) for one in SHOP.entities}
    assert unhidden == {
        "Customer": [],  # a nickname is unique for each owner; no one may delete
        "Order": ["a 409 tells that a value of number is taken"],
        "OrderItem": ["a 409 tells that a value of order_id and product_id is taken"],
        "Product": ["DELETE: a 409 tells that an order item refers to it"],
        "Tag": [],  # everyone may read tags
        "AuditEntry": [],
    }


def test_cascades_and_natural_ids_are_told() -> None:
    parent = {
        "name": "Film",
        "id": {"name": "code", "type": "string", "generated": False},
    }
    relation = {"name": "film", "type": "many_to_one", "target": "Film"}
    child = {"name": "Copy", "relations": [{**relation, "on_delete": "cascade"}]}
    films = spec(parent, child, access="authenticated")
    found = list(AccessMatrix(films).unhidden(films.entity("Film")))
    assert found == [
        "a 409 tells that a value of code is taken",
        "DELETE deletes its copies too, whoever owns them",
    ]


def test_the_page_in_the_project_has_each_table() -> None:
    page = generate_modular_app(SHOP).files["docs/access.md"]
    matrix = AccessMatrix(SHOP)
    for entity in SHOP.entities:
        assert matrix.table(entity).markdown in page
    assert "| OrderItem | that of its `order` → `customer` |" in page
    assert "Not hidden from callers who may not read the rows:\n\n- a 409" in page


def test_a_history_is_for_those_who_read_the_row() -> None:
    rules = {"read": ["owner", "role:support"], "create": "authenticated"}
    note = {
        "name": "Note",
        "owner": True,
        "history": True,
        "access": {**rules, "update": "owner", "delete": "nobody"},
    }
    callers = ["no token", "bad token", "any token", "owner", "role:support"]
    found = answers(spec(note), "Note", callers)
    assert found["GET /notes/{id}/history"] == found["GET /notes/{id}"]
    assert found["GET /notes/{id}/history"] == "401 401 404 200 200"
    for other in ({"history": False}, {"operations": ["create", "list"]}):
        without = answers(spec({**note, **other}), "Note", callers)
        assert "GET /notes/{id}/history" not in without


def test_a_restore_is_for_those_who_may_delete() -> None:
    note = {
        "name": "Note",
        "owner": True,
        "soft_delete": True,
        "access": {
            "read": ["owner", "role:support"],
            "create": "authenticated",
            "update": "owner",
            "delete": "owner",
        },
    }
    callers = ["no token", "bad token", "any token", "owner", "role:support"]
    found = answers(spec(note), "Note", callers)
    assert found["DELETE /notes/{id}"] == "401 401 404 204 403"
    assert found["POST /notes/{id}/restore"] == "401 401 404 200 403"
    for other in ({"soft_delete": False}, {"operations": ["get"]}):
        without = answers(spec({**note, **other}), "Note", callers)
        assert "POST /notes/{id}/restore" not in without


def test_a_project_without_auth_has_no_page_about_access() -> None:
    without = spec({"name": "Note"}, auth=False)
    assert "docs/access.md" not in generate_modular_app(without).files


def test_a_template_that_is_empty_makes_an_empty_file() -> None:
    templates = {"reports/.gitkeep.jinja": ""}
    without = spec({"name": "Note"}, auth=False)
    assert generate_modular_app(without, templates).files["reports/.gitkeep"] == ""


def test_a_hidden_field_of_public_rows_is_told_if_it_is_unique() -> None:
    fields = [
        {"name": "code", "type": "string", "max_length": 20, "unique": True},
        {"name": "key", "type": "string", "max_length": 20, "unique": True},
    ]
    fields[1]["read_access"] = "role:admin"
    notes = spec({"name": "Note", "fields": fields}, access="public")
    (found,) = AccessMatrix(notes).unhidden(notes.entity("Note"))
    assert found == "a 409 tells that a value of key is taken"


# The command


def write(root: Path, *entities: Document, **top: Any) -> None:
    (root / "entities.json").write_text(json.dumps({**top, "entities": entities}))


def test_the_command_prints_the_matrix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"name": "Note"}, auth=True, access="role:editor")
    assert main(["access"], tmp_path) == 0
    printed = capsys.readouterr().out
    assert printed == text(spec({"name": "Note"}, access="role:editor"))
    assert "PATCH /api/v1/notes/{id}   401       401        403        200" in printed


def test_the_command_says_that_without_auth_everyone_may_do_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"name": "Note"})
    assert main(["access"], tmp_path) == 0
    assert "Everyone may do everything" in capsys.readouterr().out


def test_the_command_reports_what_is_wrong_in_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"name": "Note"}, auth=True)
    assert main(["access"], tmp_path) == 1
    assert "entities.json:1:" in capsys.readouterr().err
    (tmp_path / "entities.json").write_text("<<<<<<< yours\n=======\n>>>>>>> theirs\n")
    assert main(["access"], tmp_path) == 1
    assert "conflict" in capsys.readouterr().err


# Changes

NOTE: Document = {"name": "Note", "owner": True, "access": "owner"}
ALL_BUT_READ = {"create": "owner", "update": "owner", "delete": "owner"}


def changes(old: Document, new: Document) -> list[str]:
    return [str(one) for one in access_changes.changes(spec(old), spec(new))]


def test_more_rights_come_first_and_are_marked() -> None:
    new = {**NOTE, "access": {"read": "public", **ALL_BUT_READ, "delete": "nobody"}}
    assert changes(NOTE, new) == [
        "+ Note: GET /api/v1/notes: no token: 401 -> 200 all rows",
        "+ Note: GET /api/v1/notes: any token: 200 own rows -> 200 all rows",
        "+ Note: GET /api/v1/notes/{id}: no token: 401 -> 200",
        "+ Note: GET /api/v1/notes/{id}: any token: 404 -> 200",
        "- Note: DELETE /api/v1/notes/{id}: owner: 204 -> 403",
    ]


def test_a_new_role_is_compared_with_what_its_token_could_do_before() -> None:
    read = {"read": ["owner", "role:auditor"], **ALL_BUT_READ}
    gained = changes(NOTE, {**NOTE, "access": read})
    assert gained == [
        "+ Note: GET /api/v1/notes: role:auditor: 200 own rows -> 200 all rows",
        "+ Note: GET /api/v1/notes/{id}: role:auditor: 404 -> 200",
    ]
    lost = changes({**NOTE, "access": read}, NOTE)
    assert [line[0] for line in lost] == ["-", "-"]


def test_a_renamed_entity_keeps_its_rights() -> None:
    assert changes(NOTE, {**NOTE, "name": "Memo", "renamed_from": "Note"}) == []


def test_rights_of_operations_and_entities_that_come_and_go_are_told() -> None:
    task = {"name": "Task", "access": "role:a", "operations": ["get"]}
    before, after = spec(task), spec({**task, "name": "Job"})
    assert [str(one) for one in access_changes.changes(before, after)] == [
        "+ Job: GET /api/v1/jobs/{id}: role:a: nothing -> 200",
        "- Task: GET /api/v1/tasks/{id}: role:a: 200 -> nothing",
    ]
    assert changes(task, {**task, "operations": ["get", "delete"]}) == [
        "+ Task: DELETE /api/v1/tasks/{id}: role:a: nothing -> 204"
    ]


def test_the_rights_to_a_field_are_told() -> None:
    def with_field(**rules: Any) -> Document:
        return {**NOTE, "fields": [{"name": "price", "type": "integer", **rules}]}

    assert changes(with_field(), with_field(read_access="role:a")) == [
        "- Note: read price: owner: yes -> no"
    ]
    assert changes(with_field(write_access="nobody"), with_field()) == [
        "+ Note: create with price: any token: no -> yes",
        "+ Note: update price: owner: no -> yes",
    ]
    assert changes(NOTE, with_field(read_access="role:a")) == []  # it is new


def test_turning_auth_off_allows_everything_and_turning_it_on_forbids_it() -> None:
    open_to_all = spec({"name": "Note"}, auth=False)
    closed = spec({"name": "Note"}, access="nobody")
    for old, new, more in ((closed, open_to_all, True), (open_to_all, closed, False)):
        found = access_changes.changes(old, new)
        assert len({one.what for one in found}) == 7
        for what in {one.what for one in found}:
            callers = {who for one in found if one.what == what for who in one.callers}
            assert callers == {"no token", "bad token", "any token"}
        assert {one.more for one in found} == {more}


def test_without_auth_there_is_nothing_to_tell() -> None:
    old = spec({"name": "Note"}, auth=False)
    new = spec({"name": "Note"}, {"name": "Task"}, auth=False)
    assert access_changes.text(old, new) == ""


def test_rows_that_get_other_owners_are_told() -> None:
    basket = {"name": "Basket", "owner": True, "access": "owner"}
    item = {**NOTE, "name": "Item"}
    relation = {"name": "basket", "type": "many_to_one", "target": "Basket"}
    below = {**item, "owner": "basket", "relations": [{**relation, "required": True}]}
    told = access_changes.text(spec(basket, item), spec(basket, below))
    assert told.endswith(
        "  belongs to others:\n    ~ Item: the owner of a row: owner_id -> basket\n"
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    write(tmp_path, NOTE, auth=True)
    assert main(["apply"], tmp_path) == 0
    return tmp_path


def test_the_plan_tells_what_becomes_allowed_and_forbidden(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    access = {"read": "public", **ALL_BUT_READ, "delete": "nobody"}
    write(project, {**NOTE, "access": access}, auth=True)
    capsys.readouterr()
    assert main(["plan"], project) == 2
    section = capsys.readouterr().out.partition("\naccess:\n")[2]
    assert section == (
        "  becomes allowed:\n"
        "    + Note: GET /api/v1/notes: no token: 401 -> 200 all rows\n"
        "    + Note: GET /api/v1/notes: any token: 200 own rows -> 200 all rows\n"
        "    + Note: GET /api/v1/notes/{id}: no token: 401 -> 200\n"
        "    + Note: GET /api/v1/notes/{id}: any token: 404 -> 200\n"
        "  becomes forbidden:\n"
        "    - Note: DELETE /api/v1/notes/{id}: owner: 204 -> 403\n"
    )
    assert main(["apply"], project) == 0
    assert "access:" not in capsys.readouterr().out
    assert main(["plan"], project) == 0
    assert "access:" not in capsys.readouterr().out


def test_the_page_goes_with_auth(project: Path) -> None:
    assert (project / "docs" / "access.md").exists()
    write(project, {"name": "Note"})
    assert main(["apply"], project) == 0
    assert not (project / "docs" / "access.md").exists()


# The table of a project's tests


def test_the_tests_of_a_project_have_each_request_and_caller() -> None:
    """The expected responses are literals, so that a mistake in the code shows."""
    files = generate_modular_app(SHOP).files
    operations = table_of_tests(files["tests/access.py"])
    matrix = AccessMatrix(SHOP)
    for entity in SHOP.entities:
        for one in matrix.operations(entity):
            found = operations[entity.snake, one.method, one.path, ""]["callers"]
            for answer, callers in found.items():
                for caller in callers:
                    expected = str(matrix.answer(one, caller))
                    assert answer.removesuffix(" by role") == expected
            every = [caller for callers in found.values() for caller in callers]
            assert sorted(every) == sorted(SHOP_CALLERS)


def test_the_tests_tell_a_refusal_of_a_caller_from_that_of_a_row() -> None:
    """The first comes before errors of the request itself, and the other after them."""
    note = {"name": "Note", "owner": True}
    note["access"] = {
        **dict.fromkeys(["create", "delete"], "role:admin"),
        "read": "authenticated",
        "update": "owner",
    }
    files = generate_modular_app(spec(note)).files
    operations = table_of_tests(files["tests/access.py"])
    everyone = ["any token", "owner", "another owner"]
    path = "/api/v1/notes/{id}"
    assert operations["note", "DELETE", path, ""]["callers"] == {
        "401": ["no token", "bad token"],
        "403 by role": everyone,
        "204": ["role:admin"],
    }
    assert operations["note", "PUT", path, ""]["callers"] == {
        "401": ["no token", "bad token"],
        "403": ["any token", "another owner", "role:admin"],
        "200": ["owner"],
    }


def test_the_tests_refer_to_rows_that_the_caller_may_not_read() -> None:
    entities = [
        {
            "name": "Note",
            "access": "public",
            "relations": [
                {"name": "author", "type": "many_to_one", "target": "Author"},
                {"name": "tags", "type": "many_to_many", "target": "Tag"},
            ],
        },
        {"name": "Author", "access": "role:admin"},
        {"name": "Tag", "access": "authenticated"},
    ]
    files = generate_modular_app(spec(*entities)).files
    operations = table_of_tests(files["tests/access.py"])
    for method, path, done in (
        ("POST", "/api/v1/notes", "201"),
        ("PATCH", "/api/v1/notes/{id}", "200"),
    ):
        assert operations["note", method, path, "author_id"]["callers"] == {
            "422 reference_not_found": ["no token", "any token"],
            "401": ["bad token"],
            done: ["role:admin"],
        }
        assert operations["note", method, path, "tag_ids"]["callers"] == {
            "422 reference_not_found": ["no token"],
            "401": ["bad token"],
            done: ["any token", "role:admin"],
        }


def test_the_tests_know_which_attributes_have_the_subject() -> None:
    operations = table_of_tests(generate_modular_app(SHOP).files["tests/access.py"])
    url = "/api/v1/customers"
    create = operations["customer", "POST", url, ""]
    assert create["subjects"] == ["owner_id", "created_by", "updated_by"]
    assert create["omitted"] == ["credit", "phone"]  # not all may write them
    update = operations["customer", "PATCH", url + "/{id}", ""]
    assert update["subjects"] == ["updated_by"]
    assert "subjects" not in operations["customer", "GET", url, ""]


def test_the_table_of_tests_can_be_empty() -> None:
    files = generate_modular_app(
        spec({"name": "Note", "operations": [], "access": "public"})
    ).files
    assert files["tests/access.py"].endswith(" = ()\n")


def test_without_auth_a_project_has_no_table_of_tests() -> None:
    files = generate_modular_app(spec({"name": "Note"}, auth=False)).files
    assert "tests/access.py" not in files


def table_of_tests(text: str) -> dict[tuple[str, ...], Document]:
    """Return the arguments of each operation, by entity, method, path and reference."""
    (table,) = (one for one in ast.parse(text).body if isinstance(one, ast.AnnAssign))
    found = {}
    for call in ast.walk(table):
        if isinstance(call, ast.Call):
            entity, _, method, path = map(ast.literal_eval, call.args)
            more = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
            found[entity, method, path, more.get("reference", "")] = more
    return found


def test_the_page_of_lists_names_the_keys_that_not_all_may_filter_by() -> None:
    price = {"name": "price", "type": "integer", "index": True}
    secret = {**price, "name": "secret", "read_access": "role:a"}
    fields = {"name": "Note", "fields": [price, secret]}
    document = spec(fields, access="authenticated")
    page = generate_modular_app(document).files["docs/lists.md"]
    assert "- Not for all, as [access.md](access.md) says: `secret`\n" in page
