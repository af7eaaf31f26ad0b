"""What an access token costs: a request with one beside the same without, on one service."""

import argparse
import json
import subprocess
from dataclasses import replace
from pathlib import Path

from benchmarks import results
from benchmarks.systems import OURS, all_running, database, tasks
from benchmarks.table import ROWS, compared
from tests.harness.issuer import issuing, token_of
from tests.harness.project import Project, clean_environment, cookiecutter

RULES = {"auth": True, "access": "public"}
WORKS = ("get", "list")


def measure(project: Project, folder: Path, options: argparse.Namespace) -> None:
    """Compare requests with a verified token to those without, and to no `auth`."""
    guarded = with_auth(project, folder)
    token = token_of(guarded)
    with (
        issuing(guarded) as accepted,
        database(guarded, folder, tasks(ROWS)) as server,
    ):
        settings = {**OURS.environment, **accepted}
        same = replace(OURS, works=WORKS, environment=settings)
        anonymous = replace(
            same, name="without token", about="a request without a token"
        )
        verified = replace(
            same, name="with token", about="a request with a token", token=token
        )
        plain = replace(same, about="a service without auth")
        systems = [(anonymous, guarded), (verified, guarded), (plain, project)]
        with all_running(systems, server, folder) as services:
            found = compared(services, options, anonymous.name, works=WORKS)
    results.write("tokens", project.python, found)


def with_auth(project: Project, folder: Path) -> Project:
    """Generate the same service, which verifies access tokens."""
    document = json.loads((project.path / "entities.json").read_text())
    entities = folder / "guarded.json"
    entities.write_text(json.dumps({**document, **RULES}))
    answers = ["project_slug=guarded", f"entities_file={entities}"]
    command = cookiecutter(folder, *answers)
    subprocess.run(command, env=clean_environment(), check=True)
    return Project(folder / "guarded")
