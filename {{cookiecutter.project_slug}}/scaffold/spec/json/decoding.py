"""Decodes the bytes of a spec: UTF-8 with or without a BOM; names other encodings."""

import codecs

from scaffold.spec.json.syntax_errors import SourceError

MAX_BYTES = 2 * 1024 * 1024

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class EncodingError(SourceError):
    """The bytes are not UTF-8; `readable` is the text before them, `at` its length."""

    def __init__(self, readable: str, message: str) -> None:
        super().__init__(len(readable), message)
        self.readable = readable


def decode(data: bytes) -> str:
    """Return the text of the file; raise EncodingError at the first invalid byte."""
    if len(data) > MAX_BYTES:
        limit = f"{MAX_BYTES // 1024 // 1024} MiB"
        raise EncodingError("", f"the file is larger than {limit}, the limit")
    if name := _other_encoding(data):
        raise EncodingError("", f"the file is {name}, not UTF-8; save it as UTF-8")
    body = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(body, error.start, len(data) - len(body)) from None
    if not text.strip(" \t\r\n"):
        raise EncodingError("", 'the file is empty; it must have {"entities": [...]}')
    return text


def _other_encoding(data: bytes) -> str | None:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    # JSON begins with an ASCII character: NUL bytes next to it mean UTF-16 or UTF-32.
    zeros = data[:4].count(0)
    begins_like_json = data.lstrip(b"\0")[:1] in (b"{", b"[", b'"', b" ", b"\t", b"\n")
    if begins_like_json and zeros in (2, 3):
        return "UTF-32" if zeros == 3 else "UTF-16"
    return None


def _not_utf8(body: bytes, start: int, skipped: int) -> EncodingError:
    byte = body[start]
    guess = ""
    if byte >= 0xA0:
        guess = f" (in Latin-1 it would be {chr(byte)!r})"
    return EncodingError(
        body[:start].decode("utf-8"),
        f"byte 0x{byte:02X} at offset {start + skipped} is not UTF-8{guess}; "
        "save the file as UTF-8",
    )
