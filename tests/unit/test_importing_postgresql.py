"""Tests of importing a PostgreSQL database by its catalog, on a real server."""

import asyncio
import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest

from scaffold.importing import command, language, sources
from scaffold.importing.found import Found, SourceError
from scaffold.importing.postgresql import connection, expressions
from scaffold.spec import loading
from scripts.postgres import EmbeddedPostgres

Json = dict[str, Any]
Import = Callable[[str], tuple[dict[str, Json], Found]]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture
def imported(server: EmbeddedPostgres) -> Import:
    """Return a function that runs SQL in a new database and imports it."""

    def run(sql: str) -> tuple[dict[str, Json], Found]:
        url = server.create_database(f"d{secrets.token_hex(6)}")

        async def execute() -> None:
            opened = await asyncpg.connect(url.replace("+asyncpg", ""))
            try:
                await opened.execute(sql)
            finally:
                await opened.close()

        asyncio.run(execute())
        found = sources.find(url).read()
        text = command.written(found, "database")
        loading.parse(text.encode())
        return {one["name"]: one for one in json.loads(text)["entities"]}, found

    return run


def losses(found: Found) -> dict[str, str]:
    return {loss.place: f"{loss.what} -> {loss.became}" for loss in found.losses}


def test_types_keys_and_defaults(imported: Import) -> None:
    entities, found = imported("""
        CREATE TYPE mood AS ENUM ('ok', 'it''s bad');
        CREATE DOMAIN year AS integer CHECK (VALUE >= 1901 AND VALUE <= 2155);
        CREATE TYPE pair AS (a int, b int);
        CREATE TABLE things (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            title varchar(80) NOT NULL DEFAULT 'it''s',
            body text CHECK (char_length(body) <= 500 AND length(body) > 2),
            status varchar(20) DEFAULT 'new' NOT NULL
                CHECK (status IN ('new', 'done')),
            stars bigint CHECK (stars BETWEEN -1 AND 5),
            price numeric(6, 2) DEFAULT -4.99 NOT NULL CHECK (0 < price),
            any_number numeric,
            odd numeric(2, 4),
            ratio double precision CHECK (ratio <> 'NaN'),
            active boolean DEFAULT true NOT NULL,
            day date, at_time time, moment timestamptz,
            key uuid UNIQUE,
            data jsonb DEFAULT '{"a": [1]}' NOT NULL,
            code char(5),
            naive timestamp DEFAULT now() NOT NULL,
            mood mood DEFAULT 'ok' NOT NULL,
            born year,
            pair pair, address inet, span interval, words tsvector, period daterange,
            tags text[] DEFAULT '{a,b}' NOT NULL,
            low bigint, high bigint CHECK (low < high),
            double_it bigint GENERATED ALWAYS AS (low * 2) STORED,
            lucky bigint DEFAULT (7 * 6) NOT NULL
        );
        COMMENT ON TABLE things IS 'All of it';
        COMMENT ON COLUMN things.day IS 'A day';
    """)
    thing = entities["Thing"]
    assert thing["id"] == "integer"
    assert thing["description"] == "All of it"
    fields = {one.pop("name"): one for one in thing["fields"]}
    assert fields["title"] == {
        "type": "string",
        "default": "it's",
        "max_length": 80,
        "markup": "keep",
    }
    assert fields["body"]["max_length"] == 500
    assert fields["body"]["min_length"] == 3
    assert fields["status"] == {
        "type": "enum",
        "values": ["new", "done"],
        "default": "new",
    }
    assert fields["stars"] == {"type": "integer", "ge": -1, "le": 5}
    assert fields["odd"] == {"type": "decimal", "precision": 4, "scale": 4}
    assert fields["ratio"] == {"type": "float"}
    assert fields["active"] == {"type": "boolean", "default": True}
    assert fields["day"] == {"type": "date", "description": "A day"}
    assert fields["key"] == {"type": "uuid", "unique": True}
    assert fields["data"]["default"] == {"a": [1]}
    assert fields["mood"]["values"] == ["ok", "it's bad"]
    assert fields["born"]["ge"] == 1901
    assert fields["pair"] == {"type": "json"}
    assert fields["lucky"] == {"type": "integer"}
    said = losses(found)
    assert said["things.price"] == (
        "the default -4.99, and NOT NULL -> no default, and optional"
    )
    assert said["things.double_it"] == "a generated column ((low * 2)) -> left out"
    assert said["things.words"] == "the type tsvector -> left out"
    assert said["things.lucky"] == "the default (7 * 6) -> no default, and optional"
    assert said["things.period"] == "the range daterange -> string"
    whats = [loss.what for loss in found.losses if loss.place == "things.naive"]
    assert "a timestamp without a time zone" in whats
    if language.can_check("lt"):
        assert thing["checks"] == [["low", "lt", "high"]]


