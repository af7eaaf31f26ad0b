"""Settings of the service, read from the environment and an optional .env file."""

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from src.core.setting_types import (
    Credentials,
    DatabaseUrl,
    Debug,
    HeaderName,
    Origin,
    Proxy,
    RateLimit,
    RedisUrl,
    RootPath,
)

ENV_FILE = ".env"
DAY = 86_400
LOOPBACK = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?"
# Values of these settings are not shown; a URL may contain a password.
SECRET = re.compile(r"URL|DSN|PASSWORD|SECRET|TOKEN|KEY|CREDENTIAL")
MAX_SHOWN = 60  # characters of a value


class Settings(BaseSettings):
    """All settings. A new one is a line here and one in `.env.example`.

    Times are in seconds, sizes in bytes. The defaults are safe in production. An empty
    variable means the default. A list is written `a,b` or as JSON, and the words of a
    Literal in any case. A setting without a default needs a value in `.env.example`:
    tools and tests use that. Error messages do not show the value of a setting whose
    name contains URL, DSN, PASSWORD, SECRET, TOKEN, KEY or CREDENTIAL.
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
    contact_name: str = ""
    contact_email: str = ""
    license: str = ""
    servers: list[str] = []
    environment: Literal["development", "test", "production"] = "production"
    debug: Debug = False
    docs_enabled: bool | None = None
    host: str = "0.0.0.0"  # noqa: S104  # nosec B104 - a container must listen outside
    port: int = Field(default=8000, ge=1, le=65535)
    root_path: RootPath = ""
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
    cors_headers: list[HeaderName] = []
    cors_allow_credentials: Credentials = False
    rate_limit: RateLimit = "10/minute"
    rate_limit_enabled: bool | None = None
    redis_url: RedisUrl | None = None
    trusted_proxies: list[Proxy] = []
    max_body_size: int = Field(default=1_048_576, ge=1)
    max_page_size: int = Field(default=100, ge=1, le=10_000)
    max_total: int = Field(default=10_000, ge=0, le=1_000_000_000)
    max_requests_in_progress: int = Field(default=200, ge=1)
    client_timeout: float = Field(default=30, gt=0, le=DAY)

    @field_validator("*", mode="wrap")
    @classmethod
    def _decode(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        """Accept text for lists (`a,b` or JSON) and other structures (JSON), and the
        words of a Literal in any case."""
        try:
            return validate(value)
        except ValidationError as error:
            problem = error.errors()[0]
            if not isinstance(value, str):
                raise
            if problem["type"] == "literal_error":
                return validate(_in_known_case(value, problem["ctx"]["expected"]))
            # list_type, set_type, model_type, …
            if problem["type"].endswith("_type"):
                return validate(_parsed(value))
            raise

    @property
    def docs(self) -> bool:
        """Whether /docs, /redoc and /openapi.json are served: not in production,
        unless DOCS_ENABLED says otherwise."""
        shown = self.docs_enabled
        return self.environment != "production" if shown is None else shown

    @property
    def limits_rates(self) -> bool:
        """Whether rate limits are enforced: not in development, unless
        RATE_LIMIT_ENABLED says otherwise."""
        enabled = self.rate_limit_enabled
        return self.environment != "development" if enabled is None else enabled

    @property
    def cors_origin_regex(self) -> str | None:
        """Origins that are allowed besides CORS_ORIGINS: in development, pages of this
        machine."""
        return LOOPBACK if self.environment == "development" else None

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
    if Path(ENV_FILE).is_dir():  # Docker creates a folder for a missing bind mount
        raise SystemExit(f"settings: {ENV_FILE}: is a folder; it must be a file")
    try:
        with _bad_lines_refused():
            return Settings()
    except ValidationError as error:
        raise SystemExit("\n".join(explain(error))) from None
    except (OSError, UnicodeError) as error:
        raise SystemExit(
            f"settings: {ENV_FILE}: cannot be read as UTF-8: {error}"
        ) from None


@contextmanager
def _bad_lines_refused() -> Iterator[None]:
    """End the start at a line that python-dotenv cannot parse: it only logs that."""

    def refuse(record: logging.LogRecord) -> bool:
        line = record.getMessage().rpartition(" ")[2]
        raise SystemExit(f"settings: {ENV_FILE}: line {line} is not NAME=value")

    log = logging.getLogger("dotenv.main")
    log.addFilter(refuse)
    try:
        yield
    finally:
        log.removeFilter(refuse)


def explain(error: ValidationError) -> list[str]:
    """Return one line for each problem, with the value unless it may be a secret."""
    lines = []
    for problem in error.errors(include_url=False):
        message = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:  # raised by a model_validator, for several settings
            lines.append(f"settings: {message}")
            continue
        name, *position = map(str, problem["loc"])
        name = name.upper()
        message = message.replace("Input should", "must", 1)
        if problem["type"] == "missing":
            message = f"is not set, neither in the environment nor in {ENV_FILE}"
        elif SECRET.search(name):
            message = f"{message} (in {source(name)})"
        else:
            shown = str(problem["input"])[:MAX_SHOWN]
            message = f"{message} (in {source(name)}: {shown!r})"
        if position and position[0].isdecimal():
            message = f"item {int(position[0]) + 1} {message}"
        lines.append(f"settings: {name}: {message}")
    return lines


def source(name: str) -> str:
    """Return where a setting's value is from: the environment overrides the file."""
    exported = {name.upper() for name, value in os.environ.items() if value}
    if name in exported:
        return "the environment"
    return ENV_FILE if Path(ENV_FILE).exists() else "the defaults"


def _in_known_case(value: str, expected: str) -> str:
    """Return the word as Pydantic's list of the expected ones has it."""
    for word in re.findall(r"'(.+?)'", expected):
        if word.lower() == value.lower():
            return str(word)
    return value


def _parsed(text: str) -> Any:
    with suppress(ValueError):  # not JSON, such as [::1]
        if text.lstrip().startswith(("[", "{")):
            return json.loads(text)
    return [item.strip() for item in text.split(",") if item.strip()]
