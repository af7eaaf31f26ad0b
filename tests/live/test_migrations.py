"""Every kind of change on tables with rows: up, check, down, up, and no row is lost."""

import asyncio
import copy
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.harness.project import Project, clean_environment

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("simple_task_api")]

HERE = Path(__file__).parent
LIBRARY = json.loads((HERE / "library.json").read_text())
Spec = dict[str, Any]
Rows = dict[str, list[dict[str, Any]]]
Column = tuple[str, str]


@dataclass(frozen=True)
class Kind:
    """A change of the spec, and what it does to the rows.

    `values` are the columns whose values change on the way up; what is in `stays` does
    not change back.
    """

    name: str
    change: Callable[[Spec], object]
    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[Column, str] = field(default_factory=dict)
    values: Mapping[Column, Callable[[Any], Any]] = field(default_factory=dict)
    stays: frozenset[Column] = frozenset()
    dropped: frozenset[str | Column] = frozenset()
    then: str = ""
    arguments: tuple[str, ...] = ()
    says: str = ""
    warns: str = ""
    quick: bool = False

    def __str__(self) -> str:
        return self.name


def entity(spec: Spec, name: str) -> Spec:
    return next(one for one in spec["entities"] if one["name"] == name)


def member(spec: Spec, path: str) -> Spec:
    owner, name = path.split(".")
    found = entity(spec, owner)
    members = [*found["fields"], *found.get("relations", [])]
    return next(one for one in members if one["name"] == name)


def set_keys(path: str, **changes: Any) -> Callable[[Spec], None]:
    """Change keys of a field or relation; None removes one."""

    def change(spec: Spec) -> None:
        found = member(spec, path)
        for key, value in changes.items():
            found.pop(key, None)
            if value is not None:
                found[key] = value

    return change


def set_entity(name: str, **changes: Any) -> Callable[[Spec], None]:
    """Change keys of an entity; None removes one."""

    def change(spec: Spec) -> None:
        found = entity(spec, name)
        for key, value in changes.items():
            found.pop(key, None)
            if value is not None:
                found[key] = value

    return change


def rename(path: str, new: str) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        found, old = member(spec, path), path.split(".")[1]
        found |= {"name": new, "renamed_from": old}
        owner = entity(spec, path.split(".")[0])
        for key in ("unique", "indexes"):
            for names in owner.get(key, []):
                names[:] = [new if name == old else name for name in names]
        searched = owner.get("search", [])
        searched[:] = [new if name == old else name for name in searched]
        for check in owner.get("checks", []):
            check[:] = [new if name == old else name for name in check]

    return change


def rename_entity(old: str, new: str) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        entity(spec, old).update(name=new, renamed_from=old)
        for one in spec["entities"]:
            for relation in one.get("relations", []):
                if relation["target"] == old:
                    relation["target"] = new

    return change


def remove(path: str) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        found = member(spec, path)
        owner = entity(spec, path.split(".")[0])
        for members in (owner["fields"], owner.get("relations", [])):
            members[:] = [one for one in members if one is not found]
        for key in ("unique", "indexes"):
            lists = owner.get(key, [])
            lists[:] = [names for names in lists if found["name"] not in names]
        searched = owner.get("search", [])
        searched[:] = [name for name in searched if name != found["name"]]
        checks = owner.get("checks", [])
        checks[:] = [names for names in checks if found["name"] not in names]

    return change


def remove_entity(name: str) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        spec["entities"].remove(entity(spec, name))
        for one in spec["entities"]:
            for relation in one.get("relations", [])[:]:
                if relation["target"] == name:
                    remove(f"{one['name']}.{relation['name']}")(spec)

    return change


def add_field(owner: str, name: str, type_: str, **keys: Any) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        entity(spec, owner)["fields"].append({"name": name, "type": type_, **keys})

    return change


def add_relation(
    owner: str, name: str, type_: str, target: str, **keys: Any
) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        relation = {"name": name, "type": type_, "target": target, **keys}
        entity(spec, owner).setdefault("relations", []).append(relation)

    return change


def add_entity(name: str, *fields: Spec) -> Callable[[Spec], None]:
    return lambda spec: spec["entities"].append({"name": name, "fields": list(fields)})


def all_of(*changes: Callable[[Spec], object]) -> Callable[[Spec], None]:
    def change(spec: Spec) -> None:
        for one in changes:
            one(spec)

    return change


def filled(default: Any) -> Callable[[Any], Any]:
    return lambda value: default if value is None else value


def decimal(value: Any) -> Any:
    return None if value is None else float(value)


NEW_BOOK = """
INSERT INTO books (title, pages, author_id) SELECT 'New', 1, id FROM authors LIMIT 1;
"""
NEW_REVIEW = "INSERT INTO reviews (stars, book_id) SELECT 3, id FROM books LIMIT 1;"


def drop(*names: str) -> tuple[str]:
    return (f"--allow-drop={','.join(names)}",)


def exchange(one: str, other: str) -> Callable[[Spec], None]:
    """Two members of an entity exchange their names."""

    def change(spec: Spec) -> None:
        name, their_name = one.split(".")[1], other.split(".")[1]
        mine, theirs = member(spec, one), member(spec, other)
        mine |= {"name": their_name, "renamed_from": name}
        theirs |= {"name": name, "renamed_from": their_name}

    return change


def rename_chain(*paths: str) -> Callable[[Spec], None]:
    """Each member takes the name of the next one; the last path is a new name."""

    def change(spec: Spec) -> None:
        found = [member(spec, path) for path in paths[:-1]]
        for one, path in zip(found, paths[1:], strict=True):
            one |= {"name": path.split(".")[1], "renamed_from": one["name"]}

    return change


WORDY = "VolumesOfACollectionThatSomebodyOnceLeftUs"
LONG = "volumes_of_a_collection_that_somebody_once_left_us"
RENAMED_BOOK = {
    "tables": {
        "books": "volumes",
        "books_genres": "volumes_genres",
        "books_translators": "volumes_translators",
    },
    "columns": {
        ("books_genres", "book_id"): "volume_id",
        ("books_translators", "book_id"): "volume_id",
    },
}

RECORDED = all_of(
    *(set_entity(name, history=True) for name in ("Author", "Book", "Language"))
)

SOFT = all_of(
    *(set_entity(one["name"], soft_delete=True) for one in LIBRARY["entities"])
)
DELETED = "SET deleted_at = now(), deletion_id = gen_random_uuid()"

