"""The CPU time of FastAPI for a route that does nothing, in microseconds.

Run in a generated project by its own Python. The route is on the router of the last
entity; the application has no middleware and no database, so the routing is most of it.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

REQUESTS, ROUNDS = 2_000, 5
SETTINGS = {
    "DATABASE_URL": "postgresql+asyncpg://app:nobody-connects@localhost/app",
    "LOG_LEVEL": "ERROR",
    "RATE_LIMIT_ENABLED": "false",
}


async def main() -> float:
    """Return the smallest of several rounds: disturbances only make it larger."""
    from fastapi import Response

    from src.api.routes import ROUTERS
    from src.main import create_app

    @ROUTERS[-1].get("/nothing/here")
    async def nothing() -> Response:
        return Response()

    app = create_app()
    app.user_middleware.clear()
    path = f"{ROUTERS[-1].prefix}/nothing/here"
    statuses = set()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        statuses.add(message.get("status"))

    async def request() -> None:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        await app(scope, receive, send)

    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(REQUESTS):
            await request()
        times.append((time.process_time() - began) / REQUESTS * 1e6)
    assert statuses == {200, None}, statuses
    return min(times)


if __name__ == "__main__":
    os.environ.update(SETTINGS)
    sys.path.insert(0, str(Path.cwd()))
    print(asyncio.run(main()))
