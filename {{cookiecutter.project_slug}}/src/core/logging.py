"""Structured logging: one JSON object a line in production, readable lines at home.

The service's own loggers are structlog's, cached, and write straight to standard
output. What the standard library's loggers say (uvicorn, SQLAlchemy, warnings) goes
through the same processors and the same sink, so there is one format and one stream.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import (
    EventDict,
    ExcInfo,
    FilteringBoundLogger,
    Processor,
    WrappedLogger,
)

from src.core.config import Settings

# JSON lets these three stand raw inside a string, yet readers take them for line ends.
LINE_ENDS = {
    "\x85".encode(): b"\\u0085",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}

# One list for the life of the process: cached loggers hold on to it, so a second
# setup (and structlog.testing.capture_logs) reaches them too.
_processors: list[Processor] = []


class Stdout:
    """Writes each line at once, to whatever standard output is at that moment."""

    def msg(self, line: bytes) -> None:
        """Write one line; a broken or full log stream fails no request."""
        with suppress(OSError, ValueError):
            stream = getattr(sys.stdout, "buffer", None)
            if stream is None:
                sys.stdout.write(line.decode() + "\n")
            else:
                stream.write(line + b"\n")
            sys.stdout.flush()

    debug = info = warning = error = critical = msg


class StdlibHandler(logging.Handler):
    """Passes the standard library's records to our sink."""

    sink = Stdout()

    def emit(self, record: logging.LogRecord) -> None:
        """Render the record as our own loggers render theirs."""
        try:
            line = self.format(record)
        except Exception as error:  # such as arguments that do not fit the message
            record.msg = f"{record.msg!r} % {record.args!r}: {error!r}"
            record.args = None
            line = self.format(record)
        self.sink.msg(line.encode("utf-8", "backslashreplace"))


def setup_logging(settings: Settings) -> None:
    """Configure structlog and the standard library's logging; safe to call again."""
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[Processor] = (
        [structlog.processors.format_exc_info, render_json]
        if settings.json_logs
        else [_escape, _console(), _encode]
    )
    _processors[:] = [*common, *rendering]
    level = logging.getLevelNamesMapping()[settings.log_level]
    structlog.configure(
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: Stdout(),
        cache_logger_on_first_use=True,
    )
    _setup_stdlib(common, rendering, level)
    statements = logging.INFO if settings.debug else logging.NOTSET
    logging.getLogger("sqlalchemy.engine").setLevel(statements)


def get_logger() -> FilteringBoundLogger:
    """Return a logger: `logger.info("order_paid", order_id=…)`.

    What was bound for this request goes along with every line: `request_id` always,
    `user_id` once your authentication calls `structlog.contextvars.bind_contextvars`.
    """
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def render_json(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    """Render one object on one line, whatever it holds."""
    try:
        line = orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):  # lone surrogates, huge integers, cycles
        event = {str(key): _plain(value) for key, value in event.items()}
        return json.dumps(event).encode()
    if not line.isascii():
        for raw, escaped in LINE_ENDS.items():
            line = line.replace(raw, escaped)
    return line


def _console() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(),
        exception_formatter=_trace,
    )


def _trace(output: TextIO, error: ExcInfo) -> None:
    """Write a stack trace; indented, so that nothing in it looks like a line of ours.

    Without local variables: they hold secrets.
    """
    for line in "".join(traceback.format_exception(*error)).splitlines():
        output.write(f"\n  {_printable(line)}")


def _escape(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Show what would start another line, or move a terminal's cursor."""
    return {_printable(str(key)): _shown(key, value) for key, value in event.items()}


def _shown(key: str, value: object) -> object:
    if key == "exc_info" or isinstance(value, int | float | None):
        return value
    if key == "stack":
        return "\n".join(f"  {_printable(line)}" for line in str(value).splitlines())
    return _printable(value if isinstance(value, str) else repr(value))


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _plain(value: object) -> object:
    return value if isinstance(value, str | bool | None) else repr(value)


def _encode(_: WrappedLogger, __: str, line: str | EventDict) -> bytes:
    return str(line).encode("utf-8", "backslashreplace")


def _setup_stdlib(
    common: list[Processor], rendering: list[Processor], level: int
) -> None:
    handler = StdlibHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *common[:2],
                structlog.stdlib.add_logger_name,
                *common[2:],
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *rendering,
                _decode,
            ],
        )
    )
    root = logging.getLogger()
    for old in [known for known in root.handlers if isinstance(known, StdlibHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # chatty
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"  # we log requests
        logging.getLogger(name).setLevel(logging.NOTSET)


def _decode(_: WrappedLogger, __: str, line: Mapping[str, Any] | bytes | str) -> str:
    return line.decode() if isinstance(line, bytes) else str(line)
