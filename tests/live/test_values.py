"""Defaults of the database, null beside a default, sizes and checks, over HTTP."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.project import Project
from tools.smoke_client import Client

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("base")]

SPEC = Path(__file__).with_name("values.json")
MADE = ("seen_at", "day", "clock", "token", "trace")


@pytest.fixture(scope="module")
def client(base: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    project = base.with_entities(SPEC, tmp_path_factory.mktemp("values") / "service")
    with project.serving({"RATE_LIMIT_ENABLED": "false"}) as url:
        yield Client(url)


def create(client: Client, **body: Any) -> dict[str, Any]:
    row: dict[str, Any] = client.call("POST", "/api/v1/visits", 201, body)
    return row


def test_the_database_makes_what_is_not_sent(client: Client) -> None:
    before = dt.datetime.now(dt.UTC)
    row = create(client)
    seen = dt.datetime.fromisoformat(row["seen_at"])
    assert before <= seen <= dt.datetime.now(dt.UTC)
    assert row["day"] == seen.date().isoformat()
    assert dt.time.fromisoformat(row["clock"]) == seen.time()
    other = create(client)
    assert len({row["token"], row["trace"], other["token"], other["trace"]}) == 4
    assert client.call("GET", f"/api/v1/visits/{row['id']}", 200) == row


def test_a_batch_makes_them_for_each_row(client: Client) -> None:
    sent = {"items": [{}, {"note": None, "trace": None}, {"day": "2026-01-31"}]}
    items = client.call("POST", "/api/v1/visits/batch", 201, sent)["items"]
    assert len({row["token"] for row in items}) == 3
    assert [row["trace"] is None for row in items] == [False, True, False]
    assert [row["note"] for row in items] == ["none", None, "none"]
    assert items[2]["day"] == "2026-01-31" != items[0]["day"]


def test_put_keeps_what_the_database_has_made(client: Client) -> None:
    row = create(client, note="mine", level=7)
    url = f"/api/v1/visits/{row['id']}"
    replaced = client.call("PUT", url, 200, {})
    assert {key: replaced[key] for key in MADE} == {key: row[key] for key in MADE}
    assert (replaced["note"], replaced["level"]) == ("none", 0)
    token = "00000000-0000-4000-8000-000000000001"
    assert client.call("PUT", url, 200, {"token": token})["token"] == token


@pytest.mark.parametrize("key", ["note", "settings", "trace"])
def test_null_is_stored_and_not_the_default(client: Client, key: str) -> None:
    row = create(client, **{key: None})
    url = f"/api/v1/visits/{row['id']}"
    assert row[key] is None
    assert client.call("GET", url, 200)[key] is None
    assert client.call("PATCH", url, 200, {"level": 1})[key] is None
    default = client.call("PUT", url, 200, {})[key]
    assert default == {"note": "none", "settings": {"a": 1}, "trace": None}[key]
    assert client.call("PUT", url, 200, {key: None})[key] is None


def test_an_integer_of_16_bits_has_its_limits(client: Client) -> None:
    url = f"/api/v1/visits/{create(client)['id']}"
    for level in (-32_768, 32_767):
        assert client.call("PATCH", url, 200, {"level": level})["level"] == level
    for level in (-32_769, 32_768):
        errors = client.call("PATCH", url, 422, {"level": level})["errors"]
        assert [one["field"] for one in errors] == ["/level"]


def test_a_change_of_one_field_is_checked_with_the_other(client: Client) -> None:
    row = create(client, starts_on="2026-01-01", endsOn="2026-01-02")
    url = f"/api/v1/visits/{row['id']}"
    for body in ({"starts_on": "2026-01-02"}, {"endsOn": "2026-01-01"}):
        answer = client.call("PATCH", url, 422, body)
        assert answer["error"] == "validation_error"
        assert [(one["field"], one["message"]) for one in answer["errors"]] == [
            ("/starts_on", "The value must be less than that of endsOn"),
            ("/endsOn", "The value must be greater than that of starts_on"),
        ]
    assert client.call("GET", url, 200) == row
    for body in ({"endsOn": None}, {"starts_on": "2026-05-01"}):
        client.call("PATCH", url, 200, body)
    client.call("PATCH", url, 422, {"endsOn": "2026-05-01"})


def test_a_batch_names_the_item_that_breaks_a_check(client: Client) -> None:
    wrong = {"starts_on": "2026-01-02", "endsOn": "2026-01-02"}
    answer = client.call("POST", "/api/v1/visits/batch", 422, {"items": [{}, wrong]})
    fields = [one["field"] for one in answer["errors"]]
    assert fields == ["/items/1/starts_on", "/items/1/endsOn"]


def test_openapi_says_what_the_database_makes(client: Client) -> None:
    document = client.call("GET", "/openapi.json", 200)
    schemas = document["components"]["schemas"]
    visit = schemas["VisitCreate"]["properties"]
    assert visit["seen_at"]["description"] == "By default the current time."
    assert all("default" not in visit[key] for key in MADE)
    assert visit["level"]["minimum"] == -32_768
    assert json.dumps(visit["note"]).count("null") == 1


def create_item(client: Client, **body: Any) -> dict[str, Any]:
    row: dict[str, Any] = client.call("POST", "/api/v1/items", 201, body)
    return row


def wrong_fields(answer: dict[str, Any]) -> list[str]:
    return [one["field"] for one in answer["errors"]]


def test_an_array_is_stored_as_it_was_sent(client: Client) -> None:
    sent = {
        "tags": ["new", "a,b", '"\\{}'],
        "sizes": [3, 1, 3],
        "prices": ["1.50", "2.00"],
        "days": ["2026-01-31"],
        "colors": ["blue", "red"],
    }
    row = create_item(client, **sent, secrets=["x"])
    assert {key: row[key] for key in sent} == sent
    assert "secrets" not in row
    url = f"/api/v1/items/{row['id']}"
    assert client.call("GET", url, 200) == row
    assert client.call("PATCH", url, 200, {"sizes": []})["sizes"] == []
    replaced = client.call("PUT", url, 200, {"colors": ["red"]})
    assert (replaced["tags"], replaced["sizes"], replaced["prices"]) == ([], None, None)
    newest, *_ = client.call("GET", f"{url}/history", 200)["items"]
    assert newest["changes"]["prices"] == {"old": sent["prices"], "new": None}
    assert newest["changes"]["colors"] == {"old": ["blue", "red"], "new": ["red"]}
    assert newest["changes"]["days"]["old"] == ["2026-01-31"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tags": ["a", ""]}, "/tags/1"),
        ({"tags": ["a", "b", "x" * 10]}, "/tags/2"),
        ({"tags": ["a", None]}, "/tags/1"),
        ({"tags": [["a"]]}, "/tags/0"),
        ({"tags": ["a"] * 4}, "/tags"),
        ({"tags": ["a\x00b"]}, "/tags"),
        ({"tags": ["<i></i>"]}, "/tags/0"),
        ({"tags": "a"}, "/tags"),
        ({"tags": None}, "/tags"),
        ({"sizes": [1, 0]}, "/sizes/1"),
        ({"sizes": [1, "1"]}, "/sizes/1"),
        ({"prices": ["1", "1.005"]}, "/prices/1"),
        ({"days": ["2026-02-30"]}, "/days/0"),
        ({"colors": ["red", "green"]}, "/colors/1"),
    ],
)
def test_an_error_says_which_item_is_wrong(
    client: Client, body: dict[str, Any], field: str
) -> None:
    assert wrong_fields(client.call("POST", "/api/v1/items", 422, body)) == [field]


def test_markup_is_removed_from_each_item(client: Client) -> None:
    row = create_item(client, tags=["<b>a</b>", "a < b"])
    assert row["tags"] == ["a", "a < b"]


def test_lists_are_filtered_by_an_item(client: Client) -> None:
    rows = [
        create_item(client, tags=["one"], sizes=[11], prices=["0.10"]),
        create_item(client, tags=["one", "two"], sizes=[12, 11], days=["2026-07-01"]),
        create_item(client, tags=["o,e"], colors=["blue"], prices=[0.1]),
    ]
    ids = [row["id"] for row in rows]
    narrowed = f"/api/v1/items?id__in={','.join(ids)}"
    for query, wanted in {
        "tags__has=one": ids[:2],
        "tags__has=one&tags__has=two": None,
        "tags__has=on": [],
        "tags__has=o,e": ids[2:],
        "sizes__has=11": ids[:2],
        "sizes__has=11&tags__has=two": ids[1:2],
        "sizes__null=true": ids[2:],
        "prices__has=0.1": [ids[0], ids[2]],
        "prices__has=0.101": [],
        "days__has=2026-07-01": ids[1:2],
        "colors__has=blue": ids[2:],
        "colors__has=green": None,
        "sizes__has=x": None,
        "tags=one": None,
        "secrets__has=x": None,
        "sort=tags": None,
    }.items():
        status = 422 if wanted is None else 200
        answer = client.call("GET", f"{narrowed}&{query}", status)
        if wanted is not None:
            assert [row["id"] for row in answer["items"]] == wanted, query
    (error,) = client.call("GET", "/api/v1/items?tags=one", 422)["errors"]
    assert error["message"].endswith("did you mean tags__has?")
