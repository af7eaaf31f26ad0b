"""Clients that write concurrently, and a ledger of the states that each row may have.

Each row belongs to one writer. It has one possible state after a successful response, and
two if the outcome of a request is unknown, for example after a 503 or no response.
"""

import contextlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.harness.http_client import Answer, Client

PATH = "/api/v1/tasks"
GONE = None  # the state of a row that does not exist
PAUSE = 0.02
States = set[str | None]
Choose = Callable[[], int]


@dataclass
class Ledger:
    """The requests, their responses, and what must therefore be stored."""

    # By title, which is unique for each create, the possible descriptions of the row.
    rows: dict[str, States] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    @property
    def acknowledged(self) -> int:
        return sum(200 <= answer.status < 300 for answer in self.answers)

    @property
    def slowest(self) -> float:
        return max(answer.seconds for answer in self.answers)

    def differences(self, stored: Mapping[str, list[str]]) -> list[str]:
        """Return where the table differs from the ledger; `stored` is by title."""
        found = []
        for title, states in self.rows.items():
            rows: list[str | None] = [*stored.get(title, [])] or [GONE]
            if len(rows) > 1:
                found.append(f"{title} is stored {len(rows)} times")
            elif rows[0] not in states:
                found.append(f"{title} is {rows[0]!r} and should be one of {states}")
        return found


class Writer(threading.Thread):
    """A client that creates, updates and deletes its own rows until it is stopped."""

    def __init__(self, ledger: Ledger, choose: Choose, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.ledger = ledger
        self.choose = choose
        self.stop_event = stop
        self.random = Random()
        self.mine: list[str] = []
        self.clients: dict[int, Client] = {}

    def run(self) -> None:
        while not self.stop_event.is_set():
            step = self.random.choice(
                [self.create, self.create, self.change, self.delete, self.read]
            )
            if step == self.create or self.mine:
                step()
            time.sleep(PAUSE)
        for client in self.clients.values():
            client.close()

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        port = self.choose()
        if port not in self.clients:
            self.clients[port] = Client(port)
        answer = self.clients[port].send(method, path, body)
        self.ledger.answers.append(answer)
        return answer

    def create(self) -> None:
        title, first = uuid.uuid4().hex, uuid.uuid4().hex
        self.ledger.rows[title] = {GONE, first}
        body = {"title": title, "description": first}
        answer = self.send("POST", PATH, body)
        if answer.status == 201:
            self.ledger.rows[title] = {first}
            self.ledger.ids[title] = answer.json["id"]
            self.mine.append(title)

    def change(self) -> None:
        title, new = self.random.choice(self.mine), uuid.uuid4().hex
        before = self.ledger.rows[title]
        self.ledger.rows[title] = before | {new}
        answer = self.send("PATCH", self._path(title), {"description": new})
        if answer.status == 200:
            self.ledger.rows[title] = {answer.json["description"]} & {new}

    def delete(self) -> None:
        title = self.mine.pop(self.random.randrange(len(self.mine)))
        self.ledger.rows[title] = self.ledger.rows[title] | {GONE}
        answer = self.send("DELETE", self._path(title))
        if answer.status == 204:
            self.ledger.rows[title] = {GONE}

    def read(self) -> None:
        self.send("GET", self._path(self.random.choice(self.mine)))

    def _path(self, title: str) -> str:
        return f"{PATH}/{self.ledger.ids[title]}"


@contextlib.contextmanager
def writing(choose: Choose, writers: int = 6) -> Iterator[Ledger]:
    """Write to the port that `choose` returns, until the end of the block."""
    ledger, stop = Ledger(), threading.Event()
    threads = [Writer(ledger, choose, stop) for _ in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield ledger
    finally:
        stop.set()
        for thread in threads:
            thread.join()
