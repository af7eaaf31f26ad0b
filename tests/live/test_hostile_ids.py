"""Hostile ids in URLs, with every server, and with HAProxy in front of them."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.harness import debian_packages, haproxy
from tests.harness.http_client import Answer, Client
from tests.harness.postgres_server import Server
from tests.harness.project import HOST, ROOT, Project, free_port
from tests.harness.service_process import Replica

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.xdist_group("base")]

SPEC = ROOT / "tests" / "specs" / "good" / "ids_of_every_type.json"
LOCK = "0190d1e2-3f4a-7b5c-8d6e-7f8091a2b3c4"
# The rows that hostile ids could reach: an id of each type, and where it is.
ROWS = {
    "countries": "DE",  # a string that clients send
    "cities": "1",  # an integer from a sequence
    "houses": "0",  # an integer that clients send
    "locks": LOCK,  # a UUID that clients send
}
# In a URL, after the collection; `{}` is the id of a row.
HOSTILE = [
    *("%2F", "{}%2F", "{}%2f", "%2F{}", "{}%2Fcities", "{}%2Fkeys", "x%2F..%2F{}"),
    *(".", "..", "%2E", "%2e%2e", "./{}", "%2e%2e%2f{}", "x/../{}"),
    *("%ff", "{}%ff", "%c3%28", "%00", "{}%00", "{}%0A", "%0A{}", "{}%0D%0A"),
    *("+{}", "%2B{}", "+1", "007", "%201", "1%20", "{}%20", "%20{}", "{}%09", "-0"),
    *(
        "01",
        "00",
        "1.0",
        "1e0",
        "0x1",
        "1_0",
        "--1",
        "%EF%BC%91",
        "%D9%A1",
        "{}%E2%80%8B",
    ),
    *(
        "9223372036854775808",
        "-9223372036854775809",
        "4294967297",
        "18446744073709551617",
    ),
    *("x" * 10_000, "1" * 10_000, "0" * 10_000, "{}" + "%20" * 1_000),
    *(
        "{}%3Fx=1",
        "{}%23",
        "{};a=b",
        "{}%3B",
        "{},{}",
        "{}%27",
        "'",
        "{}%5C",
        "%25",
        "{}%252F",
    ),
    *(
        "%7B{}%7D",
        "urn:uuid:{}",
        "%7b" + LOCK + "%7d",
        LOCK.replace("-", ""),
        "null",
        "*",
    ),
]
GUNICORN = ("gunicorn", "packaging", "uvicorn-worker")
METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def project(base: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return base.with_entities(SPEC, tmp_path_factory.mktemp("hostile") / "service")


@pytest.fixture(scope="module")
def database(project: Project, server: Server) -> Mapping[str, str]:
    """The settings of a migrated database with one row of each type."""
    settings = {"DATABASE_URL": server.create("hostile_ids")}
    project.run(
        project.python, "-m", "alembic", "upgrade", "head", environment=settings
    )
    return settings


@contextlib.contextmanager
def served(
    kind: str, project: Project, settings: Mapping[str, str], folder: Path
) -> Iterator[int]:
    """Serve with `python -m src`, plain uvicorn, gunicorn, or HAProxy in front of it."""
    port, module = free_port(), ["src"]
    if kind == "uvicorn":
        module = ["uvicorn", "src.main:app", "--host", HOST, "--port", str(port)]
    if kind == "gunicorn":
        packages = str(folder / "packages")
        install = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", packages]
        install += ["--python", project.python, *GUNICORN]
        project.run(sys.executable, "-m", *install)
        settings = {**settings, "PYTHONPATH": packages}
        module = ["gunicorn", "src.main:app", "--bind", f"{HOST}:{port}"]
        module += ["--worker-class", "uvicorn_worker.UvicornWorker"]
    replica = Replica(project, folder / "service.log", settings, *module, port=port)
    try:
        replica.wait()
        if kind != "haproxy":
            yield port
            return
        try:
            program = debian_packages.need("haproxy")
        except debian_packages.Missing as reason:
            pytest.skip(str(reason))
        with haproxy.in_front_of(port, program, folder) as in_front:
            yield in_front
    finally:
        replica.kill()


@pytest.fixture(
    scope="module", params=["python -m src", "uvicorn", "gunicorn", "haproxy"]
)
def client(
    request: pytest.FixtureRequest,
    project: Project,
    database: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("server")
    with served(str(request.param), project, database, folder) as port:
        client = Client(port)
        for collection, body in (
            ("countries", {"code": "DE"}),
            ("cities", {"country_id": "DE"}),
            ("houses", {"number": 0}),
            ("locks", {"lock_id": LOCK}),
        ):
            client.send("POST", f"/api/v1/{collection}", body)  # once for all servers
        yield client
        client.close()


def rows(client: Client) -> dict[str, Answer]:
    return {name: client.send("GET", f"/api/v1/{name}/{ROWS[name]}") for name in ROWS}


@pytest.mark.parametrize("collection", ROWS)
def test_hostile_ids_reach_no_row(client: Client, collection: str) -> None:
    before = {name: (row.status, row.json) for name, row in rows(client).items()}
    assert {status for status, _ in before.values()} == {200}
    for hostile in HOSTILE:
        path = f"/api/v1/{collection}/{hostile.replace('{}', ROWS[collection])}"
        for method in METHODS:
            body = {} if method in ("PUT", "PATCH") else None
            answer = client.send(method, path, body)
            assert answer.status in (404, 422), (method, path[:200], answer)
            assert "location" not in answer.headers
    assert {
        name: (row.status, row.json) for name, row in rows(client).items()
    } == before


@pytest.mark.parametrize("collection", ROWS)
def test_an_empty_id_is_the_collection(client: Client, collection: str) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        answer = client.send(method, f"/api/v1/{collection}/", {})
        assert answer.status == 405
    assert "items" in client.send("GET", f"/api/v1/{collection}/").json
    assert client.send("GET", f"/api/v1/{collection}//").status in (404, 422)
    assert client.send("GET", "/api/v1/countries//cities").status in (404, 422)


def test_hostile_ids_of_links_reach_no_row(client: Client) -> None:
    for hostile in (
        "DE%2F",
        "%2E%2E",
        "DE%20",
        "%ff",
        "x" * 10_000,
        "DE%2F..",
        "D" * 3,
    ):
        path = f"/api/v1/countries/DE/neighbours/{hostile}"
        for method in ("PUT", "DELETE"):
            answer = client.send(method, path)
            assert answer.status in (404, 422), (method, path[:200], answer)
    assert client.send("GET", "/api/v1/countries/DE").json["neighbour_ids"] == []


def test_every_id_of_a_string_is_found_by_its_own_url(client: Client) -> None:
    """Encoded or not, an id of letters is the same."""
    row = client.send("GET", "/api/v1/countries/DE").json
    assert client.send("GET", "/api/v1/countries/%44E").json == row
    assert client.send("GET", "/api/v1/countries/de").status == 422
    upper = client.send("GET", f"/api/v1/locks/{LOCK.upper()}")
    assert (upper.status, upper.json["lock_id"]) == (200, LOCK)
