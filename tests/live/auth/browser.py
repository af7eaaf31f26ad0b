"""A browser that logs in at a provider: it follows redirects, keeps cookies, sends forms."""

import base64
import hashlib
import http.client
import json
import re
import secrets
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.harness.project import HOST

CALLBACK = "http://127.0.0.1/callback"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Browser:
    """The cookies of one person at one provider."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    def send(self, path: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        """Send a request; return where it redirects to, and the page."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies} | (FORM if form else {})
        body = urlencode(form) if form else None
        connection.request("POST" if form else "GET", path, body, headers)
        response = connection.getresponse()
        for header in response.msg.get_all("Set-Cookie") or ():
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value
        page = response.read().decode()
        connection.close()
        return response.headers.get("Location", ""), page

    def log_in(self, name: str, scope: str) -> dict[str, str]:
        """Return the tokens of a person: the authorization code flow with PKCE."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "client_id": "browser",
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": scope,
            "nonce": "n",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        location, page = self.send(f"/auth?{urlencode(query)}")
        while not location.startswith(CALLBACK):
            if location:
                location, page = self.send(urlsplit(location)._replace(netloc="").path)
                continue
            action = re.search(r'action="([^"]+)"', page)
            prompt = re.search(r'name="prompt" value="(\w+)"', page)
            assert action, page
            assert prompt, page
            form = {"prompt": prompt[1], "login": name, "password": "any"}
            location, page = self.send(urlsplit(action[1]).path, form)
        (code,) = parse_qs(urlsplit(location).query)["code"]
        return token_of(
            self.port,
            grant_type="authorization_code",
            client_id="browser",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=verifier,
        )


def token_of(port: int, **form: str) -> dict[str, str]:
    """Return the answer of the token endpoint."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    connection.request("POST", "/token", urlencode(form), FORM)
    response = connection.getresponse()
    answer: dict[str, str] = json.loads(response.read())
    connection.close()
    assert response.status == 200, answer
    return answer
