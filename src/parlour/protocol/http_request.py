"""Framing of HTTP/1.1 requests (RFC 9112) on one connection: no socket, no clock.

The reader finds the end of a head itself and passes exactly the head to the parser (llhttp): one
that continued into the body would also parse pipelined requests. One parser serves one head
(request_head.py). Bodies are decoded without it.

States of the requests of a connection, with the bound of the buffer in each.

========  ===================================  =================  ================================
state     takes                                next state         buffered at most
========  ===================================  =================  ================================
IDLE      blank lines (CRLF), the first bytes  HEAD, HEAD_DONE    nothing; blank lines are counted:
          of a head                                               ``BLANK_LINE_BYTES_MAX``
HEAD      more of a head                       HEAD_DONE          the head, 414 or 431 above
                                                                  ``URL_*`` + ``HEADER_BYTES_MAX``
HEAD_DONE ``take_body``; ``start_next`` at     BODY, DONE         the head
          once where there is no body
BODY      bytes of the body                    DONE               nothing: the body is the caller's
DONE      ``start_next``                       IDLE               ``trailing_data``
any       anything against the rules           (no more reads)    nothing
========  ===================================  =================  ================================

The caller sets the timeouts: one for IDLE, one for HEAD, one for BODY.

A head with exactly the header bytes of an earlier request needs no parser: headers are cached
(header_block.py), and ``_PLAIN_LINE`` matches only request lines that llhttp accepts as well.
"""

from __future__ import annotations

import re
from typing import Final

import httptools

from parlour.protocol.chunked_body import ChunkedBody, ChunkError
from parlour.protocol.header_block import NO_HEADERS, HeaderBlock, HeaderBlockCache
from parlour.protocol.request_head import (
    CHUNKED,
    URL_BYTES_MAX,
    ParsedHead,
    RequestError,
    has_word,
    header_block,
    split_target,
)
from parlour.vocabulary import limits

_END: Final = b"\r\n\r\n"
_REQUEST_LINE_BYTES_MAX: Final = URL_BYTES_MAX + limits.REQUEST_LINE_FRAME_BYTES_MAX
_PLAIN_LINE: Final = re.compile(
    rb'(GET|POST|DELETE) (/[!-"$->@-~]*)(?:\?([!-"$-~]*))? HTTP/1\.1',
)
_LAST_BLANK: Final = 0x20


