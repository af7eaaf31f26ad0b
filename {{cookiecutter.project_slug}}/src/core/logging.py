"""Structured logging on standard output: JSON lines, or readable ones in development.

structlog's loggers write their lines directly. Records of the standard library's loggers
(uvicorn, SQLAlchemy, warnings) pass through the same processors to the same stream.
structlog's events never become records of the standard library: an error tracker that
listens there would report an exception once for its log line and once more for itself.
"""

import logging
import sys
from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from uuid import UUID

import orjson
import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_logger_name
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

# Line separators and control characters that JSON allows unescaped in strings.
CONTROLS = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
# Types whose str() is better to read than their repr().
READABLE = (str, Decimal, date, time, UUID)
LOGGED = "logged_by_service"


class StdoutLogger:
    """Writes lines to `sys.stdout`; what structlog's loggers wrap."""

    def msg(self, line: str) -> None:
        """Write one line; a missing, broken or full stream fails no request."""
        with suppress(OSError, ValueError, AttributeError):
            data = line.encode("utf-8", "backslashreplace") + b"\n"
            if hasattr(sys.stdout, "buffer"):  # thread-safe, whatever the locale
                sys.stdout.buffer.write(data)
            else:
                sys.stdout.write(data.decode())
            sys.stdout.flush()

    debug = info = warning = error = critical = msg


class StdoutHandler(logging.Handler):
    """Writes the standard library's log records to `sys.stdout`."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or log an error if it cannot be formatted."""
        try:
            StdoutLogger().msg(self.format(record))
        except Exception:  # for example arguments that do not fit the message
            get_logger().exception(
                "log_record_failed",
                logger=record.name,
                message=record.msg,
                arguments=record.args,
            )


_handler = StdoutHandler()


def setup_logging(
    level: str = "INFO", *, json_logs: bool = True, log_sql: bool = False
) -> None:
    """Configure structlog and the standard library's logging; safe to call again."""
    level = level.upper()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(["logging", __name__]),
        structlog.processors.format_exc_info,  # without local variables: secrets
    ]
    renderers = [render_json] if json_logs else [escape_controls, _console()]
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: StdoutLogger(),
        # A cached logger would keep its level after a second setup.
        cache_logger_on_first_use=False,
    )
    _handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[ExtraAdder(), drop_color_message, add_logger_name],
            processors=[ProcessorFormatter.remove_processors_meta, *shared, *renderers],
        )
    )
    logging.getLogger().addHandler(_handler)  # has no effect the second time
    logging.getLogger().setLevel(level)
    logging.captureWarnings(True)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    logging.getLogger("sqlalchemy.engine").setLevel("INFO" if log_sql else "NOTSET")
    _setup_uvicorn()


def get_logger() -> FilteringBoundLogger:
    """Return a logger: `logger.info("order_paid", order_id=…)`.

    Each line has the variables that are bound for its request: `request_id`, and for
    example `user_id` after `structlog.contextvars.bind_contextvars(user_id=…)`.
    """
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def mark_logged(error: BaseException) -> None:
    """Suppress uvicorn's record of an exception that is logged and raised again."""
    vars(error)[LOGGED] = True


def is_not_logged(record: logging.LogRecord) -> bool:
    """Return whether the record's exception was not marked by `mark_logged`."""
    error = record.exc_info[1] if record.exc_info else None
    return error is None or LOGGED not in vars(error)


def render_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Render the event as one JSON object on one line, for any values."""
    try:
        line = _dumps(event)
    except TypeError:  # lone surrogates, integers over 64 bits, cycles, odd keys
        line = _dumps({_text(key): _encodable(event[key]) for key in event})
    return line if line.isascii() and "\x7f" not in line else line.translate(CONTROLS)


def escape_controls(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Escape line ends and control characters."""
    return {_printable(str(key)): _shown(key, value) for key, value in event.items()}


def drop_color_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop uvicorn's second copy of its message, which has colour codes."""
    event.pop("color_message", None)
    return event


def _dumps(value: object) -> str:
    return orjson.dumps(value, default=_text, option=orjson.OPT_NON_STR_KEYS).decode()


def _encodable(value: object) -> object:
    """Return the value, or a text in its place if JSON cannot hold it."""
    try:
        _dumps(value)
    except TypeError:
        return _text(value)
    return value


def _text(value: object) -> str:
    """Return text that UTF-8 can hold, even for a value whose repr() fails."""
    try:
        text = str(value) if isinstance(value, READABLE) else repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}: repr() raised {type(error).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode()


def _console() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stdout is not None and sys.stdout.isatty(),
        exception_formatter=structlog.dev.plain_traceback,  # the trace is already text
    )


def _shown(key: str, value: object) -> str:
    text = _text(value)
    if key in ("exception", "stack"):  # indented, so that no line looks like an event
        return "\n".join(f"  {_printable(line)}" for line in text.splitlines())
    return _printable(text)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _setup_uvicorn() -> None:
    """Send uvicorn's records to our handler, except its access log."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        for handler in [*logger.handlers]:
            logger.removeHandler(handler)
        logger.propagate = name != "uvicorn.access"
        logger.setLevel(logging.NOTSET)
    logging.getLogger("uvicorn.error").addFilter(is_not_logged)
