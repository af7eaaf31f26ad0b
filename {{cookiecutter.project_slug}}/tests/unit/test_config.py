"""Settings: how they are read, which are refused, and what the error says."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest

from src.core.config import Settings, explain, get_settings

ROOT = Path(__file__).parents[2]
URL = "postgresql+asyncpg://user:hidden@localhost/name"


def made(**given: Any) -> Settings:
    return Settings(**{"database_url": URL, **given})


def problems(**given: Any) -> list[str]:
    with pytest.raises(pydantic.ValidationError) as caught:
        made(**given)
    return explain(caught.value)


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[pytest.MonkeyPatch]:
    """The environment of production, in a directory where .env is read."""
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    monkeypatch.delenv("ENVIRONMENT")
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    yield monkeypatch
    get_settings.cache_clear()


def required() -> set[str]:
    """Return the settings that the tests had to set, in the environment."""
    return {name for name in Settings.model_fields if os.environ.get(name.upper())}


def start() -> list[str]:
    """Return the lines that end the start."""
    with pytest.raises(SystemExit) as caught:
        get_settings()
    return str(caught.value).split("\n")


def test_defaults_are_those_of_production() -> None:
    settings = made(environment="production")
    assert (settings.pool_size, settings.max_overflow) == (5, 10)
    assert settings.pool_pre_ping
    assert not settings.read_transactions
    assert settings.database_read_url is None
    assert settings.rate_limit == "10/minute"
    assert settings.cors_origins == []
    assert settings.log_level == "INFO"
    assert not settings.debug
    assert not settings.docs
    assert settings.json_logs


def test_development_has_no_rate_limits_and_lets_pages_of_the_machine_in() -> None:
    development = made(environment="development")
    assert not development.limits_rates
    for origin in ("http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"):
        assert re.fullmatch(str(development.cors_origin_regex), origin)
    for origin in ("http://localhost.evil.test", "http://evil.test/localhost"):
        assert not re.fullmatch(str(development.cors_origin_regex), origin)
    assert made(environment="development", rate_limit_enabled=True).limits_rates
    for environment in ("production", "test"):
        settings = made(environment=environment)
        assert settings.limits_rates
        assert settings.cors_origin_regex is None


def test_development_has_docs_and_console_logs() -> None:
    settings = made(environment="development")
    assert settings.docs
    assert not settings.json_logs
    assert not made(environment="development", docs_enabled=False).docs
    assert made(environment="production", docs_enabled=True).docs


@pytest.mark.parametrize(
    "origins",
    [
        "https://a.example, http://localhost:3000,",
        '["https://a.example", "http://localhost:3000"]',
        "https://A.Example:443,HTTP://localhost:3000",
    ],
)
def test_lists_are_written_with_commas_or_as_json(
    environment: pytest.MonkeyPatch, origins: str
) -> None:
    environment.setenv("CORS_ORIGINS", origins)
    environment.setenv("TRUSTED_PROXIES", "10.0.0.0/8,::1")
    settings = get_settings()
    assert settings.cors_origins == ["https://a.example", "http://localhost:3000"]
    assert settings.trusted_proxies == ["10.0.0.0/8", "::1"]


def test_an_empty_variable_means_the_default(environment: pytest.MonkeyPatch) -> None:
    default = get_settings()
    for name in Settings.model_fields.keys() - required():
        environment.setenv(name.upper(), "")
    get_settings.cache_clear()
    assert get_settings() == default


@pytest.mark.usefixtures("environment")
def test_an_empty_variable_in_the_file_means_the_default() -> None:
    default = get_settings()
    lines = [f"{name.upper()}=\n" for name in Settings.model_fields]
    Path(".env").write_text("".join(lines), encoding="utf-8-sig")
    get_settings.cache_clear()
    assert get_settings() == default


@pytest.mark.parametrize("level", ["warning", "Warning", "WARNING"])
def test_words_are_accepted_in_any_case(level: str) -> None:
    settings = made(log_level=level, environment="Production")
    assert (settings.log_level, settings.environment) == ("WARNING", "production")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("cors_origins", "example.com", "item 1 must be * or scheme://host"),
        ("cors_origins", "https://a.example,https://b.example/path", "item 2 must be"),
        ("cors_origins", "https://*.example.com", "scheme://host"),
        ("cors_origins", "https://a b", "scheme://host"),
        ("cors_origins", '["https://a.example"', "scheme://host"),
        ("cors_origins", '{"a": "https://a.example"}', "must be a valid list"),
        ("trusted_proxies", "anybody", "must be an IP address or a network"),
        ("rate_limit", "often", "10/minute"),
        ("rate_limit", "0/minute", "10/minute"),
        ("database_url", URL.replace("localhost", "localhost:99999"), "host"),
        ("database_url", URL.replace("localhost", "localhost:port"), "host"),
        ("database_url", "postgresql://localhost/name", "postgresql+asyncpg://"),
        ("database_url", "postgres://localhost/name", "instead of postgres://"),
        ("database_url", "postgresql+other://localhost/n", "postgresql+asyncpg://"),
        ("database_url", "nonsense", "postgresql+asyncpg://"),
        ("database_url", f"{URL}?sslmode=require", "called ssl here: ssl=require"),
        ("database_url", f"{URL}?options=x", "unknown option"),
        ("database_url", f"{URL}?port=first", "postgresql+asyncpg://"),
        ("database_url", f"{URL}?prepared_statement_cache_size=no", "asyncpg://"),
        ("database_read_url", "postgresql://localhost/name", "postgresql+asyncpg://"),
        ("redis_url", "http://localhost", "redis://"),
        ("redis_url", "redis://localhost:99999/0", "redis://"),
        ("redis_url", "redis://localhost:port/0", "redis://"),
        ("command_timeout", "inf", "less than or equal to 86400"),
        ("command_timeout", "nan", "less than or equal to 86400"),
        ("shutdown_delay", "inf", "less than or equal to 86400"),
        ("cors_headers", "X Tenant", "item 1 must be the name of a header"),
        ("root_path", "shop", "starts with a slash"),
        ("root_path", "/a//b", "starts with a slash"),
        ("log_level", "LOUD", "'DEBUG'"),
        ("port", "0", "greater than or equal to 1"),
        ("pool_size", "many", "integer"),
    ],
)
def test_invalid_values_are_refused(name: str, value: str, says: str) -> None:
    (line,) = problems(**{name: value})
    assert line.startswith(f"settings: {name.upper()}: ")
    assert says in line
    assert "hidden" not in line


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (
            {"cors_origins": "*", "cors_allow_credentials": True},
            "cors_allow_credentials",
        ),
        ({"debug": True}, "debug"),
        ({"database_url": URL.replace("hidden", "Password")}, "database_url"),
        ({"database_url": URL.replace("hidden", "user")}, "database_url"),
        (
            {"database_url": f"{URL}?password=secret".replace(":hidden", "")},
            "database_url",
        ),
        ({"database_read_url": URL.replace("hidden", "admin")}, "database_read_url"),
        ({"redis_url": "redis://:change-me@localhost/0"}, "redis_url"),
    ],
)
def test_unsafe_combinations_are_refused(given: dict[str, Any], name: str) -> None:
    (line,) = problems(environment="production", **given)
    assert line.startswith(f"settings: {name.upper()}: ")


@pytest.mark.parametrize(
    "query",
    [
        "ssl=require",
        "target_session_attrs=read-write",
        "host=a:5432&host=b:5433",
        "host=/var/run/postgresql&user=somebody",
        "prepared_statement_cache_size=0",
    ],
)
def test_the_url_may_have_options_of_the_driver(query: str) -> None:
    url = f"{URL}?{query}"
    assert made(database_url=url, database_read_url=url).database_read_url == url


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3"])
def test_networks_too_wide_to_trust_are_refused_in_production(network: str) -> None:
    given = f"10.0.0.0/8,{network}"
    assert made(environment="test", trusted_proxies=given).trusted_proxies[1] == network
    (line,) = problems(environment="production", trusted_proxies=given)
    assert line.startswith("settings: TRUSTED_PROXIES: item 2 ")


def test_private_networks_are_trusted_in_production() -> None:
    networks = ["10.0.0.0/8", "192.168.0.0/16", "fc00::/7", "2001:db8::1"]
    settings = made(environment="production", trusted_proxies=",".join(networks))
    assert settings.trusted_proxies == networks


def test_well_known_passwords_are_accepted_in_development() -> None:
    url = URL.replace("hidden", "postgres")
    assert made(environment="development", database_url=url).database_url == url


def test_any_origin_is_accepted_without_credentials() -> None:
    assert made(cors_origins="*").cors_origins == ["*"]


def test_invalid_settings_end_the_start_with_a_line_each(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.delenv("DATABASE_URL")
    environment.setenv("LOG_LEVEL", "LOUD")
    Path(".env").write_text(
        "PORT=99999\nLOG_LEVEL=INFO\nREDIS_URL=http://:top-secret@a\n", "utf-8"
    )
    database, *others, redis = sorted(start())
    assert database.startswith("settings: DATABASE_URL: is not set")
    level, port = others
    assert level.startswith("settings: LOG_LEVEL: must be '")
    assert level.endswith("(in the environment: 'LOUD')")
    assert port.startswith("settings: PORT: must be less than or equal to 65535")
    assert port.endswith("(in .env: '99999')")
    assert redis.endswith("(in .env)")
    assert "secret" not in redis


@pytest.mark.usefixtures("environment")
def test_a_file_that_is_not_utf8_ends_the_start_with_a_line() -> None:
    Path(".env").write_bytes("APP_NAME=Café\n".encode("latin-1"))
    (line,) = start()
    assert line.startswith("settings: .env: cannot be read as UTF-8: ")


@pytest.mark.usefixtures("environment")
def test_a_line_that_is_not_a_setting_ends_the_start_with_its_number() -> None:
    Path(".env").write_text("PORT=8001\nLOG_LEVEL INFO\n", encoding="utf-8")
    assert start() == ["settings: .env: line 2 is not NAME=value"]


@pytest.mark.usefixtures("environment")
def test_a_folder_instead_of_the_file_ends_the_start_with_a_line() -> None:
    Path(".env").mkdir()
    assert start() == ["settings: .env: is a folder; it must be a file"]


def test_additional_settings_follow_the_same_rules(
    environment: pytest.MonkeyPatch,
) -> None:
    class Own(Settings):
        own_key: str
        numbers: list[int] | None = None
        names: set[str] | None = None
        rates: dict[str, float] | None = None

    environment.setenv("OWN_KEY", "[a,b")
    environment.setenv("NUMBERS", "1, 2")
    environment.setenv("NAMES", '["a,b", "c"]')
    environment.setenv("RATES", '{"EUR": 1}')
    settings = Own()
    assert settings.own_key == "[a,b"
    assert settings.numbers == [1, 2]
    assert settings.names == {"a,b", "c"}
    assert settings.rates == {"EUR": 1}
    environment.setenv("NUMBERS", "1,two")
    environment.setenv("RATES", "EUR")
    environment.setenv("NAMES", "")
    environment.delenv("OWN_KEY")
    with pytest.raises(pydantic.ValidationError) as caught:
        Own()
    lines = explain(caught.value)
    assert [line.split(": ")[1] for line in lines] == ["OWN_KEY", "NUMBERS", "RATES"]


def test_a_check_of_several_settings_is_one_line() -> None:
    class Own(Settings):
        @pydantic.model_validator(mode="after")
        def _check(self) -> "Own":
            raise ValueError("POOL_SIZE must be below MAX_OVERFLOW")

    with pytest.raises(pydantic.ValidationError) as caught:
        Own(database_url=URL)
    assert explain(caught.value) == ["settings: POOL_SIZE must be below MAX_OVERFLOW"]


@pytest.mark.usefixtures("environment")
def test_settings_are_read_once() -> None:
    assert get_settings() is get_settings()


def test_env_example_lists_every_setting() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = re.findall(r"^(?:# )?([A-Z0-9_]+)=", text, re.MULTILINE)
    settings = {name.upper() for name in Settings.model_fields}
    assert settings - set(listed) == set(), "add them to .env.example"
    assert sorted(listed) == sorted(settings), "remove others from .env.example"