def test_arrays_keep_their_rules(imported: Import) -> None:
    entities, found = imported("""
        CREATE FUNCTION item_lengths(items text[]) RETURNS integer[] LANGUAGE sql IMMUTABLE
            AS 'SELECT array_agg(char_length(item)) FROM unnest(items) AS item';
        CREATE TABLE things (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            tags text[] DEFAULT '{aa,"b \\"c\\"",NULLS}' NOT NULL
                CHECK (array_ndims(tags) = 1 AND num_nulls(VARIADIC tags) = 0)
                CHECK (cardinality(tags) > 0 AND cardinality(tags) <= 5)
                CHECK (2 <= ALL (item_lengths(tags)) AND 40 >= ALL (item_lengths(tags))),
            sizes smallint[] DEFAULT ARRAY[1, -2] CHECK (-5 <= ALL (sizes) AND 9 > ALL (sizes)),
            colors varchar(9)[] DEFAULT '{red}' CHECK (colors <@ ARRAY['red', 'blue']::varchar[]),
            ratios double precision[] CHECK (NOT ratios && '{NaN,Infinity,-Infinity}'),
            words text[] DEFAULT '{a,NULL}' CHECK ('' <> ALL (words)),
            days date[], clocks time[], moments timestamptz[] DEFAULT '{}' NOT NULL
        );
        CREATE INDEX ON things USING gin (tags);
        CREATE INDEX ON things USING gin (sizes, days);
    """)
    fields = {one.pop("name"): one for one in entities["Thing"]["fields"]}
    assert fields["tags"] == {
        "type": "string",
        "array": True,
        "min_items": 1,
        "max_items": 5,
        "min_length": 2,
        "max_length": 40,
        "markup": "keep",
        "default": ["aa", 'b "c"', "NULLS"],
        "index": True,
    }
    sizes = {"ge": -5, "lt": 9, "default": [1, -2], "nullable": True}
    assert fields["sizes"] == {"type": "integer", "bits": 16, "array": True, **sizes}
    assert fields["colors"]["values"] == ["red", "blue"]
    assert fields["ratios"] == {"type": "float", "array": True}
    assert fields["words"] == {
        "type": "text",
        "array": True,
        "min_length": 1,
        "markup": "keep",
    }
    assert fields["days"] == {"type": "date", "array": True}
    assert fields["clocks"] == {"type": "json"}
    assert fields["moments"] == {"type": "datetime", "array": True, "default": []}
    said = losses(found)
    assert said["things.clocks"] == "an array of time -> json"
    assert said["things.words"].startswith("the default '{a,NULL}'")
    assert "an index of the type gin -> left out" in said.values()


