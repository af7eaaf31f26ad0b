"""Clients that write concurrently, and a ledger of the states that each row may have.

Each row belongs to one writer. It has one possible state after a successful response, and
two if the outcome of a request is unknown, for example after a 503 or no response. A create
with an idempotency key is sent again until its outcome is known.
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
IN_USE = 409  # PostgreSQL does not know yet that the first request is lost
States = set[str | None]
Choose = Callable[[], int]


@dataclass
class Ledger:
    """The requests, their responses, and what must therefore be stored."""

    # By title, which is unique for each create, the possible descriptions of the row.
    rows: dict[str, States] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    replays: int = 0  # creates that were done, although their response was lost

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
        self.unknown: list[dict[str, str]] = []  # creates with keys
        self.clients: dict[int, Client] = {}

    def run(self) -> None:
        while not self.stop_event.is_set():
            step = self.random.choice(
                [self.create, self.create, self.change, self.delete, self.read]
            )
            if self.unknown:
                self.post(self.unknown.pop(0), has_key=True)
            elif step == self.create or self.mine:
                step()
            time.sleep(PAUSE)
        for client in self.clients.values():
            client.close()

    def send(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> Answer:
        port = self.choose()
        if port not in self.clients:
            self.clients[port] = Client(port)
        headers = None if key is None else {"Idempotency-Key": key}
        answer = self.clients[port].send(method, path, body, headers)
        if key is None or answer.status != IN_USE:
            self.ledger.answers.append(answer)
        return answer

    def create(self) -> None:
        title, first = uuid.uuid4().hex, uuid.uuid4().hex
        self.ledger.rows[title] = {GONE, first}
        body = {"title": title, "description": first}
        self.post(body, has_key=self.random.random() < 0.5)

    def post(self, body: dict[str, str], *, has_key: bool) -> None:
        title = body["title"]
        answer = self.send("POST", PATH, body, title if has_key else None)
        if answer.status == 201:
            self.ledger.rows[title] = {body["description"]}
            self.ledger.ids[title] = answer.json["id"]
            self.mine.append(title)
            replayed = answer.headers.get("idempotency-replayed") == "true"
            self.ledger.replays += replayed
        elif has_key:
            self.unknown.append(body)

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
