"""An HTTP client whose requests never raise: a lost connection is an answer too."""

import contextlib
import json
import select
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple

from tests.harness.project import HOST

TIMEOUT = 60.0  # long, because tests measure the time of a response
LOST = 0  # the status if there was no response


class Answer(NamedTuple):
    """A response; a lost connection has the status 0, and its error as text."""

    status: int
    text: str
    headers: Mapping[str, str]
    began: float
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Client:
    """An HTTP client with one connection, which it opens again when it is lost."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection(HOST, port, timeout=TIMEOUT)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request once; this never raises an exception."""
        plain = body is None or isinstance(body, bytes)
        data = body if plain else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if data else {}
        self._drop_what_was_closed()
        began = time.monotonic()
        try:
            self._connection.request(method, path, data, {**given, **(headers or {})})
            response = self._connection.getresponse()
            text = response.read().decode()
        except (OSError, HTTPException) as error:
            self.close()
            return Answer(LOST, repr(error), {}, began, time.monotonic() - began)
        found = {name.lower(): value for name, value in response.getheaders()}
        seconds = time.monotonic() - began
        return Answer(response.status, text, found, began, seconds)

    def close(self) -> None:
        self._connection.close()

    def _drop_what_was_closed(self) -> None:
        """Close a connection that the server has closed, as all such clients do."""
        raw = self._connection.sock
        if raw is not None and select.select([raw], [], [], 0)[0]:
            self.close()


def ask(port: int, path: str) -> Answer:
    """Send one GET on a new connection."""
    with contextlib.closing(Client(port)) as client:
        return client.send("GET", path)
