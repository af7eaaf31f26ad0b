"""Checks the default of a field by its type, and returns it as the templates use it."""

import base64
import datetime as dt
import decimal
import ipaddress
import math
import re
import urllib.parse
import uuid as uuids

from scaffold.patterns import portable
from scaffold.spec.model import Field
from scaffold.spec.problems import listing, nearest, quote, visible

DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
DATETIME = DATE + "[Tt ]" + TIME + r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
EARLIEST = dt.datetime(2, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
URL = (
    r"[hH][tT][tT][pP][sS]?://"
    rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::[0-9]{{1,5}})?"
    r"(?:[/?#][!-~]*)?"
)
_PADDED = "[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]="
BASE64 = f"(?:[A-Za-z0-9+/]{{4}})*(?:{_PADDED})?"
_EXACT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")
_LOCAL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
)
# No mail is delivered to these domains (RFC 6761), so the API refuses them, too.
_SPECIAL_DOMAINS = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})


# What other tools compute for each row. A default here is a constant.
_COMPUTED = re.compile(
    r"[\w.]+\(.*\)|(auto_)?now(_add)?|today|(utc)?now|(current|local)_?(date|time|timestamp)"
    r"|uuid_?[v]?[47]?|random|autoincrement",
    re.IGNORECASE,
)


class Refused(ValueError):
    """The value cannot be this field's default; the text says why."""


def _invalid(value: str, what: str, example: str, made: str = "") -> Refused:
    """Return the error for a string that is not of the type.

    `made` is the word for what the database makes.
    """
    fix = f"write it as {example}"
    if _COMPUTED.fullmatch(value):
        if made:
            fix += f'; a default can be "{made}"'
        else:
            fix = f"a default is a constant, such as {example}; remove it"
            fix += " and set the value in the service"
    return Refused(f"{quote(value)} is not a valid {what}; {fix}")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    return "an array" if isinstance(value, list) else quote(value)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise Refused(f"must be a string, not {_shown(value)}")
    return value


def text(value: object, field: Field) -> str:
    value = _string(value)
    length = len(value)
    if field.min_length is not None and length < field.min_length:
        limit = f"fewer than min_length {field.min_length}"
        raise Refused(f"{quote(value)} has {length} characters, {limit}")
    if field.max_length is not None and length > field.max_length:
        limit = f"more than max_length {field.max_length}"
        raise Refused(f"{quote(value)} has {length} characters, {limit}")
    if field.pattern is not None:
        found = portable.search(field.pattern, value)
        if not found:
            does = "takes too long to match" if found is None else "does not match"
            raise Refused(f"{quote(value)} {does} pattern {quote(field.pattern)}")
    return value


def integer(value: object, field: Field) -> int:
    if type(value) is not int:
        raise Refused(f"must be an integer, not {_shown(value)}")
    if not -(2 ** (field.bits - 1)) <= value < 2 ** (field.bits - 1):
        raise Refused(
            f"{quote(value)} is out of range for an integer of {field.bits} bits"
        )
    _within(value, field)
    if field.multiple_of is not None and value % field.multiple_of:
        raise Refused(f"{value} is not a multiple of {field.multiple_of}")
    return value


def floating(value: object, field: Field) -> float:
    number = finite(value)
    _within(number, field)
    return number


def finite(value: object) -> float:
    """Return a JSON number as a float; raise Refused if it is out of range."""
    if isinstance(value, bool) or not isinstance(value, int | decimal.Decimal):
        raise Refused(f"must be a number, not {_shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Refused(f"{quote(value)} is out of range for double precision")
    if value and not number:
        shown = visible(str(value))
        raise Refused(f"{shown} is too close to 0 for double precision; write 0")
    return number


def exact(value: object, field: Field) -> decimal.Decimal:
    number = number_or_string(value)
    _within(number, field)
    if number and number.adjusted() >= field.precision - field.scale:
        most = field.precision - field.scale
        limits = f"precision {field.precision} and scale {field.scale}"
        raise Refused(
            f"{quote(value)} has more digits before the point than {limits} allow: "
            f"at most {most}"
        )
    try:
        return number.quantize(
            decimal.Decimal((0, (1,), -field.scale)), context=_ALL_DIGITS
        )
    except decimal.Inexact:
        many = f"more digits after the point than scale {field.scale}"
        raise Refused(f"{quote(value)} has {many}") from None


_ALL_DIGITS = decimal.Context(
    prec=5000, traps=[decimal.Inexact, decimal.InvalidOperation]
)


def number_or_string(value: object) -> decimal.Decimal:
    """Return a decimal that is written as a JSON number or as a string of digits."""
    if isinstance(value, str) and not _EXACT.fullmatch(value):
        raise Refused(f'must be a decimal such as "10.50", not {quote(value)}')
    if isinstance(value, bool) or not isinstance(value, int | str | decimal.Decimal):
        raise Refused(f'must be a decimal such as "10.50", not {_shown(value)}')
    number = decimal.Decimal(value)
    if len(number.as_tuple().digits) > 1000 or abs(number.adjusted()) > 1000:
        raise Refused(f"{quote(value)} has more than 1000 digits, the limit of decimal")
    return number


def _within(value: int | float | decimal.Decimal, field: Field) -> None:
    if field.gt is field.ge is field.lt is field.le is None:
        return
    shown = repr(value) if isinstance(value, float) else str(value)
    if isinstance(field.gt, int | float | decimal.Decimal) and not value > field.gt:
        raise Refused(f"{shown} must be greater than {field.gt} (gt)")
    if isinstance(field.ge, int | float | decimal.Decimal) and not value >= field.ge:
        raise Refused(f"{shown} must be greater than or equal to {field.ge} (ge)")
    if isinstance(field.lt, int | float | decimal.Decimal) and not value < field.lt:
        raise Refused(f"{shown} must be less than {field.lt} (lt)")
    if isinstance(field.le, int | float | decimal.Decimal) and not value <= field.le:
        raise Refused(f"{shown} must be less than or equal to {field.le} (le)")


def boolean(value: object, field: Field) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"must be a boolean (true or false), not {_shown(value)}")
    return value


