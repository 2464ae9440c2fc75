"""Parses whole streams of requests, as a connection would."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from parlour.protocol.http_request import RequestReader
from parlour.protocol.request_head import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = b"Host: a\r\n"


class ParsedRequest(NamedTuple):
    """One parsed request."""

    method: bytes
    target: tuple[str, bytes]
    headers: tuple[tuple[bytes, bytes], ...]
    keep_alive: bool
    body: bytes


def read(
    pieces: list[bytes], make_reader: Callable[[], RequestReader] = RequestReader
) -> tuple[list[ParsedRequest], int]:
    """Return the requests parsed from these chunks, and the status that ended the stream, or 0."""
    reader = make_reader()
    found: list[ParsedRequest] = []
    body: bytearray | None = None
    for piece in pieces:
        data = piece
        while data:
            try:
                if body is None:
                    if not reader.receive(data):
                        break
                    body, data = bytearray(), reader.trailing_data
                if not reader.is_complete and data:
                    body += reader.take_body(data)
                    data = reader.trailing_data
            except RequestError as error:
                return found, error.status
            if not reader.is_complete:
                break
            headers = tuple(sorted(reader.headers.items()))
            target = reader.path, reader.query
            found.append(
                ParsedRequest(reader.method, target, headers, reader.keep_alive, bytes(body))
            )
            body, data = None, reader.start_next()
    return found, 0


def head(*lines: bytes, start: bytes = b"POST / HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: a", *lines, b"", b""])
