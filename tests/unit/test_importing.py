"""Tests of import: what was found becomes entities.json, and the rest is reported."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scaffold.importing import command, document, language, refusals, report
from scaffold.importing.found import (
    Column,
    Computed,
    Found,
    Link,
    Loss,
    Reference,
    Table,
)
from scaffold.spec import loading
from scaffold.spec.model import MISSING
from scaffold.spec.vocabulary.field_types import TYPES

Json = dict[str, Any]
ID = Column("id", "t.id", "integer", required=True, default=Computed.SEQUENCE)


def table(name: str, *columns: Column, **more: Any) -> Table:
    listed = [ID, *columns]
    return Table(name, name, name, columns=listed, primary_key=("id",), **more)


def key_of(target: str, column: str = "", **more: Any) -> tuple[Column, Reference]:
    name = column or f"{target}_id"
    return (
        Column(name, f"t.{name}", "integer", required=True),
        Reference((name,), f"{target}s", f"t.{name}", **more),
    )


def write(*tables: Table, **more: Any) -> tuple[dict[str, Json], list[Loss]]:
    """Return the entities by name, and what was lost."""
    found = Found([*tables], **more)
    text = command.written(found, "test")
    loading.parse(text.encode())
    entities = json.loads(text)["entities"]
    return {one["name"]: one for one in entities}, found.losses


def field(column: Column) -> tuple[Json, list[Loss]]:
    entities, losses = write(table("things", column))
    fields = entities["Thing"].get("fields", [{}])
    return fields[0], losses


def test_table_becomes_entity_named_in_the_singular() -> None:
    entities, losses = write(table("order_items", Column("size", "", "boolean")))
    assert entities == {
        "OrderItem": {
            "name": "OrderItem",
            "id": "integer",
            "timestamps": False,
            "fields": [{"name": "size", "type": "boolean"}],
        }
    }
    assert losses == []


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Album", {"name": "Album", "table": "Album"}),
        ("film", {"name": "Film", "table": "film"}),
        ("us-states", {"name": "UsState", "table": "us-states"}),
        ("persons", {"name": "Person", "plural": "persons"}),
        ("2fa", {"name": "Table2fa"}),
        ("pg_things", {"name": "OwnPgThing"}),
    ],
)
def test_names_of_tables_are_kept(name: str, kept: Json) -> None:
    entities, _ = write(table(name))
    made = entities[kept["name"]]
    names = {key: made[key] for key in ("name", "table", "plural") if key in made}
    assert names == kept


def test_names_of_columns_are_kept() -> None:
    made, losses = field(Column("First Name", "", "integer", json="firstName"))
    assert made["name"] == "first_name"
    assert (made["column"], made["json"]) == ("First Name", "firstName")
    assert losses == []


@pytest.mark.parametrize("name", ["naïve", "a" * 64, "ctid", "line\nbreak", "9"])
def test_name_that_no_column_can_have_is_reported(name: str) -> None:
    made, losses = field(Column(name, "t.c", "boolean"))
    assert "column" not in made
    assert losses == [Loss("t.c", f"the name {name}", f"the column {made['name']}")]


def test_reserved_names_keep_column_and_key() -> None:
    made = Table("t", "things", "", columns=[Column("id", "", "date"), ID])
    made.columns[1] = Column("no", "", "integer", default=Computed.SEQUENCE)
    made.primary_key = ("no",)
    entities, losses = write(made)
    written = entities["Thing"]["fields"][0]
    assert written["name"] == "own_id"
    assert (written["column"], written["json"]) == ("id", "id")
    assert losses == []
    assert field(Column("created_at", "", "date"))[0]["name"] == "created_at"


def test_names_that_differ_only_in_case_become_different() -> None:
    columns = [Column(name, "", "boolean") for name in ("Size", "size", "SIZE")]
    entities, _ = write(table("things", *columns))
    names = [one["name"] for one in entities["Thing"]["fields"]]
    assert names == ["size", "size_2", "size_3"]


def test_schemas_are_kept_and_their_tables_distinguished() -> None:
    tables = [table("users"), table("users", schema="crm")]
    tables[1].key = "crm.users"
    entities, _ = write(*tables)
    assert [*entities] == ["User", "CrmUser"]
    assert entities["CrmUser"]["schema"] == "crm"
    assert entities["CrmUser"]["table"] == "users"


def test_strings_keep_their_markup() -> None:
    made, _ = field(Column("note", "", "text"))
    assert made["markup"] == "keep"


def test_text_with_an_index_becomes_a_string() -> None:
    text = Column("code", "t.code", "text")
    entities, losses = write(table("things", text, unique=[("code",)]))
    made = entities["Thing"]["fields"][0]
    assert (made["type"], made["max_length"], made["unique"]) == ("string", 600, True)
    assert losses == [Loss("t.code", "a text with an index", "string, max_length 600")]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Column("a", "", "integer", required=True), {"required": True}),
        (Column("a", "", "integer", required=True, default=3), {"default": 3}),
        (
            Column("a", "", "decimal", {"precision": 4, "scale": 2}, True, "4.99"),
            {"default": "4.99", "precision": 4, "scale": 2},
        ),
    ],
)
def test_null_and_defaults(column: Column, expected: Json) -> None:
    made, losses = field(column)
    assert made == {"name": "a", "type": column.type, **expected}
    assert losses == []


@pytest.mark.parametrize("default", ["x", 1.5, True, 2**70, Computed.SEQUENCE])
def test_default_that_cannot_be_said_is_reported(default: object) -> None:
    made, losses = field(Column("a", "t.a", "integer", required=True, default=default))
    assert made == {"name": "a", "type": "integer"}
    assert losses[0].became == "no default, and optional"


@pytest.mark.parametrize(
    ("column", "said", "less"),
    [
        (
            Column("a", "t.a", "integer", {"bits": 16}),
            {"type": "integer", "bits": 16},
            {"type": "integer"},
        ),
        (
            Column("a", "t.a", "integer", {"array": True}),
            {"type": "integer", "array": True},
            {"type": "json"},
        ),
        (
            Column("a", "t.a", "datetime", default=Computed.NOW, required=True),
            {"type": "datetime", "default": "now"},
            {"type": "datetime"},
        ),
        (
            Column("a", "t.a", "boolean", default=False),
            {"type": "boolean", "default": False, "nullable": True},
            {"type": "boolean", "default": False},
        ),
    ],
)
def test_newer_keys_are_used_where_the_language_has_them(
    column: Column, said: Json, less: Json
) -> None:
    made, losses = field(column)
    can_say = language.can_say(said)
    assert made == {"name": "a", **(said if can_say else less)}
    assert [loss.place for loss in losses] == ([] if can_say else ["t.a"])


def test_reference_becomes_a_relation() -> None:
    column, reference = key_of("author", on_delete="cascade")
    entities, losses = write(
        table("authors"),
        table("books", column, references=[reference]),
        says_indexes=True,
    )
    assert entities["Book"]["relations"] == [
        {
            "name": "author",
            "type": "many_to_one",
            "target": "Author",
            "required": True,
            "on_delete": "cascade",
            "index": False,
        }
    ]
    assert losses == []


def test_reference_by_another_column_keeps_its_name() -> None:
    column, reference = key_of("author", "writtenBy")
    entities, _ = write(
        table("authors"), table("books", column, references=[reference])
    )
    made = entities["Book"]["relations"][0]
    assert (made["name"], made["column"]) == ("written_by", "writtenBy")


def test_relation_and_field_of_one_name_are_told_apart() -> None:
    column, reference = key_of("author")
    other = Column("author", "", "boolean")
    entities, _ = write(
        table("authors"), table("books", other, column, references=[reference])
    )
    assert entities["Book"]["fields"][0]["name"] == "author"
    made = entities["Book"]["relations"][0]
    assert (made["name"], made["column"]) == ("author_2", "author_id")


def test_reverse_sides_yield_to_columns() -> None:
    column, reference = key_of("author", reverse="books")
    first = table("books", column, references=[reference])
    entities, _ = write(first, table("authors", Column("books", "", "boolean")))
    assert entities["Author"]["fields"][0]["name"] == "books"
    assert entities["Book"]["relations"][0]["back_populates"] == "books_2"


def test_entities_of_one_module_are_told_apart() -> None:
    tables = [table("api_keys"), table("APIKey"), table("apikeys")]
    entities, losses = write(*tables)
    assert [one.get("table", one.get("plural")) for one in entities.values()] == [
        None,
        "APIKey",
        "apikeys",
    ]
    assert [*entities] == ["ApiKey", "ApiKey2", "Apikey3"]
    assert losses == []


def test_unique_reference_is_one_to_one() -> None:
    column, reference = key_of("user")
    one = table("profiles", column, references=[reference], unique=[("user_id",)])
    entities, _ = write(table("users"), one)
    assert entities["Profile"]["relations"][0]["type"] == "one_to_one"


def test_key_that_is_a_reference_becomes_one_to_one() -> None:
    column, reference = key_of("user")
    one = Table("profiles", "profiles", "profiles", columns=[column])
    one.primary_key, one.references = ("user_id",), [reference]
    entities, losses = write(table("users"), one)
    assert entities["Profile"]["relations"][0]["type"] == "one_to_one"
    assert "id" not in entities["Profile"]
    assert losses[0].what == "a primary key that is a reference (user_id)"


def association(*more: Column) -> Table:
    left, right = key_of("post"), key_of("tag")
    made = Table("post_tag", "post_tag", "post_tag")
    made.columns = [left[0], right[0], *more]
    made.references = [left[1], right[1]]
    made.primary_key = ("post_id", "tag_id")
    return made


def test_table_of_two_references_becomes_many_to_many() -> None:
    entities, losses = write(table("posts"), table("tags"), association())
    assert [*entities] == ["Post", "Tag"]
    assert entities["Post"]["relations"] == [
        {
            "name": "tags",
            "type": "many_to_many",
            "target": "Tag",
            "back_populates": "posts",
        }
    ]
    assert losses[-1].what == "the association table post_tag (post_id, tag_id)"
    assert losses[-1].became == "the relation Post.tags, with the table posts_tags"


def test_table_with_more_than_references_stays_an_entity() -> None:
    note = Column("note", "", "boolean")
    entities, losses = write(table("posts"), table("tags"), association(note))
    assert entities["PostTag"]["unique"] == [["post", "tag"]]
    assert losses[0].what == "a composite primary key (post_id, tag_id)"


def test_link_without_a_table() -> None:
    link = Link("posts", "tags", "Post.tags", "tags", "posts")
    entities, _ = write(table("posts"), table("tags"), links=[link])
    assert entities["Post"]["relations"][0]["type"] == "many_to_many"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Column("id", "", "uuid", default=Computed.RANDOM), None),
        (Column("id", "", "integer", default=Computed.SEQUENCE), "integer"),
        (
            Column("film_id", "", "integer", {"bits": 32}, default=Computed.SEQUENCE),
            {"name": "film_id", "type": "integer", "bits": 32},
        ),
        (
            Column("code", "", "string", {"max_length": 5}),
            {"name": "code", "type": "string", "generated": False, "max_length": 5},
        ),
        (
            Column("id", "", "integer", {"bits": 16}),
            {"type": "integer", "bits": 16, "generated": False},
        ),
    ],
)
def test_ids(column: Column, expected: object) -> None:
    made = Table("films", "films", "films", columns=[column])
    made.primary_key = (column.name,)
    entities, losses = write(made)
    assert entities["Film"].get("id") == expected
    assert losses == []


def test_key_of_another_type_becomes_a_unique_field() -> None:
    made = Table("days", "days", "days", columns=[Column("day", "d", "date")])
    made.primary_key = ("day",)
    entities, losses = write(made)
    assert entities["Day"]["fields"][0]["unique"] is True
    assert losses[0].what == "a primary key of the type date"


def times(*names: str) -> list[Column]:
    return [
        Column(name, name, "datetime", required=True, default=Computed.NOW)
        for name in names
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("created_at", "updated_at"), None),
        (
            ("inserted_at", "modified_at"),
            {"created_at": "inserted_at", "updated_at": "modified_at"},
        ),
        (("created_at",), None),
        (("last_update",), False),
        ((), False),
    ],
)
def test_timestamps(names: tuple[str, ...], expected: object) -> None:
    entities, _ = write(table("films", *times(*names)))
    assert entities["Film"].get("timestamps") == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("made", "changed"), {"created_at": "made", "updated_at": "changed"}),
        (("edited", "created_at"), {"updated_at": "edited"}),
        (("updated_at", "made"), {"created_at": "made"}),
    ],
)
def test_times_of_a_generated_service(names: tuple[str, str], expected: Json) -> None:
    indexes = [(name,) for name in names]
    entities, _ = write(table("films", *times(*names), indexes=indexes, is_own=True))
    found = entities["Film"]["timestamps"]
    usual = {"created_at": "created_at", "updated_at": "updated_at"}
    assert usual | found == usual | expected


def test_required_relations_in_a_circle_become_optional() -> None:
    first, second = key_of("store"), key_of("person")
    entities, losses = write(
        table("persons", first[0], references=[first[1]]),
        table("stores", second[0], references=[second[1]]),
    )
    required = [one["relations"][0].get("required", False) for one in entities.values()]
    assert sorted(required) == [False, True]
    assert "cycle of required relations" in losses[-1].what


def test_what_the_checker_refuses_is_left_out_with_its_reason() -> None:
    made: Json = {
        "entities": [
            {
                "name": "Thing",
                "fields": [
                    {"name": "a", "type": "string", "pattern": "(?=x)"},
                    {"name": "b", "type": "nonsense"},
                    {"name": "c", "type": "enum", "values": []},
                    {"name": "d", "type": "integer", "ge": 2, "default": 1},
                ],
                "relations": [{"name": "e", "type": "many_to_one", "target": "No"}],
                "unique": [["a", "x"], ["a", "d"]],
            },
            {"name": "bad name"},
        ]
    }
    found = Found()
    refusals.remove(made, found)
    entity = made["entities"][0]
    assert entity["fields"] == [
        {"name": "a", "type": "string"},
        {"name": "d", "type": "integer", "ge": 2},
    ]
    assert entity["unique"] == [["a", "d"]]
    assert len(made["entities"]) == 1
    assert len(found.losses) == 7


def test_report_groups_places_and_hides_control_characters() -> None:
    losses = [Loss("a.b", "money", "decimal"), Loss("c\x1b[2J", "money", "decimal")]
    assert [*report.lines(losses)][1:] == [
        "  money -> decimal",
        "      a.b",
        "      c [2J",
    ]
    assert [*report.lines([])] == []


def git(root: Path, *words: str) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *names, *words], cwd=root, check=True, capture_output=True)


SCHEMA = "model Task {\n  id Int @id @default(autoincrement())\n  title String\n}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "schema.prisma").write_text(SCHEMA)
    return tmp_path


def run(root: Path) -> int:
    return command.main(root, [str(root / "schema.prisma")])


def test_import_writes_a_file_and_says_what_is_next(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project) == 0
    assert loading.load(project / "entities.json").entities[0].name == "Task"
    said = capsys.readouterr().out
    assert "Wrote entities.json: 1 entity from schema.prisma" in said
    assert "make entities-plan" in said


def test_import_never_overwrites_what_git_does_not_have(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = project / "entities.json"
    target.write_text("mine")
    assert run(project) == 1  # no repository
    git(project, "init")
    assert run(project) == 1  # not added
    git(project, "add", ".")
    assert run(project) == 1  # not committed
    git(project, "commit", "-m", "one")
    target.write_text("mine, changed")
    assert run(project) == 1
    assert target.read_text() == "mine, changed"
    assert "commit it, or move it away" in capsys.readouterr().err
    target.write_text("mine")
    assert run(project) == 0
    assert target.read_text() != "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "FROM is empty"),
        ("nowhere.sql", "does not exist"),
        ("mysql://localhost/shop", "a mysql URL cannot be imported"),
        (__file__, "cannot import this"),
        ("large.jdl", "larger than 4 MB"),
    ],
)
def test_source_that_cannot_be_imported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("large.jdl").open("wb") as file:
        file.truncate(5 * 1024 * 1024)
    assert command.main(tmp_path, [words]) == 1
    assert message in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["large.jdl"]


def test_document_of_nothing_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "schema.prisma").write_text("// nothing\n")
    assert run(tmp_path) == 1
    assert "found no table or model" in capsys.readouterr().err
    assert document.write(Found())["entities"] == []


NAMES = (
    *("id", "ID", "created_at", "order", "class", "self", "a__gte", "price__gte", "é"),
    *("Tag", "tags", "tag_id", "tag", "x" * 80, "", " ", "a.b", 'a"b', "a\n", "\x00"),
    *("metadata", "history", "batch", "restore", "deleted_at", "_version", "pg_type"),
    *("alembic_version", "_history", "\ud800", "{{ x }}", "1", "user", "User", "None"),
)
VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    2**80,
    1.5,
    "",
    "x",
    "\x00",
    [],
    {},
    "1",
)
KEYS = (
    "max_length",
    "min_length",
    "precision",
    "scale",
    "values",
    "array",
    "bits",
    "ge",
)


def random_table(dice: random.Random, keys: list[str]) -> Table:
    columns = [
        Column(
            dice.choice(NAMES),
            "place",
            dice.choice([*TYPES, "binary"]),
            {key: dice.choice(VALUES) for key in dice.sample(KEYS, dice.randint(0, 2))},
            required=dice.random() < 0.5,
            default=dice.choice([*VALUES, *Computed, *[MISSING] * 20]),
            json=dice.choice([*NAMES, *[None] * 20]),
            description=dice.choice(NAMES),
        )
        for _ in range(dice.randint(0, 6))
    ]
    columns = list({one.name: one for one in columns}.values())

    def some(most: int) -> tuple[str, ...]:
        picked = dice.sample(columns, min(dice.randint(1, most), len(columns)))
        return tuple(one.name for one in picked)

    made = Table(dice.choice(keys), dice.choice(NAMES), "place", columns=columns)
    made.schema = dice.choice([None, None, *NAMES])
    made.entity = dice.choice(["", "", *NAMES])
    if columns:
        made.primary_key = some(2)
        made.unique = [some(3) for _ in range(dice.randint(0, 2))]
        made.indexes = [some(3) for _ in range(dice.randint(0, 2))]
        made.references = [
            Reference(
                some(2),
                dice.choice([*keys, "nowhere"]),
                "place",
                on_delete=dice.choice(["cascade", "set_null", "restrict"]),
                reverse=dice.choice(["", *NAMES]),
            )
            for _ in range(dice.randint(0, 3))
        ]
    return made


def test_whatever_was_found_becomes_a_file_that_the_checker_accepts() -> None:
    dice = random.Random(20)
    for _ in range(300):
        keys = [f"t{number}" for number in range(6)]
        tables = [random_table(dice, keys) for _ in keys]
        found = Found(list({one.key: one for one in tables}.values()))
        found.camel, found.says_indexes = dice.random() < 0.5, dice.random() < 0.5
        loading.parse(command.written(found, "random").encode("utf-8", "replace"))
