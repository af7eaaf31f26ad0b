"""Writes openapi.json, the committed document of the API: `make openapi`."""

import argparse
import gc
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import orjson

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "openapi.json"
MISSING = (
    "openapi: {importer}: {problem}; if the file was removed, restore it with git, or "
    "remove what uses it"
)


def render() -> str:
    """Return the document as text, with the settings of .env.example."""
    # Imported here, so that a missing module of the service is one line, not a traceback.
    from src.api.openapi import build_openapi
    from src.core.config import Settings
    from src.main import create_app

    nowhere = "postgresql+asyncpg://localhost/none"
    example = DOCUMENT.with_name(".env.example")
    settings = Settings(
        _env_file=example, database_url=nowhere, environment="development"
    )
    app = create_app(settings)
    written = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(build_openapi(app), option=written).decode()


def explain(error: ImportError) -> str:
    """Return one line for a module of the service that does not exist."""
    files = [
        Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)
    ]
    ours = [path.relative_to(ROOT) for path in files if path.is_relative_to(ROOT)]
    problem = str(error).partition(" (")[0]
    return MISSING.format(importer=ours[-1].as_posix(), problem=problem)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.openapi", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="only compare the file")
    options = parser.parse_args(arguments)
    gc.disable()  # with hundreds of entities, this saves a sixth of the time
    try:
        text = render()
    except ImportError as error:
        if "'src." not in str(error) or "circular import" in str(error):
            raise
        print(explain(error), file=sys.stderr)
        return 1
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
