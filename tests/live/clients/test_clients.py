"""Clients that people use: each is served all four verbs, over one connection.

A client that is missing is installed where INSTALL_ENGINE=1 says so; else its test skips.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import debian_packages
from tests.harness.concurrent_writers import PATH
from tests.harness.http_client import Client
from tests.harness.postgres_server import Server
from tests.harness.project import (
    HOST,
    Project,
    clean_environment,
    end,
    free_port,
    wait_until_healthy,
)
from tests.harness.service_process import Replica, replica
from tests.live.clients.counting import Proxy, counting

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("simple_task_api"),
]

HERE = Path(__file__).parent
SERVED = ["POST 201 first", "GET 200 first", "PUT 200 second", "DELETE 204"]
MANY = 20  # requests of a load generator


@pytest.fixture(scope="module")
def service(
    baked: Callable[[str], Project],
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Replica]:
    project = baked("simple_task_api")
    settings = {"DATABASE_URL": server.create("clients"), "RATE_LIMIT": "9999/second"}
    project.run(project.python, "-m", "src.migrate", environment=settings)
    log = tmp_path_factory.mktemp("clients") / "service.log"
    with replica(project, log, settings) as service:
        yield service


@pytest.fixture
def proxy(service: Replica) -> Iterator[Proxy]:
    """Between the client and the service; the client must connect to it once."""
    with counting(service.port) as proxy:
        yield proxy


def need(program: str, package: str = "") -> str:
    try:
        return debian_packages.need(program, package)
    except debian_packages.Missing as reason:
        pytest.skip(str(reason))


def ask_to_install(what: str) -> None:
    if os.environ.get(debian_packages.ASKED) != "1":
        pytest.skip(f"{what} is not installed; {debian_packages.ASKED}=1 installs it")


def run(*command: str | Path, folder: Path | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def url(proxy: Proxy) -> str:
    return f"http://{HOST}:{proxy.port}{PATH}"


def check(proxy: Proxy, said: str) -> None:
    assert said.splitlines() == SERVED
    assert proxy.connections == 1


def test_java(proxy: Proxy) -> None:
    """Its default client offers `Upgrade: h2c`."""
    java = need("java", "default-jdk-headless")
    check(proxy, run(java, HERE / "Client.java", url(proxy)))


def test_go(proxy: Proxy, tmp_path: Path) -> None:
    go = need("go", "golang-go")  # 80 MB to load
    run(go, "build", "-o", tmp_path / "client", HERE / "client.go")
    check(proxy, run(tmp_path / "client", url(proxy)))


def test_nodes_fetch(proxy: Proxy) -> None:
    check(proxy, run(need("node", "nodejs"), HERE / "client.mjs", url(proxy)))


def test_undici(proxy: Proxy, tmp_path: Path) -> None:
    node, npm = need("node", "nodejs"), need("npm")
    ask_to_install("undici")
    run(npm, "install", "--no-audit", "--no-fund", "undici@6", folder=tmp_path)
    library = tmp_path / "node_modules" / "undici" / "index.js"
    check(proxy, run(node, HERE / "client.mjs", url(proxy), library))


@pytest.mark.parametrize("library", ["requests", "httpx", "aiohttp"])
def test_python(proxy: Proxy, library: str) -> None:
    ask_to_install(library)
    uv = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project"]
    client = HERE / "client.py"
    check(proxy, run(*uv, "--with", library, "python", client, url(proxy), library))


@pytest.mark.parametrize("options", [[], ["--http2"], ["--http1.0"]])
def test_curl(service: Replica, proxy: Proxy, options: list[str]) -> None:
    """With --http2 it offers `Upgrade: h2c` with each request, those with a body too."""
    curl = need("curl")
    address = f"{url(proxy)}/{create(service)}"
    if options == ["--http1.0"]:
        options = [*options, "--header", "Connection: keep-alive"]
    shown = ["--silent", *options, "--write-out", "\n%{http_code}\n"]
    shown += ["--header", "Content-Type: application/json"]
    calls = [
        [url(proxy), "--data", '{"title": "first"}'],
        [address],
        [address, "--request", "PUT", "--data", '{"title": "second"}'],
        [address, "--request", "DELETE"],
    ]
    command = [word for call in calls for word in (*shown, *call, "--next")]
    said = run(curl, *command[:-1])
    assert re.findall(r"^\d{3}$", said, re.MULTILINE) == ["201", "200", "200", "204"]
    assert '"title":"second"' in said.replace(": ", ":")
    assert proxy.connections == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_ab(service: Replica, proxy: Proxy, tmp_path: Path, method: str) -> None:
    """It keeps connections of HTTP/1.0."""
    ab = need("ab", "apache2-utils")
    (tmp_path / "body").write_text('{"title": "first"}')
    body = ["-T", "application/json"]
    options = {
        "GET": [],
        "POST": ["-p", str(tmp_path / "body"), *body],
        "PUT": ["-u", str(tmp_path / "body"), *body],
        "DELETE": ["-m", "DELETE"],
    }[method]
    address = url(proxy) if method == "POST" else f"{url(proxy)}/{create(service)}"
    said = run(ab, "-k", "-n", str(MANY), "-c", "1", *options, address)
    assert number("Keep-Alive requests", said) == number("Complete requests", said)
    assert number("Complete requests", said) == MANY
    # The rest of the DELETEs find nothing any more.
    failed = MANY - 1 if method == "DELETE" else 0
    assert number("Non-2xx responses", said) == failed
    assert proxy.connections == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_h2load(service: Replica, proxy: Proxy, tmp_path: Path, method: str) -> None:
    h2load = need("h2load", "nghttp2-client")
    options = ["--header", f":method: {method}"]
    if method in ("POST", "PUT"):
        (tmp_path / "body").write_text('{"title": "first"}')
        options += ["--data", str(tmp_path / "body")]
        options += ["--header", "Content-Type: application/json"]
    address = url(proxy) if method == "POST" else f"{url(proxy)}/{create(service)}"
    said = run(h2load, "--h1", "-n", str(MANY), "-c", "1", *options, address)
    good, lost = (1, MANY - 1) if method == "DELETE" else (MANY, 0)
    assert f"status codes: {good} 2xx, 0 3xx, {lost} 4xx, 0 5xx" in said
    assert proxy.connections == 1


def create(service: Replica) -> str:
    with contextlib.closing(Client(service.port)) as client:
        return str(client.send("POST", PATH, {"title": "first"}).json["id"])


def number(label: str, said: str) -> int:
    found = re.search(rf"^{label}: +(\d+)", said, re.MULTILINE)
    return int(found[1]) if found else 0


def test_make_dev_serves_the_same_way(
    baked: Callable[[str], Project],
) -> None:
    """An offer of HTTP/2 is ignored, in order with what follows; a head has its bound."""
    project = baked("simple_task_api")
    port = free_port()
    service = project.start("scripts.dev", "--port", str(port))
    try:
        wait_until_healthy(service, f"http://{HOST}:{port}", project.log)
        body = b'{"title": "offered"}'
        request = (
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            f"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        behind = "GET /health/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer = exchanged(port, request.encode() + body + behind.encode())
        assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"201", b"200"]
        long = f"GET / HTTP/1.1\r\nHost: x\r\nX-Long: {70_000 * 'x'}\r\n\r\n"
        assert exchanged(port, long.encode()).startswith(b"HTTP/1.1 431 ")
    finally:
        end(service)


def exchanged(port: int, sent: bytes) -> bytes:
    """Send bytes on a connection; return what comes until the service ends it."""
    with socket.create_connection((HOST, port), timeout=30) as raw:
        raw.sendall(sent)
        return b"".join(iter(lambda: raw.recv(65536), b""))
