"""The fixtures of the tests of access."""

import pytest
from fastapi import FastAPI

from tests.provider import Provider
from tests.senders.callers import Call, client_for


@pytest.fixture
def call(app: FastAPI, provider: Provider) -> Call:
    """Return a client for a caller."""
    return lambda caller: client_for(app, provider, caller)
