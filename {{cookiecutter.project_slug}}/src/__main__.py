"""`python -m src`: runs the service with uvicorn.

With `--reload`, which `make dev` uses, it restarts when the code changes.
"""

import asyncio
import inspect
import os
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvicorn

from src.core.config import Settings, get_settings, source
from src.core.logging import get_logger, setup_logging

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


def main() -> None:
    """Serve until SIGTERM, and exit with status 0.

    After a clean shutdown uvicorn raises the signal again, so a supervisor would see a
    failure. It first restores the handler that was set before, which is ours: that
    exits with 0.
    """
    settings = get_settings()
    setup_logging(settings.log_level, json_logs=settings.json_logs)
    check_address(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        reload = "--reload" in sys.argv[1:]
        if settings.workers > 1 and not reload:
            _share_metrics(stack)
        serve(settings, reload=reload)


def check_address(settings: Settings) -> None:
    """End the process with one line if it cannot listen on HOST and PORT.

    uvicorn's own error comes after the start, and does not name the settings.
    """
    host, port = settings.host, settings.port
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as listener:
            if os.name == "posix":  # as asyncio does: elsewhere it means another thing
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        raise SystemExit(
            f"settings: HOST={host}, PORT={port}: cannot listen there: {error.strerror}"
            f" (HOST is from {source('HOST')}, PORT from {source('PORT')})"
        ) from None


def serve(settings: Settings, *, reload: bool = False) -> None:
    """Run uvicorn, with the logging of the service instead of its own."""
    uvicorn.run(
        "src.main:app",
        host=settings.host,
        port=settings.port,
        root_path=settings.root_path,
        workers=None if reload else settings.workers,
        reload=reload,
        reload_dirs=["src"] if reload else None,
        loop="auto" if sys.platform == "win32" else "uvloop",
        http=http_protocol(),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )


def http_protocol() -> str:
    """Return uvicorn's option `http`: BoundedHttpProtocol, if it can be built.

    It uses undocumented parts of uvicorn. If a release does not have them, the service
    runs with uvicorn's own protocol, without the limits.
    """
    try:
        from uvicorn.protocols.http.auto import AutoHTTPProtocol as Inner

        inspect.signature(Inner).bind(config=0, server_state=0, app_state=0, _loop=0)
        if not (issubclass(Inner, asyncio.Protocol) and hasattr(Inner, "shutdown")):
            raise TypeError("uvicorn's protocol has no shutdown()")
    except (ImportError, TypeError) as error:
        get_logger().warning("http_bounds_unavailable", reason=str(error))
        return "auto"
    return "src.core.protocol:BoundedHttpProtocol"


def _share_metrics(stack: ExitStack) -> None:
    """Set PROMETHEUS_MULTIPROC_DIR to an empty directory that the workers share."""
    given = os.environ.get(METRICS_DIRECTORY)
    if given is None:
        fresh = stack.enter_context(tempfile.TemporaryDirectory(prefix="metrics-"))
        os.environ[METRICS_DIRECTORY] = fresh
        return
    Path(given).mkdir(parents=True, exist_ok=True)
    for path in Path(given).glob("*.db"):
        path.unlink()


if __name__ == "__main__":
    main()
