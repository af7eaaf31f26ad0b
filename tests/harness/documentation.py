"""Finds the code blocks of a page of the documentation, and executes them."""

import fcntl
import json
import os
import pty
import re
import subprocess
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.project import HOST, clean_environment, free_port, wait_until_healthy

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEV = re.compile(r"^make dev(?: +# .*)?\n", re.MULTILINE)
NAMED_FILE = re.compile(r"`([\w/.]+\.\w+)`")
MINUTE = 60.0
# git needs an author; a reader has configured one, but a test machine has not.
KNOWN_TO_GIT = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Reader"), ("EMAIL", "reader@example.com"))
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the prose before it."""

    language: str
    text: str
    before: str


def blocks(page: str) -> Iterator[Block]:
    start = 0
    for match in FENCE.finditer(page):
        yield Block(match[1], match[2], page[start : match.start()])
        start = match.end()


@dataclass
class Reader:
    """Executes all code blocks of a page.

    `sh` is run; `json` is written to entities.json, or added to it: a field to its last
    entity, other keys at the top. `diff` is applied; `python` is the file that the text
    before it names.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    service: subprocess.Popen[str] | None = None
    terminal: int = -1  # the terminal of the service
    said: list[str] = field(default_factory=list)

    def follow(self, page: str) -> None:
        try:
            for block in blocks(page):
                self._do(block)
        finally:
            self._stop()

    def _do(self, block: Block) -> None:
        if block.language == "sh":
            self._type(block.text)
        elif block.language == "json":
            self._put(json.loads(block.text))
        elif block.language == "diff":
            self._run("git apply --whitespace=nowarn -", block.text)
        elif block.language == "python":
            name = NAMED_FILE.findall(block.before)[-1]
            (self.folder / name).write_text(block.text)

    def _type(self, text: str) -> None:
        commands = text.replace(f"{HOST}:8000", f"{HOST}:{self.port}")
        before, *after = DEV.split(commands, maxsplit=1)
        if before and not before.startswith("curl "):
            self._stop()
        if before:
            self._run(before)
        if after:
            self._serve()
        if any(after):
            self._run(after[0])

    def _run(self, commands: str, text: str = "") -> None:
        """Run them in bash, and keep its last working directory."""
        script = f"set -eo pipefail\n{commands}\npwd >&3\n"
        read, write = os.pipe()
        done = subprocess.run(
            ["bash", "-c", script.replace(">&3", f">&{write}")],
            cwd=self.folder,
            env={**clean_environment(), **KNOWN_TO_GIT},
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10 * MINUTE,
            pass_fds=(write,),
        )
        os.close(write)
        with os.fdopen(read) as ended:
            self.folder = Path(ended.read().strip() or self.folder)
        self.said.append(done.stdout)
        if done.returncode:
            raise AssertionError(f"{commands}\nfailed:\n{done.stdout}")

    def _serve(self) -> None:
        self._stop()
        log = self.folder.with_name("service.log")
        self.terminal, other_end = pty.openpty()
        with log.open("a") as output:
            self.service = subprocess.Popen(
                ["make", "dev", f"ARGS=--port {self.port}"],
                cwd=self.folder,
                env=clean_environment(),
                stdin=other_end,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            )
        os.close(other_end)
        wait_until_healthy(self.service, f"http://{HOST}:{self.port}", log)

    def _stop(self) -> None:
        """Send Ctrl-C, which reaches all processes of the terminal."""
        if self.service is not None:
            os.write(self.terminal, b"\x03")
            self.service.wait(MINUTE)
            os.close(self.terminal)
            self.service = None

    def _put(self, document: Any) -> None:
        path = self.folder / "entities.json"
        if "entities" not in document:
            known = json.loads(path.read_text())
            if "name" in document:
                known["entities"][-1].setdefault("fields", []).append(document)
                document = {}
            document = {**known, **document}
        path.write_text(json.dumps(document, indent=2) + "\n")