def test_references_keep_columns_and_actions(imported: Import) -> None:
    entities, _ = imported("""
        CREATE TABLE "Artist" ("ArtistId" integer PRIMARY KEY);
        CREATE TABLE employee (
            employee_id serial PRIMARY KEY,
            reports_to int REFERENCES employee,
            artist int NOT NULL REFERENCES "Artist" ON DELETE CASCADE,
            other_id int UNIQUE REFERENCES "Artist" ON DELETE SET NULL
        );
        CREATE INDEX ON employee (reports_to);
    """)
    assert entities["Artist"]["id"] == {
        "name": "artist_id",
        "type": "integer",
        "bits": 32,
        "generated": False,
    }
    relations = {one.pop("name"): one for one in entities["Employee"]["relations"]}
    assert relations == {
        "reports_to": {
            "type": "many_to_one",
            "target": "Employee",
            "on_delete": "restrict",
            "column": "reports_to",
        },
        "artist": {
            "type": "many_to_one",
            "target": "Artist",
            "required": True,
            "on_delete": "cascade",
            "index": False,
            "column": "artist",
        },
        "other": {"type": "one_to_one", "target": "Artist"},
    }


def test_indexes_and_constraints(imported: Import) -> None:
    entities, found = imported("""
        CREATE TABLE things (
            id uuid DEFAULT gen_random_uuid() PRIMARY KEY,
            a bigint, b bigint, c varchar(20), d bigint UNIQUE,
            UNIQUE (a, b), EXCLUDE USING btree (b WITH =)
        );
        CREATE INDEX ON things (a);
        CREATE INDEX two ON things (b, c);
        CREATE INDEX with_key ON things (c, id);
        CREATE INDEX few ON things (b) WHERE a > 0;
        CREATE INDEX computed ON things ((a + b));
        CREATE INDEX hashed ON things USING hash (a);
        CREATE UNIQUE INDEX folded ON things (lower(c));
    """)
    thing = entities["Thing"]
    assert "id" not in thing
    assert thing["unique"] == [["a", "b"]]
    assert thing["indexes"] == [["b", "c"]]
    fields = {one.pop("name"): one for one in thing["fields"]}
    assert fields["a"]["index"] is True
    assert fields["c"]["unique"] is True
    assert fields["c"]["case_insensitive"] is True
    assert fields["d"]["unique"] is True
    assert losses(found) == {
        "things (few)": "an index WHERE (a > 0) -> left out",
        "things (computed)": "an index on (a + b) -> left out",
        "things (hashed)": "an index of the type hash -> left out",
        "things (things_b_excl)": "an EXCLUDE constraint -> left out",
    }


def test_what_is_not_a_plain_table_is_reported(imported: Import) -> None:
    entities, found = imported("""
        CREATE SCHEMA crm;
        CREATE TABLE crm.payments (at date, n bigint, PRIMARY KEY (at, n))
            PARTITION BY RANGE (at);
        CREATE TABLE crm.payments_old PARTITION OF crm.payments
            FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
        CREATE TABLE bases (id bigint PRIMARY KEY);
        CREATE TABLE others (note boolean) INHERITS (bases);
        CREATE VIEW shown AS SELECT 1 AS one;
        CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one;
        CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RETURN NULL; END';
        CREATE TRIGGER told AFTER INSERT ON bases EXECUTE FUNCTION nothing();
        ALTER TABLE bases ENABLE ROW LEVEL SECURITY;
        CREATE TABLE flyway_schema_history (id int);
    """)
    assert [*entities] == ["Payment", "Base", "Other"]
    assert entities["Payment"]["schema"] == "crm"
    assert entities["Payment"]["unique"] == [["at", "n"]]
    said = losses(found)
    for place in ("crm.payments_old", "others", "shown", "kept", "bases (told)"):
        assert place in said
    whats = {loss.what for loss in found.losses}
    assert {"a partitioned table", "row-level security"} <= whats


