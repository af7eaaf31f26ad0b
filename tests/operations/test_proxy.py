"""The rules of the proxy, in HAProxy in front of a server that always returns 200."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.harness import haproxy
from tests.harness.project import HOST

pytestmark = pytest.mark.slow


TAG = '"5-0123456789abcdef"'


class Yes(BaseHTTPRequestHandler):
    """Responds instead of the service: with a tag, and with the If-Match that was sent."""

    protocol_version = "HTTP/1.1"  # HAProxy does not compress older responses

    def do_GET(self) -> None:
        body = json.dumps({"sent": self.headers["If-Match"], "more": "x" * 2_000})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", TAG)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    with ThreadingHTTPServer((HOST, 0), Yes) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def proxy(
    program: Callable[..., str],
    backend: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[int]:
    """The port of HAProxy with the project's file, with other names and ports."""
    folder = tmp_path_factory.mktemp("proxy")
    with haproxy.in_front_of(backend, program("haproxy"), folder) as port:
        yield port


@pytest.fixture(scope="module")
def compressing(
    program: Callable[..., str],
    backend: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[int]:
    """The port of a proxy that compresses JSON."""
    folder = tmp_path_factory.mktemp("compressing")
    more = "    compression algo gzip\n    compression type application/json\n"
    with haproxy.in_front_of(backend, program("haproxy"), folder, more) as port:
        yield port


def status(port: int, path: str) -> int:
    with closing(http.client.HTTPConnection(HOST, port, timeout=30)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics/metrics",
        "/metrics/metrics/",
        "/metrics/metrics?a=b",
        "/%6detrics/metrics",
        "/%6D%65trics/metrics",
        "/metrics%2Fmetrics",
        "//metrics/metrics",
        "/%2Fmetrics/metrics",
        "%2Fmetrics/metrics",
        "http://shop.test/%6detrics/metrics",
    ],
)
def test_proxy_blocks_metrics(proxy: int, path: str) -> None:
    assert status(proxy, path) in (400, 404)


@pytest.mark.parametrize("path", ["/", "/metric", "/api/v1/orders?path=/metrics"])
def test_proxy_forwards_other_paths(proxy: int, path: str) -> None:
    assert status(proxy, path) == 200


def test_a_tag_that_compression_has_changed_is_the_same_in_if_match(
    compressing: int,
) -> None:
    with closing(http.client.HTTPConnection(HOST, compressing, timeout=30)) as client:
        client.request("GET", "/", headers={"Accept-Encoding": "gzip"})
        response = client.getresponse()
        response.read()
        weak = response.headers["ETag"]
        assert (response.headers["Content-Encoding"], weak) == ("gzip", f"W/{TAG}")
        client.request("GET", "/", headers={"If-Match": f"{weak}, {weak}"})
        sent = json.load(client.getresponse())["sent"]
    assert sent == f"{TAG}, {TAG}"
