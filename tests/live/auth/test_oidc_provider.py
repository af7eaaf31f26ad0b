"""A service with `auth`, and a real OpenID provider: the certified oidc-provider of npm."""

import contextlib
import http.client
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.postgres_server import Server
from tests.harness.project import HOST, Project, clean_environment, free_port
from tests.harness.service_process import Replica, replica
from tests.live.auth.browser import Browser, token_of
from tests.live.clients.test_clients import ask_to_install, need, run

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.xdist_group("base"),
]

HERE = Path(__file__).parent
PACKAGE = "oidc-provider@9.13.3"
AUDIENCE = "https://api.example.com"
COOLDOWN = 5  # as in src/core/signing_keys.py
PATIENCE = 20
NEW_KEY = """\
const { generateKeyPairSync } = require("node:crypto");
const made = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
console.log(JSON.stringify(made.export({ format: "jwk" })));
"""


class Provider:
    """A process of the provider, and its keys."""

    def __init__(self, folder: Path, node: str) -> None:
        self.folder = folder
        self.node = node
        self.port = free_port()
        self.keys: list[dict[str, str]] = []
        self.process: subprocess.Popen[bytes] | None = None

    def take_key(self, name: str) -> None:
        """Sign with a new key, and publish the others as well."""
        key = json.loads(run(self.node, "-e", NEW_KEY))
        self.publish([{**key, "kid": name, "use": "sig", "alg": "RS256"}, *self.keys])

    def publish(self, keys: list[dict[str, str]]) -> None:
        self.keys = keys
        (self.folder / "keys.json").write_text(json.dumps({"keys": keys}))
        if self.process:
            assert ask(self.port, "/reread-keys") == 200

    def start(self) -> None:
        command = [self.node, "provider.mjs", str(self.port), "keys.json"]
        with (self.folder / "provider.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=clean_environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(lambda: ask(self.port, "/jwks") == 200)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def token(self) -> str:
        """Return a new access token of a machine: client credentials."""
        secret = "a-secret-of-the-tests"
        form = {"client_id": "machine", "client_secret": secret, "scope": "read"}
        answer = token_of(self.port, grant_type="client_credentials", **form)
        return answer["access_token"]

    @property
    def settings(self) -> dict[str, str]:
        issuer = f"http://{HOST}:{self.port}"
        return {
            "ENVIRONMENT": "test",  # in production it would need TLS
            "AUTH_ISSUER": issuer,
            "AUTH_AUDIENCE": AUDIENCE,
        }


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    node, npm = need("node", "nodejs"), need("npm")
    ask_to_install(PACKAGE)
    folder = tmp_path / "provider"
    folder.mkdir()
    shutil.copy(HERE / "provider.mjs", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    options = ["--no-audit", "--no-fund", "--ignore-scripts"]
    run(npm, "install", *options, PACKAGE, folder=folder)
    provider = Provider(folder, node)
    provider.take_key("first")
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture(scope="module")
def project(
    bake: Callable[..., Project], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    spec = tmp_path_factory.mktemp("spec") / "entities.json"
    fields = [{"name": "title", "type": "string"}]
    entities = [{"name": "Task", "fields": fields}]
    document = {"auth": True, "access": "public", "entities": entities}
    spec.write_text(json.dumps(document))
    return bake("verified", f"entities_file={spec}")


@pytest.fixture(scope="module")
def database(project: Project, server: Server) -> str:
    url = server.create("verified")
    environment = {"DATABASE_URL": url, "ENVIRONMENT": "test"}
    project.run(project.python, "-m", "src.migrate", environment=environment)
    return url


@contextlib.contextmanager
def service_of(
    project: Project, database: str, provider: Provider, log: Path
) -> Iterator[Replica]:
    settings = {"DATABASE_URL": database, **provider.settings}
    with replica(project, log, settings) as service:
        yield service


def ask(port: int, path: str = "/api/v1/tasks", token: str = "") -> int:
    """Return the status of a request; 0 if nothing listens."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def subjects(service: Replica) -> set[str]:
    lines = service.lines()
    return {line["subject"] for line in lines if "subject" in line}


def test_tokens_of_machines_and_of_people_are_accepted(
    provider: Provider, project: Project, database: str, tmp_path: Path
) -> None:
    person = Browser(provider.port).log_in("ada", "openid read")
    with service_of(project, database, provider, tmp_path / "log") as service:
        assert ask(service.port) == 200
        assert ask(service.port, token=provider.token()) == 200
        assert ask(service.port, token=person["access_token"]) == 200
        wait_for(lambda: subjects(service) == {"machine", "ada"})
        assert ask(service.port, token=person["id_token"]) == 401
        assert ask(service.port, token=provider.token()[:-9] + "forgedxyz") == 401
        assert ask(service.port, token="opaque") == 401


def test_keys_rotate_while_requests_run(
    provider: Provider, project: Project, database: str, tmp_path: Path
) -> None:
    with service_of(project, database, provider, tmp_path / "log") as service:
        old = [provider.token() for _ in range(3)]
        assert ask(service.port, token=old[0]) == 200
        statuses: list[int] = []
        done = threading.Event()

        def go_on() -> None:
            while not done.is_set():
                statuses.append(ask(service.port, token=old[0]))

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            time.sleep(COOLDOWN)
            provider.take_key("second")
            assert ask(service.port, token=provider.token()) == 200
            assert ask(service.port, token=old[1]) == 200
        finally:
            done.set()
            thread.join()
        assert set(statuses) == {200}
        # The old key is withdrawn; a third one makes the service look.
        provider.publish(provider.keys[:1])
        provider.take_key("third")
        time.sleep(COOLDOWN)
        assert ask(service.port, token=provider.token()) == 200
        assert ask(service.port, token=old[0]) == 401
        assert ask(service.port, token=old[2]) == 401


def test_a_provider_that_is_away_is_missed_only_by_new_processes(
    provider: Provider, project: Project, database: str, tmp_path: Path
) -> None:
    tokens = [provider.token() for _ in range(3)]
    with service_of(project, database, provider, tmp_path / "one") as one:
        assert ask(one.port, token=tokens[0]) == 200
        provider.stop()
        assert ask(one.port, token=tokens[0]) == 200
        assert ask(one.port, token=tokens[1]) == 200
        with service_of(project, database, provider, tmp_path / "two") as two:
            assert ask(two.port, token=tokens[2]) == 503
            assert ask(two.port) == 200
            assert ask(two.port, "/health/ready") == 200
            provider.start()
            wait_for(lambda: ask(two.port, token=tokens[2]) == 200)
        assert ask(one.port, token=provider.token()) == 200