KINDS = [
    Kind("mark deleted rows", SOFT, then=NEW_BOOK, quick=True),
    Kind(
        "mark deleted rows, and have new unique values",
        all_of(SOFT, set_keys("Author.born", unique=True)),
    ),
    Kind(
        "mark deleted rows of a table with a new name",
        all_of(SOFT, rename_entity("Book", "Volume"), rename("Author.email", "mail")),
        tables=RENAMED_BOOK["tables"],
        columns={**RENAMED_BOOK["columns"], ("authors", "email"): "mail"},
    ),
    Kind(
        "record the history of rows",
        RECORDED,
        then="INSERT INTO authors (name) VALUES ('New');",
        quick=True,
    ),
    Kind("search a table", set_entity("Author", search=["name"]), quick=True),
    Kind(
        "search a table and what is new in it",
        all_of(
            add_field("Language", "text", "text", default="none"),
            set_entity("Language", search=["text", "title"]),
            set_keys("Language.title", max_length=50),
        ),
    ),
    Kind("search other fields", set_entity("Book", search=["blurb", "shelf"])),
    Kind("search no longer", set_entity("Book", search=None)),
    Kind(
        "change the type of what is searched",
        set_keys("Book.subtitle", max_length=300),
    ),
    Kind(
        "rename what is searched, and search more",
        all_of(
            rename("Book.subtitle", "motto"),
            set_entity("Book", search=["shelf", "motto"]),
        ),
        columns={("books", "subtitle"): "motto"},
    ),
    Kind(
        "drop what is searched",
        remove("Book.blurb"),
        dropped=frozenset({("books", "blurb")}),
        arguments=drop("books.blurb"),
    ),
    Kind(
        "values without regard to case",
        all_of(
            set_keys("Author.email", case_insensitive=True),
            set_keys("Author.name", case_insensitive=True),
            set_keys("Book.title", case_insensitive=True),
            set_keys("Language.title", case_insensitive=True),
            set_keys("Copy.place", case_insensitive=True, required=None),
        ),
        quick=True,
    ),
    Kind(
        "values with regard to case",
        set_keys("Genre.label", case_insensitive=None),
        then="INSERT INTO genres (label) VALUES ('new'), ('NEW'); "
        "DELETE FROM genres WHERE label = 'NEW';",
    ),
    Kind("rename an entity", rename_entity("Book", "Volume"), **RENAMED_BOOK),
    Kind(
        "rename a plural",
        lambda spec: entity(spec, "Genre").update(plural="kinds"),
        tables={"genres": "kinds"},
    ),
    Kind(
        "rename a field",
        rename("Book.title", "name"),
        columns={("books", "title"): "name"},
    ),
    Kind(
        "rename a field and change its bounds",
        all_of(
            rename("Book.pages", "length"), lambda s: set_keys("Book.length", le=400)(s)
        ),
        columns={("books", "pages"): "length"},
    ),
    Kind(
        "rename a relation",
        rename("Book.author", "writer"),
        columns={("books", "author_id"): "writer_id"},
    ),
    Kind(
        "rename a many-to-many",
        rename("Book.genres", "kinds"),
        tables={"books_genres": "books_kinds"},
    ),
    Kind(
        "rename relations of an entity with itself",
        all_of(
            rename_entity("Author", "Writer"),
            rename("Writer.friends", "peers"),
            rename("Book.sequel_of", "follows"),
        ),
        tables={"authors": "writers", "authors_friends": "writers_peers"},
        columns={
            ("books", "sequel_of_id"): "follows_id",
            ("books_translators", "author_id"): "writer_id",
            ("authors_friends", "author_id"): "writer_id",
            ("authors_friends", "friend_id"): "peer_id",
        },
    ),
    Kind(
        "rename to words that SQL reserves",
        all_of(
            rename_entity("Genre", "User"),
            lambda spec: entity(spec, "User").update(plural="user"),
            rename("User.label", "order"),
            rename("Book.title", "select"),
            rename("Review.book", "table"),
        ),
        tables={"genres": "user"},
        columns={
            ("genres", "label"): "order",
            ("books", "title"): "select",
            ("books_genres", "genre_id"): "user_id",
            ("reviews", "book_id"): "table_id",
        },
    ),
    Kind(
        "rename to names that leave no room for constraints' own",
        all_of(
            rename_entity("Book", WORDY),
            lambda spec: entity(spec, WORDY).update(plural=LONG),
            rename(f"{WORDY}.title", f"{LONG}_title"),
            rename(f"{WORDY}.pages", f"{LONG}_pages"),
            set_keys(f"{WORDY}.price", ge=1),
        ),
        tables={
            "books": LONG,
            "books_genres": f"{LONG}_genres",
            "books_translators": f"{LONG}_translators",
        },
        columns={
            ("books", "title"): f"{LONG}_title",
            ("books", "pages"): f"{LONG}_pages",
            ("books_genres", "book_id"): f"{LONG}_id",
            ("books_translators", "book_id"): f"{LONG}_id",
        },
    ),
    Kind(
        "rename a field and change its type",
        all_of(
            rename("Book.pages", "length"),
            lambda spec: set_keys("Book.length", type="decimal")(spec),
        ),
        columns={("books", "pages"): "length"},
        values={("books", "pages"): decimal},
    ),
    Kind("add an optional field", add_field("Book", "isbn", "string", unique=True)),
    Kind(
        "add a field with a default",
        add_field("Book", "weight", "decimal", default="1.5", ge=0, index=True),
        then=NEW_BOOK,
    ),
    Kind(
        "add a required field with a default",
        add_field(
            "Book",
            "kind",
            "enum",
            values=["a", "b: :c"],
            required=True,
            default="b: :c",
        ),
    ),
    Kind(
        "require a field with a default",
        set_keys("Book.shelf", required=True, default="A: it's :here"),
        values={("books", "shelf"): filled("A: it's :here")},
        stays=frozenset({("books", "shelf")}),
    ),
    Kind(
        "no longer require a relation",
        set_keys("Book.author", required=None, on_delete=None),
        then="INSERT INTO books (title, pages) VALUES ('Orphan', 1);",
    ),
    Kind(
        "require a relation that every row has",
        set_keys("Review.book", on_delete="restrict"),
        then=NEW_REVIEW,
    ),
    Kind("no longer require a field", set_keys("Book.title", required=None)),
    Kind(
        "change a default",
        set_keys("Book.status", default="published"),
        then=NEW_BOOK,
    ),
    Kind("remove a default", set_keys("Book.order", default=None)),
    Kind(
        "null in place of a default",
        all_of(
            set_keys("Book.status", nullable=True),
            add_field("Book", "cover", "json", default={"a": 1}, nullable=True),
        ),
        then=NEW_BOOK.replace("(title", "(status, title").replace(
            "'New'", "NULL, 'New'"
        ),
    ),
    Kind(
        "a default in place of null",
        set_keys("Genre.shade", nullable=None),
        values={("genres", "shade"): filled("grey")},
        stays=frozenset({("genres", "shade")}),
    ),
    Kind(
        "defaults that the database makes",
        all_of(
            add_field("Book", "token", "uuid", default="random", unique=True),
            add_field("Book", "trace", "uuid", default="random", nullable=True),
            add_field("Book", "arrived", "datetime", default="now", index=True),
            add_field("Book", "checked", "time", default="now", required=True),
            set_keys("Book.added", default="now", nullable=True),
            set_keys("Book.seen", default="now", nullable=True),
        ),
        then=NEW_BOOK,
        quick=True,
    ),
    Kind(
        "change the values of an enum",
        set_keys(
            "Book.status", values=["draft", "published", "sold", "lost & 'found': :x"]
        ),
        then=NEW_BOOK.replace("(title", "(status, title").replace(
            "'New'", "'lost & ''found'': :x', 'New'"
        ),
    ),
    Kind(
        "tighten bounds",
        set_keys("Book.pages", ge=150, le=400),
        warns="migration: books: older rows violate ck_books_pages_ge; it applies when",
    ),
    Kind(
        "add a bound",
        all_of(set_keys("Book.rating", gt=1.25), set_keys("Book.order", multiple_of=2)),
    ),
    Kind(
        "remove bounds",
        set_keys("Book.pages", ge=None, le=None),
        then=NEW_BOOK.replace("1,", "0,"),
    ),
    Kind(
        "longer texts",
        all_of(
            set_keys("Book.title", max_length=400),
            set_keys("Review.body", max_length=None),
        ),
        then=NEW_BOOK.replace("'New'", "repeat('x', 300)") + NEW_REVIEW,
    ),
    Kind(
        "shorter texts",
        all_of(
            set_keys("Book.title", max_length=40),
            set_keys("Review.body", max_length=100),
        ),
    ),
    Kind(
        "bytes",
        all_of(
            add_field("Book", "cover", "binary"),
            add_field("Book", "seal", "binary", default="AAEC/w==", nullable=True),
            set_keys("Genre.icon", max_length=20, default=""),
        ),
        values={("genres", "icon"): filled("\\x")},
        stays=frozenset({("genres", "icon")}),
        warns="migration: genres: older rows violate ck_genres_icon_max_length",
        then="INSERT INTO genres (label, icon) VALUES ('new', decode('ff', 'hex'));",
    ),
    Kind(
        "compare fields and relations",
        all_of(
            add_field("Book", "sold", "integer", default=0, ge=0),
            set_entity(
                "Book", checks=[["sold", "le", "pages"], ["author", "ne", "editor"]]
            ),
        ),
        quick=True,
    ),
    Kind(
        "compare otherwise",
        all_of(
            set_keys("Review.reads", default=10),
            set_entity("Review", checks=[["stars", "lt", "reads"]]),
        ),
        warns="migration: reviews: older rows violate ck_reviews_stars_lt_reads",
    ),
    Kind(
        "compare no longer",
        set_entity("Review", checks=None),
        then=NEW_REVIEW.replace("stars,", "likes, reads, stars,").replace(
            "3,", "5, 4, 3,"
        ),
    ),
    Kind(
        "rename what is compared, and change its type",
        all_of(
            rename("Review.likes", "hearts"),
            lambda spec: set_keys("Review.hearts", type="decimal", default="0.00")(
                spec
            ),
            set_keys("Review.reads", type="decimal", default="0.00"),
        ),
        columns={("reviews", "likes"): "hearts"},
        values={("reviews", "likes"): decimal, ("reviews", "reads"): decimal},
    ),
    Kind(
        "remove what is compared",
        remove("Review.likes"),
        says="the column reviews.likes",
        then=NEW_REVIEW.replace("stars,", "reads, stars,").replace("3,", "-1, 3,"),
    ),
    Kind(
        "drop what is compared",
        remove("Review.likes"),
        dropped=frozenset({("reviews", "likes")}),
        arguments=drop("reviews.likes"),
    ),
    Kind(
        "smaller and larger integers",
        all_of(
            set_keys("Book.pages", bits=16),
            set_keys("Book.order", bits=32, default=7),
            set_keys("Review.stars", bits=16, index=True),
            set_keys("Language.speakers", bits=None),
        ),
        then=NEW_BOOK,
        quick=True,
    ),
    Kind(
        "small integers of another type",
        all_of(
            set_keys("Book.rating", type="decimal", precision=4, scale=1),
            set_keys("Book.price", type="decimal", precision=12, scale=4),
            set_keys("Book.available", type="integer", bits=16, default=0),
            set_keys("Language.speakers", type="decimal", bits=None),
        ),
        values={
            ("books", "rating"): decimal,
            ("books", "available"): int,
            ("words.languages", "speakers"): decimal,
        },
    ),
    Kind(
        "new arrays",
        all_of(
            add_field("Shelf", "notes", "string", array=True, default=["a", 'b "c"']),
            add_field("Shelf", "ranks", "float", array=True, index=True),
            add_field("Shelf", "ids", "uuid", array=True, default=[], nullable=True),
            add_field("Review", "steps", "integer", array=True, multiple_of=5),
        ),
        then=NEW_REVIEW,
    ),
    Kind(
        "arrays of single values",
        all_of(
            set_keys("Shelf.code", array=True, default=["none"], min_length=1),
            set_keys(
                "Shelf.width", array=True, type="float", precision=None, scale=None
            ),
            set_keys("Shelf.since", array=True, min_items=1),
            set_keys("Review.stars", array=True, type="string", ge=None, le=None),
            set_keys("Book.status", array=True, default=["draft"]),
            lambda spec: entity(spec, "Book").update(indexes=[]),
        ),
        values={
            ("shelves", "code"): lambda value: [value],
            ("shelves", "width"): lambda value: value if value is None else [value],
            ("shelves", "since"): lambda value: value if value is None else [value],
            ("reviews", "stars"): lambda value: [str(value)],
            ("books", "status"): lambda value: [value],
        },
        then="INSERT INTO shelves (single) VALUES ('{5}');",
        quick=True,
    ),
    Kind(
        "single values of arrays",
        all_of(
            set_keys("Shelf.single", array=None, index=True),
            set_keys("Shelf.word", array=None, type="string", max_length=20),
        ),
        values={
            ("shelves", "single"): lambda value: value[0],
            ("shelves", "word"): lambda value: value and value[0],
        },
        then="INSERT INTO shelves (single, word) VALUES (5, 'Three');",
        quick=True,
    ),
    Kind(
        "items of another type",
        all_of(
            set_keys("Shelf.sizes", type="decimal", bits=None, default=["1.00"]),
            set_keys("Shelf.prices", type="float", precision=None, scale=None),
            set_keys("Shelf.single", type="string"),
            set_keys("Shelf.opened", type="text"),
            set_keys("Shelf.word", type="string", index=True),
        ),
        values={
            ("shelves", "sizes"): filled([1]),
            ("shelves", "single"): lambda value: [str(one) for one in value],
        },
        stays=frozenset({("shelves", "sizes")}),
        quick=True,
    ),
    Kind(
        "larger and smaller items",
        all_of(
            set_keys("Shelf.sizes", bits=None),
            set_keys("Shelf.single", bits=16),
            set_keys("Shelf.prices", precision=10, scale=4),
            set_keys("Shelf.labels", max_length=40, index=None),
        ),
        then="INSERT INTO shelves (single, labels) VALUES ('{5}', ARRAY[repeat('x', 40)]);",
    ),
    Kind(
        "limits of arrays that some rows break",
        all_of(
            set_keys(
                "Shelf.labels", min_length=1, min_items=1, max_items=3, default=["a"]
            ),
            set_keys("Shelf.sizes", ge=0, multiple_of=5),
            set_keys("Shelf.moods", values=["calm", "loud", "odd", "new"]),
        ),
        warns="older rows violate ck_shelves_labels_min_items",
    ),
    Kind(
        "arrays that are renamed, and left out",
        all_of(
            rename("Shelf.labels", "tags"),
            rename("Shelf.single", "lone"),
            remove("Shelf.sizes"),
            remove("Shelf.moods"),
        ),
        columns={("shelves", "labels"): "tags", ("shelves", "single"): "lone"},
        says="the column shelves.sizes",
        then="INSERT INTO shelves (lone) VALUES ('{5}');",
    ),
    Kind(
        "arrays that are dropped",
        remove("Shelf.labels"),
        dropped=frozenset({("shelves", "labels")}),
        arguments=drop("shelves.labels"),
    ),
    Kind("larger decimals", set_keys("Book.price", precision=14, scale=4)),
    Kind("smaller decimals", set_keys("Book.price", precision=6, scale=2)),
    Kind(
        "numbers of another type",
        all_of(
            set_keys("Book.pages", type="decimal"),
            set_keys("Book.rating", type="decimal", precision=4, scale=1),
            set_keys("Book.price", type="float", precision=None, scale=None),
            set_keys("Book.available", type="integer", default=0),
            set_keys("Book.order", type="decimal", default="0.00"),
        ),
        values={
            ("books", "pages"): decimal,
            ("books", "rating"): decimal,
            ("books", "available"): int,
        },
    ),
    Kind(
        "anything to text",
        all_of(
            set_keys("Book.pages", type="string", ge=None, le=None),
            set_keys("Book.rating", type="text"),
            set_keys("Book.available", type="string", default="no"),
            set_keys("Book.shelf", type="text", max_length=None),
            set_keys("Book.added", type="string"),
            set_keys("Book.seen", type="text"),
        ),
        values={
            ("books", "pages"): str,
            ("books", "rating"): lambda v: v if v is None else str(v),
            ("books", "available"): lambda v: "true" if v else "false",
            ("books", "seen"): lambda v: v and v.replace("+00:00", ".000000Z"),
        },
    ),
    Kind(
        "days and moments",
        all_of(
            set_keys("Book.added", type="datetime"), set_keys("Book.seen", type="date")
        ),
        values={
            ("books", "added"): lambda v: v and f"{v}T00:00:00+00:00",
            ("books", "seen"): lambda v: v and v[:10],
        },
    ),
    Kind("text to json", set_keys("Book.notes", type="json")),
    Kind(
        "text to enum",
        set_keys(
            "Book.shelf", type="enum", max_length=None, values=["A1", "A2", "A3", "B:1"]
        ),
    ),
    Kind(
        "remove fields",
        all_of(remove("Book.pages"), remove("Book.title"), remove("Book.price")),
        says="Left out of the migration",
        then="INSERT INTO books (author_id) SELECT id FROM authors LIMIT 1;",
    ),
    Kind(
        "remove a required relation",
        remove("Book.author"),
        says="the column books.author_id",
        then="INSERT INTO books (title, pages) VALUES ('Alone', 7);",
    ),
    Kind("remove an entity", remove_entity("Review"), says="the table reviews"),
    Kind("remove an entity that others name", remove_entity("Author"), says="authors"),
    Kind("remove a many-to-many", remove("Book.genres"), says="the table books_genres"),
    Kind(
        "give the name of a removed field to another one",
        all_of(remove("Book.title"), rename("Book.shelf", "title")),
        columns={("books", "title"): "title_unused", ("books", "shelf"): "title"},
        says="the column books.title_unused and its values",
    ),
    Kind(
        "give the name of a removed field to another one, and drop it",
        all_of(remove("Book.pages"), rename("Book.order", "pages")),
        columns={("books", "order"): "pages"},
        dropped=frozenset({("books", "pages")}),
        arguments=drop("books.pages_unused"),
        says="DESTRUCTIVE: the migration drops the column books.pages_unused",
    ),
    Kind(
        "give the name of a removed relation to another one",
        all_of(remove("Book.author"), rename("Book.editor", "author")),
        columns={
            ("books", "author_id"): "author_id_unused",
            ("books", "editor_id"): "author_id",
        },
    ),
    Kind(
        "exchange the names of fields and of relations",
        all_of(
            exchange("Book.pages", "Book.order"),
            exchange("Book.author", "Book.editor"),
            exchange("Author.name", "Author.email"),
        ),
        columns={
            ("books", "pages"): "order",
            ("books", "order"): "pages",
            ("books", "author_id"): "editor_id",
            ("books", "editor_id"): "author_id",
            ("authors", "name"): "email",
            ("authors", "email"): "name",
        },
    ),
    Kind(
        "exchange the names of fields of a new entity",
        all_of(
            add_entity(
                "Shop",
                {"name": "name", "type": "string"},
                {"name": "rent", "type": "integer"},
            ),
            exchange("Shop.name", "Shop.rent"),
        ),
        then="INSERT INTO shops (name, rent) VALUES (5, 'Corner');",
    ),
    Kind(
        "pass the names of fields on",
        rename_chain("Book.pages", "Book.order", "Book.position"),
        columns={("books", "pages"): "order", ("books", "order"): "position"},
    ),
    Kind(
        "give the plural of a removed entity to another one",
        all_of(
            remove_entity("Review"),
            lambda spec: entity(spec, "Genre").update(plural="reviews"),
        ),
        tables={"reviews": "reviews_unused", "genres": "reviews"},
        says="the table reviews_unused and its rows",
    ),
    Kind(
        "exchange the plurals of two entities",
        all_of(
            lambda spec: entity(spec, "Review").update(plural="genres"),
            lambda spec: entity(spec, "Genre").update(plural="reviews"),
        ),
        tables={"reviews": "genres", "genres": "reviews"},
    ),
    Kind(
        "exchange the names of many-to-many relations",
        exchange("Book.genres", "Book.translators"),
        tables={
            "books_genres": "books_translators",
            "books_translators": "books_genres",
        },
    ),
    Kind(
        "give the name of a removed many-to-many to another one",
        all_of(remove("Book.genres"), rename("Book.translators", "genres")),
        tables={
            "books_genres": "books_genres_unused",
            "books_translators": "books_genres",
        },
        says="the table books_genres_unused and its rows",
    ),
    Kind(
        "a to-one relation becomes a many-to-many",
        set_keys("Book.editor", type="many_to_many", on_delete=None),
        says="the column books.editor_id and its values",
    ),
    Kind(
        "drop fields",
        all_of(remove("Book.pages"), remove("Book.title"), remove("Book.price")),
        dropped=frozenset({("books", "pages"), ("books", "title"), ("books", "price")}),
        arguments=drop("books.pages", "books.title", "books.price"),
        says="DESTRUCTIVE: the migration drops the column books.title and its values",
    ),
    Kind(
        "drop one field of those that are removed",
        all_of(remove("Book.pages"), remove("Book.title")),
        dropped=frozenset({("books", "pages")}),
        arguments=drop("books.pages"),
        says="To drop it for good: make entities ARGS=--allow-drop=books.title\n",
    ),
    Kind(
        "drop an entity that others name",
        remove_entity("Author"),
        dropped=frozenset(
            {
                "authors",
                "authors_friends",
                "books_translators",
                ("books", "author_id"),
                ("books", "editor_id"),
            }
        ),
        arguments=drop(
            *("authors", "authors_friends", "books_translators"),
            *("books.author_id", "books.editor_id"),
        ),
        says="DESTRUCTIVE",
    ),
    Kind(
        "drop entities that point at each other",
        all_of(remove_entity("Book"), remove_entity("Review")),
        dropped=frozenset({"books", "books_genres", "books_translators", "reviews"}),
        arguments=drop("books", "books_genres", "books_translators", "reviews"),
        says="DESTRUCTIVE",
    ),
    Kind(
        "add an entity and relations",
        all_of(
            add_entity("Shop", {"name": "name", "type": "string", "required": True}),
            add_relation("Book", "shop", "many_to_one", "Shop", back_populates="stock"),
            add_relation("Shop", "window", "one_to_one", "Book"),
            add_relation("Author", "rivals", "many_to_many", "Author"),
        ),
    ),
    Kind(
        "change what deleting does",
        all_of(
            set_keys("Book.author", on_delete="restrict"),
            set_keys("Book.editor", on_delete="cascade"),
        ),
    ),
    Kind(
        "uniques and indexes",
        all_of(
            set_keys("Book.shelf", unique=True),
            set_keys("Book.title", index=None),
            set_keys("Author.email", unique=None, index=True),
            lambda spec: entity(spec, "Book").update(
                unique=[["title", "pages"]], indexes=[]
            ),
        ),
    ),
    Kind(
        "another table",
        set_entity("Book", table="The Books"),
        tables={"books": "The Books"},
    ),
    Kind(
        "another plural, and the table as before",
        set_entity("Book", plural="tomes", table="books"),
        tables={
            "books_genres": "tomes_genres",
            "books_translators": "tomes_translators",
        },
    ),
    Kind(
        "rename an entity, whose table keeps its name, and its fields, likewise",
        all_of(
            rename_entity("Genre", "Kind"),
            set_entity("Kind", table="genres"),
            rename("Kind.label", "name"),
            lambda spec: set_keys("Kind.name", column="label")(spec),
            rename("Book.editor", "reviser"),
            lambda spec: set_keys("Book.reviser", column="editor_id")(spec),
        ),
        columns={("books_genres", "genre_id"): "kind_id"},
    ),
    Kind(
        "another schema",
        set_entity("Book", schema="store"),
        tables={
            name: f"store.{name}"
            for name in ("books", "books_genres", "books_translators")
        },
        then=NEW_BOOK.replace("books", "store.books"),
    ),
    Kind(
        "the default schema and another table",
        set_entity("Language", schema=None, table="tongues"),
        tables={
            "words.languages": "tongues",
            "words.languages_relatives": "languages_relatives",
        },
    ),
    Kind(
        "exchange the schemas of two tables of one name",
        all_of(set_entity("Language", schema=None), set_entity("Copy", schema="words")),
        tables={
            "words.languages": "languages",
            "words.languages_relatives": "languages_relatives",
            "languages": "words.languages",
        },
    ),
    Kind(
        "exchange the tables of two schemas",
        all_of(
            set_entity("Language", schema=None, table="genres"),
            set_entity("Genre", schema="words", table="languages"),
        ),
        tables={
            "words.languages": "genres",
            "words.languages_relatives": "languages_relatives",
            "genres": "words.languages",
        },
    ),
    Kind(
        "a schema, a table and columns with names that SQL reserves",
        all_of(
            set_entity("Genre", schema="order", table="lateral"),
            set_keys("Genre.label", column="select"),
            set_keys("Book.author", column="The Author"),
        ),
        tables={"genres": "order.lateral"},
        columns={("genres", "label"): "select", ("books", "author_id"): "The Author"},
    ),
    Kind(
        "remove an entity of another schema",
        remove_entity("Language"),
        says="the table words.languages and its rows",
    ),
    Kind(
        "drop an entity of another schema",
        remove_entity("Language"),
        dropped=frozenset(
            {
                "words.languages",
                "words.languages_relatives",
                ("languages", "language_id"),
            }
        ),
        arguments=drop(
            *("words.languages", "words.languages_relatives"),
            "languages.language_id",
        ),
        says="DESTRUCTIVE: the migration drops the table words.languages and its rows",
    ),
    Kind(
        "change a table of another schema",
        all_of(
            rename("Language.title", "caption"),
            lambda spec: set_keys(
                "Language.caption",
                column=None,
                max_length=20,
                min_length=2,
                unique=None,
                index=True,
            )(spec),
            set_keys("Language.parent", on_delete="cascade"),
            add_field("Language", "script", "enum", values=["a", "b"], default="a"),
            add_field("Language", "cases", "integer", unique=True, ge=0),
            add_relation("Language", "spoken_by", "many_to_many", "Author"),
            set_entity("Language", unique=[["parent", "script"]]),
            remove("Copy.place"),
        ),
        columns={("words.languages", "Label"): "caption"},
    ),
    Kind(
        "other columns",
        all_of(
            set_keys("Book.title", column="TheTitle"),
            set_keys("Book.author", column="writer"),
            set_keys("Language.title", column=None),
        ),
        columns={
            ("books", "title"): "TheTitle",
            ("books", "author_id"): "writer",
            ("words.languages", "Label"): "title",
        },
    ),
    Kind(
        "other names of ids, and longer ones",
        all_of(
            set_entity("Book", id={"name": "book_no"}),
            set_entity("Copy", id={"type": "integer"}),
            set_entity(
                "Language",
                id={
                    "name": "iso",
                    "type": "string",
                    "generated": False,
                    "max_length": 20,
                },
            ),
        ),
        columns={
            ("books", "id"): "book_no",
            ("languages", "copy_no"): "id",
            ("words.languages", "code"): "iso",
        },
        then="INSERT INTO words.languages (iso, parent_id) VALUES ('de-CH-1996', 'de');",
    ),
    Kind(
        "shorter ids",
        lambda spec: entity(spec, "Language")["id"].update(max_length=5),
    ),
    Kind(
        "other names of times",
        all_of(
            set_entity("Author", timestamps={"created_at": "inserted"}),
            set_entity("Language", timestamps=None),
        ),
        columns={
            ("authors", "created_at"): "inserted",
            ("words.languages", "made"): "created_at",
            ("words.languages", "changed"): "updated_at",
        },
    ),
    Kind(
        "no times, and times",
        all_of(
            set_entity("Genre", timestamps=False),
            set_entity("Copy", timestamps=None),
        ),
        says="the column genres.created_at and its values",
        then="INSERT INTO genres (label) VALUES ('New');",
    ),
    Kind(
        "a reference without an index, and one with it",
        all_of(
            set_keys("Book.editor", index=False), set_keys("Copy.language", index=None)
        ),
    ),
    Kind(
        "all at once",
        all_of(
            rename_entity("Book", "Volume"),
            rename("Volume.title", "name"),
            rename("Volume.author", "writer"),
            set_keys("Volume.status", values=["draft", "published", "sold", "lost"]),
            set_keys("Volume.pages", type="decimal", le=400),
            set_keys("Volume.shelf", max_length=10, required=True, default="B"),
            add_field("Volume", "isbn", "string", required=True, default="-"),
            remove("Volume.rating"),
            remove_entity("Review"),
            add_entity("Shop", {"name": "name", "type": "string"}),
            add_relation("Volume", "shops", "many_to_many", "Shop"),
        ),
        tables=RENAMED_BOOK["tables"],
        columns={
            **RENAMED_BOOK["columns"],
            ("books", "title"): "name",
            ("books", "author_id"): "writer_id",
        },
        values={("books", "pages"): decimal, ("books", "shelf"): filled("B")},
        stays=frozenset({("books", "shelf")}),
        says="Left out of the migration",
        quick=True,
    ),
]
REFUSED = {
    "items without a cast": (
        set_keys("Shelf.opened", type="datetime"),
        "Shelf.opened: there is no cast from an array of date to an array of datetime; ",
    ),
    "an array of another type": (
        set_keys("Shelf.moods", array=None, type="boolean", values=None, default=False),
        "Shelf.moods: there is no cast from an array of text to boolean; ",
    ),
    "a new required field": (
        add_field("Book", "isbn", "string", required=True),
        "Book.isbn: the field is required, and existing rows have no value; "
        'add a "default"',
    ),
    "a new required relation": (
        add_relation("Genre", "author", "many_to_one", "Author", required=True),
        "Genre.author: the relation is new and required, and existing rows have no value; "
        'remove "required", run this, set the relation in every row',
    ),
    "a new unique field with a default": (
        add_field("Book", "code", "string", default="-", unique=True),
        "Book.code: the field is unique, and the default would give all existing rows the "
        "same value",
    ),
    "a field that becomes required": (
        set_keys("Book.shelf", required=True),
        "Book.shelf: the field is required, and existing rows have no value",
    ),
    "text to integer": (
        set_keys("Book.notes", type="integer"),
        "Book.notes: there is no cast from text to integer; add a field with another name",
    ),
    "bytes to text": (
        set_keys("Genre.icon", type="string"),
        "Genre.icon: there is no cast from binary to string; add a field with another name",
    ),
    "json to boolean": (
        set_keys("Genre.extra", type="boolean", default=False),
        "Genre.extra: there is no cast from json to boolean; add a field with another name",
    ),
    "an entity's new name for a name that no migration knows": (
        all_of(
            rename_entity("Review", "Opinion"),
            lambda s: entity(s, "Opinion").update(renamed_from="Remark"),
        ),
        "Opinion: no migration knows a table called remarks or opinions; let "
        '"renamed_from" say what they call it, or leave it out',
    ),
    "a field's new name for a name that no migration knows": (
        all_of(
            rename("Book.title", "name"),
            lambda s: member(s, "Book.name").update(renamed_from="caption"),
        ),
        "Book.name: no migration knows a column of books called caption or name; let",
    ),
    "another target": (
        set_keys("Book.editor", target="Genre"),
        "Book.editor: its ids refer to authors, but its target is now genres; give the new "
        "relation another name",
    ),
    "another target of a many-to-many": (
        set_keys("Author.friends", target="Genre"),
        "Author.friends: its ids refer to authors, but its target is now genres",
    ),
}


