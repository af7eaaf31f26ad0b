"""Tests of importing Prisma's schema language."""

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scaffold.importing import command, sources
from scaffold.importing.found import Found, SourceError
from scaffold.importing.prisma import schema
from scaffold.importing.prisma.parsing import MAX_NESTING, parse
from scaffold.spec import loading

CLOUD = Path(__file__).parents[1] / "importing" / "cloud.prisma"
Json = dict[str, Any]


def imported(text: str) -> tuple[dict[str, Json], Found]:
    found = schema.read({"schema.prisma": text})
    made = command.written(found, "schema.prisma")
    loading.parse(made.encode())
    return {one["name"]: one for one in json.loads(made)["entities"]}, found


def model(*lines: str) -> str:
    body = "\n  ".join(lines)
    return f"model Task {{\n  id Int @id @default(autoincrement())\n  {body}\n}}\n"


def test_thirty_models_that_use_everything() -> None:
    source = sources.find(str(CLOUD))
    found = source.read()
    text = command.written(found, source.name)
    spec = loading.parse(text.encode())
    assert len(spec.entities) == 30
    entities = {one.name: one for one in spec.entities}
    assert {one.name for one in entities["User"].links} == {
        "watching",
        "followed_by",
        "following",
    }
    assert entities["Ticket"].links[0].target == "Label"
    assert entities["Ticket"].table == "Ticket"
    assert entities["DnsRecord"].id.name == "record_no"
    assert entities["User"].references[0].column == "managerId"
    assert entities["User"].references[0].json == "managerId"
    assert entities["Account"].fields[2].json == "refresh_token"
    assert entities["Card"].schema == "billing"
    lost = {loss.what for loss in found.losses}
    for what in (
        "the view Revenue",
        "the model Migration with @@ignore",
        "the type vector(384)",
        "a composite primary key (year, number)",
        "the native enum Role",
        "a timestamp without a time zone",
        "the value read-only of the enum Role in the database",
    ):
        assert what in lost


def test_each_loss_has_a_place() -> None:
    found = schema.read({"s.prisma": CLOUD.read_text()})
    command.written(found, "s.prisma")
    lines = CLOUD.read_text().splitlines()
    for loss in found.losses:
        name, line, column = loss.place.split(":")
        assert name == "s.prisma"
        assert lines[int(line) - 1][int(column) - 1 :].strip()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a String @db.VarChar(20)", {"type": "string", "max_length": 20}),
        ('a String @default("x\\"y\\n")', {"type": "text", "default": 'x"y\n'}),
        ("a Decimal @db.Decimal(10, 4)", {"precision": 10, "scale": 4}),
        ("a DateTime @db.Date", {"type": "date"}),
        ("a BigInt @default(-7)", {"default": -7}),
        ("a Boolean @default(true)", {"default": True}),
        ("a Json?", {"type": "json"}),
        ("a String @db.Uuid", {"type": "uuid"}),
        ("a String? // comment", {"type": "text"}),
        ('a Json @default("[1]")', {"default": [1]}),
    ],
)
def test_types_and_defaults(line: str, expected: Json) -> None:
    entities, _ = imported(model(line))
    made = entities["Task"]["fields"][0]
    assert expected.items() <= made.items()


def test_comments_of_fields_are_descriptions() -> None:
    entities, _ = imported(
        "/// A thing to do.\n" + model("/// Its title.", "a String /// Short.")
    )
    assert entities["Task"]["description"] == "A thing to do."
    assert entities["Task"]["fields"][0]["description"] == "Its title.\nShort."


def test_keys_in_camel_case() -> None:
    entities, _ = imported(model('dueAt DateTime? @map("due_at") @db.Timestamptz'))
    assert entities["Task"]["fields"] == [{"name": "due_at", "type": "datetime"}]


