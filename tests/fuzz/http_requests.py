"""Fuzz target: a stream of HTTP requests from an untrusted client.

Run in a separate process (``python -m tests.fuzz.http_requests FOLDER -max_total_time=60``):
atheris instruments the modules at import, and libFuzzer ends the process at the first finding.

The first byte of an input sets the chunk size in which the rest is fed. For any bytes:

* the reader raises nothing but ``RequestError``;
* it buffers no more bytes than its limits allow;
* the same bytes in one chunk give the same requests and the same error;
* h11 frames the accepted requests in the same way.
"""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

import atheris
import h11

with atheris.instrument_imports(include=["parlour.protocol"]):
    from parlour.protocol import chunked_body
    from parlour.protocol.http_request import RequestReader
    from parlour.protocol.request_head import RequestError

from parlour.vocabulary import limits

REQUESTS_MAX = 50
# A head and the bytes read ahead; a chunk is allocated and released as a whole.
BUFFERED_BYTES_MAX = (
    limits.URL_PATH_BYTES_MAX + limits.URL_QUERY_BYTES_MAX + limits.HEADER_BYTES_MAX
)


class Framed(NamedTuple):
    """One framed request: its head in bytes, its body, and whether that was complete."""

    method: bytes
    body: bytes
    is_complete: bool


class StreamResult(NamedTuple):
    """The result of reading a stream, and whether it was rejected at the end."""

    requests: list[Framed]
    is_refused: bool
    has_upgrade: bool


def read(stream: bytes, chunk_bytes: int) -> StreamResult:
    """Read a stream in chunks of a size. Asserts that the reader stays within its limits."""
    reader = RequestReader()
    requests: list[Framed] = []
    in_body = False
    body = b""
    start = 0
    waiting = b""
    try:
        while (waiting or start < len(stream)) and len(requests) < REQUESTS_MAX:
            data = waiting or stream[start : start + chunk_bytes]
            if not waiting:
                start += chunk_bytes
            waiting = b""
            if not in_body:
                if not reader.receive(data):
                    assert reader.buffered_bytes <= BUFFERED_BYTES_MAX + len(data), (
                        reader.buffered_bytes
                    )
                    continue
                if reader.wants_websocket:
                    return StreamResult(requests, is_refused=False, has_upgrade=True)
                in_body = True
                waiting = b"" if reader.is_complete else reader.trailing_data
            else:
                part = reader.take_body(data)
                assert len(part) <= len(data)
                body += part
                buffered_max = len(data) if reader.is_complete else buffered_of_line_max(reader)
                assert reader.buffered_bytes <= buffered_max, reader.buffered_bytes
            if reader.is_complete:
                requests.append(Framed(reader.method, body, is_complete=True))
                in_body, body = False, b""
                waiting = reader.start_next()
    except RequestError:
        if in_body:
            requests.append(Framed(reader.method, body, is_complete=False))
        return StreamResult(requests, is_refused=True, has_upgrade=False)
    if in_body:
        requests.append(Framed(reader.method, body, is_complete=False))
    return StreamResult(requests, is_refused=False, has_upgrade=False)


def buffered_of_line_max(reader: RequestReader) -> int:
    """Return how much of an unfinished line of a body may be buffered."""
    chunks = reader._chunks
    if chunks is None:
        return 0
    is_trailer = chunks._state == chunked_body._TRAILERS
    return limits.TRAILER_BYTES_MAX if is_trailer else limits.CHUNK_LINE_BYTES_MAX


def framed_by_h11(stream: bytes, count: int) -> list[Framed]:
    """Return the first requests of a stream as h11 frames them. Raises RemoteProtocolError.

    h11 accepts no blank lines before a request, which RFC 9112, section 2.2 asks of a server.
    """
    framed: list[Framed] = []
    while len(framed) < count:
        while stream.startswith(b"\r\n"):
            stream = stream[2:]
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 22)
        connection.receive_data(stream)
        request: Any = connection.next_event()
        assert isinstance(request, h11.Request), request
        body = b""
        event: Any = connection.next_event()
        while isinstance(event, h11.Data):
            body += event.data
            event = connection.next_event()
        framed.append(Framed(request.method, body, isinstance(event, h11.EndOfMessage)))
        stream = connection.trailing_data[0]
    return framed


def check(data: bytes) -> None:
    """Check all properties on one input."""
    if not data:
        return
    chunk_bytes, stream = data[0] + 1, data[1:]
    in_chunks = read(stream, chunk_bytes)
    whole = read(stream, len(stream) or 1)
    assert in_chunks.is_refused == whole.is_refused, (in_chunks, whole)
    complete = [each for each in whole.requests if each.is_complete]
    assert [each for each in in_chunks.requests if each.is_complete] == complete
    if whole.has_upgrade or not complete:
        return
    theirs = framed_by_h11(stream, len(complete))
    assert theirs == complete, (complete, theirs)


def plant_framing() -> None:
    """Let the reader accept anything after the size of a chunk."""
    chunked_body._SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8}).*\Z")  # type: ignore[misc]


def plant_bounds() -> None:
    """Remove the limits on lines of chunks and trailers."""
    chunked_body.ChunkedBody._count = lambda *_: None  # type: ignore[method-assign]


FAULTS = {
    "--planted-fault=framing": plant_framing,
    "--planted-fault=bounds": plant_bounds,
}


def main() -> None:
    """Fuzz until a limit on the command line, or until the first finding."""
    for argument, plant in FAULTS.items():
        if argument in sys.argv:
            sys.argv.remove(argument)
            plant()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
