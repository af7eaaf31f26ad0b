"""Settings of the service, read from the environment and an optional .env file."""

from functools import lru_cache
from ipaddress import ip_network
from typing import Annotated, Literal

from limits import parse_many
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

# Of .env.example and docker/.env.example, and of other people's.
EXAMPLE_PASSWORDS = {"change-me", "changeme", "password", "postgres", "redis"}


def _split(value: object) -> object:
    """Accept `a,b` beside a list: JSON is a nuisance in an environment variable."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    return value


def _origin(value: str) -> str:
    if value == "*":
        return value
    scheme, separator, host = value.partition("://")
    if scheme not in ("http", "https") or not separator or not host or "/" in host:
        raise ValueError(f"{value!r} is no origin; write scheme://host[:port]")
    return value


def _proxy(value: str) -> str:
    ip_network(value, strict=False)
    return value


def _rate_limit(value: str) -> str:
    try:
        parse_many(value)
    except ValueError:
        raise ValueError("write it as count/period, such as 10/minute") from None
    return value


def _database_url(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError:
        url = None
    if url is None or url.drivername != "postgresql+asyncpg":
        raise ValueError("must look like postgresql+asyncpg://user:password@host/name")
    return value


def _empty_is_none(value: object) -> object:
    """`REDIS_URL=` in a .env file means: not set."""
    return None if value == "" else value


def _redis_url(value: str | None) -> str | None:
    if value is not None and not value.startswith(("redis://", "rediss://")):
        raise ValueError("must start with redis:// or rediss://")
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
    shutdown_delay: float = Field(default=0, ge=0)
    shutdown_timeout: int = Field(default=20, ge=1)

    # Database
    database_url: Annotated[str, AfterValidator(_database_url)]
    pool_size: int = Field(default=5, ge=1)
    max_overflow: int = Field(default=10, ge=0)
    pool_timeout: float = Field(default=3, gt=0)
    pool_recycle: int = Field(default=1800, ge=-1)
    pool_pre_ping: bool = True
    pool_ping_after: float = Field(default=0, ge=0)
    connect_timeout: float = Field(default=3, gt=0)
    command_timeout: float = Field(default=5, gt=0)
    transaction_timeout: float = Field(default=5.5, gt=0)
    readiness_timeout: float = Field(default=1, gt=0)
    run_migrations: bool = True
    migration_wait: float = Field(default=60, ge=0)

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
        for name, url in (("DATABASE", self.database_url), ("REDIS", self.redis_url)):
            if url and make_url(url).password in EXAMPLE_PASSWORDS:
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
