"""Tests of importing JHipster's language."""

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scaffold.importing import command, sources
from scaffold.importing.found import Found, SourceError
from scaffold.importing.jdl import schema
from scaffold.spec import loading

SAMPLES = Path(__file__).parents[1] / "importing"
Json = dict[str, Any]


def imported(text: str) -> tuple[dict[str, Json], Found]:
    found = schema.read("s.jdl", text)
    made = command.written(found, "s.jdl")
    loading.parse(made.encode())
    return {one["name"]: one for one in json.loads(made)["entities"]}, found


def test_store() -> None:
    source = sources.find(str(SAMPLES / "store.jdl"))
    found = source.read()
    spec = loading.parse(command.written(found, source.name).encode())
    entities = {one.name: one for one in spec.entities}
    assert len(entities) == 8
    assert entities["ProductOrder"].table == "product_order"
    assert entities["Product"].description == "Product sold by the Online store"
    price = next(one for one in entities["Product"].fields if one.name == "price")
    assert (price.precision, price.scale, price.ge, price.required) == (21, 2, 0, True)
    assert [one.json for one in entities["Customer"].fields[:2]] == [
        "firstName",
        "lastName",
    ]
    user = entities["Customer"].fields[-1]
    assert (user.name, user.type, user.unique) == ("user_id", "string", True)
    order = entities["OrderItem"].references[1]
    assert (order.target, order.required, order.reverse) == (
        "ProductOrder",
        True,
        "order_item",
    )
    said = {loss.what: loss.became for loss in found.losses}
    assert said["a relation to the built-in User"] == "the string user_id"
    assert said["the option paginate"] == "left out"


def test_bug_tracker() -> None:
    found = sources.find(str(SAMPLES / "bug_tracker.jdl")).read()
    spec = loading.parse(command.written(found, "bug_tracker.jdl").encode())
    entities = {one.name: one for one in spec.entities}
    assert [one.name for one in entities["Ticket"].links] == ["label"]
    assert entities["Comment"].references[0].target == "Comment"
    assert entities["Comment"].references[0].reverse == "parent"
    assert len(entities["Ticket"].fields[4].values) == 10


def test_ids_validations_and_annotations() -> None:
    entities, found = imported("""
        @Cached entity Film (movies) { // a table of its own
          @Id code UUID required unique /** the key */
          /** Its name. */
          title String required unique minlength(2) maxlength(20) pattern(/^a\\/b$/),
          stars Integer min(1) max(5)
          poster ImageBlob maxbytes(5000)
          text TextBlob min(3)
          length Duration
        }
        entity Empty
        relationship OneToOne { Empty{film required} to @OnDelete("CASCADE") Film }
    """)
    film = entities["Film"]
    assert film["plural"] == "movies"
    assert film["id"] == {"name": "code", "type": "uuid"}
    fields = {one.pop("name"): one for one in film["fields"]}
    title = fields["title"]
    assert title["pattern"] == "^a/b$"
    assert (title["min_length"], title["max_length"]) == (2, 20)
    assert title["description"] == "Its name."
    assert (fields["stars"]["ge"], fields["stars"]["le"]) == (1, 5)
    relation = entities["Empty"]["relations"][0]
    assert (relation["type"], relation["on_delete"]) == ("one_to_one", "cascade")
    assert "min(3)" in {loss.what for loss in found.losses}


def test_fields_may_be_called_like_validations() -> None:
    entities, _ = imported("entity A {\n max Integer\n required Boolean required\n}")
    names = [one["name"] for one in entities["A"]["fields"]]
    assert names == ["max", "required"]


def test_patterns_match_all_of_a_text() -> None:
    entities, _ = imported("entity A {\n b String pattern(/[A-Z]{3}/)\n}")
    assert entities["A"]["fields"][0]["pattern"] == "^(?:[A-Z]{3})$"


def test_what_is_required_on_a_side_without_a_column_is_reported() -> None:
    _, found = imported(
        "entity A\nentity B\nrelationship OneToOne { A{b required} to B{a required} }\n"
        "relationship ManyToMany { A{bs required} to B{as} }"
    )
    said = [loss.what for loss in found.losses]
    assert "required, on the side without the column" in said
    assert "required, of a many-to-many relation" in said


def test_pattern_of_another_engine_is_reported() -> None:
    entities, found = imported("entity A {\n b String pattern(/(?=x)y/)\n}")
    assert "pattern" not in entities["A"]["fields"][0]
    assert "pattern ^(?:(?=x)y)$" in {loss.what for loss in found.losses}


def test_many_to_many_with_the_built_in_user_is_left_out() -> None:
    entities, found = imported(
        "entity A\nrelationship ManyToMany { A{users} to User{as} }"
    )
    assert "relations" not in entities["A"]
    assert found.losses[0].what == "a many-to-many relation to the built-in User"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("entity", "1:7", "the name of the entity is expected"),
        ("entity A {", "1:11", 'a field or "}" of A is expected'),
        ("entity A { b", "1:13", "the type of b is expected"),
        ("entity A { b String min(", "1:25", "a number, or a constant"),
        ("entity A { b String pattern(3) }", "1:29", "a regular expression"),
        ("entity A { b Strin }", "1:12", "unknown type Strin"),
        ("enum A", "1:7", '"{" is expected after enum A'),
        ("relationship OneToFew {", "1:14", "unknown relationship OneToFew"),
        ("entity A\nrelationship OneToOne { A to B }", "2:30", "unknown entity B"),
        ("relationship OneToOne { A{", "1:27", "the name of the relation of A"),
        ("application { config {", "1:23", '"}" is expected of application'),
        ("entity A\nentity A", "2:1", "duplicate entity A"),
        ("/* never closed", "1:1", "the comment does not end"),
        ("entity A { b String \x00 }", "1:21", "unexpected character"),
    ],
)
def test_errors_have_a_place_and_a_fix(text: str, place: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        schema.read("s.jdl", text)
    said = str(caught.value).replace("the file ends here, but ", "")
    assert said.startswith(f"s.jdl:{place}: {message}")


@pytest.mark.parametrize("name", ["store", "bug_tracker"])
def test_file_that_ends_anywhere_is_an_error_or_a_schema(name: str) -> None:
    text = (SAMPLES / f"{name}.jdl").read_text()
    dice = random.Random(1)
    for end in dice.sample(range(len(text)), 150):
        with suppress(SourceError):  # any other exception is a bug
            schema.read("s.jdl", text[:end])


def test_endless_nesting_is_an_error() -> None:
    with pytest.raises(SourceError, match="the file ends here"):
        schema.read("s.jdl", "application " + "{" * 200_000)


def test_options_are_reported_wherever_they_are() -> None:
    _, found = imported(
        "@readOnly\n@service(serviceClass)\nentity A {\n @Secret b String\n}\nentity B\n"
        "relationship ManyToOne { @Big A{b} to B with jpaDerivedIdentifier }"
    )
    said = {loss.what for loss in found.losses}
    for option in ("@readOnly", "@service(serviceClass)", "@Secret", "@Big"):
        assert f"the option {option}" in said
    assert "the option with jpaDerivedIdentifier" in said
