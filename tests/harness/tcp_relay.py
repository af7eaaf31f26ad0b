"""Forwards TCP connections to a port, until a test cuts them."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.harness.project import HOST

CHUNK = 65_536


class Relay:
    """Listens on a port of its own, and forwards each connection to the target."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close all connections, as if the network was lost; new ones are accepted."""
        while self._open:
            self._close(self._open.pop())

    def stop(self) -> None:
        """Accept no connection any more, and close all."""
        self._close(self._listener)
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                incoming, _ = self._listener.accept()
                outgoing = socket.create_connection((HOST, self._target))
                self._open += [incoming, outgoing]
                for pair in ((incoming, outgoing), (outgoing, incoming)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                target.sendall(data)
        self._close(source)
        self._close(target)

    @staticmethod
    def _close(one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextlib.contextmanager
def relay(target: int) -> Iterator[Relay]:
    """Forward connections to this port until the end of the block."""
    made = Relay(target)
    try:
        yield made
    finally:
        made.stop()
