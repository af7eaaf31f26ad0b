"""Runs within a project of tests/specs/good/search_and_case.json: any text, and plans."""

import random
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from src.models.base import BareEntity
from src.models.entities import MemberEntity, TeamEntity, TopicEntity
from src.repositories import filters
from src.repositories.base import Repository
from src.repositories.member import MemberRepository
from src.repositories.sorting import BY_RANK, Sort, sort_of
from src.repositories.team import TeamRepository
from src.repositories.topic import TopicRepository
from tests.answers import json_of
from tests.cases import CASES
from tests.fakes import in_other_case

TOPIC = next(case for case in CASES if case.name == "topic")
TEAM = next(case for case in CASES if case.name == "team")
CHARACTERS = 150_000
HAN = [chr(0x20000 + number) for number in range(42_000)]  # four bytes each
ROWS = 20_000


def texts() -> Iterator[str]:
    """Yield texts that make as many, or as long words as they can."""
    dice = random.Random(1)

    def word(length: int) -> str:
        return "".join(dice.choices(HAN, k=length))

    for length in (1, 2, 5, 30, 600):
        count = CHARACTERS // length
        yield " ".join(word(length) for _ in range(count))
        yield " ".join(f"{word(length)}-{word(length)}" for _ in range(count // 2))
        yield " ".join(f"{word(length)}.com/{word(length)}" for _ in range(count // 2))
    yield "x" * CHARACTERS
    yield "a-" * CHARACTERS
    yield "\u0130 \u023a " * CHARACTERS
    yield ".".join(map(str, range(CHARACTERS)))


async def test_any_text_can_be_stored(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    for text in texts():
        await TOPIC.factory.store(db_session, title=f"findable {text}")
        await db_session.commit()
    page = json_of(await client.get(f"{TOPIC.url}?q=Findable"), 200)
    assert page["total"] == len(list(texts()))


async def test_any_search_is_answered(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    await TOPIC.factory.store(db_session, title="blue shoes & red boots")
    dice = random.Random(2)
    for _ in range(500):
        kind = dice.choice(["-\"() or!&|:*a\\'", "- a", "-(", "or _-", '-"a b'])
        q = "".join(dice.choices(kind, k=dice.choice([5, 20, 300, 1_000])))
        response = await client.get(TOPIC.url, params={"q": q})
        assert response.status_code in (200, 422), q
    for q, found in {
        "shoes": 1,
        "SHOES blue": 1,
        '"blue shoes"': 1,
        '"shoes blue"': 0,
        "shoe": 0,
        "hats or boots": 1,
        "shoes -red": 0,
        "-hats": 1,
    }.items():
        page = json_of(await client.get(TOPIC.url, params={"q": q}), 200)
        assert page["total"] == found, q


async def test_the_best_results_come_first(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    for title in ("a shoe", "shoe shoe shoe", "shoe shoe", "no"):
        await TOPIC.factory.store(db_session, title=title)
    page = json_of(await client.get(f"{TOPIC.url}?q=shoe"), 200)
    titles = [item["title"] for item in page["items"]]
    assert titles == ["shoe shoe shoe", "shoe shoe", "a shoe"]


async def test_what_the_database_does_not_fold_stays_different(
    client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    for user in ("Stra\xdfe", "STRASSE", "\xc4pfel", "\xe9", "e"):
        await TEAM.factory.store(db_session, user=user)
    for wanted, found in {
        "stra\xdfe": ["Stra\xdfe"],
        "strasse": ["STRASSE"],
        "\xe4PFEL": ["\xc4pfel"],
        "\xc9": ["\xe9"],
    }.items():
        page = json_of(await client.get(TEAM.url, params={"user": wanted}), 200)
        assert [item["user"] for item in page["items"]] == found
    page = json_of(await client.get(TEAM.url, params={"sort": "user"}), 200)
    users = [item["user"] for item in page["items"]]
    assert users == ["e", "STRASSE", "Stra\xdfe", "\xc4pfel", "\xe9"]
    refused = await client.post(TEAM.url, json={"user": in_other_case("\xc4pfel")})
    assert refused.status_code == 409, refused.text
    assert refused.json()["fields"] == ["user"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


async def plan(
    db: AsyncSession,
    repository: type[Repository[Any]],
    where: dict[str, Any],
    sort: Sort,
    start: tuple[Any, ...] | None = None,
) -> list[dict[str, Any]]:
    """Return the nodes of the plan of a page."""
    entity: type[BareEntity] = repository.entity
    values = {**filters.parameters(entity, where), "_skip": 0, "_limit": 20}
    names = tuple(values)[:-2]
    values |= {f"_after_{n}": value for n, value in enumerate(start or ())}
    nulls = tuple(value is None for value in start) if start else None
    statement = repository._page(names, sort, nulls)
    connection = await db.connection()
    compiled: Any = statement.compile(dialect=connection.dialect)
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    arguments = [values[name] for name in compiled.positiontup]
    found = await raw.fetchval(f"EXPLAIN (FORMAT JSON) {compiled}", *arguments)
    return list(nodes(found[0]["Plan"]))


@pytest.fixture
async def many(db_session: AsyncSession) -> None:
    for sql in (
        """INSERT INTO staff.order ("The User")
        SELECT 'User ' || i FROM generate_series(1, :rows) AS i""",
        """INSERT INTO topics (title, "lateral")
        SELECT 'Topic ' || i, 'Word ' || i FROM generate_series(1, :rows) AS i""",
        """INSERT INTO members (email, name, code, team_id)
        SELECT i || '@x.com', 'Name ' || i % 97, 'a', min + i - 1
        FROM (SELECT min(id) FROM staff.order) t, generate_series(1, :rows) AS i""",
    ):
        await db_session.execute(sa.text(sql), {"rows": ROWS})
    clean = "SELECT gin_clean_pending_list('ix_topics__search')"  # as VACUUM does
    await db_session.execute(sa.text(clean))
    await db_session.commit()
    for table in ("staff.order", "topics", "members"):
        await db_session.execute(sa.text(f"ANALYZE {table}"))
    await db_session.commit()


async def test_pages_are_read_from_indexes(
    many: None, db_session: AsyncSession
) -> None:
    by_user, by_name = sort_of(TeamEntity, ["user"]), sort_of(MemberEntity, ["-name"])
    by_id = sort_of(TopicEntity, ["id"])
    for repository, where, sort, start in (
        (TeamRepository, {}, by_user, None),
        (TeamRepository, {}, by_user, ("USER 15", 1)),
        (TeamRepository, {"user": "USER 15"}, by_user, None),
        (TeamRepository, {"user__in": ["USER 15", "user 7"]}, by_user, None),
        (TeamRepository, {"user__startswith": "USER 1999"}, by_user, None),
        (MemberRepository, {}, by_name, None),
        (MemberRepository, {"email": "15@X.com"}, by_name, None),
        (TopicRepository, {"lateral": "WORD 77"}, by_id, None),
        (TopicRepository, {"q": "777"}, BY_RANK, None),
        (TopicRepository, {"q": "777"}, by_id, None),
    ):
        found = await plan(db_session, repository, where, sort, start)
        kinds = {node["Node Type"] for node in found}
        assert "Seq Scan" not in kinds, (where, sort, found)
        if not where:
            assert "Sort" not in kinds, (where, sort, found)
