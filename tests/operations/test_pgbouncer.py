"""The service behind PgBouncer, configured as in docs/scaling.md."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.postgres import EmbeddedPostgres
from tests.harness.documentation import blocks
from tests.harness.example_projects import ExampleProject
from tests.harness.project import HOST, end, free_port, wait_until_healthy
from tools.smoke import smoke

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("operations-uv"),
    pytest.mark.parametrize("example", ["uv"], indirect=True, scope="session"),
]

# Debian's PgBouncer has no prepared statements, which the other modes need.
SETTINGS = """\
[databases]
* = host={host} port={server} user=app
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = session
{advice}
"""


def test_every_verb_works(
    example: ExampleProject, program: Callable[..., str], tmp_path: Path
) -> None:
    pgbouncer = program("pgbouncer")
    page = (example.path / "docs" / "scaling.md").read_text()
    (advice,) = (block.text for block in blocks(page) if block.language == "ini")
    port, own = free_port(), free_port()
    with EmbeddedPostgres() as server:
        values = {"host": HOST, "server": server.port, "port": own, "advice": advice}
        settings = tmp_path / "pgbouncer.ini"
        settings.write_text(SETTINGS.format(**values))
        proxy = subprocess.Popen([pgbouncer, "--user=nobody", str(settings)])
        environment = {
            "DATABASE_URL": re.sub(r":\d+/", f":{own}/", server.url),
            "RATE_LIMIT_ENABLED": "false",
            "HOST": HOST,
            "PORT": str(port),
        }
        module = ["src.migrate", "--then-serve"]
        service = example.project.start(*module, environment=environment)
        try:
            wait_until_healthy(service, f"http://{HOST}:{port}", example.project.log)
            assert smoke(f"http://{HOST}:{port}")
        finally:
            end(service)
            end(proxy)
