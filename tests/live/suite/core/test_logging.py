"""Logging: one line for each message, whatever it holds and whichever logger has it."""

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from src.core.logging import (
    StdoutHandler,
    get_logger,
    mark_logged,
    render_json,
    setup_logging,
)

Lines = list[dict[str, Any]]


class Colour(Enum):
    RED = "red"


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.fixture(autouse=True)
def _json_logs() -> Iterator[None]:
    setup_logging("INFO")
    yield
    setup_logging("INFO")


def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def rendered(**event: Any) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(render_json(None, "info", event))
    return line


def test_production_logs_json_with_time_level_and_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    get_logger().info("order_paid", order_id="7")
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "info", "event": "order_paid", "order_id": "7"}


def test_development_logs_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("INFO", json_logs=False)
    get_logger().info("order_paid", order_id="7", amount=Decimal("2.50"))
    logging.getLogger("uvicorn.error").info("Started %s", "it", extra={"port": 80})
    text = capsys.readouterr().out
    assert "order_paid" in text
    assert "amount=2.50 order_id=7" in text
    assert "Started it" in text
    assert "port=80" in text


def test_development_escapes_what_would_forge_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    setup_logging("INFO", json_logs=False)
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
    words = ("tried", "told", "Not ours", "failed")
    assert [word for line in own for word in words if word in line] == [*words]
    assert len(own) == 4
    assert "LookupError: a" in text
    assert "{" not in text


def test_the_level_is_a_name_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging("warning")
    get_logger().info("quiet")
    logging.getLogger("library").info("quiet too")
    get_logger().warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_loggers_follow_a_second_setup(capsys: pytest.CaptureFixture[str]) -> None:
    logger = get_logger()
    logger.debug("hidden")
    setup_logging("DEBUG")
    logger.debug("shown")
    setup_logging("INFO", json_logs=False)
    logger.info("plain")
    shown, plain = capsys.readouterr().out.splitlines()
    assert json.loads(shown)["event"] == "shown"
    assert not plain.startswith("{")


def test_capture_logs_sees_events() -> None:
    logger = get_logger()
    logger.info("before")
    with capture_logs() as captured:
        logger.info("order_paid", order_id=7)
    assert captured == [{"event": "order_paid", "order_id": 7, "log_level": "info"}]


def test_bound_variables_are_in_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1", user_id="u1"):
        get_logger().info("ours")
        logging.getLogger("library").info("theirs")
    assert [(line["request_id"], line["user_id"]) for line in lines(capsys)] == [
        ("r1", "u1"),
        ("r1", "u1"),
    ]


def test_extra_fields_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"order_id": 17, "total": Decimal("2.50"), "color_message": "\x1b[1mx"}
    logging.getLogger("library").info("paid %s", "now", extra=fields)
    (line,) = lines(capsys)
    assert (line["event"], line["order_id"], line["total"]) == ("paid now", 17, "2.50")
    assert "color_message" not in line


def test_values_of_python_are_readable() -> None:
    line = rendered(
        decimal=Decimal("2.50"),
        nested=[{"decimal": Decimal("1E+2")}],
        moment=datetime(2026, 1, 2, tzinfo=UTC),
        day=date(2026, 1, 2),
        id=UUID(int=1),
        colour=Colour.RED,
        error=ValueError("x"),
        data=b"\xff",
    )
    assert line == {
        "decimal": "2.50",
        "nested": [{"decimal": "1E+2"}],
        "moment": "2026-01-02T00:00:00+00:00",
        "day": "2026-01-02",
        "id": "00000000-0000-0000-0000-000000000001",
        "colour": "red",
        "error": "ValueError('x')",
        "data": "b'\\xff'",
    }


def test_a_value_that_json_cannot_hold_changes_no_other() -> None:
    loop: list[Any] = []
    loop.append(loop)
    line = rendered(
        amount=Decimal("2.50"),
        tags=["a", {"b": 1}],
        text="a\ud800b",
        loop=loop,
        big=2**70,
        huge=10**5000,
        keys={(1, 2): 3},
        object=Unprintable(),
        **{"\ud800": 1},
    )
    assert line == {
        "amount": "2.50",
        "tags": ["a", {"b": 1}],
        "text": "a\\ud800b",
        "loop": "[[...]]",
        "big": str(2**70),
        "huge": "<int: repr() raised ValueError>",
        "keys": "{(1, 2): 3}",
        "object": "<Unprintable: repr() raised RuntimeError>",
        "\\ud800": 1,
    }


def test_exceptions_carry_their_stack_trace(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_our_exceptions_are_no_records_of_the_standard_library(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error tracker makes an event of each such record."""
    get_logger().error("unhandled_exception", exc_info=ValueError("x"))
    assert caplog.records == []


def test_uvicorn_does_not_repeat_an_exception_that_was_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logged, unknown = ValueError("logged"), ValueError("unknown")
    mark_logged(logged)
    setup_logging("INFO")
    for error in (logged, unknown):
        logging.getLogger("uvicorn.error").error("Exception", exc_info=error)
    logging.getLogger("library").error("Exception", exc_info=logged)
    assert [line["exception"] for line in lines(capsys)] == [
        "ValueError: unknown",
        "ValueError: logged",
    ]


def test_uvicorns_lines_are_ours_and_its_access_log_is_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = logging.StreamHandler()
    logging.getLogger("uvicorn.error").addHandler(own)
    setup_logging("INFO")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.access").info("GET /")
    (line,) = lines(capsys)
    assert line["event"] == "Invalid HTTP request received."
    assert line["logger"] == "uvicorn.error"
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_log_sql_logs_statements() -> None:
    logger = logging.getLogger("sqlalchemy.engine")
    setup_logging("WARNING", log_sql=True)
    assert logger.isEnabledFor(logging.INFO)
    setup_logging("WARNING")
    assert not logger.isEnabledFor(logging.INFO)


def test_warnings_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    logging.captureWarnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        setup_logging("INFO")
        warnings.warn("old\nways", UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = lines(capsys)
    assert "old\nways" in line["event"]


def test_a_message_whose_arguments_do_not_fit_is_not_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = logging.LogRecord("library", 20, "x.py", 1, "%d items", ("many",), None)
    StdoutHandler().handle(record)
    (line,) = lines(capsys)
    assert line["event"] == "log_record_failed"
    assert (line["message"], line["arguments"]) == ("%d items", ["many"])


@pytest.mark.parametrize("error", [OSError("No space left on device"), ValueError()])
def test_a_broken_log_stream_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Broken:
        buffer: Any

        def write(self, _: bytes) -> None:
            raise error

    stream = Broken()
    stream.buffer = stream
    monkeypatch.setattr(sys, "stdout", stream)
    get_logger().info("lost")
    monkeypatch.setattr(sys, "stdout", None)
    setup_logging("INFO", json_logs=False)
    get_logger().info("lost")


def test_a_stream_of_text_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    get_logger().info("kept")
    assert json.loads(stream.getvalue())["event"] == "kept"


def test_there_is_one_handler_however_often_it_is_set_up() -> None:
    setup_logging("INFO")
    handlers = logging.getLogger().handlers
    assert len([one for one in handlers if isinstance(one, StdoutHandler)]) == 1


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
    assert len(line.splitlines()) == 1
    assert json.loads(line)["event"] == "x"
    assert line.encode().decode() == line
