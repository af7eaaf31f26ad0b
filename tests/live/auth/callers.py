"""The callers of the tests of access, and what entities.json lets them do.

The expected answers come from entities.json, in a few lines of plain Python.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from sqlalchemy import event

from src.models.base import BareEntity
from tests.cases import CASES
from tests.provider import Provider
from tests.support import as_json

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / "entities.json").read_text())
ENTITIES = {entity["name"]: entity for entity in DOCUMENT["entities"]}
BY_NAME = {case.factory.entity.__name__.removesuffix("Entity"): case for case in CASES}
# The claims of the tokens of each caller; None has no token.
CALLERS: dict[str, dict[str, Any] | None] = {
    "anonymous": None,
    "ada": {"sub": "ada"},
    "bob": {"sub": "bob"},
    "stranger": {"sub": "eve"},
    "support": {"sub": "sue", "roles": ["support"]},
    "editor": {"sub": "ed", "roles": ["editor"]},
    "sales": {"sub": "sam", "roles": ["sales", "other"]},
    "scoped": {"sub": "sco", "scope": "catalogue more"},
    "ada_in_sales": {"sub": "ada", "roles": "sales"},
}
JSON = {"Content-Type": "application/json"}
Call = Callable[[str], httpx2.AsyncClient]
Rows = dict[str, dict[str, BareEntity]]  # by owner and entity
Statements = list[str]


def rules(name: str, action: str) -> list[str]:
    """Return the rules of an entity for an action."""
    access = ENTITIES[name].get("access", DOCUMENT["access"])
    found = access[action] if isinstance(access, dict) else access
    return [found] if isinstance(found, str) else list(found)


def reach(name: str, action: str, caller: str) -> str:
    """Return the rows that a caller may do this with: all, own or none."""
    return reach_of(rules(name, action), caller)


def reach_of(wanted: Collection[str], caller: str) -> str:
    """Return the rows for which one of the rules holds: all, own or none."""
    claims = CALLERS[caller]
    held = {"public"}
    if claims is not None:
        roles = claims.get("roles", [])
        roles = roles.split() if isinstance(roles, str) else roles
        held |= {"authenticated", *(f"role:{one}" for one in roles)}
        held |= {f"scope:{one}" for one in str(claims.get("scope", "")).split()}
    if held & set(wanted):
        return "all"
    return "own" if claims is not None and "owner" in wanted else "none"


def refused(caller: str) -> int:
    """Return the status for a caller for whom no rule holds."""
    return 401 if CALLERS[caller] is None else 403


def owns(caller: str, owner: str) -> bool:
    """Return whether a row of this owner is the caller's."""
    claims = CALLERS[caller]
    return claims is not None and claims["sub"] == owner


def reads(name: str, caller: str, owner: str) -> bool:
    """Return whether a caller may read a row of this owner."""
    found = reach(name, "read", caller)
    return found == "all" or (found == "own" and owns(caller, owner))


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    """Return a client without a token."""
    transport = httpx2.ASGITransport(app)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


def client_for(app: FastAPI, provider: Provider, caller: str) -> httpx2.AsyncClient:
    """Return a client with the token of a caller."""
    made = client_of(app)
    claims = CALLERS[caller]
    if claims is not None:
        token = provider.token(**claims)
        made.headers["Authorization"] = f"Bearer {token}"
    return made


def url(name: str, row: BareEntity | None = None) -> str:
    """Return the URL of an entity's rows, or of one."""
    return BY_NAME[name].url + (f"/{row.id}" if row is not None else "")


def body(name: str, row: BareEntity) -> dict[str, Any]:
    """Return a body with the values of a row, without links."""
    case = BY_NAME[name]
    names = case.create.model_fields
    values = {n: getattr(row, n) for n in names if not n.endswith("_ids")}
    return {name: as_json(value) for name, value in values.items()}


def references(name: str) -> list[tuple[str, str]]:
    """Return the to-one relations of an entity that its bodies have, with targets."""
    found = ENTITIES[name].get("relations", [])
    return [(r["name"], r["target"]) for r in found if r["type"].endswith("_to_one")]


@contextmanager
def sent_statements(app: FastAPI) -> Iterator[Statements]:
    """Yield the list of the statements that are sent meanwhile."""
    found: Statements = []
    engines = [engine.sync_engine for _, engine in app.state.engines.items()]

    def note(*arguments: Any) -> None:
        found.append(arguments[2])

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
