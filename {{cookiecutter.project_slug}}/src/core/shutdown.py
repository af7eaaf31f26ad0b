"""Delays the shutdown after SIGTERM, so that load balancers can notice it."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def draining(start: Callable[[], None], delay: float) -> Iterator[None]:
    """On SIGTERM, call `start`, and after `delay` seconds the server's own handler.

    The readiness check tells load balancers to stop sending requests; until they do,
    requests are served as before. A second SIGTERM does not wait. This works with every
    server that handles SIGTERM itself, in each of its workers.
    """
    stop = signal.getsignal(signal.SIGTERM)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not (in_main_thread and callable(stop)):
        yield
        return
    handler = stop
    loop = asyncio.get_running_loop()

    def drain(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, handler)
        # The signal may have interrupted a write to the log. If `start` logs then, it
        # may raise a RuntimeError; the server's handler must be called all the same.
        with suppress(RuntimeError):
            start()
        if delay:
            loop.call_soon_threadsafe(loop.call_later, delay, handler, number, None)
        else:
            handler(number, frame)

    signal.signal(signal.SIGTERM, drain)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is drain:
            signal.signal(signal.SIGTERM, handler)
