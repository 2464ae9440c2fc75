"""One head of an HTTP/1.1 request: parsing by llhttp, and semantics (RFC 9112).

Ambiguous requests are rejected: bare CR or LF, obs-fold, a space before the colon, NUL,
several or malformed Content-Length, Transfer-Encoding together with Content-Length, in HTTP/1.0,
or other than ``chunked`` alone; no Host or several. llhttp in its strict mode refuses most of
them; the rest is checked here.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from parlour.protocol.header_block import HeaderBlock
from parlour.vocabulary import limits

URL_BYTES_MAX: Final = limits.URL_PATH_BYTES_MAX + limits.URL_QUERY_BYTES_MAX
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#@]+)(/[^?#]*)?(?:\?([^#]*))?\Z", re.IGNORECASE)
_MUST_BE_SINGLE: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})
# Lists: all lines count. Of any other header only the first line counts.
_LISTS: Final = frozenset(
    {b"connection", b"upgrade", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto"}
)
_LENGTH_DIGITS_MAX: Final = 18

CHUNKED: Final = -1
"""The ``length`` of a body whose length is not known in advance."""


class RequestError(Exception):
    """The request is malformed or forbidden; no byte after it is read.

    ``status`` is the response's status; the text, for the log, is the defect.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class ParsedHead:
    """A head as llhttp reports it. The parser calls the ``on_…`` methods.

    The parser refers to this object, and this object not to the parser: a cycle would keep both
    until the next garbage collection.
    """

    __slots__ = ("header_count", "headers", "heads", "is_ambiguous", "repeated", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.repeated: list[tuple[bytes, bytes]] = []
        self.header_count = 0
        self.heads = 0
        """The number of complete heads; more than one: llhttp has parsed a second request."""
        self.is_ambiguous = False

    def on_url(self, target: bytes) -> None:
        """Append a part of the target."""
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header. An exception ends the parsing."""
        self.header_count += 1
        if self.header_count > limits.HEADERS_MAX:
            # At once: the objects of a tiny header take 30 times its bytes.
            raise RequestError("too many headers", 431)
        name = name.lower()
        headers = self.headers
        if name not in headers:
            headers[name] = value.rstrip(b" \t")
            return
        self.repeated.append((name, value.rstrip(b" \t")))
        if name in _MUST_BE_SINGLE:
            self.is_ambiguous = True
        elif name in _LISTS:
            headers[name] += b"," + value

    def on_headers_complete(self) -> None:
        """Count the heads."""
        self.heads += 1


class Target(NamedTuple):
    """The parts of a request target; ``host`` is None unless the target is absolute."""

    path: str
    query: bytes
    host: bytes | None = None


def split_target(method: bytes, target: bytes) -> Target:
    """Return the parts of a request target. Raises RequestError."""
    if len(target) > URL_BYTES_MAX:
        raise RequestError("URL too long", 414)
    if b"#" in target or method == b"CONNECT":
        raise RequestError("invalid target")
    if target[:1] == b"/" or target == b"*":
        path, _, query = target.partition(b"?")
        return Target(path.decode("latin-1"), query)
    # The absolute form: its host counts, and not the header (RFC 9112, section 3.2.2).
    match = _ABSOLUTE.match(target)
    if match is None:
        raise RequestError("invalid target")
    return Target((match[2] or b"/").decode("latin-1"), match[3] or b"", match[1])


def header_block(parsed: ParsedHead, version: str) -> HeaderBlock:
    """Return the headers and their framing. Raises RequestError."""
    headers = parsed.headers
    is_http_1_0 = version == "1.0"
    if not is_http_1_0:
        if version != "1.1":
            raise RequestError("unsupported version")
        if b"host" not in headers:
            raise RequestError("no Host")
    closes = b"connection" in headers and has_word(headers[b"connection"], b"close")
    expects = b"expect" in headers and headers[b"expect"].lower() == b"100-continue"
    return HeaderBlock(
        headers,
        parsed.repeated,
        length=_body_length(headers, is_http_1_0=is_http_1_0),
        keep_alive=not closes and not is_http_1_0,
        expects_continue=expects and not is_http_1_0,
    )


def _body_length(headers: dict[bytes, bytes], *, is_http_1_0: bool) -> int:
    """Return the length of the body, or CHUNKED."""
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is None and length is None:
        return 0
    if coding is None:
        assert length is not None
        if not length.isdigit() or len(length) > _LENGTH_DIGITS_MAX:
            raise RequestError("invalid Content-Length")
        return int(length)
    if length is not None or is_http_1_0 or coding.lower() != b"chunked":
        raise RequestError("invalid Transfer-Encoding")
    return CHUNKED


def has_word(value: bytes, word: bytes) -> bool:
    """Return whether a comma-separated header has this word."""
    value = value.lower()
    return value == word or word in {each.strip(b" \t") for each in value.split(b",")}
