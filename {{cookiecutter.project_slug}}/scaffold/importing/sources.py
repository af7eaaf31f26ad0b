"""What can be imported, by how a source is named."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scaffold.importing.found import Found, SourceError

MEGABYTE = 1024 * 1024
MAX_DUMP, MAX_SCHEMA = 100, 4  # megabytes
KNOWN = (
    "a postgresql:// URL, a .sql, .prisma or .jdl file, or a folder of .prisma files"
)
MISSING = 'FROM is empty; name what to import: make import FROM="…", with {}'
_URL = re.compile(r"(\w+)(\+\w+)?://")
_BINARY = {
    b"PGDMP": "a dump that is not text; run pg_restore --schema-only --file dump.sql",
    b"\x1f\x8b": "compressed; run gunzip",
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
}
_DRIVERS = ("postgresql", "postgres")


@dataclass(frozen=True)
class Source:
    """Something to import; `name` is what messages call it, without a password."""

    name: str
    read: Callable[[], Found]


def find(words: str) -> Source:
    """Return the source that a person named."""
    if not words.strip():
        raise SourceError(MISSING.format(KNOWN))
    if url := _URL.match(words):
        return _database(words, url[1])
    path = Path(words)
    if not path.exists():
        raise SourceError(f"{words} does not exist; name {KNOWN}")
    if path.is_dir() or path.suffix == ".prisma":
        return _prisma(path)
    if path.suffix in (".jdl", ".jh"):
        return _jdl(path)
    if path.suffix == ".sql":
        return _sql(path)
    raise SourceError(f"{words}: cannot import this; name {KNOWN}")


def _database(url: str, scheme: str) -> Source:
    if scheme not in _DRIVERS:
        raise SourceError(f"a {scheme} URL cannot be imported; name {KNOWN}")
    from scaffold.importing.postgresql import connection

    return Source(connection.without_password(url), lambda: connection.read(url))


def _prisma(path: Path) -> Source:
    from scaffold.importing.prisma import schema

    files = [path]
    if path.is_dir():
        files = sorted(path.rglob("*.prisma"))
        if not files:
            raise SourceError(f"{path}: the folder has no .prisma file")
    return Source(
        path.name, lambda: schema.read({str(file): text(file) for file in files})
    )


def _jdl(path: Path) -> Source:
    from scaffold.importing.jdl import schema

    return Source(path.name, lambda: schema.read(str(path), text(path)))


def _sql(path: Path) -> Source:
    from scaffold.importing.sql import execution

    return Source(path.name, lambda: execution.read(path, text(path, MAX_DUMP)))


def text(path: Path, limit: int = MAX_SCHEMA) -> str:
    """Return the content of a file, without a byte order mark."""
    try:
        if path.stat().st_size > limit * MEGABYTE:
            what = f"{path}: larger than {limit} MB"
            raise SourceError(f"{what}; import the schema only, without data")
        data = path.read_bytes()
        for start, what in _BINARY.items():
            if data.startswith(start):
                raise SourceError(f"{path}: {what}")
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        what = f"{path}: not UTF-8 (byte {error.start})"
        raise SourceError(f"{what}; save it as UTF-8") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
