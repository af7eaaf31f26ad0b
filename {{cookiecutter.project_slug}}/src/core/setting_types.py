"""The types of the settings: what each accepts, and what its error message says.

Validators see the settings that are declared before their own in `info.data`.
"""

import inspect
import re
from ipaddress import ip_network
from typing import Annotated

import asyncpg
from limits import parse_many
from pydantic import AfterValidator, ValidationInfo
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

# Passwords of .env.example, of docker/.env.example and of common tutorials.
EXAMPLE_PASSWORDS = {"change-me", "changeme", "password", "postgres", "redis"}
EXAMPLE_PASSWORDS |= {"admin", "example", "secret"}
WIDEST = {4: 8, 6: 7}  # prefixes of the largest private networks: 10.0.0.0/8, fc00::/7
ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
DATABASE_FORM = "must look like postgresql+asyncpg://user:password@host/name"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
INVALID_URL = (ArgumentError, TypeError, ValueError)  # what parsers of URLs raise


def _is_production(info: ValidationInfo) -> bool:
    return info.data.get("environment") == "production"


def _debug(value: bool, info: ValidationInfo) -> bool:
    if value and _is_production(info):
        raise ValueError("must be off in production, or set ENVIRONMENT=development")
    return value


def _refuse_known_password(url: URL, info: ValidationInfo) -> None:
    password = str(url.password or url.query.get("password") or "").lower()
    known = {*EXAMPLE_PASSWORDS, (url.username or "change-me").lower()}
    if password in known and _is_production(info):
        raise ValueError(
            "has a well-known password; change it, or set ENVIRONMENT=development"
        )


def _database_url(value: str, info: ValidationInfo) -> str:
    """Check what can be checked without a connection; messages quote no part of it."""
    if re.match("postgres(ql)?://", value):
        raise ValueError(
            "must start with postgresql+asyncpg:// instead of "
            f"{value.partition('://')[0]}://"
        )
    try:
        url = make_url(value)
        _, options = url.get_dialect()().create_connect_args(url)
    except INVALID_URL:
        raise ValueError(DATABASE_FORM) from None
    if url.drivername != "postgresql+asyncpg" or not 0 <= (url.port or 0) < 2**16:
        raise ValueError(DATABASE_FORM)
    if "sslmode" in options:
        mode = str(options["sslmode"])
        advice = f"ssl={mode}" if mode in SSL_MODES else "ssl=require"
        raise ValueError(f"has the option sslmode, which is called ssl here: {advice}")
    options.pop("prepared_statement_cache_size", None)  # SQLAlchemy's own
    try:
        inspect.signature(asyncpg.connect).bind(**options)
    except TypeError:
        raise ValueError(
            "has an unknown option after the ?; options are the parameters of "
            "asyncpg.connect(), such as ssl=require"
        ) from None
    _refuse_known_password(url, info)
    return value


def _redis_url(value: str, info: ValidationInfo) -> str:
    from redis.asyncio import ConnectionPool  # slow to import, and often not needed

    try:
        ConnectionPool.from_url(value)
        url = make_url(value)
    except INVALID_URL:
        raise ValueError("must look like redis://:password@host:6379/0") from None
    _refuse_known_password(url, info)
    return value


def _rate_limit(value: str) -> str:
    try:
        limits = parse_many(value)
    except ValueError:
        limits = []
    if not limits or any(limit.amount < 1 for limit in limits):
        raise ValueError("must be count/period, such as 10/minute")
    return value


def _origin(value: str) -> str:
    """Return the origin as browsers send it: in lower case, without a default port."""
    origin = ORIGIN.fullmatch(value.lower())
    if not origin and value != "*":
        raise ValueError("must be * or scheme://host[:port], without a path")
    return value.lower().removesuffix(DEFAULT_PORTS[origin[1]]) if origin else value


def _header_name(value: str) -> str:
    if not HEADER_NAME.fullmatch(value):
        raise ValueError("must be the name of a header, such as X-Tenant")
    return value


def _root_path(value: str) -> str:
    value = value.rstrip("/")
    if not ROOT_PATH.fullmatch(value):
        raise ValueError("must be a path that starts with a slash, such as /shop")
    return value


def _credentials(value: bool, info: ValidationInfo) -> bool:
    if value and "*" in info.data.get("cors_origins", ()):
        raise ValueError(
            "must be off while CORS_ORIGINS is *: every website could act for your "
            "users; list the origins instead"
        )
    return value


def _proxy(value: str, info: ValidationInfo) -> str:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise ValueError("must be an IP address or a network: 10.0.0.0/8") from None
    if network.prefixlen < WIDEST[network.version] and _is_production(info):
        raise ValueError("is too wide: clients could forge their address")
    return value


Debug = Annotated[bool, AfterValidator(_debug)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
Origin = Annotated[str, AfterValidator(_origin)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
Proxy = Annotated[str, AfterValidator(_proxy)]
RateLimit = Annotated[str, AfterValidator(_rate_limit)]
RootPath = Annotated[str, AfterValidator(_root_path)]
Credentials = Annotated[bool, AfterValidator(_credentials)]