def test_files_of_a_folder_are_one_schema(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "kind.prisma").write_text("enum Kind {\n  A\n}\n")
    (tmp_path / "models" / "task.prisma").write_text(model("kind Kind"))
    found = sources.find(str(tmp_path)).read()
    assert found.tables[0].columns[1].keys == {"values": ["A"]}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("model", "1:6", "the name of the model is expected"),
        ("model A", "1:8", '"{" is expected after model A'),
        ("model A {", "1:10", '"}" is expected in model A'),
        ("model A {\n  id", "2:5", "the type of id is expected"),
        ("model A {\n  id Int @", "2:11", "the name of an attribute is expected"),
        ("model A {\n  id Int @id(", "2:14", "a value is expected"),
        ('model A {\n a String @map("x\n}', "2:16", "the string does not end"),
        ("/* never closed", "1:1", "the comment does not end"),
        ("modle A {\n}", "1:1", "unknown block 'modle'"),
        ("model A {\n  a Sting\n}", "2:3", "unknown type Sting"),
        ("model A {\n  a Int b\n}", "2:9", "the end of the line is expected"),
        ("model A {\n}\nmodel A {\n}", "3:1", "duplicate model A"),
        ("model A {\n  @@id([x])\n}", "2:3", "A has no field x"),
        ("model A {\n  b B[]\n}\nmodel B {\n}", "2:3", "the other side of A.b"),
        ("model A {\n  \x00\n}", "2:3", "unexpected character"),
        ('datasource d {\n provider = "mongodb"\n}', "1:1", "documents of MongoDB"),
    ],
)
def test_errors_have_a_place_and_a_fix(text: str, place: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        schema.read({"s.prisma": text})
    said = str(caught.value).replace("the file ends here, but ", "")
    assert said.startswith(f"s.prisma:{place}: {message}")


def test_file_that_ends_anywhere_is_an_error_or_a_schema() -> None:
    text = CLOUD.read_text()
    dice = random.Random(1)
    for end in dice.sample(range(len(text)), 150):
        with suppress(SourceError):  # any other exception is a bug
            schema.read({"s.prisma": text[:end]})


@pytest.mark.parametrize("bracket", ["[", "f("])
def test_endless_nesting_is_an_error(bracket: str) -> None:
    deep = bracket * 100_000
    with pytest.raises(SourceError, match=f"nested more than {MAX_NESTING} deep"):
        parse("s.prisma", f"model A {{\n  a Int @default({deep})\n}}\n")


def test_too_large_schemas_are_refused() -> None:
    fields = [f"f{number} Int?" for number in range(1_000)]
    _, found = imported(model(*fields) + "model Small {\n id Int @id\n}\n")
    whats = [loss.what for loss in found.losses]
    assert whats == ["a table of 1001 columns, of which 500 are allowed"]
    many = "".join(f"model A{number} {{\n}}\n" for number in range(2_001))
    with pytest.raises(SourceError, match="has 2001 tables"):
        imported(many)


def test_injections_stay_text() -> None:
    payload = '{{ 1 }} \\"\\"\\" {% raw %} ${x}'
    entities, _ = imported(model(f'a String @default("{payload}")'))
    assert entities["Task"]["fields"][0]["default"] == payload.replace("\\", "")


def test_defaults_of_the_database_and_native_types() -> None:
    entities, found = imported(
        model(
            'made DateTime @default(dbgenerated("CURRENT_TIMESTAMP(3)")) @db.Timestamptz',
            'done Boolean @default(dbgenerated("true"))',
            'word String @default(dbgenerated("concat(1, 2)"))',
            "count Int @db.UnsignedInt",
            "number Int @db.Year",
            "parts Json[]",
        )
    )
    fields = {one["name"]: one for one in entities["Task"]["fields"]}
    assert fields["made"]["default"] == "now"
    assert fields["done"]["default"] is True
    assert "required" not in fields["word"]
    assert "bits" not in fields["count"]
    assert fields["parts"]["default"] == []
    said = {loss.what: loss.became for loss in found.losses}
    assert said["the default dbgenerated(concat(1, 2))"] == "no default, and optional"
    assert said["an integer without a sign"] == "integer"
    assert said["the type Year"] == "integer"
    assert said["an array of json"] == "json"
