"""A proxy of TCP that counts the connections that come."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

from tests.harness.project import HOST


class Proxy(socketserver.ThreadingTCPServer):
    """Listens on a free port and hands all bytes on to another."""

    daemon_threads = True

    def __init__(self, target: int) -> None:
        super().__init__((HOST, 0), Handler)
        self.target = target
        self.connections = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Handler(socketserver.BaseRequestHandler):
    """Hands the bytes of one connection on, both ways."""

    server: Proxy

    def handle(self) -> None:
        self.server.connections += 1
        with socket.create_connection((HOST, self.server.target)) as service:
            back = threading.Thread(target=pump, args=(service, self.request))
            back.start()
            pump(self.request, service)
            back.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes, and that it ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def counting(port: int) -> Iterator[Proxy]:
    """Count the connections to a port until the end of the block."""
    with Proxy(port) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield proxy
        proxy.shutdown()
