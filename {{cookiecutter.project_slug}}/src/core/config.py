"""Settings of the service, read from the environment and an optional .env file."""

import inspect
import json
import os
import re
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_network
from typing import Annotated, Any, Literal

import asyncpg
from limits import parse_many
from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

ENV_FILE = ".env"
# Passwords of .env.example, of docker/.env.example and of common tutorials.
EXAMPLE_PASSWORDS = {"change-me", "changeme", "password", "postgres", "redis"}
EXAMPLE_PASSWORDS |= {"admin", "example", "secret"}
DAY = 86_400
WIDEST = {4: 8, 6: 7}  # prefixes of the largest private networks: 10.0.0.0/8, fc00::/7
ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
DATABASE_FORM = "must look like postgresql+asyncpg://user:password@host/name"
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
    try:
        url = make_url(value)
        _, options = url.get_dialect()().create_connect_args(url)
    except INVALID_URL:
        raise ValueError(DATABASE_FORM) from None
    if url.drivername != "postgresql+asyncpg" or not 0 <= (url.port or 0) < 2**16:
        raise ValueError(DATABASE_FORM)
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


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Proxy = Annotated[str, AfterValidator(_proxy)]


class Settings(BaseSettings):
    """All settings. A new one is a line here and one in `.env.example`.

    Times are in seconds, sizes in bytes. The defaults are safe in production. An empty
    variable means the default. A list is written `a,b` or as JSON. A setting without a
    default needs a value in `.env.example`: tools and tests use that.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",  # editors on Windows may add a byte order mark
        env_ignore_empty=True,
        enable_decoding=False,  # `_decode` reads lists
        extra="ignore",
        frozen=True,
    )

    # Application
    app_name: str = Field(default="service", min_length=1)
    version: str = "0.1.0"
    description: str = ""
    environment: Literal["development", "test", "production"] = "production"
    debug: Annotated[bool, AfterValidator(_debug)] = False
    docs_enabled: bool | None = None
    host: str = "0.0.0.0"  # noqa: S104  # nosec B104 - a container must listen outside
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1)
    shutdown_delay: float = Field(default=0, ge=0, le=DAY)
    shutdown_timeout: int = Field(default=20, ge=1, le=DAY)
    endpoint_plans: bool = True

    # Database
    database_url: DatabaseUrl
    database_read_url: DatabaseUrl | None = None
    read_transactions: bool = False
    pool_size: int = Field(default=5, ge=1)
    max_overflow: int = Field(default=10, ge=0)
    pool_timeout: float = Field(default=3, gt=0, le=DAY)
    pool_recycle: int = Field(default=1800, ge=-1)
    pool_pre_ping: bool = True
    connect_timeout: float = Field(default=3, gt=0, le=DAY)
    command_timeout: float = Field(default=5, ge=0.01, le=DAY)
    transaction_timeout: float = Field(default=5.5, gt=0, le=DAY)
    readiness_timeout: float = Field(default=1, gt=0, le=DAY)
    run_migrations: bool = True
    migration_wait: float = Field(default=60, ge=0, le=DAY)
    migration_lock_timeout: float = Field(default=2, ge=0.01, le=DAY)
    migration_statement_timeout: float = Field(default=3600, ge=0, le=DAY)

    # Logging
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # Security
    cors_origins: list[Origin] = []
    cors_allow_credentials: Annotated[bool, AfterValidator(_credentials)] = False
    rate_limit: Annotated[str, AfterValidator(_rate_limit)] = "10/minute"
    rate_limit_enabled: bool = True
    redis_url: RedisUrl | None = None
    trusted_proxies: list[Proxy] = []
    max_body_size: int = Field(default=1_048_576, ge=1)
    max_requests_in_progress: int = Field(default=200, ge=1)
    client_timeout: float = Field(default=30, gt=0, le=DAY)

    @field_validator("*", mode="wrap")
    @classmethod
    def _decode(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        """Accept text for lists (`a,b` or JSON) and other structures (JSON)."""
        try:
            return validate(value)
        except ValidationError as error:
            problem = error.errors()[0]["type"]  # list_type, set_type, model_type, …
            if not isinstance(value, str) or not problem.endswith("_type"):
                raise
            return validate(_parsed(value))

    @field_validator("log_level", mode="before")
    @classmethod
    def _ignore_case(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @property
    def docs(self) -> bool:
        """Whether /docs, /redoc and /openapi.json are served: not in production,
        unless DOCS_ENABLED says otherwise."""
        shown = self.docs_enabled
        return self.environment != "production" if shown is None else shown

    @property
    def statement_timeout(self) -> float:
        """Seconds after which the server cancels a statement: a little before the
        driver does, because the server's error says why."""
        return self.command_timeout * 0.9

    @property
    def json_logs(self) -> bool:
        """Whether logs are JSON; in development they are readable console lines."""
        return self.environment != "development"


@lru_cache
def get_settings() -> Settings:
    """Return the settings of the process.

    Invalid settings end the process with one line for each problem, not a traceback.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SystemExit("\n".join(explain(error))) from None
    except (OSError, UnicodeError) as error:
        raise SystemExit(f"settings: {ENV_FILE}: cannot be read: {error}") from None


def explain(error: ValidationError) -> list[str]:
    """Return one line for each problem, without any value: it may be a secret."""
    exported = {name.upper() for name, value in os.environ.items() if value}
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        message = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:  # raised by a model_validator, for several settings
            lines.append(f"settings: {message}")
            continue
        name, *position = map(str, problem["loc"])
        name = name.upper()
        source = "the environment" if name in exported else ENV_FILE
        message = f"{message.replace('Input should', 'must', 1)} (in {source})"
        if problem["type"] == "missing":
            message = f"is not set, neither in the environment nor in {ENV_FILE}"
        elif position and position[0].isdecimal():
            message = f"item {int(position[0]) + 1} {message}"
        lines.append(f"settings: {name}: {message}")
    return lines


def _parsed(text: str) -> Any:
    with suppress(ValueError):  # not JSON, such as [::1]
        if text.lstrip().startswith(("[", "{")):
            return json.loads(text)
    return [item.strip() for item in text.split(",") if item.strip()]
