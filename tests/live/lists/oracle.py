"""Runs within a project: random requests to its lists, and what plain Python says of them.

SEED and REQUESTS are from the environment.
"""

import json
import os
import random
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from src.repositories.filters import ignores_case, split
from src.repositories.sorting import Sort, sort_of
from tests.answers import json_of
from tests.cases import CASES
from tests.fakes import in_order, in_other_case, matches
from tests.support import Case, Field, as_json, keys
from tests.tables import BY_NAME, each_case

SEED = os.environ.get("SEED", "0")
REQUESTS = int(os.environ.get("REQUESTS", "40"))
ENOUGH = 12  # rows that can differ; with fewer, values of a unique field are few
ROWS = 30


async def store_many(case: Case, db: AsyncSession, dice: random.Random) -> None:
    """Store rows with nulls, equal values, and values at the limits of their fields."""
    parents = {
        item: [
            (await BY_NAME[item.target].factory.store(db)).id
            for _ in range(min(3, BY_NAME[item.target].capacity))
        ]
        for item in case.references
        if not item.single
    }
    unique = {name for names in case.unique for name in names}
    free = [f for f in case.fields if f.name not in unique and f in case.created]
    for _ in range(ROWS if case.capacity >= ENOUGH else case.capacity // 4):
        changes = {
            case.attribute(item.name): dice.choice(known)
            for item, known in parents.items()
            if item.name not in unique and dice.random() < 0.7
        }
        changes |= {
            case.attribute(field.name): value(case, field, dice)
            for field in free
            if dice.random() < 0.6
        }
        await case.factory.store(db, **changes)


def value(case: Case, field: Field, dice: random.Random) -> Any:
    """Return a valid value: one of a few, so that rows have the same."""
    return case.value(field.name, dice.choice(field.accepted_values()))


def condition(case: Case, rows: list[Any], name: str, dice: random.Random) -> Any:
    """Return a value to ask for: mostly one that a row has."""
    attribute, word = split(name)
    known = [found for row in rows if (found := getattr(row, attribute)) is not None]
    if word == "null":
        return dice.random() < 0.5
    if ignores_case(case.factory.entity, attribute):
        known = [dice.choice([text, in_other_case(text)]) for text in known]
    if not known:
        return None
    if word == "in":
        return dice.sample(known, min(len(known), dice.randint(1, 4)))
    if word == "startswith":
        text = dice.choice(known)
        return text[: dice.randint(0, len(text))]
    return dice.choice(known)


def written(name: str, wanted: Any) -> str:
    """Return a value as a URL has it."""
    if split(name)[1] == "in":
        texts = [written("", one) for one in wanted]
        return ",".join(t.replace("\\", "\\\\").replace(",", "\\,") for t in texts)
    found = as_json(wanted)
    return found if isinstance(found, str) else json.dumps(found)


def order(case: Case, chosen: list[str]) -> Sort:
    """Return the order for `sort`."""
    names = keys(case.resource)
    signed = [
        key[: key.startswith("-")] + names[key.removeprefix("-")] for key in chosen
    ]
    return sort_of(case.factory.entity, signed) if signed else case.sort


async def everything(case: Case, db: AsyncSession) -> list[Any]:
    return [*await db.scalars(sa.select(case.factory.entity))]


def is_short(text: str) -> bool:
    """Whether a value can be a parameter: longer ones than 1,000 are refused."""
    return len(text) <= 1_000


@each_case
@pytest.mark.needs("list")
async def test_answers_are_what_python_says(
    case: Case, client: httpx2.AsyncClient, db_session: AsyncSession
) -> None:
    dice = random.Random(f"{SEED} {case}")
    await store_many(case, db_session, dice)
    rows = await everything(case, db_session)
    for _ in range(REQUESTS):
        where = {
            name: wanted
            for name in dice.sample(
                case.filters, min(dice.randint(0, 3), len(case.filters))
            )
            if (wanted := condition(case, rows, name, dice)) is not None
            and wanted != []
            and is_short(written(name, wanted))
            and written(name, wanted) != ""
        }
        fields = sorted({key.removeprefix("-") for key in case.sort_keys})
        chosen = dice.sample(fields, min(dice.randint(0, 3), len(fields)))
        chosen = ["-" * dice.randint(0, 1) + key for key in chosen]
        sort = order(case, chosen)
        expected = in_order([row for row in rows if matches(row, where)], sort)
        query: dict[str, Any] = {
            case.query.model_fields[name].alias or name: written(name, wanted)
            for name, wanted in where.items()
        }
        if chosen:
            query["sort"] = ",".join(chosen)
        skip = dice.choice([0, 0, 0, 2])
        query |= {"limit": dice.choice([1, 3, 7, 100]), "skip": skip}
        found: list[Any] = []
        while True:
            page = json_of(await client.get(case.url, params=query), 200)
            assert page["total"] == len(expected), query
            found += [case.id_of(item) for item in page["items"]]
            if page["next"] is None:
                break
            query |= {"after": page["next"], "skip": 0}
        assert found == [as_json(row.id) for row in expected][skip:], query


@pytest.mark.parametrize(
    ("case", "key"),
    [
        pytest.param(case, key, id=f"{case}-{key}")
        for case in CASES
        for key in case.sort_keys
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.needs("list")
async def test_pages_have_each_row_that_stays_once(
    case: Case,
    key: str,
    limit: int,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    dice = random.Random(f"{SEED} {case} {key} {limit}")
    await store_many(case, db_session, dice)
    before = await everything(case, db_session)
    dice.shuffle(before)
    leaving, entity = before[: len(before) // 4], case.factory.entity
    going = [row.id for row in leaving]
    query: dict[str, Any] = {"limit": limit, "sort": key, "total": "false"}
    found: list[Any] = []
    while True:
        page = json_of(await client.get(case.url, params=query), 200)
        found += [case.id_of(item) for item in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
        if going and not case_is_referred_to(case):
            await db_session.execute(sa.delete(entity).where(entity.id == going.pop()))
            await db_session.commit()
        if case.times and key.removeprefix("-") != case.times[1]:
            later = {"updated_at": sa.func.now()}
            await db_session.execute(sa.update(entity).values(later))
            await db_session.commit()
        if len(found) < ROWS and case.capacity >= ENOUGH:
            await case.factory.store(db_session)
    stayed = {as_json(row.id) for row in before} - {as_json(row.id) for row in leaving}
    assert sorted(map(str, stayed - set(found))) == []
    assert len(set(found)) == len(found)


def case_is_referred_to(case: Case) -> bool:
    """Whether rows may be needed by others, and cannot be deleted."""
    return any(
        item.target == case.name
        for other in BY_NAME.values()
        for item in other.references
    )
