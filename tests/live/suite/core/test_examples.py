"""The example that /docs shows for each operation works as it is."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from tests.cases import CASES
from tests.support import Body, Case, Reference, routes
from tests.tables import BY_NAME

BY_URL = {case.url: case for case in CASES}
PLACEHOLDER = re.compile(r"{\w*}")


@pytest.mark.parametrize(("method", "path"), sorted(routes()))
async def test_the_example_of_an_operation_works(
    method: str,
    path: str,
    app: FastAPI,
    client: httpx2.AsyncClient,
    db_session: AsyncSession,
) -> None:
    body = example(app.openapi(), method, path)
    case = BY_URL[path.partition("/{")[0].removesuffix("/batch")]
    (row,) = (body or {}).get("items", [body or {}])
    await store_targets(case, row, db_session)
    for one in await store_rows(case, path, row, db_session):
        path = PLACEHOLDER.sub(one, path, count=1)
    answer = await client.request(method, path, json=body)
    assert answer.is_success, answer.text


def example(document: dict[str, Any], method: str, path: str) -> Body | None:
    """Return the example that Swagger UI and ReDoc show, if there is a body."""
    paths = document["paths"]
    operations = {PLACEHOLDER.sub("{}", key): paths[key] for key in paths}
    body = operations[path][method.lower()].get("requestBody")
    if body is None:
        return None
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    if not schema["properties"]:
        return {}
    return dict(*schema["examples"])


async def store_targets(case: Case, body: Body, db: AsyncSession) -> None:
    """Store the rows that an example refers to, under its ids.

    The id of a sequence is that of the row: no example can know it.
    """
    for reference in case.references:
        if reference.name in body:
            factory = BY_NAME[reference.target].factory
            if id_column(BY_NAME[reference.target]).identity is not None:
                body[reference.name] = (await factory.store(db)).id
            else:
                key = read_id(BY_NAME[reference.target], body[reference.name])
                await factory.store(db, id=key)


def id_column(case: Case) -> sa.Column[Any]:
    column: sa.Column[Any] = sa.inspect(case.factory.entity).columns["id"]
    return column


def read_id(case: Case, value: Any) -> Any:
    return id_column(case).type.python_type(value)


async def store_rows(case: Case, path: str, body: Body, db: AsyncSession) -> list[str]:
    """Store the rows that a path needs; return the ids for its placeholders."""
    if "{" not in path:
        return []
    sent = case.key.name in body
    ids = {"id": read_id(case, body[case.key.name])} if sent else {}
    row = await case.factory.store(db, **ids)
    relation, _, other = path.partition("/{}")[2].removeprefix("/").partition("/")
    if other:
        (target,) = (link.target for link in case.links if link.path == relation)
        return [str(row.id), str((await BY_NAME[target].factory.store(db)).id)]
    for child, reference in referring(case, relation):
        await child.factory.store(db, **{child.attribute(reference.name): row.id})
    return [str(row.id)]


def referring(case: Case, relation: str) -> Iterator[tuple[Case, Reference]]:
    """Yield the references whose other side is a relation of an entity."""
    for child in CASES:
        for reference in child.references:
            if (reference.target, reference.reverse) == (case.name, relation):
                yield child, reference
