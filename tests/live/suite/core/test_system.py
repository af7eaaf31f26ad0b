"""The pages of the docs, and whose requests the rate limit counts."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from src.core.config import Settings
from tests.conftest import client_of
from tests.integration.test_system import probe_app


@pytest.fixture
async def probe(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service, which accepts five writes a minute."""
    app = probe_app(settings, rate_limit="5/minute", rate_limit_enabled=True)
    async with client_of(app, raise_app_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_docs_need_nothing_from_elsewhere(
    client: httpx2.AsyncClient, path: str
) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    sources = re.findall(r'(?:src|href|data-document)="([^"]*)"', page.text)
    assert len(sources) == 5
    for source in sources:
        assert source.startswith("/")
        assert (await client.get(source)).status_code == 200
    assert "<script>" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    nonce = re.findall("'nonce-(.*?)'", policy)
    assert re.findall('nonce="(.*?)"', page.text) == nonce
    assert (await client.get(path)).headers["Content-Security-Policy"] != policy


async def test_docs_serve_only_their_own_files(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/docs/nothing.js")).status_code == 404
    assert (await client.get("/redoc/logo-mini.svg")).status_code == 200


async def test_a_forwarded_address_does_not_evade_the_limit(
    probe: httpx2.AsyncClient,
) -> None:
    statuses = []
    for number in range(6):
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        answer = await probe.post("/probe/letters", json={"text": ""}, headers=headers)
        statuses.append(answer.status_code)
    assert statuses == [200] * 5 + [429]