def date(value: object, field: Field) -> str:
    written = _string(value)
    try:
        if re.fullmatch(DATE, written):
            return dt.date.fromisoformat(written).isoformat()
    except ValueError:
        pass
    raise _invalid(written, "date", "2026-01-31", "now")


def time(value: object, field: Field) -> str:
    written = _string(value)
    try:
        if re.fullmatch(TIME, written):
            return dt.time.fromisoformat(written).isoformat()
    except ValueError:
        pass
    raise _invalid(written, "time", "09:30:00, without an offset", "now")


def datetime(value: object, field: Field) -> str:
    written = _string(value)
    parsed = None
    try:
        if re.fullmatch(DATETIME, written):
            parsed = dt.datetime.fromisoformat(written.upper())
    except ValueError:
        pass
    if parsed is None:
        example = "2026-01-31T09:30:00Z, with an offset"
        raise _invalid(written, "datetime", example, "now")
    try:
        parsed = parsed.astimezone(dt.UTC)
    except OverflowError:
        parsed = LATEST
    # The API has these limits too, so that every offset can express the value.
    if not EARLIEST <= parsed < LATEST:
        years = "its year in UTC must be between 2 and 9998"
        raise Refused(f"{quote(value)} is out of range: {years}")
    return parsed.isoformat()


def uuid(value: object, field: Field) -> str:
    written = _string(value)
    if not re.fullmatch(UUID, written):
        raise _invalid(written, "UUID", str(uuids.UUID(int=0)), "random")
    return written.lower()


def choice(value: object, field: Field) -> str:
    written = _string(value)
    if written in field.values:
        return written
    shown = listing(quote(choice) for choice in field.values)
    hint = nearest(written, field.values)
    meant = f"; did you mean {quote(hint)}?" if hint else ""
    raise Refused(f"{quote(value)} is not in values ({shown}){meant}")


def email(value: object, field: Field) -> str:
    written = _string(value)
    local, _, domain = written.rpartition("@")
    labels = domain.lower().split(".")
    good = (
        len(written) <= 254
        and len(local) <= 64
        and _LOCAL.fullmatch(local)
        and len(labels) > 1
        and all(re.fullmatch(_LABEL, label) for label in labels)
        and not any(label[2:4] == "--" for label in labels)  # Punycode
        and labels[-1][-1].isalpha()
    )
    if labels[-1] in _SPECIAL_DOMAINS:
        reserved = f"the domain {labels[-1]} is reserved"
        raise Refused(f"{quote(value)} is not a valid email address: {reserved}")
    if not good:
        raise _invalid(written, "email address", "name@example.org")
    return f"{local}@{domain.lower()}"


def url(value: object, field: Field) -> str:
    written = _string(value)
    if not re.fullmatch(URL, written) or not _has_host(written):
        raise _invalid(written, "URL", "https://example.org/")
    return text(written, field)


def _has_host(written: str) -> bool:
    """Whether the host is a valid name or address, and the port a valid one."""
    try:
        parts = urllib.parse.urlsplit(written)
        host, port = parts.hostname or "", parts.port
        last = host.rpartition(".")[2]
        if ":" in host or last.isdigit() or last.startswith("0x"):
            ipaddress.ip_address(host)
    except ValueError:
        return False
    return port != 0 and not any(label[2:4] == "--" for label in host.split("."))


def anything(value: object, field: Field) -> object:
    """Return plain dicts and lists, without positions; fractions become floats."""
    if isinstance(value, dict):
        return {key: anything(item, field) for key, item in value.items()}
    if isinstance(value, list):
        return [anything(item, field) for item in value]
    return float(value) if isinstance(value, decimal.Decimal) else value


def binary(value: object, field: Field) -> str:
    written = _string(value)
    try:
        data = base64.b64decode(written, validate=True)
    except ValueError:
        data = None
    if data is None or base64.b64encode(data).decode() != written:
        raise Refused(
            f"{quote(written)} is not valid base64; write bytes as AAEC/w==, with padding"
        )
    if field.max_length is not None and len(data) > field.max_length:
        limit = f"more than max_length {field.max_length}"
        raise Refused(f"has {len(data)} bytes, {limit}")
    return written
