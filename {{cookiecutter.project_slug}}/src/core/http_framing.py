"""A strict parser for the framing of HTTP/1.1 requests (RFC 9112).

Messages that a proxy and the service could read differently are rejected: they make
request smuggling possible.
"""

import re

MAX_HEAD = 65_536  # bytes of a head; also of a chunk's size line and of the trailers

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*+\r\n"
_FIELDS = rb"(?:" + _TOKEN + rb":" + _VALUE + rb")*+"
_HEAD = re.compile(
    rb"(" + _TOKEN + rb") [\x21-\x7e]++ HTTP/1\.([01])\r\n" + _FIELDS + rb"\r\n"
)
# The fields that decide where a request ends, and whether its connection is closed.
_NAMES = rb"(?i:(host|content-length|transfer-encoding|connection|upgrade)):"
_DECISIVE = re.compile(rb"\r\n" + _NAMES + rb"([^\r]*)")
# Most requests: one Host, no body, and a connection that is kept open.
_OTHERS = (
    rb"(?:(?!" + _NAMES + rb")" + _TOKEN + rb":" + _VALUE
    + rb"|(?i:connection: keep-alive)\r\n)*+"
)  # fmt: skip
_PLAIN = re.compile(
    rb"(?!CONNECT )" + _TOKEN + rb" [\x21-\x7e]++ HTTP/1\.1\r\n" + _OTHERS
    + rb"(?i:host):" + _VALUE + _OTHERS + rb"\r\n"
)  # fmt: skip
_OFFERS = re.compile(rb"(?<=\n)(?:upgrade|http2-settings):[^\r]*\r\n", re.I)
_INVALID = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?<!\r)\n")

_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked(?=\r)", re.I)
_CLOSE = re.compile(rb"\r\nconnection: *close(?=\r)", re.I)

# The parts of a chunked body, each with its last bytes.
_SIZE = rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*+)?\r\n"
_FIRST_SIZE = (re.compile(_SIZE), b"\n")
_NEXT_SIZE = (re.compile(rb"\r\n" + _SIZE), b"\n")
_TRAILERS = (re.compile(_FIELDS + rb"\r\n"), b"\r\n\r\n")


class FramingError(Exception):
    """The message is not valid HTTP/1.1, or can be read in more than one way."""

    status, code = 400, "bad_request"


class TooLongError(FramingError):
    """A head, a chunk's size line or the trailers are longer than MAX_HEAD."""

    status, code = 431, "header_too_large"


class Body:
    """The body of a message: of a known length, or in chunks.

    Chunk extensions and trailers are checked and dropped.
    """

    def __init__(self, length: int | None) -> None:
        self._left = length or 0  # bytes of the body, or of the current chunk
        self._is_chunked = length is None
        self._next = _FIRST_SIZE if length is None else None
        self._pending = b""  # the beginning of a size line or of the trailers
        self.ended = False

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Split data into content of the body and what comes after the body."""
        data, self._pending = self._pending + data, b""
        content = []
        position = 0
        while position < len(data) and not self.ended:
            if self._left:
                content.append(data[position : position + self._left])
                position += len(content[-1])
                self._left -= len(content[-1])
            elif self._next is not None:
                position = self._take_line(data, position, *self._next)
            self.ended |= self._left == 0 and self._next is None
        return b"".join(content), data[position:] if self.ended else b""

    def framed(self, content: bytes) -> bytes:
        """Return content from `take` in the framing that uvicorn gets."""
        if not self._is_chunked:
            return content
        chunk = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
        return chunk + b"0\r\n\r\n" if self.ended else chunk

    def _take_line(
        self, data: bytes, position: int, pattern: re.Pattern[bytes], end: bytes
    ) -> int:
        """Read a size line, or the trailers; return where the next part begins."""
        match = pattern.match(data, position)
        if (match.end() if match else len(data)) - position > MAX_HEAD:
            raise TooLongError("The framing of the body is too long")
        if match is None:
            if data.find(end, position + 2) >= 0:
                raise FramingError("The chunks of the body are not valid")
            self._pending = data[position:]
            return len(data)
        if pattern is _TRAILERS[0]:
            self._next = None
        else:
            self._left = int(match[1], 16)
            self._next = _NEXT_SIZE if self._left else _TRAILERS
        return match.end()


class Head:
    """The head of a request in the form that uvicorn gets, and its meaning."""

    body: Body | None = None
    is_http_1_0 = False
    keeps_alive = False  # a connection of HTTP/1.0
    is_websocket = False

    def __init__(self, text: bytes) -> None:
        self.text = text


def read_head(text: bytes, *, websockets: bool) -> Head:
    """Check a head, from the request line to the empty line.

    An `Upgrade` is removed from it, unless it is a WebSocket handshake and `websockets`
    is true.
    """
    if _PLAIN.fullmatch(text):
        return Head(text)
    line = _HEAD.fullmatch(text)
    if line is None:
        raise FramingError("The request is not valid HTTP/1.1")
    method, minor = line.groups()
    hosts = 0
    length = coding = upgrade = None
    connection = b""
    for name, value in _DECISIVE.findall(text):
        name = name.lower()
        if name == b"host":
            hosts += 1
        elif name == b"connection":
            connection = value
        elif name == b"upgrade":
            upgrade = value
        elif length is not None or coding is not None:
            raise FramingError("The length of the body is ambiguous")
        elif name == b"content-length":
            length = value.strip(b" \t")
        else:
            coding = value.strip(b" \t")
    if method == b"CONNECT":
        raise FramingError("The service is not a proxy")
    if hosts != 1 and (hosts or minor == b"1"):
        raise FramingError("The request must have exactly one Host header")
    head = Head(text)
    if length is not None:
        if not length.isdigit() or len(length) > 18:
            raise FramingError("The Content-Length is not valid")
        head.body = Body(int(length)) if int(length) else None
    elif coding is not None:
        if coding.lower() != b"chunked" or minor == b"0":
            raise FramingError("The Transfer-Encoding must be chunked, with HTTP/1.1")
        head.body = Body(None)
    if upgrade is not None:
        head.is_websocket = (
            websockets
            and (method, minor, head.body) == (b"GET", b"1", None)
            and _options(upgrade) == [b"websocket"]
            and b"upgrade" in _options(connection)
        )
        if not head.is_websocket:  # ignored, as RFC 9110, 7.8 allows
            head.text = _OFFERS.sub(b"", text)
    if minor == b"0":
        head.is_http_1_0 = True
        head.keeps_alive = hosts == 1 and b"keep-alive" in _options(connection)
        if head.keeps_alive:  # uvicorn does so for HTTP/1.1 only
            head.text = head.text.replace(b" HTTP/1.0\r\n", b" HTTP/1.1\r\n", 1)
    return head


def check_beginning(text: bytes) -> None:
    """Raise FramingError if the beginning of a head is already invalid."""
    if _INVALID.search(text):
        raise FramingError("The request is not valid HTTP/1.1")


def answer_head_for_http_1_0(answer: bytes, request: Head) -> tuple[bytes, Body | None]:
    """Return the head of a response for an HTTP/1.0 client, which knows no chunks.

    If the response is chunked, the second value decodes its body.
    """
    if _CHUNKED.search(answer):
        return _CHUNKED.sub(b"", answer), Body(None)
    if request.keeps_alive and not _CLOSE.search(answer):
        answer = answer[:-2] + b"connection: keep-alive\r\n\r\n"
    return answer, None


def _options(value: bytes) -> list[bytes]:
    return [option.strip() for option in value.lower().split(b",")]