def test_many_to_many_and_references_that_are_not_to_keys(imported: Import) -> None:
    entities, found = imported("""
        CREATE TABLE posts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            code bigint UNIQUE);
        CREATE TABLE tags (id varchar(5) PRIMARY KEY);
        CREATE TABLE posts_tags (
            post_id bigint REFERENCES posts ON DELETE CASCADE,
            tag_id varchar(5) REFERENCES tags ON DELETE CASCADE,
            PRIMARY KEY (post_id, tag_id)
        );
        CREATE TABLE notes (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            code bigint REFERENCES posts (code), a bigint, b varchar(5),
            FOREIGN KEY (a, b) REFERENCES posts_tags
        );
    """)
    # A table that is referred to is an entity of its own.
    assert [*entities] == ["Post", "Tag", "PostsTag", "Note"]
    assert "relations" not in entities["Note"]
    assert "a foreign key on code to Post" in losses(found)["notes (notes_code_fkey)"]
    assert "a foreign key on a, b" in losses(found)["notes (notes_a_b_fkey)"]


def test_tables_of_a_generated_service_are_read_back(imported: Import) -> None:
    entities, found = imported("""
        CREATE FUNCTION write_history() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RETURN NULL; END';
        CREATE TABLE _idempotency_keys (id bytea PRIMARY KEY);
        CREATE TABLE film (
            id uuid PRIMARY KEY,
            mail varchar(320), link varchar(2048) UNIQUE, title varchar(80) NOT NULL,
            note text, made timestamptz DEFAULT now() NOT NULL,
            changed timestamptz DEFAULT now() NOT NULL,
            deleted_at timestamptz, deletion_id uuid,
            _version integer DEFAULT 1 NOT NULL,
            _search tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig,
                left(coalesce("note", '') || ' ' || coalesce("title", ''), 10))) STORED
        );
        CREATE INDEX ON film (made, id);
        CREATE INDEX ON film (changed, id);
        CREATE INDEX ON film USING gin (_search);
        CREATE INDEX ON film (deleted_at) WHERE deleted_at IS NOT NULL;
        CREATE UNIQUE INDEX ON film (title) WHERE deleted_at IS NULL;
        CREATE UNIQUE INDEX ON film (lower(mail COLLATE "default") COLLATE "C")
            WHERE deleted_at IS NULL;
        CREATE INDEX ON film (lower(mail COLLATE "default") COLLATE "C", id);
        CREATE TRIGGER write_history AFTER INSERT ON film FOR EACH ROW
            EXECUTE FUNCTION write_history('film', 'id');
        CREATE TABLE tags (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
        CREATE TABLE film_tags (
            film_id uuid REFERENCES film ON DELETE CASCADE,
            tag_id bigint REFERENCES tags ON DELETE CASCADE,
            PRIMARY KEY (film_id, tag_id)
        );
    """)
    assert found.losses == []
    film = entities["Film"]
    fields = {one.pop("name"): one for one in film.pop("fields")}
    assert film == {
        "name": "Film",
        "plural": "film",
        "id": {"type": "uuid", "generated": False},
        "timestamps": {"created_at": "made", "updated_at": "changed"},
        "search": ["note", "title"],
        "history": True,
        "soft_delete": True,
        "relations": [
            {
                "name": "tags",
                "type": "many_to_many",
                "target": "Tag",
                "back_populates": "films",
            }
        ],
    }
    assert fields["mail"] == {
        "type": "email",
        "case_insensitive": True,
        "unique": True,
    }
    assert fields["link"] == {"type": "url", "unique": True, "sort": False}
    assert fields["title"]["unique"] is True


def test_reading_writes_nothing(server: EmbeddedPostgres) -> None:
    url = server.create_database("unwritten")
    with pytest.raises(SourceError, match="found no table"):
        command.written(sources.find(url).read(), "database")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@127.0.0.1:1/none",
        "postgres://user:secret@127.0.0.1:1/none?connect_timeout=1",
        "postgresql://user:secret@[broken/none",
    ],
)
def test_database_that_cannot_be_read_is_an_error_without_the_password(
    url: str,
) -> None:
    with pytest.raises(SourceError) as caught:
        sources.find(url).read()
    assert "check the address" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "secret" not in sources.find(url).name


