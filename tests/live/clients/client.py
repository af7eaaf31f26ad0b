"""`python client.py URL requests`, or httpx, or aiohttp."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any


async def main(url: str, call: Callable[..., Awaitable[tuple[int, Any]]]) -> None:
    async def send(method: str, address: str, title: str = "") -> Any:
        body = {"json": {"title": title}} if title else {}
        status, found = await call(method, address, **body)
        print(method, status, *[found["title"]] if found else [])
        return found

    created = await send("POST", url, "first")
    await send("GET", f"{url}/{created['id']}")
    await send("PUT", f"{url}/{created['id']}", "second")
    await send("DELETE", f"{url}/{created['id']}")


async def with_session(url: str, session: Any) -> None:
    """Requests and httpx, whose sessions are alike."""

    async def call(*given: Any, **body: Any) -> tuple[int, Any]:
        answer = session.request(*given, **body)
        return answer.status_code, answer.json() if answer.content else None

    await main(url, call)


async def with_aiohttp(url: str) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def call(*given: Any, **body: Any) -> tuple[int, Any]:
            async with session.request(*given, **body) as answer:
                content = await answer.read()
                return answer.status, await answer.json() if content else None

        await main(url, call)


if __name__ == "__main__":
    url, library = sys.argv[1:]
    if library == "aiohttp":
        asyncio.run(with_aiohttp(url))
    elif library == "requests":
        import requests

        asyncio.run(with_session(url, requests.Session()))
    else:
        import httpx

        asyncio.run(with_session(url, httpx.Client()))
