"""Settings: what the environment may say, and how it is told that it may not."""

import inspect
import re
from pathlib import Path
from typing import Any

import asyncpg
import pydantic
import pytest
from asyncpg.connect_utils import SessionAttribute, SSLMode
from sqlalchemy.engine import make_url

from src.core.config import DATABASE_OPTIONS, Settings, explain, get_settings

ROOT = Path(__file__).parents[2]
URL = "postgresql+asyncpg://user:hidden@localhost/name"


def made(**given: Any) -> Settings:
    """Return the settings of an environment that says nothing else."""
    return Settings(**{"database_url": URL, **given})


def test_defaults_are_those_of_production() -> None:
    settings = made(environment="production")
    assert (settings.pool_size, settings.max_overflow) == (5, 10)
    assert settings.pool_pre_ping
    assert settings.rate_limit == "10/minute"
    assert settings.cors_origins == []
    assert settings.log_level == "INFO"
    assert not settings.debug
    assert not settings.docs
    assert settings.json_logs


def test_development_is_comfortable() -> None:
    settings = made(environment="development")
    assert settings.docs
    assert not settings.json_logs
    assert not made(environment="development", docs_enabled=False).docs
    assert made(environment="production", docs_enabled=True).docs


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, http://localhost:3000,")
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.1")
    monkeypatch.setenv("REDIS_URL", "")
    settings = made()
    assert settings.cors_origins == ["https://a.example", "http://localhost:3000"]
    assert settings.trusted_proxies == ["10.0.0.0/8", "127.0.0.1"]
    assert settings.redis_url is None


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("cors_origins", "example.com", "write scheme://host"),
        ("cors_origins", "https://example.com/path", "write scheme://host"),
        ("cors_origins", "https://*.example.com", "write scheme://host"),
        ("cors_origins", "https://a b", "write scheme://host"),
        ("trusted_proxies", "anybody", "anybody"),
        ("rate_limit", "often", "10/minute"),
        ("rate_limit", "0/minute", "10/minute"),
        ("database_url", URL.replace("localhost", "localhost:99999"), "host"),
        ("database_url", "postgresql://localhost/name", "postgresql+asyncpg://"),
        ("database_url", "nonsense", "postgresql+asyncpg://"),
        ("database_url", f"{URL}?foo=bar", "only ssl, "),
        ("database_url", f"{URL}?sslmode=require", "only ssl, "),
        ("database_url", f"{URL}?statement_cache_size=0", "only ssl, "),
        ("database_url", f"{URL}?ssl=banana", "ssl must be disable, allow, "),
        ("database_url", f"{URL}?ssl=require&ssl=require", "ssl may stand there once"),
        ("database_url", f"{URL}?port=first", "port must be"),
        ("database_url", f"{URL}?prepared_statement_cache_size=no", "size must be"),
        ("redis_url", "http://localhost", "redis://"),
        ("redis_url", "redis://localhost:99999/0", "redis://"),
        ("redis_url", "redis://localhost:port/0", "redis://"),
        ("redis_url", "redis://localhost/name", "redis://"),
        ("command_timeout", "inf", "less than or equal to 86400"),
        ("command_timeout", "nan", "less than or equal to 86400"),
        ("shutdown_delay", "inf", "less than or equal to 86400"),
        ("log_level", "LOUD", "'DEBUG'"),
        ("port", "0", "greater than or equal to 1"),
        ("pool_size", "many", "integer"),
    ],
)
def test_bad_values_are_refused(name: str, value: str, says: str) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        made(**{name: value})
    (line,) = explain(caught.value)
    assert line.startswith(f"settings: {name.upper()}")
    assert says in line


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cors_origins": "*", "cors_allow_credentials": True}, "CORS_ORIGINS"),
        ({"environment": "production", "debug": True}, "DEBUG"),
        (
            {
                "environment": "production",
                "database_url": URL.replace("hidden", "Password"),
            },
            "DATABASE_URL",
        ),
        (
            {
                "environment": "production",
                "database_url": URL.replace("hidden", "user"),
            },
            "DATABASE_URL",
        ),
        (
            {
                "environment": "production",
                "redis_url": "redis://:change-me@localhost/0",
            },
            "REDIS_URL",
        ),
    ],
)
def test_unsafe_combinations_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        made(**given)
    assert explain(caught.value)[0].startswith(f"settings: {says}: ")


@pytest.mark.parametrize(
    "query",
    [
        *(f"ssl={mode.name.replace('_', '-')}" for mode in SSLMode),
        *(f"target_session_attrs={kind.value}" for kind in SessionAttribute),
        "host=a:5432&host=b:5433",
        "host=/var/run/postgresql&user=somebody",
        "prepared_statement_cache_size=0",
    ],
)
def test_what_the_driver_knows_may_stand_in_the_url(query: str) -> None:
    url = make_url(made(database_url=f"{URL}?{query}").database_url)
    _, options = url.get_dialect()().create_connect_args(url)
    known = inspect.signature(asyncpg.connect).parameters
    assert options.keys() <= {*known, "prepared_statement_cache_size"}


def test_the_driver_knows_every_option() -> None:
    known = inspect.signature(asyncpg.connect).parameters
    assert {*known, "prepared_statement_cache_size"} >= DATABASE_OPTIONS.keys()


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3"])
def test_no_network_of_anybodys_is_trusted_in_production(network: str) -> None:
    given = f"10.0.0.0/8,{network}"
    assert made(environment="test", trusted_proxies=given).trusted_proxies[1] == network
    with pytest.raises(pydantic.ValidationError) as caught:
        made(environment="production", trusted_proxies=given)
    (line,) = explain(caught.value)
    assert line.startswith("settings: TRUSTED_PROXIES: ")


def test_private_networks_are_trusted_in_production() -> None:
    networks = ["10.0.0.0/8", "192.168.0.0/16", "fc00::/7", "2001:db8::1"]
    settings = made(environment="production", trusted_proxies=",".join(networks))
    assert settings.trusted_proxies == networks


def test_passwords_of_examples_are_good_enough_at_home() -> None:
    url = URL.replace("hidden", "postgres")
    assert made(environment="development", database_url=url).database_url == url


def test_open_cors_without_credentials_is_ones_own_choice() -> None:
    assert made(cors_origins="*").cors_origins == ["*"]


def test_a_bad_environment_ends_the_process_with_a_line_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("LOG_LEVEL", "secret")
    get_settings.cache_clear()
    with pytest.raises(SystemExit) as caught:
        get_settings()
    get_settings.cache_clear()
    lines = str(caught.value).split("\n")
    assert "settings: DATABASE_URL: is not set" in lines
    assert len(lines) == 2
    assert "secret" not in str(caught.value)


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    get_settings.cache_clear()
    assert get_settings() is get_settings()
    get_settings.cache_clear()


def test_env_example_lists_every_setting() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = re.findall(r"^(?:# )?([A-Z_]+)=", text, re.MULTILINE)
    assert listed == [name.upper() for name in Settings.model_fields]