@pytest.fixture(scope="module")
def server(baked: Callable[[str], Project]) -> Iterator[dict[str, str]]:
    """One server for all: what the environment of each command is to say."""
    with baked("simple_task_api").database_server() as url:
        yield {"TEST_DATABASE_URL": url, "PYTHONPATH": "."}


@pytest.fixture(scope="module")
def library(
    baked: Callable[[str], Project],
    server: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Project:
    """Another project, in the environment of one that is there already."""
    other = baked("simple_task_api").path
    library = Project(tmp_path_factory.mktemp("library") / "library")
    subprocess.run(["git", "clone", "--quiet", other, library.path], check=True)
    (library.path / ".venv").symlink_to(other / ".venv")
    for migration in (library.path / "alembic" / "versions").glob("*.py"):
        migration.unlink()
    (library.path / "entities.json").write_text(json.dumps(LIBRARY, indent=2))
    library.run(library.python, ".devmatrix/generator.pyz", "apply")
    initial = [".devmatrix/generator.pyz", "migrate", "initial schema"]
    library.run(library.python, *initial, environment=server)
    library.run("git", "add", "--all")
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    library.run("git", *identity, "commit", "--quiet", "--no-verify", "-m", "Library")
    library.run("git", "tag", "Library")
    return library


def change(library: Project, changes: Callable[[Spec], object]) -> None:
    library.run("git", "reset", "--hard", "--quiet")
    folders = (".devmatrix", "alembic", "src", "tests")
    library.run("git", "clean", "--force", "--quiet", "-d", *folders)
    spec = copy.deepcopy(LIBRARY)
    changes(spec)
    (library.path / "entities.json").write_text(json.dumps(spec, indent=2))
    library.run(library.python, ".devmatrix/generator.pyz", "apply")


def marked(kind: Kind) -> Any:
    return pytest.param(
        kind, marks=[] if kind.quick else pytest.mark.slow, id=str(kind)
    )


@pytest.mark.parametrize("kind", [marked(kind) for kind in KINDS])
def test_rows_survive(library: Project, server: dict[str, str], kind: Kind) -> None:
    change(library, kind.change)
    migration = [library.python, ".devmatrix/generator.pyz", "migrate", *kind.arguments]
    said = library.run(*migration, environment=server)
    assert kind.says in said
    script = HERE / "cycle_filled.py"
    arguments = [str(script), str(HERE / "library.sql"), "--then", kind.then]
    output = library.run(library.python, *arguments, environment=server)
    assert kind.warns in output
    states = json.loads(output.splitlines()[-1])
    for name in ("after", "again"):
        expect(kind, states["before"], states[name])
    expect_back(kind, states["before"], states["back"])
    for arguments in (["check", "."], ["format", "--check", "."]):
        library.run(library.python, "-m", "ruff", *arguments)
    if SQUAWK.exists():
        assert findings(library) <= ACCEPTED.keys()


SQUAWK = Path(sys.executable).with_name("squawk")
# What squawk finds in migrations, and why it stays.
ACCEPTED = {
    "adding-field-with-default": "what is searched is a generated column",
    "ban-drop-column": "only --allow-drop=NAMES drops one, and the migration says so",
    "ban-drop-table": "only --allow-drop=NAMES drops one, and the migration says so",
    "ban-drop-constraint": "entities.json has the rule no longer, or another one",
    "ban-drop-default": "entities.json has the default no longer",
    "ban-drop-not-null": "entities.json does not require the field any longer",
    "ban-set-schema": "entities.json has another schema",
    "changing-column-type": "entities.json has another type; docs/operations.md warns",
    "prefer-bigint-over-int": "entities.json has 32 bits",
    "prefer-bigint-over-smallint": "entities.json has 16 bits",
    "prefer-robust-stmts": "VALIDATE CONSTRAINT can be repeated",
    "prefer-text-field": "max_length is varchar(n)",
    "renaming-column": "entities.json has another name",
    "renaming-object": "an index or a constraint follows the name of its column",
    "renaming-table": "entities.json has another name",
    "require-concurrent-index-deletion": "to drop one takes a moment, with lock_timeout",
}


def findings(library: Project) -> set[str]:
    """Return the rules of squawk that the migrations after the first one break."""
    versions = library.path / "alembic" / "versions"
    (path,) = versions.glob("*_initial_schema.py")
    start = re.search('^revision: str = "(.+)"', path.read_text(), re.MULTILINE)
    assert start
    alembic = [library.python, "-m", "alembic", "upgrade", f"{start[1]}:head", "--sql"]
    sql = library.path / ".data" / "migration.sql"
    sql.parent.mkdir(exist_ok=True)
    url = {"DATABASE_URL": "postgresql+asyncpg://h/d", "PYTHONWARNINGS": "ignore"}
    sql.write_text(library.run(*alembic, environment=url))
    done = subprocess.run(
        [SQUAWK, "--reporter=json", "--pg-version=14", sql],
        capture_output=True,
        text=True,
    )
    return {finding["rule_name"] for finding in json.loads(done.stdout)}


def expect(kind: Kind, before: Rows, after: Rows) -> None:
    """Every row is there, under its new names and with the values it is to have."""
    for table, rows in before.items():
        if table in kind.dropped:
            assert table not in after
            continue
        found = after[kind.tables.get(table, table)]
        gone = {one[1] for one in kind.dropped if one[0] == table}
        for column in gone - {*kind.columns.values()}:
            assert all(column not in row for row in found)
        for row in rows:
            wanted = {
                kind.columns.get((table, column), column): kind.values.get(
                    (table, column), lambda value: value
                )(value)
                for column, value in row.items()
                if (table, column) not in kind.dropped
            }
            assert wanted in [{k: one.get(k) for k in wanted} for one in found]


def expect_back(kind: Kind, before: Rows, back: Rows) -> None:
    """Every row is back as it was, but for what was dropped or filled."""
    for table, rows in before.items():
        if table in kind.dropped:
            assert back[table] == []
            continue
        for row in rows:
            wanted = {
                column: (
                    kind.values[table, column](value)
                    if (table, column) in kind.stays
                    else value
                )
                for column, value in row.items()
                if (table, column) not in kind.dropped
            }
            assert wanted in [{k: one.get(k) for k in wanted} for one in back[table]]


def test_what_cannot_be_done_says_what_to_do(
    library: Project, server: dict[str, str]
) -> None:
    """All of it at once."""
    change(library, all_of(*(changes for changes, _ in REFUSED.values())))
    before = sorted((library.path / "alembic" / "versions").iterdir())
    said = refused(library, server).splitlines()
    for name, (_, message) in REFUSED.items():
        assert any(line.startswith(message) for line in said), name
    assert said[-1].startswith("No migration was written; fix entities.json")
    judged = refused(library, server, "--check")
    assert judged.startswith("none is possible, fix entities.json: ")
    assert sorted((library.path / "alembic" / "versions").iterdir()) == before


TYPES_OF_IDS = {
    "Author": ({"type": "integer"}, "uuid cannot become 64-bit integer"),
    "Language": ({"type": "string"}, "string, sent by clients cannot become string"),
    "Copy": (
        {"name": "copy_no", "type": "integer", "generated": False},
        "64-bit integer cannot become 64-bit integer, sent by clients",
    ),
    "Genre": (
        {"type": "uuid", "generated": False},
        "uuid cannot become uuid, sent by clients",
    ),
}


def test_another_type_of_id_is_refused(
    library: Project, server: dict[str, str]
) -> None:
    """Nothing is said of the references to it, which change their type as well."""
    types = {name: key for name, (key, _) in TYPES_OF_IDS.items()}
    change(library, all_of(*(set_entity(name, id=types[name]) for name in types)))
    said = refused(library, server)
    for name, (_, told) in TYPES_OF_IDS.items():
        assert f"{name}.id: {told}: URLs, clients and the rows of other tables " in said
    assert said.count("Keep it, or add another entity and move the rows in a") == 4
    assert len(said.splitlines()) == 5


def test_names_outside_of_the_database_need_no_migration(
    library: Project, server: dict[str, str]
) -> None:
    names = all_of(
        set_entity("Book", url="tomes"),
        set_keys("Book.title", json="Title"),
        set_keys("Book.author", json="writer"),
        lambda spec: spec.update(json_case="camel"),
    )
    change(library, names)
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    said = library.run(*migration, environment=server)
    assert said == "the migrations are up to date; none was written\n"


UNFIT = "{}: rows have values that do not fit in {}; change them first"
STOPS = {
    "a text that has become too long": (
        set_keys("Book.title", max_length=6),
        UNFIT.format("books.title", "VARCHAR(6)"),
    ),
    "a decimal that has become too large": (
        set_keys("Book.price", precision=2, scale=2, ge=None),
        UNFIT.format("books.price", "NUMERIC(2, 2)"),
    ),
    "half an integer": (
        set_keys("Book.rating", type="integer"),
        UNFIT.format("books.rating", "BIGINT"),
    ),
    "an integer that has become too large": (
        set_keys("Language.speakers", bits=16),
        UNFIT.format("words.languages.speakers", "SMALLINT"),
    ),
    "a relation that some rows lack": (
        set_keys("Book.editor", required=True),
        "books.editor_id: rows have no value; set one in them first",
    ),
    "a value that an enum no longer lists": (
        set_keys("Book.status", values=["draft", "sold"]),
        "books.status: rows have a value that entities.json no longer lists; give them "
        "another one first: UPDATE books SET status = ... WHERE NOT (status IN ('draft', ",
    ),
    "an id that has become too long": (
        lambda spec: entity(spec, "Language")["id"].update(max_length=2),
        UNFIT.format("words.languages.code", "VARCHAR(2)"),
    ),
    "an array with several items": (
        set_keys("Shelf.labels", array=None, default=None),
        UNFIT.format(
            "shelves.labels", "VARCHAR(20), as only an array with one item does"
        ),
    ),
    "an item that has become too large": (
        set_keys("Shelf.sizes", bits=16),
        UNFIT.format("shelves.sizes", "SMALLINT[]"),
    ),
    "an item that an enum no longer lists": (
        set_keys("Shelf.moods", values=["calm", "loud"]),
        "shelves.moods: rows have a value that entities.json no longer lists; give them "
        "another one first: UPDATE shelves SET moods = ... WHERE NOT (moods <@ ARRAY[",
    ),
    "values that are there twice": (
        set_keys("Book.status", unique=True),
        'could not create unique index "uq_books_status"',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STOPS)
def test_a_migration_stops_before_it_loses_anything(
    library: Project, server: dict[str, str], name: str
) -> None:
    changes, message = STOPS[name]
    change(library, changes)
    library.run(
        library.python, ".devmatrix/generator.pyz", "migrate", environment=server
    )
    arguments = [str(HERE / "cycle_filled.py"), str(HERE / "library.sql"), "--stops"]
    assert message in library.run(library.python, *arguments, environment=server)


def test_a_type_that_a_view_reads_is_not_changed(
    library: Project, server: dict[str, str]
) -> None:
    change(library, set_keys("Book.pages", bits=32))
    view = "CREATE VIEW long_books AS SELECT title FROM books WHERE pages > 500"
    own_migration(library, "long_books", f'op.execute("{view}")')
    told = "Book.pages: PostgreSQL changes no type of a column that a view reads "
    assert f"{told}(long_books); drop the view in a" in refused(library, server)


def refused(library: Project, server: dict[str, str], *options: str) -> str:
    command = [library.python, ".devmatrix/generator.pyz", "migrate", *options]
    with pytest.raises(AssertionError) as failed:
        library.run(*command, environment=server)
    return str(failed.value).partition(":\n")[2]


def own_migration(library: Project, message: str, step: str = "pass") -> Path:
    """A migration on top of the first one, as a person makes it."""
    versions = library.path / "alembic" / "versions"
    text = next(versions.glob("*_initial_schema.py")).read_text()
    first = re.search('^revision: str = "(.+)"', text, re.MULTILINE)
    assert first
    alembic = [library.python, "-m", "alembic", "revision", "--message", message]
    alembic += ["--head", first[1], "--splice"]
    library.run(*alembic, environment={"DATABASE_URL": "postgresql+asyncpg://h/d"})
    path = next(versions.glob(f"*_{message}.py"))
    text = path.read_text().replace("    pass\n", f"    {step}\n", 1)
    path.write_text(
        text.replace("\nrevision", "\nfrom alembic import op\n\nrevision", 1)
    )
    return path


def change_again(library: Project, spec: Spec) -> None:
    """On top of what was changed and migrated before."""
    (library.path / "entities.json").write_text(json.dumps(spec, indent=2))
    library.run(library.python, ".devmatrix/generator.pyz", "apply")


def cycle(library: Project, server: dict[str, str], *arguments: str) -> str:
    script = str(HERE / "cycle_filled.py")
    return library.run(library.python, script, *arguments, environment=server)


REQUIRED = all_of(remove("Book.pages"), remove("Book.title"), remove("Book.author"))


@pytest.mark.slow
def test_what_was_left_out_comes_back_with_its_values(
    library: Project, server: dict[str, str], tmp_path: Path
) -> None:
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(library, all_of(REQUIRED, set_entity("Genre", timestamps=False)))
    assert "Left out" in library.run(*migration, environment=server)
    change_again(library, LIBRARY)
    assert "wrote" in library.run(*migration, environment=server)
    states = json.loads(
        cycle(library, server, str(HERE / "library.sql")).split("\n")[-2]
    )
    for name in ("after", "back", "again"):
        assert states[name] == states["before"]
    meanwhile = tmp_path / "rows.sql"
    for columns, message in (
        ("pages, author_id", "books.title: newer rows have no value; set one"),
        ("title, author_id", "books.pages: newer rows have no value; set one"),
        ("title, pages", "books.author_id: newer rows have no value; set one"),
    ):
        values = columns.replace("pages", "1").replace("author_id", "id")
        row = f"INSERT INTO books ({columns}) SELECT {values.replace('title', 'name')}"
        rows = (HERE / "library.sql").read_text()
        meanwhile.write_text(f"{rows}\n{row} FROM authors LIMIT 1;")
        assert message in cycle(library, server, str(meanwhile), "--stops")


@pytest.mark.slow
def test_a_field_comes_back_with_another_type(
    library: Project, server: dict[str, str]
) -> None:
    """Rules of the former type go, though entities.json did not have it at last."""
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(library, remove("Book.rating"))
    library.run(*migration, environment=server)
    spec = copy.deepcopy(LIBRARY)
    set_keys("Book.rating", type="text")(spec)
    change_again(library, spec)
    library.run(*migration, environment=server)
    states = json.loads(
        cycle(library, server, str(HERE / "library.sql")).split("\n")[-2]
    )
    ratings = [row["rating"] for row in states["before"]["books"]]
    texts = [None if one is None else f"{one:g}" for one in ratings]
    for name in ("after", "again"):
        assert [row["rating"] for row in states[name]["books"]] == texts
    assert states["back"] == states["before"]


@pytest.mark.slow
def test_a_rename_that_was_made_before_is_not_guessed_to_be_another_one(
    library: Project, server: dict[str, str]
) -> None:
    """`pages` has the values of `order`; then it may have those that `order` has now."""
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(library, exchange("Book.pages", "Book.order"))
    assert "wrote" in library.run(*migration, environment=server)
    spec = copy.deepcopy(LIBRARY)
    all_of(
        exchange("Book.pages", "Book.order"),
        remove("Book.pages"),
        rename("Book.order", "pages"),
    )(spec)
    change_again(library, spec)
    said = refused(library, server)
    assert (
        "Book.pages: a migration has renamed a column of books from order to " in said
    )
    assert (
        "which entities.json no longer has. If pages has the right values, rem" in said
    )
    set_keys("Book.pages", renamed_from=None)(spec)
    change_again(library, spec)
    assert "the column books.order" in library.run(*migration, environment=server)


@pytest.mark.slow
def test_a_name_that_was_given_away_comes_back_by_an_exchange(
    library: Project, server: dict[str, str]
) -> None:
    """`pages` became `order`, and `order` became `place`; then these two exchange names."""
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    spec = copy.deepcopy(LIBRARY)
    rename_chain("Book.pages", "Book.order", "Book.place")(spec)
    change(library, lambda given: given.update(spec))
    assert "wrote" in library.run(*migration, environment=server)
    exchange("Book.order", "Book.place")(spec)
    change_again(library, spec)
    said = library.run(*migration, environment=server)
    assert "unused" not in said
    text = "".join(
        path.read_text() for path in (library.path / "alembic/versions").glob("*.py")
    )
    assert '"place", new_column_name="order"' in text
    assert 'new_column_name="place"' in text
    assert "unused" not in text


@pytest.mark.slow
def test_a_name_that_another_one_gives_away_needs_a_known_former_name(
    library: Project, server: dict[str, str]
) -> None:
    """`blurb` becomes `notes`, but says it was `wording`, between two migrations."""
    spec = copy.deepcopy(LIBRARY)
    all_of(
        rename("Book.notes", "remarks"),
        rename("Book.blurb", "notes"),
        set_keys("Book.notes", renamed_from="wording"),
    )(spec)
    change(library, lambda given: given.update(spec))
    said = refused(library, server)
    assert "Book.notes: no migration knows a column of books called wording" in said
    assert "what is called notes gets another name" in said
    set_keys("Book.notes", renamed_from="blurb")(spec)
    change_again(library, spec)
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    assert "rename_books_notes_to_remarks" in library.run(
        *migration, environment=server
    )


# Changes of what has a history, and the names in it that change.
FOLLOWED: dict[str, tuple[Callable[[Spec], None], dict[str, str]]] = {
    "a table": (
        rename_entity("Book", "Volume"),
        {
            "books": "volumes",
            "books_genres": "volumes_genres",
            "books_translators": "volumes_translators",
        },
    ),
    "columns": (
        all_of(rename("Book.title", "headline"), rename("Book.author", "writer")),
        {"title": "headline", "author_id": "writer_id"},
    ),
    "columns that change places": (
        exchange("Book.notes", "Book.blurb"),
        {"notes": "blurb", "blurb": "notes"},
    ),
    "an association table": (
        rename("Book.genres", "kinds"),
        {"books_genres": "books_kinds"},
    ),
    "a table in a schema": (
        set_entity("Language", table="tongues"),
        {"words.languages": "words.tongues"},
    ),
}


def named(rows: list[dict[str, Any]], names: Mapping[str, str]) -> list[Any]:
    """Return the rows of a history with other names, in their order."""
    return [
        {
            "id": row["id"],
            "resource": names.get(row["resource"], row["resource"]),
            **{
                key: {names.get(k, k): v for k, v in (row[key] or {}).items()}
                for key in ("old", "new")
            },
        }
        for row in sorted(rows, key=lambda row: row["id"])
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLLOWED)
def test_a_history_follows_the_names(
    library: Project, server: dict[str, str], name: str
) -> None:
    renamed, names = FOLLOWED[name]
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(library, RECORDED)
    assert "wrote" in library.run(*migration, environment=server)
    spec = copy.deepcopy(LIBRARY)
    all_of(RECORDED, renamed)(spec)
    change_again(library, spec)
    assert "wrote" in library.run(*migration, environment=server)
    output = cycle(library, server, str(HERE / "library.sql"))
    states = json.loads(output.splitlines()[-1])
    before = states["before"]["_history"]
    tables = {"authors", "books", "words.languages"}
    assert {row["resource"] for row in before} == tables
    for state in ("after", "again"):
        assert named(states[state]["_history"], {}) == named(before, names)
    assert states["back"]["_history"] == before


@pytest.mark.slow
def test_a_history_is_kept_when_it_is_turned_off(
    library: Project, server: dict[str, str]
) -> None:
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(library, RECORDED)
    assert "wrote" in library.run(*migration, environment=server)
    change_again(library, LIBRARY)
    assert "_history" in library.run(*migration, environment=server)
    rows = ("--then", "UPDATE books SET pages = 8")
    output = cycle(library, server, str(HERE / "library.sql"), *rows)
    states = json.loads(output.splitlines()[-1])
    before = states["before"]["_history"]
    assert before
    for state in ("after", "back", "again"):  # `then` is recorded by nothing
        assert states[state]["_history"] == before
    spec = copy.deepcopy(LIBRARY)
    RECORDED(spec)
    change_again(library, spec)
    assert "wrote" in library.run(*migration, environment=server)
    output = cycle(library, server, str(HERE / "library.sql"), *rows)
    states = json.loads(output.splitlines()[-1])
    assert states["before"]["_history"] == []
    assert len(states["back"]["_history"]) == 6
    change_again(library, LIBRARY)
    dropped = drop("_history")
    said = library.run(*migration, *dropped, environment=server)
    assert "DESTRUCTIVE: the migration drops the table _history" in said
    output = cycle(library, server, str(HERE / "library.sql"))
    states = json.loads(output.splitlines()[-1])
    assert "_history" not in states["after"]


@pytest.mark.slow
def test_soft_delete_is_turned_on_and_off(
    library: Project, server: dict[str, str], tmp_path: Path
) -> None:
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(library, SOFT)
    said = library.run(*migration, environment=server)
    assert "wrote" in said
    assert "warning" not in said  # what is unique stays so
    # Going back would bring deleted rows back, in the first migration and the second.
    rows = str(HERE / "library.sql")
    deleted = ("--then", f"UPDATE authors {DELETED}", "--stays")
    assert "authors: there are deleted rows" in cycle(library, server, rows, *deleted)
    change_again(library, LIBRARY)
    said = library.run(*migration, environment=server)
    assert "the table _nulled_references" in said
    assert "authors.deleted_at" in said
    assert "languages: there are deleted rows" in said
    states = json.loads(cycle(library, server, rows).splitlines()[-1])
    for state in ("after", "back", "again"):
        assert states[state] == states["before"]
    for table in ("words.languages", "authors", "languages"):
        marked = tmp_path / "rows.sql"
        marked.write_text(f"{Path(rows).read_text()}\nUPDATE {table} {DELETED};")
        message = f"{table}: there are deleted rows that can be restored"
        assert message in cycle(library, server, str(marked), "--stops")
    # And on again: the columns are still there.
    spec = copy.deepcopy(LIBRARY)
    SOFT(spec)
    change_again(library, spec)
    assert "wrote" in library.run(*migration, environment=server)
    states = json.loads(cycle(library, server, rows).splitlines()[-1])
    assert states["again"] == states["before"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--one-transaction",)], ids=["two", "one"])
def test_what_soft_delete_has_brought_may_be_dropped(
    library: Project, server: dict[str, str], tmp_path: Path, options: tuple[str, ...]
) -> None:
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(library, SOFT)
    library.run(*migration, *options, environment=server)
    change_again(library, LIBRARY)
    tables = ("authors", "books", "genres", "reviews", "words.languages", "languages")
    names = [
        f"{one}.{name}" for one in tables for name in ("deleted_at", "deletion_id")
    ]
    dropped = drop("_nulled_references", *names)
    assert "wrote" in library.run(*migration, *options, *dropped, environment=server)
    rows = HERE / "library.sql"
    states = json.loads(cycle(library, server, str(rows)).splitlines()[-1])
    assert states["back"] == states["before"]
    assert "deleted_at" not in states["after"]["authors"][0]
    marked = tmp_path / "rows.sql"
    marked.write_text(f"{rows.read_text()}\nUPDATE genres {DELETED};")
    message = "genres: there are deleted rows that can be restored"
    assert message in cycle(library, server, str(marked), "--stops")


@pytest.mark.slow
def test_nulled_references_follow_the_names(
    library: Project, server: dict[str, str], tmp_path: Path
) -> None:
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(library, SOFT)
    library.run(*migration, environment=server)
    spec = copy.deepcopy(LIBRARY)
    renamed = (rename_entity("Book", "Volume"), rename("Volume.editor", "reviser"))
    all_of(SOFT, *renamed)(spec)
    change_again(library, spec)
    assert "wrote" in library.run(*migration, environment=server)
    rows = tmp_path / "rows.sql"
    nulled = (
        'INSERT INTO _nulled_references (deletion_id, resource, "column", row_id, '
        "target_id) VALUES (gen_random_uuid(), 'books', 'editor_id', 'a', 'b'), "
        "(gen_random_uuid(), 'words.languages', 'editor_id', 'a', 'b');"
    )
    rows.write_text(f"{(HERE / 'library.sql').read_text()}\n{nulled}")
    states = json.loads(cycle(library, server, str(rows)).splitlines()[-1])
    found = {
        state: sorted((row["resource"], row["column"]) for row in rows_of)
        for state, tables in states.items()
        for rows_of in [tables["_nulled_references"]]
    }
    before = [("books", "editor_id"), ("words.languages", "editor_id")]
    after = [("volumes", "reviser_id"), ("words.languages", "editor_id")]
    assert found == {"before": before, "after": after, "back": before, "again": after}


def test_unique_values_are_unique_while_soft_delete_is_turned_on(
    library: Project, server: dict[str, str]
) -> None:
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    for spec, first, second in (
        (SOFT, "uq_books_author_id_title_live", '"uq_books_author_id_title"'),
        (None, '"uq_books_author_id_title"', "uq_books_author_id_title_live"),
    ):
        if spec is None:
            change_again(library, LIBRARY)
        else:
            change(library, spec)
        said = library.run(*migration, environment=server)
        names = re.findall(r"alembic/versions/\S+\.py", said)
        texts = [(library.path / name).read_text() for name in names]
        up, _, down = texts[-1].partition("def downgrade")
        assert up.index(first) < up.index(f"drop_{'constraint' if spec else 'index'}")
        created = "create_unique_constraint" if spec else "create_index"
        assert down.index(created) < down.index(
            "op.drop_index" if spec else "op.drop_c"
        )
        for text in texts[:-1]:
            assert "uq_" not in text
        # An index of expressions too, once.
        lowered = "uq_genres_label_lower" + ("_live" if spec is None else "")
        dropped = re.findall(rf'drop_index\(\s*(?:op\.f\()?"{lowered}"', up)
        assert len(dropped) == 1, up
        assert second in up


@pytest.mark.slow
def test_what_was_left_out_may_be_dropped_later(
    library: Project, server: dict[str, str]
) -> None:
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(library, all_of(REQUIRED, remove_entity("Review")))
    assert "Left out" in library.run(*migration, environment=server)
    assert "none was written" in library.run(*migration, environment=server)
    assert "--allow-drop=books.author_id,books.pages,books.title,reviews" in refused(
        library, server, "--allow-drop"
    )
    names = drop("reviews", "books.pages", "books.title", "books.author_id")
    said = library.run(*migration, *names, environment=server)
    for what in ("column books.pages", "column books.author_id", "table reviews"):
        assert f"DESTRUCTIVE: the migration drops the {what}" in said
    states = json.loads(
        cycle(library, server, str(HERE / "library.sql")).split("\n")[-2]
    )
    gone = {("books", name) for name in ("pages", "title", "author_id")}
    kind = Kind("", REQUIRED, dropped=frozenset({"reviews", *gone}))
    for name in ("after", "again"):
        expect(kind, states["before"], states[name])
    again = library.run(*migration, "--allow-drop", environment=server)
    assert "none was written" in again


# How a relation becomes a many_to_many, the table that has it, its association table, and
# whose ids that has.
CARRIED = {
    "many_to_one": (
        set_keys("Book.editor", type="many_to_many"),
        "books",
        "books_editor",
        {"book_id": "id", "author_id": "editor_id"},
    ),
    "another schema": (
        set_keys("Language.parent", type="many_to_many", back_populates=None),
        "words.languages",
        "words.languages_parent",
        {"language_id": "code", "parent_id": "parent_id"},
    ),
    "one_to_many": (
        all_of(
            remove("Book.author"),
            add_relation(
                *("Author", "books", "many_to_many", "Book"), back_populates="authors"
            ),
        ),
        "books",
        "authors_books",
        {"author_id": "author_id", "book_id": "id"},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CARRIED)
def test_links_of_a_to_one_relation_stay_when_it_becomes_many_to_many(
    library: Project, server: dict[str, str], name: str
) -> None:
    changes, source, table, columns = CARRIED[name]
    change(library, changes)
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    library.run(*migration, environment=server)
    states = json.loads(
        cycle(library, server, str(HERE / "library.sql")).split("\n")[-2]
    )
    key = next(one for one in columns.values() if one not in ("id", "code"))
    rows = [row for row in states["before"][source] if row[key]]
    wanted = [{name: row[column] for name, column in columns.items()} for row in rows]
    for state in ("after", "again"):
        found = states[state][table]
        assert len(found) == len(wanted)
        assert all(row in found for row in wanted)
    assert states["back"][source] == states["before"][source]


def test_a_drop_says_how_many_rows_it_takes(
    library: Project, server: dict[str, str]
) -> None:
    """The database of DATABASE_URL is asked, if it can be reached."""
    change(library, all_of(remove("Book.notes"), remove_entity("Review")))
    rows = """
import asyncio, sys
from pathlib import Path
from sqlalchemy.ext.asyncio import create_async_engine
async def main():
    engine = create_async_engine(sys.argv[1])
    async with engine.begin() as connection:
        for statement in Path(sys.argv[2]).read_text().split(";"):
            if statement.strip():
                await connection.exec_driver_sql(statement)
    await engine.dispose()
asyncio.run(main())
"""
    first = next((library.path / "alembic" / "versions").glob("*_initial_schema.py"))
    revision = re.search('^revision: str = "(.+)"', first.read_text(), re.MULTILINE)
    assert revision
    for command in (
        ["-m", "alembic", "upgrade", revision[1]],
        ["-c", rows, server["TEST_DATABASE_URL"], str(HERE / "library.sql")],
    ):
        url = {"DATABASE_URL": server["TEST_DATABASE_URL"], "PYTHONPATH": "."}
        library.run(library.python, *command, environment=url)
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    migration += drop("books.notes", "reviews")
    nowhere = {
        **server,
        "DATABASE_URL": "postgresql+asyncpg://app:secret@127.0.0.1:1/a",
    }
    said = library.run(*migration, environment=nowhere)
    assert "rows not counted, the database gives no answer: " in said
    assert "secret" not in said
    (library.path / said.split("wrote ")[1].split(";")[0]).unlink()
    said = library.run(*migration, environment={**server, **url})
    told = "DESTRUCTIVE: the migration drops the {} ({} rows in the database of"
    assert told.format("column books.notes and its values", 2) in said
    assert told.format("table reviews and its rows", 5) in said


def test_a_drop_names_what_there_is(library: Project, server: dict[str, str]) -> None:
    change(library, all_of(remove("Book.notes"), remove_entity("Author")))
    for names, message in (
        ("", "--allow-drop needs the names of what to drop, for example --allow-drop="),
        ("books.title", "--allow-drop=books.title: nothing of that name is unused; "),
        ("authors", "authors cannot be dropped alone: books.author_id refers to it"),
    ):
        said = refused(library, server, f"--allow-drop={names}")
        assert message in said
        assert said.endswith("run `make entities` again.\n")


RECORDS = ("migrated.json", "runs", "entities.json", "answers.json")


@pytest.mark.slow
@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("record", RECORDS)
def test_a_lost_record_loses_no_rows(
    library: Project, server: dict[str, str], record: str, *, is_committed: bool
) -> None:
    """Names that are given away, and what a team has made, are the hardest."""
    spec = copy.deepcopy(LIBRARY)
    change(library, lambda _: None)
    own_migration(library, "own", f"{OWN_STEPS}    {OWN_NOT_NULL}")
    commit(library, "Own")
    all_of(remove("Book.title"), rename("Book.shelf", "title"))(spec)
    change_again(library, spec)
    try:
        if is_committed:
            commit(library, "Entities")
        (library.path / ".devmatrix" / record).unlink()
        if is_committed:
            commit(library, "Lost")
        generator = [library.python, ".devmatrix/generator.pyz"]
        library.run(*generator, "apply", "--allow-dirty")
        done = subprocess.run(
            [*generator, "migrate"],
            cwd=library.path,
            env={**clean_environment(), **server},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            assert "Book.title: there is a column of books called shelf" in done.stderr
            assert len(done.stderr.splitlines()) < 4
        else:
            wrote = re.search("wrote (.*);", done.stdout)
            assert wrote, done.stdout
            text = (library.path / wrote[1]).read_text().partition("def downgrade")[0]
            for step in (
                '"title", new_column_name="title_unused"',
                '"shelf", new_column',
            ):
                assert step in text
            for part in ("lookup", "_own", "_one", "books_log", "rating", "drop_"):
                assert part not in text, part
    finally:
        library.run("git", "reset", "--hard", "--quiet", "Library")


def commit(library: Project, message: str) -> None:
    library.run("git", "add", "--all")
    identity = ["-c", "user.name=Me", "-c", "user.email=me@example.com"]
    library.run("git", *identity, "commit", "--quiet", "--no-verify", "-m", message)


def test_not_null_of_a_team_stays(library: Project, server: dict[str, str]) -> None:
    change(library, add_field("Genre", "since", "date"))
    own_migration(library, "own", OWN_NOT_NULL)
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    said = library.run(*migration, environment=server)
    assert "not from entities.json: the NOT NULL of books.rating." in said
    wrote = re.search("wrote (.*);", said)
    assert wrote
    assert "rating" not in (library.path / wrote[1]).read_text()


def test_the_key_of_a_rename_may_go_later(
    library: Project, server: dict[str, str]
) -> None:
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    change(
        library,
        all_of(
            rename_entity("Book", "Volume"),
            rename("Volume.title", "name"),
            rename("Volume.author", "writer"),
            rename("Volume.genres", "kinds"),
        ),
    )
    assert "wrote" in library.run(*migration, environment=server)
    spec = json.loads((library.path / "entities.json").read_text())
    for one in spec["entities"]:
        for part in (one, *one["fields"], *one.get("relations", [])):
            part.pop("renamed_from", None)
    change_again(library, spec)
    assert "none was written" in library.run(*migration, environment=server)
    library.run(*migration, "--check", environment=server)


OWN_STEPS = """op.execute("ALTER TABLE books ADD lookup text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE books ADD CONSTRAINT ck_books_lookup CHECK (lookup <> 'x')")
    op.execute("ALTER TABLE books ADD CONSTRAINT uq_books_own UNIQUE (title, added)")
    op.execute("CREATE INDEX ix_books_shelf_order ON books (shelf, pages)")
    op.execute("CREATE INDEX ix_books_lower ON books (lower(title))")
    op.execute("CREATE UNIQUE INDEX uq_books_one ON books (shelf) WHERE available")
    op.execute("CREATE TABLE books_log (id bigint PRIMARY KEY, book text UNIQUE)")
    op.execute("CREATE TABLE words.log (id bigint PRIMARY KEY)")
    op.execute('CREATE INDEX uq_languages_place ON words.languages ("Label", made)')
    op.execute("CREATE SCHEMA audit CREATE TABLE languages (id bigint PRIMARY KEY)")
"""
OWN_NOT_NULL = """op.execute("UPDATE books SET rating = 0 WHERE rating IS NULL")
    op.execute("ALTER TABLE books ALTER rating SET NOT NULL")
"""
OWN_PARTS = (
    "the table books_log",
    "the table words.log",
    "the index uq_languages_place of words.languages",
    "the column books.lookup",
    "the constraint uq_books_own of books",
    "the index ix_books_shelf_order of books",
    "the index uq_books_one of books",
)


@pytest.mark.slow
def test_what_a_team_has_made_itself_is_left_alone(
    library: Project, server: dict[str, str]
) -> None:
    """Names like ours, and --allow-drop, make no difference."""
    names = [library.python, "-c", OUR_NAMES]
    assert library.run(*names, environment={"PYTHONPATH": "."}) == ""
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    for arguments, changes, others in (
        ([], rename_entity("Book", "Volume"), "volumes"),
        (["--allow-drop"], add_field("Genre", "since", "date"), "books"),
    ):
        change(library, changes)
        own_migration(library, "own", OWN_STEPS)
        said = library.run(*migration, *arguments, environment=server)
        told = re.search(
            "^Left alone, as it is not from entities.json: (.*)", said, re.MULTILINE
        )
        assert told, said
        for part in OWN_PARTS:
            renamed = re.sub("(column| of) books", rf"\1 {others}", part)
            assert renamed in told[1]
        assert "DESTRUCTIVE" not in said
        assert "Left out" not in said
        assert "audit" not in said
        wrote = re.search("wrote (.*);", said)
        assert wrote, said
        text = (library.path / wrote[1]).read_text()
        for part in ("lookup", "_own", "_shelf_order", "_lower", "_one", "books_log"):
            assert part not in text, part
        assert "drop" not in text.partition("def downgrade")[0]
        library.run(*migration, "--check", environment=server)
        cycle(library, server, str(HERE / "library.sql"))


# Which names the models have and the spec does not, or the reverse.
OUR_NAMES = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(".devmatrix/generator.pyz").resolve()))
from scaffold.spec.loading import load
from scaffold.migrations.owned_names import find_ours
from src.core.database import Base
from src.models import entities
ours = find_ours(load(Path("entities.json")))
tables = Base.metadata.tables.values()
columns = {(table.key, column.name) for table in tables for column in table.c}
items = {
    (table.key, item.name)
    for table in tables
    for item in (*table.constraints, *table.indexes)
}
print(*(columns ^ ours.columns), *(items ^ ours.items), end="")
"""


def test_a_migration_that_was_deleted_is_written_anew(
    library: Project, server: dict[str, str]
) -> None:
    """Whoever does not like one takes it away and runs again: a rename stays one."""
    change(library, rename_entity("Book", "Volume"))
    texts = []
    for _ in range(2):
        said = library.run(
            library.python, ".devmatrix/generator.pyz", "migrate", environment=server
        )
        path = library.path / said.split()[1].rstrip(";")
        texts.append(path.read_text().partition("def upgrade")[2])
        path.unlink()
    assert 'op.rename_table("books", "volumes")' in texts[0]
    assert texts[0] == texts[1]


def test_two_branches_migrations_are_joined(
    library: Project, server: dict[str, str]
) -> None:
    """By a run, which writes what the models lack as well; a check only says so."""
    change(library, add_field("Book", "isbn", "string"))
    own_migration(library, "one")
    own_migration(library, "two")
    said = refused(library, server, "--check")
    assert "are both the newest migration, as two branches have it" in said
    assert "`make entities` joins them" in said
    migrate = [library.python, ".devmatrix/generator.pyz", "migrate"]
    assert "joined the migrations" in library.run(*migrate, environment=server)
    checked = library.run(*migrate, "--check", environment=server)
    assert "at the models' state" in checked


def test_a_missing_parent_is_named(library: Project, server: dict[str, str]) -> None:
    """As after a cherry-pick of a migration, or a revert of the one before."""
    change(library, add_field("Book", "isbn", "string"))
    first = own_migration(library, "one")
    migrate = [library.python, ".devmatrix/generator.pyz", "migrate"]
    library.run(*migrate, environment=server)
    first.unlink()
    for options in ([], ["--check"]):
        said = refused(library, server, *options)
        assert "which is not there, as after a cherry-pick or a revert" in said
        assert "Traceback" not in said


def test_a_run_that_was_killed_in_the_formatter_is_repeated(
    library: Project, server: dict[str, str]
) -> None:
    """No migration stays that is not formatted, or was not tried."""
    change(library, add_field("Book", "isbn", "string"))
    kill = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    (library.path / "scripts" / "kill.py").write_text(kill)
    settings = library.path / "pyproject.toml"
    text = settings.read_text()
    settings.write_text(text.replace('module = "ruff"', 'module = "scripts.kill"'))
    migrate = [library.python, ".devmatrix/generator.pyz", "migrate"]
    with pytest.raises(AssertionError, match="ended with -9"):
        library.run(*migrate, environment=server)
    settings.write_text(text)
    (library.path / "scripts" / "kill.py").unlink()
    said = library.run(*migrate, environment=server)
    assert "The last run was interrupted; what it wrote is written again" in said
    assert len(list((library.path / "alembic" / "versions").glob("*.py"))) == 2
    assert "alembic" in library.run("git", "status", "--porcelain")
    library.run(library.python, "-m", "ruff", "format", "--check", "alembic")
    assert not (library.path / ".devmatrix" / "migrating").exists()


def test_a_database_ahead_of_the_code_is_named(
    library: Project, server: dict[str, str]
) -> None:
    change(library, add_field("Book", "isbn", "string"))
    last = own_migration(library, "one")
    library.run("make", "migrate", environment=server)
    last.unlink()
    with pytest.raises(AssertionError) as failed:
        library.run("make", "migrate", environment=server)
    said = str(failed.value)
    assert "which this code does not have: newer code" in said
    assert "Can't locate" not in said


def test_a_migration_that_fails_is_named(
    library: Project, server: dict[str, str]
) -> None:
    change(library, add_field("Book", "isbn", "string"))
    path = own_migration(library, "bad", 'op.execute("SELECT x FROM nowhere")')
    assert re.fullmatch(
        rf'migration: {path.name}:\d+: relation "nowhere" does not exist\n'
        "SELECT x FROM nowhere\n",
        refused(library, server),
    )


@pytest.fixture
def empty(server: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment with an empty database as DATABASE_URL."""
    url = server["TEST_DATABASE_URL"]
    name = f"own_{uuid.uuid4().hex}"

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute(f"CREATE DATABASE {name}"))
    yield {**server, "DATABASE_URL": f"{url.rpartition('/')[0]}/{name}"}
    asyncio.run(execute(f"DROP DATABASE {name} WITH (FORCE)"))


FAILURES = {
    "23505": (
        "CREATE TABLE one AS SELECT 1 AS id; INSERT INTO one VALUES (1); "
        "CREATE UNIQUE INDEX uq_one ON one (id)",
        "HAVING count(*) > 1",
        "Key (id)=(1) is duplicated.",
    ),
    "42501": (
        "CREATE ROLE other_{0}; GRANT other_{0} TO CURRENT_USER; SET LOCAL ROLE other_{0}; "
        "CREATE TABLE public.nothing ()",
        "ALTER TABLE <table> OWNER TO <role>",
        "",
    ),
    "57014": ("SELECT pg_sleep(30)", "MIGRATION_STATEMENT_TIMEOUT", ""),
}


@pytest.mark.parametrize(
    "state",
    [
        "23505",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("42501", "57014")),
    ],
)
def test_a_failed_migration_is_one_line_of_the_log(
    library: Project, empty: dict[str, str], state: str
) -> None:
    statements, advice, detail = FAILURES[state]
    change(library, lambda _: None)
    steps = [f"op.execute({one!r})" for one in statements.format(state).split("; ")]
    path = own_migration(library, "bad", "\n    ".join(steps))
    environment = {
        **empty,
        "ENVIRONMENT": "production",
        "MIGRATION_WAIT": "0",
        "MIGRATION_STATEMENT_TIMEOUT": "0.5",
    }
    with pytest.raises(AssertionError) as failed:
        library.run("make", "migrate", environment=environment)
    lines = [line for line in str(failed.value).splitlines() if line.startswith("{")]
    found = json.loads(lines[-1])
    assert found["event"] == "migration_failed"
    assert found["level"] == "error"
    assert found["sqlstate"] == state
    assert found["file"].startswith(path.name)
    assert f'revision: str = "{found["revision"]}"' in path.read_text()
    assert found["statement"] == statements.format(state).split("; ")[-1]
    assert advice in found["advice"]
    assert found.get("detail", "") == detail
    assert "Traceback" not in str(failed.value)


def test_a_migration_that_gets_no_lock_is_tried_again(
    library: Project, empty: dict[str, str]
) -> None:
    change(library, lambda _: None)
    library.run("make", "migrate", environment=empty)
    own_migration(library, "own", 'op.execute("ALTER TABLE books ADD own text")')
    environment = {
        **empty,
        "MIGRATION_LOCK_TIMEOUT": "0.1",
        "MIGRATION_WAIT": "3",
        "ENVIRONMENT": "production",
    }

    async def migrate_while_a_reader_is_there() -> None:
        url = empty["DATABASE_URL"].replace("+asyncpg", "")
        reader = await asyncpg.connect(url)
        try:
            async with reader.transaction():
                await reader.fetch("SELECT * FROM books")
                await asyncio.to_thread(
                    library.run, "make", "migrate", environment=environment
                )
        finally:
            await reader.close()

    with pytest.raises(AssertionError) as failed:
        asyncio.run(migrate_while_a_reader_is_there())
    said = str(failed.value)
    assert said.count("canceling statement due to lock timeout; trying again") == 1
    found = json.loads(next(line for line in said.splitlines() if "_failed" in line))
    assert (found["event"], found["sqlstate"]) == ("migration_failed", "55P03")
    assert "pg_stat_activity" in found["advice"]
    assert '"applied":1' in library.run("make", "migrate", environment=empty)


def test_make_migrate_says_what_it_applied(
    library: Project, empty: dict[str, str]
) -> None:
    change(library, add_field("Book", "isbn", "string"))
    own_migration(library, "one")
    said = library.run("make", "migrate", environment=empty)
    for title in ("initial schema", "one"):
        assert f'"title":"{title}","event":"migration_applied"' in said, said
    assert '"applied":2,"event":"migrated"' in said
    assert '"applied":0' in library.run("make", "migrate", environment=empty)


WARNINGS = {
    "unique": (
        set_keys("Book.status", unique=True),
        "warning: books: rows have the same status. The migration fails if there are such "
        "rows: SELECT status, count(*) FROM books WHERE status IS NOT NULL GROUP BY status "
        "HAVING count(*) > 1;",
    ),
    "unique but for case": (
        set_keys("Author.email", case_insensitive=True),
        "warning: authors: rows have the same email, but for case. The migration fails if "
        'there are such rows: SELECT lower("email" COLLATE "default") COLLATE "C", count(*)',
    ),
    "to-one": (
        set_keys("Book.editor", type="one_to_one"),
        "warning: books: rows have the same editor_id. The migration fails if there are "
        "such rows: SELECT editor_id, count(*) FROM books WHERE editor_id IS NOT NULL "
        "GROUP BY editor_id HAVING count(*) > 1;",
    ),
    "required": (
        set_keys("Book.editor", required=True),
        "warning: books.editor_id: rows have no value; set one in them first. The migration "
        "fails if there are such rows: SELECT * FROM books WHERE editor_id IS NULL;",
    ),
    "narrower type": (
        set_keys("Book.title", max_length=6),
        "SELECT * FROM books WHERE char_length(title) > 6;",
    ),
    "check": (
        set_keys("Book.pages", ge=150),
        "changing one of them fails until it meets the rule: "
        "SELECT * FROM books WHERE NOT (pages >= 150);",
    ),
    "values": (
        set_keys("Book.status", values=["draft", "sold"]),
        "SELECT * FROM books WHERE NOT (status IN ('draft', 'sold'));",
    ),
    "after a rename": (
        all_of(
            rename("Book.pages", "length"), lambda s: set_keys("Book.length", le=9)(s)
        ),
        " pages AS length",
    ),
}


@pytest.mark.slow
def test_changes_that_can_fail_on_rows_are_warned_of(
    library: Project, empty: dict[str, str], tmp_path: Path
) -> None:
    """Each warning has a query that works before the migration."""
    migration = [library.python, ".devmatrix/generator.pyz", "migrate"]
    queries = []
    for name, (changes, warning) in WARNINGS.items():
        change(library, changes)
        said = library.run(*migration, environment=empty)
        assert warning in said, (name, said)
        found = re.findall("^warning: .*?: (SELECT .*;)$", said, re.MULTILINE)
        assert len(found) == said.count("warning: "), said
        queries += found
    change(library, lambda _: None)
    library.run("make", "migrate", environment=empty)
    script = tmp_path / "queries.json"
    script.write_text(json.dumps(queries))
    library.run(library.python, "-c", QUERIES, str(script), environment=empty)


QUERIES = """
import asyncio, json, os, sys
import asyncpg
from pathlib import Path
async def main():
    url = os.environ["DATABASE_URL"].replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    for query in json.loads(Path(sys.argv[1]).read_text()):
        await connection.fetch(query)
    await connection.close()
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql+asyncpg://app:secret@127.0.0.1:1/app", "Connect call failed"),
        ("localhost", "Could not parse SQLAlchemy URL"),
    ],
)
def test_a_server_that_is_not_there_is_named(
    library: Project, url: str, reason: str
) -> None:
    """A run without TEST_DATABASE_URL then finishes the job."""
    change(library, add_field("Book", "isbn", "string"))
    said = refused(library, {"TEST_DATABASE_URL": url, "PYTHONPATH": "."})
    assert reason in said
    assert "unset it to use an embedded PostgreSQL" in said
    assert "Traceback" not in said
    assert "secret" not in said
    assert "wrote" in library.run(library.python, ".devmatrix/generator.pyz", "migrate")
