"""What happens between SIGTERM and the end: first say so, then stop."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def draining(start: Callable[[], None], delay: float) -> Iterator[None]:
    """On SIGTERM call `start`, and hand on to the server's own handler after `delay`.

    Load balancers learn from the readiness check that they should stop sending; until
    they have, requests are served as before. A second SIGTERM does not wait. This
    works under every server that handles SIGTERM itself, in each of its workers.
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
        # The signal may have interrupted a write to the log, which `start` would
        # enter again: whatever becomes of that, the server has to hear of it.
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
