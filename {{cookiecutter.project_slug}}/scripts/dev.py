"""`make dev`: a database, its migrations, and the service with reload."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.binaries import PostgresError
from scripts.command import configured, run
from scripts.machine import HOST, answers, free_port
from scripts.postgres import EmbeddedPostgres

DATA = Path(".data/postgres")
INTERRUPTED = 128 + signal.SIGINT


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Yield DATABASE_URL, or the URL of an embedded database with data in .data/."""
    url = configured("DATABASE_URL")
    if url:
        yield url
        return
    with EmbeddedPostgres(DATA) as server:
        print(f"database  {server.url}  (kept in {DATA})", flush=True)
        yield server.url


def serve(url: str, port: int, *, reload: bool) -> int:
    """Apply the migrations, then serve until Ctrl-C."""
    status = run(["python", "-m", "src.migrate"], url)
    if status:
        return status
    os.environ.update(HOST=HOST, PORT=str(port))
    print(f"docs      http://{HOST}:{port}/docs", flush=True)
    command = ["python", "-m", "src"]
    if reload:
        command.append("--reload")
    status = run(command, url)
    return 0 if status == INTERRUPTED else status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m scripts.dev`; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.dev", description=__doc__)
    parser.add_argument(
        "--port",
        type=int,
        default=configured("PORT") or "8000",
        help="0: any free port (default: PORT, else 8000)",
    )
    parser.add_argument(
        "--no-reload", action="store_true", help="do not restart on changes"
    )
    options = parser.parse_args(arguments)
    if options.port and answers(options.port):
        other = f'make dev ARGS="--port {options.port + 1}"'
        print(f"make dev: port {options.port} is in use: {other}", file=sys.stderr)
        return 1
    os.environ.setdefault("ENVIRONMENT", "development")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with database() as url:
            port = options.port or free_port()
            return serve(url, port, reload=not options.no_reload)
    except PostgresError as error:
        print(f"make dev: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
