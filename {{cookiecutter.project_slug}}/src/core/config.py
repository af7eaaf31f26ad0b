"""Settings of the service, read from the environment and an optional .env file."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

# Of .env.example and docker/.env.example, and of other people's.
EXAMPLE_PASSWORDS = {
    *("change-me", "changeme", "password", "postgres", "redis"),
    *("admin", "example", "secret"),
}
DAY = 86_400
# What asyncpg can be told behind the ? of a URL. It would stop at anything else with the
# first connection, as it does at a number where it wants one: those are settings.
DATABASE_OPTIONS = {
    "ssl": "disable|allow|prefer|require|verify-ca|verify-full",
    "direct_tls": "true",
    "target_session_attrs": "any|primary|standby|prefer-standby|read-write|read-only",
    "gsslib": "gssapi|sspi",
    "prepared_statement_cache_size": "[0-9]+",
    "port": "[0-9]{1,5}(,[0-9]{1,5})*",
    **dict.fromkeys(("host", "user", "password", "passfile", "database"), ".+"),
    **dict.fromkeys(("service", "servicefile", "krbsrvname"), ".+"),
}
WIDEST = {4: 8, 6: 7}  # bits of the widest private network: 10.0.0.0/8, fc00::/7
ORIGIN = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def _split(value: object) -> object:
    """Accept `a,b` beside a list: JSON is a nuisance in an environment variable."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _origin(value: str) -> str:
    if value == "*":
        return value
    if not ORIGIN.fullmatch(value):
        raise ValueError(f"{value!r} is no origin; write scheme://host[:port]")
    return value


def _proxy(value: str) -> str:
    _network(value)
    return value


def _network(value: str) -> IPv4Network | IPv6Network:
    return ip_network(value, strict=False)


def _rate_limit(value: str) -> str:
    try:
        limits = parse_many(value)
    except ValueError:
        limits = []
    if not limits or any(limit.amount < 1 for limit in limits):
        raise ValueError("write it as count/period, such as 10/minute")
    return value


def _database_url(value: str) -> str:
    try:
        url = make_url(value)
        fits = url.drivername == "postgresql+asyncpg" and _is_port(url.port)
    except ArgumentError:
        fits = False
    if not fits:
        raise ValueError("must look like postgresql+asyncpg://user:password@host/name")
    for name, values in url.normalized_query.items():
        _judge_option(name, values)
    return value


def _judge_option(name: str, values: Sequence[str]) -> None:
    if name not in DATABASE_OPTIONS:  # it may be half a password: do not say it
        raise ValueError(f"knows behind the ? only {', '.join(DATABASE_OPTIONS)}")
    pattern = DATABASE_OPTIONS[name]
    if not all(re.fullmatch(pattern, value) for value in values):
        raise ValueError(f"{name} must be {pattern.replace('|', ', ')}")
    if len(values) > 1 and name not in ("host", "port"):
        raise ValueError(f"{name} may stand there once")


def _is_port(port: int | None) -> bool:
    return port is None or 0 < port < 2**16


def _is_known(url: URL) -> bool:
    """Whether its password is one that everybody tries first."""
    given = url.password or url.query.get("password") or ""
    password = str(given).lower()
    return password in {*EXAMPLE_PASSWORDS, url.username or "change-me"}


def _empty_is_none(value: object) -> object:
    """`REDIS_URL=` in a .env file means: not set."""
    return None if value == "" else value


def _redis_url(value: str | None) -> str | None:
    """Judge what redis itself would fail at with the first request."""
    if value is not None:
        try:
            url = urlsplit(value)
            fits = url.scheme in ("redis", "rediss") and _is_port(url.port)
        except ValueError:  # a port that is none
            fits = False
        if not fits or not re.fullmatch(r"(/[0-9]*)?", url.path):
            raise ValueError("must look like redis://:password@host:6379/0")
    return value


Origins = Annotated[
    list[Annotated[str, AfterValidator(_origin)]], NoDecode, BeforeValidator(_split)
]
Proxies = Annotated[
    list[Annotated[str, AfterValidator(_proxy)]], NoDecode, BeforeValidator(_split)
]


