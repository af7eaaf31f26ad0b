"""Applies the recipes of docs/recipes.md to a project, and sends their requests."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.documentation import NAMED_FILE, Block, blocks
from tests.harness.project import HOST, MINUTE, Project, clean_environment
from tools.smoke_client import Client

REQUEST = re.compile(r"([A-Z]+) (\S+)(?: (\{.*\}))? → (\d+)(?: (\w+))?(?: (\{.*\}))?")
STEP_OF_MIGRATION = re.compile(r"`(upgrade|downgrade)\(\)`")
ROUTES = "src/api/routes"


@dataclass
class Recipes:
    """A page, and the project that a person changes as the page says.

    diff is applied; python is a new file or a part of the newest migration, as the prose
    before it says; sh is typed; ini goes into the environment. http and console are what
    is sent to the service, and what it returns.
    """

    page: str
    project: Project
    environment: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    routers: int = 0

    def apply(self) -> None:
        """Make all changes, in the order of the page."""
        for block in blocks(self.page):
            if block.language == "diff":
                self._patch(block.text)
            elif block.language == "python":
                self._write(block)
            elif block.language == "sh":
                self.type(block.text)
            elif block.language == "ini":
                for line in block.text.splitlines():
                    name, _, value = line.partition("=")
                    self.environment[name] = value

    def send(self, port: int) -> None:
        """Send all requests, in the order of the page."""
        client = Client(f"http://{HOST}:{port}")
        for block in blocks(self.page):
            if block.language == "http":
                for line in block.text.splitlines():
                    self._request(client, line)
            elif block.language == "console":
                for step in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                    self._compare(step, port)

    def type(self, commands: str, *, port: int = 8000) -> str:
        """Run commands in the project's folder, with uv; return what they print."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        commands = commands.replace(f"{HOST}:8000", f"{HOST}:{port}")
        done = subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=self.project.path,
            env={**clean_environment(), "PATH": path, **self.environment},
            capture_output=True,
            text=True,
            timeout=5 * MINUTE,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
        return done.stdout

    def include(self, name: str) -> None:
        """Include the router of a file, as the page does it for the first one."""
        self.routers += 1
        if self.routers == 1:
            return  # by the page's own diff
        main = self.project.path / "src" / "main.py"
        text = main.read_text()
        imported, listed = "import ROUTERS, ", "*ROUTERS):"
        assert text.count(imported) == text.count(listed) == 1
        text = text.replace(imported, f"{imported}{name}, ")
        main.write_text(text.replace(listed, f"{name}.router, {listed}"))

    def _patch(self, text: str) -> None:
        patch = self.project.path.with_name("change.diff")
        patch.write_text(text)
        self.project.run("git", "apply", str(patch))

    def _write(self, block: Block) -> None:
        steps = STEP_OF_MIGRATION.findall(block.before)
        if steps:
            return self._extend_migration(steps[-1], block.text)
        name = NAMED_FILE.findall(block.before)[-1]
        path = self.project.path / name
        assert not path.exists(), name
        path.write_text(block.text)
        self.project.run(self.project.python, "-m", "ruff", "format", "--check", name)
        if name.startswith(ROUTES):
            self.include(path.stem)

    def _extend_migration(self, step: str, text: str) -> None:
        versions = (self.project.path / "alembic" / "versions").glob("*.py")
        path = max(versions, key=lambda version: version.stat().st_mtime_ns)
        start, function, rest = path.read_text().partition(f"def {step}() -> None:\n")
        if step == "upgrade":
            body, separator, rest = rest.partition("\n\n\ndef downgrade")
            rest = f"{body}\n{text.rstrip()}{separator}{rest}"
        else:
            docstring, rest = rest.split("\n", 1)
            rest = f"{docstring}\n{text}{rest}"
        path.write_text(start + function + rest)

    def _request(self, client: Client, line: str) -> None:
        """Send a line's request, and compare the response with what the line says."""
        found = REQUEST.fullmatch(self._filled(line))
        assert found, line
        method, path, body, status, name, expected = found.groups()
        sent: Any = json.loads(body) if body else None
        answer = client.call(method, path, int(status), sent)
        if name:
            self.ids[name] = answer["id"] if "id" in answer else answer["next"]
        wanted: dict[str, Any] = json.loads(expected) if expected else {}
        assert wanted == {key: answer[key] for key in wanted}, line

    def _compare(self, step: str, port: int) -> None:
        """Type a command; compare its output, where `…` stands for any text."""
        lines = self._filled(step).splitlines()
        count = 1 + sum(line.startswith("> ") for line in lines)
        command = "\n".join(line.removeprefix("> ") for line in lines[:count])
        said = self.type(command, port=port)
        expected = re.escape("\n".join(lines[count:]).rstrip()).replace("…", ".*")
        assert re.fullmatch(expected, said.rstrip(), re.DOTALL), f"{command}\n{said}"

    def _filled(self, text: str) -> str:
        return re.sub(r"\$(\w+)", lambda name: self.ids.get(name[1], name[0]), text)
