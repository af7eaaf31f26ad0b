"""Tests of importing .sql files: what runs, what does not, and that nothing is left."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaffold.importing import command, sources
from scaffold.importing.found import Found, SourceError
from scaffold.importing.sql import execution, kinds
from scaffold.importing.sql.statements import split
from scaffold.spec import loading

SAMPLES = Path(__file__).parents[1] / "importing"
Json = dict[str, Any]
Import = Callable[[str], tuple[dict[str, Json], Found]]


def texts(sql: str) -> list[str]:
    return [one.text for one in split(sql)]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Return a function that imports a file with this SQL."""

    def run(sql: str) -> tuple[dict[str, Json], Found]:
        path = tmp_path / "dump.sql"
        path.write_text(sql)
        found = sources.find(str(path)).read()
        found.losses = [
            type(one)(one.place.replace(f"{path}:", ""), one.what, one.became)
            for one in found.losses
        ]
        text = command.written(found, "dump.sql")
        loading.parse(text.encode())
        assert [one.name for one in tmp_path.iterdir()] == ["dump.sql"]
        return {one["name"]: one for one in json.loads(text)["entities"]}, found

    return run


def said(found: Found) -> dict[str, str]:
    return {one.place: one.what for one in found.losses}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a; b", ["a", "b"]),
        ("a ';' b; c", ["a ';' b", "c"]),
        ("a 'it''s;'; b", ["a 'it''s;'", "b"]),
        ("a E'\\';'; b", ["a E'\\';'", "b"]),
        ("a '\\'; b", ["a '\\'", "b"]),
        ('a "x;y"; b', ['a "x;y"', "b"]),
        ("a $$;$$; b", ["a $$;$$", "b"]),
        ("a $x$ $$;$$ $x$; b", ["a $x$ $$;$$ $x$", "b"]),
        ("a$1$; b", ["a$1$", "b"]),
        ("-- x;\na; b", ["a", "b"]),
        ("a /* ; /* ; */ ; */ b; c", ["a   b", "c"]),
        ("a - b / c; d", ["a - b / c", "d"]),
        (";;;", []),
        ("", []),
        (
            "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; b; END; c",
            [
                "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; b; END",
                "c",
            ],
        ),
        ("COPY t FROM stdin;\n1;2'\n\\.\na; b", ["COPY t FROM stdin", "a", "b"]),
        ("COPY t FROM stdin;\n1;2'\n", ["COPY t FROM stdin"]),
        ("SELECT 1 \\gexec\na;", ["\\gexec", "a"]),
        ("\\! touch x\na;", ["\\! touch x", "a"]),
    ],
)
def test_statements(sql: str, expected: list[str]) -> None:
    assert texts(sql) == expected


def test_statements_have_the_line_on_which_they_begin() -> None:
    sql = "-- one\n\n/* two\n */ a\n  b;\n\\! x\nCOPY t FROM stdin;\n1\n\\.\nc; d"
    assert [one.line for one in split(sql)] == [4, 6, 7, 10, 10]


@pytest.mark.parametrize("sql", ["a 'b; c", 'a "b; c', "a $x$ b; c", "E'\\'; c"])
def test_text_without_an_end_is_told(sql: str) -> None:
    assert [one.kind for one in split(sql)] == ["open"]


