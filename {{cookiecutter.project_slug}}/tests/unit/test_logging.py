"""One line a message, whatever it holds, from whichever logger."""

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from src.core.config import Settings
from src.core.logging import StdlibHandler, get_logger, render_json, setup_logging

URL = "postgresql+asyncpg://app@localhost/app"

Lines = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    yield
    setup_logging(Settings(database_url=URL, environment="test"))


def production(**settings: Any) -> Settings:
    return Settings(database_url=URL, environment="production", **settings)


def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def handlers() -> list[StdlibHandler]:
    known = logging.getLogger().handlers
    return [handler for handler in known if isinstance(handler, StdlibHandler)]


def test_production_logs_json_with_time_level_and_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    setup_logging(production())
    get_logger().info("order_paid", order_id="7")
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "info", "event": "order_paid", "order_id": "7"}


def test_development_logs_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(Settings(database_url=URL, environment="development"))
    get_logger().info("order_paid", order_id="7")
    logging.getLogger("uvicorn.error").info("Started %s", "it")
    text = capsys.readouterr().out
    assert "order_paid" in text
    assert "order_id=7" in text
    assert "Started it" in text


def test_development_shows_what_would_forge_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    setup_logging(Settings(database_url=URL, environment="development"))
    evil = "a\n2026-01-01 [info ] all is well\x1b[2J\u2028b"
    get_logger().info("tried", what=evil, **{evil: Exception(evil)})
    get_logger().info("told", stack=evil)
    logging.getLogger("other").warning("Not ours: %s", evil)
    try:
        raise LookupError(evil)
    except LookupError:
        get_logger().exception("failed")
    text = capsys.readouterr().out
    assert "\x1b" not in text
    own = [line for line in text.splitlines() if not line.startswith("  ")]
    assert [
        word
        for line in own
        for word in ("tried", "told", "Not ours", "failed")
        if word in line
    ] == [
        "tried",
        "told",
        "Not ours",
        "failed",
    ]
    assert len(own) == 4
    assert "LookupError: a" in text
    assert "{" not in text


def test_the_level_comes_from_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(production(log_level="WARNING"))
    get_logger().info("quiet")
    logging.getLogger("library").info("quiet too")
    get_logger().warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_bound_variables_go_along(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(production())
    with structlog.contextvars.bound_contextvars(request_id="r1", user_id="u1"):
        get_logger().info("ours")
        logging.getLogger("library").info("theirs")
    assert [(line["request_id"], line["user_id"]) for line in lines(capsys)] == [
        ("r1", "u1"),
        ("r1", "u1"),
    ]


def test_exceptions_carry_their_stack_trace(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging(production())
    secret = "hunter2"
    try:
        raise RuntimeError(f"no {len(secret)}")
    except RuntimeError:
        get_logger().exception("failed")
        logging.getLogger("library").exception("failed")
    for line in lines(capsys):
        assert "RuntimeError: no 7" in line["exception"]
        assert "test_exceptions_carry" in line["exception"]
        assert secret not in line["exception"]


def test_uvicorns_lines_are_ours_and_its_access_log_is_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = logging.StreamHandler()
    logging.getLogger("uvicorn.error").addHandler(own)
    setup_logging(production())
    setup_logging(production())
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.access").info("GET /")
    (line,) = lines(capsys)
    assert line["event"] == "Invalid HTTP request received."
    assert line["logger"] == "uvicorn.error"
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_warnings_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    logging.captureWarnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        setup_logging(production())
        warnings.warn("old\nways", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = lines(capsys)
    assert "old\nways" in line["event"]


def test_a_message_whose_arguments_do_not_fit_is_not_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    setup_logging(production())
    arguments = ("library", logging.INFO, "x.py", 1, "%d items", ("many",), None)
    handlers()[0].handle(logging.LogRecord(*arguments))
    (line,) = lines(capsys)
    assert "%d items" in line["event"]
    assert "many" in line["event"]


def test_a_broken_log_stream_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _: bytes) -> None:
            raise OSError("No space left on device")

    class Stream:
        buffer = Full()

    setup_logging(production())
    monkeypatch.setattr(sys, "stdout", Stream())
    get_logger().info("lost")


def test_a_text_stream_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    setup_logging(production())
    stream = StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    get_logger().info("kept")
    assert json.loads(stream.getvalue())["event"] == "kept"


def test_there_is_one_handler_however_often_it_is_set_up() -> None:
    setup_logging(production())
    setup_logging(production())
    assert len(handlers()) == 1


ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
SCALARS = st.none() | st.integers() | st.floats() | st.binary() | ANY_TEXT
VALUES = SCALARS | st.lists(SCALARS) | st.dictionaries(st.integers(), SCALARS)


@pytest.mark.usefixtures("untraced")
@settings(max_examples=200, deadline=None)
@given(st.dictionaries(ANY_TEXT, VALUES, max_size=3))
def test_whatever_is_logged_is_one_json_object_on_one_line(
    event: dict[str, Any],
) -> None:
    line = render_json(None, "info", {**event, "event": "x"})
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line)["event"] == "x"


def test_what_refers_to_itself_is_logged_as_well() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    assert json.loads(render_json(None, "info", {"event": loop}))