def test_password_in_a_parameter_is_not_shown() -> None:
    url = "postgresql://localhost/app?user=a&password=secret"
    assert connection.without_password(url).endswith("?user=a&password=***")


@pytest.mark.parametrize(
    "expression",
    [
        "((a > 1) OR (a < 0))",
        "(NOT (a > 1))",
        "is_valid(a)",
        "((a + b) > 1)",
        "CASE WHEN (a > 1) THEN true ELSE false END",
        "(a > ",
        "\x00",
        "",
    ],
)
def test_check_that_is_not_simple_is_unknown(expression: str) -> None:
    with pytest.raises(expressions.Unknown):
        list(expressions.rules(expression))


VALUES = """
CREATE TABLE kinds (id integer PRIMARY KEY);
CREATE TABLE items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made timestamptz NOT NULL DEFAULT now(),
    until timestamptz NOT NULL DEFAULT now() + interval '1 day',
    there timestamptz NOT NULL DEFAULT (now() AT TIME ZONE 'Europe/Berlin'),
    day date NOT NULL DEFAULT ('now'::text)::date,
    word text NOT NULL DEFAULT 'now',
    token text NOT NULL DEFAULT gen_random_uuid()::text || '-x',
    high integer NOT NULL CHECK (high > 10),
    code varchar(50) NOT NULL CHECK (char_length(code) >= 5) CHECK (code <> ''),
    short text NOT NULL CHECK (octet_length(short) <= 10),
    price numeric(10, 2) NOT NULL CHECK (price::integer > 5),
    tags text[] NOT NULL CHECK (tags = '{a,b}'),
    kind_id integer NOT NULL DEFAULT 1 REFERENCES kinds CHECK (kind_id > 0),
    CONSTRAINT wider CHECK (high > 0),
    CONSTRAINT length CHECK (length(code) <= 100),
    CONSTRAINT days CHECK (made::date <= until::date),
    CONSTRAINT one UNIQUE NULLS NOT DISTINCT (code)
);
CREATE UNIQUE INDEX other ON items (high) NULLS NOT DISTINCT;
"""


def test_what_a_column_says_of_its_values_is_kept_or_reported(imported: Import) -> None:
    entities, found = imported(VALUES)
    fields = {one["name"]: one for one in entities["Item"]["fields"]}
    assert fields["made"]["default"] == fields["day"]["default"] == "now"
    assert fields["word"]["default"] == "now"
    for name in ("until", "there", "token"):
        assert "default" not in fields[name]
        assert "required" not in fields[name]
    assert fields["high"]["gt"] == 10
    assert (fields["code"]["min_length"], fields["code"]["max_length"]) == (5, 50)
    assert "max_length" not in fields["short"]
    assert "gt" not in fields["price"]
    assert fields["tags"]["type"] == "text"
    assert "checks" not in entities["Item"]
    reported = {
        (one.place.rpartition(" ")[0] or one.place, one.what) for one in found.losses
    }
    for what in (
        ("items.kind_id", "the default 1 of a foreign key"),
        ("items.kind_id", "gt 0 of a foreign key"),
        ("items", "UNIQUE NULLS NOT DISTINCT"),
    ):
        assert what in reported
    checks = [one.what for one in found.losses if one.what.startswith("CHECK")]
    for part in ("octet_length", "price", "tags", "::date"):
        assert any(part in one for one in checks), part
    defaults = [one for one in found.losses if one.what.startswith("the default")]
    assert len(defaults) == 4


def test_reasons_are_told_if_nothing_can_be_imported(imported: Import) -> None:
    with pytest.raises(SourceError, match=r"(?s)no table.*the view.*lone"):
        imported("CREATE VIEW lone AS SELECT 1 AS one")
