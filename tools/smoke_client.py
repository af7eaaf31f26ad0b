"""The HTTP client of the smoke test: a status that was not expected is an exception."""

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT = 30


class Unexpected(Exception):
    """The service does not behave as its OpenAPI document says."""


class Client:
    """An HTTP client that checks the status of each response."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            self.base_url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError as error:
            raise Unexpected(f"{method} {path}: {error}") from error

    def call(self, method: str, path: str, expected: int, body: Any = None) -> Any:
        status, content = self.send(method, path, body)
        if status != expected:
            raise Unexpected(difference(method, path, status, expected, content, body))
        is_json = content[:1] in (b"{", b"[")
        return json.loads(content) if is_json else content.decode()


def difference(
    method: str, path: str, status: int, expected: int, content: bytes, body: Any
) -> str:
    answer = content.decode(errors="replace")[:1000]
    sent = "" if body is None else f"\n  sent     {json.dumps(body)[:1000]}"
    return f"{method} {path}: {status} instead of {expected}{sent}\n  answered {answer}"
