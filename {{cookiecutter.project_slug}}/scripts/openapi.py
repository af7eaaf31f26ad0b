"""Writes openapi.json, the committed document of the API: `make openapi`."""

import argparse
import gc
import sys
from collections.abc import Sequence

import orjson

from src.api.openapi import DOCUMENT, build_openapi
from src.core.config import Settings
from src.main import create_app


def render() -> str:
    """Return the document as text, with the settings of .env.example."""
    nowhere = "postgresql+asyncpg://localhost/none"
    example = DOCUMENT.with_name(".env.example")
    settings = Settings(
        _env_file=example, database_url=nowhere, environment="development"
    )
    app = create_app(settings)
    written = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(build_openapi(app), option=written).decode()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.openapi", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="only compare the file")
    options = parser.parse_args(arguments)
    gc.disable()  # with hundreds of entities, this saves a sixth of the time
    text = render()
    current = DOCUMENT.read_text("utf-8") if DOCUMENT.exists() else ""
    if options.check:
        print("up to date" if text == current else "outdated: make openapi")
        return 0 if text == current else 1
    if text != current:
        DOCUMENT.write_text(text, encoding="utf-8", newline="\n")
        print(f"wrote {DOCUMENT.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
