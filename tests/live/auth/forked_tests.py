"""Runs pytest once for each line of its input, with the current code of the project.

Libraries are imported once: that takes longer than the tests. A line has the arguments as
JSON; when the run has ended, its exit status is printed, and `forked_tests.log` has its
output.
"""

import json
import os
import sys
from pathlib import Path

# Not used here: what is imported before a fork need not be imported in each.
import alembic.command  # noqa: F401
import asyncpg  # noqa: F401
import fastapi  # noqa: F401
import httpx2  # noqa: F401
import jwt  # noqa: F401
import prometheus_client  # noqa: F401
import pydantic_settings  # noqa: F401
import pytest
import sqlalchemy.dialects.postgresql.asyncpg
import sqlalchemy.ext.asyncio  # noqa: F401
import structlog  # noqa: F401

LOG = Path("forked_tests.log")

sys.path.insert(0, "")
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        with LOG.open("wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        status = pytest.main(json.loads(line))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
