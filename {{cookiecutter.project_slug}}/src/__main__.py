"""`python -m src`: the service, under uvicorn, until SIGTERM."""

import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvicorn

from src.core.config import Settings, get_settings
from src.core.logging import setup_logging

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"


def main() -> None:
    """Serve, and end with 0 when asked to stop.

    Plain uvicorn shuts down cleanly, then ends by the signal that it got: whoever
    started it takes a clean stop for a failure. It raises that signal again with the
    handler that it found, which is ours.
    """
    settings = get_settings()
    setup_logging(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        if settings.workers > 1:
            _share_metrics(stack)
        serve(settings)


def serve(settings: Settings) -> None:
    """Run uvicorn; its log lines are ours, and the access log is too."""
    windows = sys.platform == "win32"
    uvicorn.run(
        "src.main:app",
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="auto" if windows else "uvloop",
        # Not h11, which lets through what request smuggling is made of.
        http="auto" if windows else "src.core.protocol:BoundedHttpProtocol",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )


def _share_metrics(stack: ExitStack) -> None:
    """Give the workers an empty directory for their numbers."""
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