@pytest.mark.parametrize(
    "part", ["a", ";", "'x'", "a;", "/*", "$", "$$", "((", " ", "\\", "-", '"', "E'"]
)
def test_repeated_text_is_split_in_one_pass(part: str) -> None:
    text = part * (1024 * 1024 // len(part))
    assert sum(len(one.text) for one in split(text)) <= len(text)


def test_fifty_megabytes_of_data_are_skipped() -> None:
    line = "INSERT INTO t VALUES ('a;b', 1);\n"
    many = line * (10 * 1024 * 1024 // len(line))
    copied = "COPY t FROM stdin;\n" + "1\tit's\n" * (5 * 1024 * 1024) + "\\.\n"
    found = list(split(many + copied + "CREATE TABLE a (b int);"))
    assert found[-1].text == "CREATE TABLE a (b int)"
    assert found[-2].text == "COPY t FROM stdin"


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CREATE TABLE a (b int DEFAULT 1)", kinds.RUN),
        ("create table if not exists a (b int)", kinds.RUN),
        ("CREATE TABLE a AS SELECT pg_sleep(1)", "a table AS a query"),
        (
            "CREATE TABLE a (b) AS ((WITH c AS (SELECT 1) TABLE c))",
            "a table AS a query",
        ),
        ("CREATE TABLE a (b int GENERATED ALWAYS AS (1) STORED)", kinds.RUN),
        ("CREATE TABLE a (b int GENERATED ALWAYS AS IDENTITY)", kinds.RUN),
        ("CREATE UNIQUE INDEX a ON b (c)", kinds.RUN),
        ("ALTER TABLE ONLY a ADD CONSTRAINT b UNIQUE (c)", kinds.RUN),
        ("ALTER TABLE public.a OWNER TO postgres", kinds.SKIP),
        ("SELECT pg_catalog.set_config('search_path', '', false)", kinds.RUN),
        ("SELECT pg_catalog.setval('a', 1)", kinds.SKIP),
        ("SELECT pg_read_file('/etc/passwd')", "the statement SELECT pg_read_file('')"),
        ("SET search_path = a", kinds.RUN),
        ("SET ROLE postgres", kinds.SKIP),
        ("SET SESSION AUTHORIZATION postgres", kinds.SKIP),
        ("COPY a FROM PROGRAM 'touch x'", kinds.SKIP),
        ("DO $$ BEGIN END $$", "a DO block"),
        ("CREATE DATABASE a", kinds.SKIP),
        ("DROP DATABASE a", kinds.SKIP),
        ("ALTER ROLE a SUPERUSER", kinds.SKIP),
        ("ALTER SYSTEM SET a = 1", kinds.SKIP),
        ("CREATE EXTENSION plpython3u", kinds.EXTENSION),
        ("CALL a()", "the statement CALL a()"),
        ("EXECUTE a", "the statement EXECUTE a"),
    ],
)
def test_kinds_of_statements(sql: str, kind: str) -> None:
    (one,) = split(sql)
    assert kinds.kind_of(one.text, one.bare) == kind


@pytest.mark.parametrize(
    ("start", "name"),
    [
        ("-- MySQL dump 10.13\n", "MySQL"),
        ("CREATE TABLE `a` (b int AUTO_INCREMENT) ENGINE=InnoDB;", "MySQL"),
        ("PRAGMA foreign_keys=OFF;\n", "SQLite"),
        ("CREATE TABLE [dbo].[a] ([b] int IDENTITY(1,1));\nGO\n", "SQL Server"),
        ("CREATE TABLE a (b VARCHAR2(20), c NUMBER(10));", "Oracle"),
    ],
)
def test_dumps_of_other_databases_are_refused_by_name(
    imported: Import, start: str, name: str
) -> None:
    with pytest.raises(SourceError, match=f"a dump of {name}"):
        imported(start)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE number (id int); CREATE TABLE b (a int REFERENCES number (id));",
        "-- the engine = fast\nCREATE TABLE a (b int);",
        "-- PostgreSQL database dump\nCOPY a FROM stdin;\nGO\n\\.\n",
        "CREATE TABLE a (b int GENERATED ALWAYS AS IDENTITY (START WITH 1));",
    ],
)
def test_files_of_postgresql_are_not_taken_for_others(sql: str) -> None:
    assert kinds.other_database(sql) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PGDMP\x01", "pg_restore --schema-only"),
        (b"\x1f\x8b\x08", "run gunzip"),
        ("CREATE".encode("utf-16"), "save it as UTF-8"),
        (b"CREATE TABLE \xff", "byte 13"),
    ],
)
def test_files_that_are_not_text_are_refused(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "dump.sql"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message):
        sources.find(str(path)).read()


def test_nothing_of_a_hostile_file_is_executed(
    imported: Import, tmp_path: Path
) -> None:
    marker = tmp_path.parent / "hacked"
    entities, found = imported(f"""
\\! touch {marker}
\\copy t TO PROGRAM 'touch {marker}'
\\o {marker}
\\i /etc/passwd
CREATE TABLE notes (id int PRIMARY KEY, body text);
COPY notes FROM PROGRAM 'touch {marker}';
COPY (SELECT 1) TO '{marker}';
DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {marker}'''; END $$;
SELECT lo_export(1, '{marker}');
SET SESSION AUTHORIZATION app;
SET ROLE app;
ALTER ROLE import_reader SUPERUSER;
CREATE ROLE other SUPERUSER;
CREATE FUNCTION evil() RETURNS int LANGUAGE c AS '{marker}', 'evil';
CREATE FUNCTION wicked() RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER AS
    $$ BEGIN RETURN pg_read_file('/etc/passwd'); END $$;
ALTER TABLE notes ADD COLUMN secret text DEFAULT wicked();
CREATE TABLESPACE evil LOCATION '{tmp_path}';
CREATE TABLE copy_of_it AS SELECT wicked();
""")
    assert not marker.exists()
    assert [*entities] == ["Note"]
    lines = {one.place: one.what for one in found.losses if one.place.isdigit()}
    assert lines["2"] == "the command \\! of psql"
    assert lines["3"] == "the command \\copy of psql"
    assert lines["9"] == "a DO block"
    assert lines["10"].startswith("the statement SELECT lo_export")
    assert "permission denied for language c" in lines["15"]
    assert "permission denied" in lines["18"]
    assert "a table AS a query" in lines["20"]