class Settings(BaseSettings):
    """Every setting there is; `.env.example` lists the same ones.

    Times are in seconds, sizes in bytes. The defaults are those of production:
    whoever forgets a variable gets the safe choice.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    # Application
    app_name: str = Field(default="service", min_length=1)
    version: str = "0.1.0"
    description: str = ""
    environment: Literal["development", "test", "production"] = "production"
    debug: bool = False
    docs_enabled: bool | None = None
    host: str = "0.0.0.0"  # noqa: S104  # nosec B104 - a container must listen outside
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1)
    shutdown_delay: float = Field(default=0, ge=0, le=DAY)
    shutdown_timeout: int = Field(default=20, ge=1, le=DAY)

    # Database
    database_url: Annotated[str, AfterValidator(_database_url)]
    pool_size: int = Field(default=5, ge=1)
    max_overflow: int = Field(default=10, ge=0)
    pool_timeout: float = Field(default=3, gt=0, le=DAY)
    pool_recycle: int = Field(default=1800, ge=-1)
    pool_pre_ping: bool = True
    pool_ping_after: float = Field(default=0, ge=0, le=DAY)
    connect_timeout: float = Field(default=3, gt=0, le=DAY)
    command_timeout: float = Field(default=5, ge=0.01, le=DAY)
    transaction_timeout: float = Field(default=5.5, gt=0, le=DAY)
    readiness_timeout: float = Field(default=1, gt=0, le=DAY)
    run_migrations: bool = True
    migration_wait: float = Field(default=60, ge=0, le=DAY)

    # Logging
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # Security
    cors_origins: Origins = []
    cors_allow_credentials: bool = False
    rate_limit: Annotated[str, AfterValidator(_rate_limit)] = "10/minute"
    rate_limit_enabled: bool = True
    redis_url: Annotated[
        str | None, BeforeValidator(_empty_is_none), AfterValidator(_redis_url)
    ] = None
    trusted_proxies: Proxies = []
    max_body_size: int = Field(default=1_048_576, ge=1)
    max_requests_in_progress: int = Field(default=200, ge=1)
    client_timeout: float = Field(default=30, gt=0, le=DAY)

    @model_validator(mode="after")
    def _refuse_unsafe_combinations(self) -> "Settings":
        if "*" in self.cors_origins and self.cors_allow_credentials:
            raise ValueError(
                "CORS_ORIGINS: * together with CORS_ALLOW_CREDENTIALS lets every "
                "website act for your users; name the origins"
            )
        if self.environment == "production":
            self._refuse_what_is_for_home()
        return self

    def _refuse_what_is_for_home(self) -> None:
        if self.debug:
            raise ValueError(
                "DEBUG: must be off in production; set ENVIRONMENT=development"
            )
        networks = map(_network, self.trusted_proxies)
        if any(network.prefixlen < WIDEST[network.version] for network in networks):
            raise ValueError(
                "TRUSTED_PROXIES: so wide a network lets anybody choose the address "
                "that counts; name that of your proxies"
            )
        for name, url in (("DATABASE", self.database_url), ("REDIS", self.redis_url)):
            if url and _is_known(make_url(url)):
                raise ValueError(
                    f"{name}_URL: has a password that everybody knows; choose one, or "
                    "set ENVIRONMENT=development"
                )

    @property
    def docs(self) -> bool:
        """Whether /docs, /redoc and /openapi.json are served: not in production,
        unless DOCS_ENABLED asks for it."""
        if self.docs_enabled is None:
            return self.environment != "production"
        return self.docs_enabled

    @property
    def statement_timeout(self) -> float:
        """Seconds after which the server gives a statement up, and says why: a little
        before the driver does."""
        return self.command_timeout * 0.9

    @property
    def json_logs(self) -> bool:
        """Readable console lines in development, JSON everywhere else."""
        return self.environment != "development"


@lru_cache
def get_settings() -> Settings:
    """Return the process's settings.

    A bad value ends the process with one line a problem instead of a traceback:
    whoever starts the service reads what to change, and where.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SystemExit("\n".join(explain(error))) from None


def explain(error: ValidationError) -> list[str]:
    """One readable line a problem; values are never shown, they may be secrets."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        message = problem["msg"].removeprefix("Value error, ")
        if problem["loc"]:
            name = str(problem["loc"][0]).upper()
            message = "is not set" if problem["type"] == "missing" else message
            message = f"{name}: {message}"
        lines.append(f"settings: {message}")
    return lines