class RequestReader:
    """Reads the requests of a connection, one at a time.

    After ``receive`` has returned True these describe the request: ``method``, ``path`` (not
    decoded), ``query``, ``block`` with its headers, ``length`` of the body,
    and ``head``, its bytes.
    """

    __slots__ = (
        "_blank_bytes",
        "_blocks",
        "_buffer",
        "_chunks",
        "_left",
        "_parsed",
        "_parser",
        "block",
        "expects_continue",
        "head",
        "headers",
        "is_complete",
        "is_http_1_0",
        "keep_alive",
        "length",
        "method",
        "path",
        "query",
        "trailing_data",
    )

    def __init__(self, blocks: HeaderBlockCache | None = None) -> None:
        """``blocks``: the cache that the connections of a process share."""
        self._blocks = HeaderBlockCache() if blocks is None else blocks
        self._blank_bytes = 0
        self._buffer: bytearray | None = None
        self._parser: httptools.HttpRequestParser | None = None
        self._parsed: ParsedHead | None = None
        self._chunks: ChunkedBody | None = None
        self._left = 0
        self.trailing_data = b""
        """Bytes that were received after the head, the body, or the request."""
        self.head = b""
        self.block = NO_HEADERS
        self.headers: dict[bytes, bytes] = {}
        self.method = b""
        self.path = ""
        self.query = b""
        self.length = 0
        self.keep_alive = True
        self.is_http_1_0 = False
        self.expects_continue = False
        self.is_complete = False

    # --- Heads --------------------------------------------------------------------------------

    @property
    def is_in_head(self) -> bool:
        """Whether a head was received in part."""
        return self._buffer is not None

    @property
    def head_start(self) -> bytes:
        """The first bytes of a head that is incomplete, or was received last."""
        buffer = self.head if self._buffer is None else self._buffer
        return bytes(buffer[: limits.REQUEST_LINE_FRAME_BYTES_MAX + limits.HOST_NAME_CHARS_MAX])

    @property
    def buffered_bytes(self) -> int:
        """The number of received bytes that are buffered."""
        in_head = 0 if self._buffer is None else len(self._buffer)
        in_line = 0 if self._chunks is None else self._chunks.buffered_bytes
        return len(self.trailing_data) + in_head + in_line

    @property
    def parsed_bytes(self) -> int:
        """The memory of the headers of an incomplete head."""
        if self._buffer is None:
            return 0
        count = 0 if self._parsed is None else self._parsed.header_count
        return len(self._buffer) + limits.HEADER_OBJECT_BYTES * count

    def receive(self, data: bytes) -> bool:
        """Parse bytes of a head; return True once it is complete. Raises RequestError."""
        if self._buffer is not None:
            return self._receive_more(self._buffer, data)
        if data[0] <= _LAST_BLANK:
            data = self._without_blank_lines(data)
            if not data:
                return False
        end = data.find(_END) + len(_END)
        if end < len(_END):
            self._buffer = bytearray()
            return self._receive_more(self._buffer, data)
        if end == len(data):
            self.trailing_data = b""
            self._end_head(data, data)
        else:
            self.trailing_data = data[end:]
            head = data[:end]
            self._end_head(head, head)
        return True

    def _receive_more(self, buffer: bytearray, data: bytes) -> bool:
        """Parse bytes of a head that arrives in several parts."""
        if buffer == b"\r":  # The first half of a CRLF.
            self._buffer = None
            return self.receive(b"\r" + data)
        before = len(buffer)
        buffer += data
        end = buffer.find(_END, max(0, before - len(_END) + 1)) + len(_END)
        if end >= len(_END):
            self.trailing_data = data[end - before :]
            self._buffer = None
            self._end_head(bytes(buffer[:end]), data[: end - before])
            return True
        line = buffer.find(b"\r\n")
        if (len(buffer) if line < 0 else line) > _REQUEST_LINE_BYTES_MAX:
            raise RequestError("URL too long", 414)
        if line >= 0 and len(buffer) - line > limits.HEADER_BYTES_MAX:
            raise RequestError("headers too large", 431)
        self._parse(data)
        return False

    def _without_blank_lines(self, data: bytes) -> bytes:
        """Return the bytes after blank lines, which old clients send after a body."""
        start = 0
        while data.startswith(b"\r\n", start):
            start += 2
            self._blank_bytes += 2
            if self._blank_bytes > limits.BLANK_LINE_BYTES_MAX:
                raise RequestError("blank lines")
        data = data[start:]
        if data == b"\r":
            self._buffer = bytearray(data)
            return b""
        if data and data[0] <= _LAST_BLANK:
            raise RequestError("no request line")
        return data

    def _parse(self, data: bytes) -> None:
        parser, parsed = self._parser, self._parsed
        if parser is None or parsed is None:
            parsed = self._parsed = ParsedHead()
            parser = self._parser = httptools.HttpRequestParser(parsed)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # The head is complete; what follows is another protocol's.
        except httptools.HttpParserError as error:
            status = 431 if parsed.header_count > limits.HEADERS_MAX else 400
            raise RequestError(str(error), status) from None

    def _end_head(self, head: bytes, unparsed: bytes) -> None:
        """Complete a head; the parser has all but its end."""
        self.head = head
        line = head.index(b"\r\n")
        if line > _REQUEST_LINE_BYTES_MAX:
            raise RequestError("URL too long", 414)
        if len(head) - line - len(_END) > limits.HEADER_BYTES_MAX:
            raise RequestError("headers too large", 431)
        self._blank_bytes = 0
        if unparsed is head and line <= URL_BYTES_MAX and self._take_known(head, line):
            return
        self._parse(unparsed)
        parser, parsed = self._parser, self._parsed
        self._parser = self._parsed = None
        assert parser is not None
        assert parsed is not None
        method, target, version = parser.get_method(), parsed.target, parser.get_http_version()
        # The parser must have read exactly this line: it accepts "GET /", LF as HTTP/0.9.
        is_same = head[:line] == b"%s %s HTTP/%s" % (method, target, version.encode())
        if not is_same or parsed.heads != 1 or parsed.is_ambiguous:
            raise RequestError("invalid head")
        self.method = method
        self.path, self.query, host = split_target(method, target)
        if host is not None and b"host" in parsed.headers:
            parsed.headers[b"host"] = host
        self.is_http_1_0 = version == "1.0"
        self._take_block(header_block(parsed, version))
        if target[:1] == b"/" and not self.is_http_1_0 and b"upgrade" not in self.headers:
            self._blocks.add(head[line:], self.block)

    def _take_known(self, head: bytes, line: int) -> bool:
        """Use the cached block of a head with a plain request line; return False without one."""
        block = self._blocks.find(head[line:])
        if block is None:
            return False
        match = _PLAIN_LINE.fullmatch(head, 0, line)
        if match is None:
            return False
        self.method, path, query = match.groups()
        self.path = path.decode("latin-1")
        self.query = query or b""
        self.is_http_1_0 = False
        self._take_block(block)
        return True

    def find_cached_request(self, data: bytes) -> HeaderBlock | None:
        """Return the cached block if data is exactly one complete request; else None."""
        end = data.find(_END) + len(_END)
        line = data.find(b"\r\n")
        if not 0 < line <= URL_BYTES_MAX or end < len(_END):
            return None
        block = self._blocks.find(data[line:end])
        if block is None or block.length != len(data) - end or block.expects_continue:
            return None
        return block if _PLAIN_LINE.fullmatch(data, 0, line) else None

    def take_cached_request(self, block: HeaderBlock) -> None:
        """Consume the request that ``find_cached_request`` found, in order to refuse it."""
        self._take_block(block)
        self.is_complete = True
        self.trailing_data = b""
        self._blank_bytes = 0

    def _take_block(self, block: HeaderBlock) -> None:
        """Set the framing and the connection options of the headers."""
        self.block = block
        self.headers = block.fields
        self.keep_alive = block.keep_alive
        self.expects_continue = block.expects_continue
        length = self.length = self._left = block.length
        self.is_complete = length == 0
        if length == CHUNKED:
            self._chunks = ChunkedBody()

    @property
    def wants_websocket(self) -> bool:
        """Whether the request is a WebSocket handshake; only a GET can be one."""
        headers = self.headers
        return (
            b"upgrade" in headers
            and self.method == b"GET"
            and not self.is_http_1_0
            and headers[b"upgrade"].lower() == b"websocket"
            and has_word(headers.get(b"connection", b""), b"upgrade")
        )

    # --- Bodies -------------------------------------------------------------------------------

    def take_body(self, data: bytes) -> bytes:
        """Return the part of the body that is in these bytes. Raises RequestError.

        ``is_complete`` is set with the last part; ``trailing_data`` is the data after the body.
        """
        assert not self.is_complete
        if self._chunks is None:
            left = self._left = self._left - len(data)
            if left > 0:
                self.trailing_data = b""
                return data
            self.is_complete = True
            self.trailing_data = data[len(data) + left :]
            return data[:left] if left else data
        try:
            body = self._chunks.decode(data)
        except ChunkError as error:
            raise RequestError(str(error)) from None
        self.is_complete = self._chunks.is_complete
        self.trailing_data, self._chunks.trailing_data = self._chunks.trailing_data, b""
        return body

    @property
    def remaining_bytes(self) -> int | None:
        """The number of bytes of the body not received yet; None if unknown."""
        return max(0, self._left) if self._chunks is None else None

    def clear(self) -> None:
        """Drop all buffered bytes: the head is incomplete, or already answered."""
        self._parser = self._parsed = None
        self._buffer = None
        self.head = self.query = self.trailing_data = b""
        self.path = ""
        self.block = NO_HEADERS
        self.headers = NO_HEADERS.fields

    def start_next(self) -> bytes:
        """Start the next request, and return its received bytes, for ``receive``."""
        assert self.is_complete
        rest = self.trailing_data
        self.clear()  # An idle connection buffers no bytes.
        self._chunks = None
        self.is_complete = False
        return rest