def test_statement_that_never_ends_is_left_out(
    imported: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "SECONDS", 1.0)
    begun = time.monotonic()
    entities, found = imported("""
        SET search_path = public;
        CREATE TABLE notes (id int PRIMARY KEY);
        CREATE FUNCTION endless() RETURNS int LANGUAGE plpgsql STABLE AS $$
            BEGIN
                LOOP
                    BEGIN PERFORM pg_sleep(10);
                    EXCEPTION WHEN query_canceled THEN NULL; END;
                END LOOP;
            END $$;
        ALTER TABLE notes ADD COLUMN a int DEFAULT endless();
        CREATE TABLE others (id int PRIMARY KEY);
    """)
    assert [*entities] == ["Note", "Other"]
    assert "it took more than 1 seconds" in said(found)["11"]
    assert time.monotonic() - begun < 100  # not 10 seconds, again and again


def test_endless_recursion_is_left_out(imported: Import) -> None:
    entities, found = imported("""
        CREATE TABLE notes (id int PRIMARY KEY);
        CREATE FUNCTION deep() RETURNS int LANGUAGE plpgsql STABLE AS
            $$ BEGIN RETURN deep(); END $$;
        ALTER TABLE notes ADD COLUMN a int DEFAULT deep();
    """)
    assert [*entities] == ["Note"]
    assert "stack depth limit exceeded" in said(found)["5"]


def test_what_fails_is_reported_by_its_line(imported: Import) -> None:
    entities, found = imported("""
        CREATE TABLE notes (id int PRIMARY KEY);
        CREATE TABL typo (id int);
        ALTER TABLE nowhere ADD COLUMN a int;
        DROP TABLE never_there;
        CREATE TABLE broken (id int PRIMARY KEY, a 'b);
    """)
    assert [*entities] == ["Note"]
    lines = said(found)
    assert lines["3"] == "the statement CREATE TABL"
    assert "does not exist" in lines["4"]
    assert "5" not in lines
    assert lines["6"] == "' without an end, and all after it"


def test_extensions_are_stood_in_for(imported: Import) -> None:
    entities, found = imported("""
        CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA extensions;
        CREATE EXTENSION pgcrypto;
        CREATE EXTENSION citext;
        CREATE TABLE things (
            id uuid DEFAULT extensions.uuid_generate_v4() PRIMARY KEY,
            name citext UNIQUE, place geometry(Point), vectors vector(3)[],
            mystery crm.unheard_of(3)
        );
    """)
    thing = entities["Thing"]
    assert "id" not in thing
    fields = {one.pop("name"): one for one in thing["fields"]}
    assert fields["name"]["case_insensitive"] is True
    assert fields["name"]["unique"] is True
    assert fields["mystery"]["type"] == "text"
    assert "the domain unheard_of" in {one.what for one in found.losses}


@pytest.mark.parametrize("name", ["chinook", "northwind", "pagila"])
def test_samples_are_as_the_facts_have_them(name: str) -> None:
    """The entities, members and relations of databases that everybody knows."""
    path = SAMPLES / f"{name}.sql"
    found = sources.find(str(path)).read()
    spec = loading.parse(command.written(found, path.name).encode())
    shown = {
        entity.name: sorted(
            [
                *(f"{one.name}: {one.type}{'[]' * one.array}" for one in entity.fields),
                *(f"{one.name} -> {one.target}" for one in entity.references),
                *(f"{one.name} >> {one.target}" for one in entity.links if one.owner),
            ]
        )
        for entity in spec.entities
    }
    assert shown == json.loads((SAMPLES / f"{name}.json").read_text())
    failed = [one for one in found.losses if "does not exist" in one.what]
    assert failed == []


def test_every_loss_of_pagila_has_a_place() -> None:
    found = sources.find(str(SAMPLES / "pagila.sql")).read()
    command.written(found, "pagila.sql")
    whats = {one.what for one in found.losses}
    for what in (
        "a composite primary key (actor_id, film_id)",
        "the native enum mpaa_rating",
        "the domain year",
        "a partition",
        "the view",
        "a trigger",
        "char, which fills up with spaces",
        "the type tsvector, NOT NULL",
    ):
        assert what in whats
    assert all(one.place for one in found.losses)
