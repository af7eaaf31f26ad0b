"""Access tokens for services that tests start: the development issuer of their project.

A project without `auth` has none: then there are no settings and no tokens.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.harness.project import Project, clean_environment

# Every role and scope of the examples.
ROLES, SCOPES = "staff", "checkout"
SERVE = """
import json, sys
from scripts.issuer import Issuer, serving
with serving(Issuer.kept()) as settings:
    print(json.dumps(settings), flush=True)
    sys.stdin.read()
"""


def has_issuer(project: Project) -> bool:
    return (Path(project.path) / "scripts" / "issuer.py").exists()


def token_of(project: Project) -> str | None:
    """Return a token with which everything may be done, as `make token` prints it."""
    if not has_issuer(project):
        return None
    options = ["--roles", ROLES, "--scopes", SCOPES]
    return project.run(project.python, "-m", "scripts.issuer", *options).strip()


@contextlib.contextmanager
def issuing(project: Project) -> Iterator[dict[str, str]]:
    """Serve the keys; yield the settings with which a service accepts the tokens."""
    if not has_issuer(project):
        yield {}
        return
    server: subprocess.Popen[Any]
    with subprocess.Popen(
        [project.python, "-c", SERVE],
        cwd=project.path,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin
        assert server.stdout
        settings: dict[str, str] = json.loads(server.stdout.readline())
        # In production an issuer needs TLS.
        yield {**settings, "ENVIRONMENT": "test"}
        server.stdin.close()
