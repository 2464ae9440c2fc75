"""Lingering close, and the rest of a body after its response: DRAIN and LINGER.

A request may be answered before its body was read. If the connection can continue after the body,
the body is discarded (DRAIN) and the next request follows. Otherwise the connection is closed, but
not at once: a connection that is closed while the client sends is reset, and the response is lost.
So data of the client is discarded for some time (LINGER, nginx' ``lingering_close``).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from parlour.http.body_reader import BodyReader
from parlour.http.connection_states import DRAIN, LINGER
from parlour.protocol.request_head import RequestError
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.http.connections import HttpConnections


class LingeringClose(BodyReader):
    """The part of a connection that discards the unread rest of a body."""

    __slots__ = ("_discarded_bytes",)

    def __init__(self, shared: HttpConnections) -> None:
        super().__init__(shared)
        self._discarded_bytes = 0

    @abstractmethod
    def _next_request(self) -> None:
        """Expect the next request."""

    def _drain(self) -> None:
        """Discard the rest of the body, then continue with the next request."""
        # The buffered part is discarded last: it may complete the body, which ends this state.
        self._state = DRAIN
        self._discarded_bytes = 0
        self._set_deadline(self._shared.now + limits.REQUEST_SECONDS_MAX)
        self._resume_reading()
        ahead = self._release_request()
        if ahead:
            self._discard_body(ahead)

    def _discard_body(self, data: bytes) -> None:
        reader = self._reader
        self._discarded_bytes += len(data)
        try:
            reader.take_body(data)
        except RequestError:
            self._linger(is_broken=True)
            return
        if reader.is_complete and self._state == LINGER:
            self._close()
        elif reader.is_complete:
            self._read_ahead = reader.trailing_data
            self._next_request()
        # A chunked body has no declared length, so its limit is enforced here.
        elif self._discarded_bytes > limits.BODY_BYTES_MAX and self._state == DRAIN:
            self._linger(is_broken=True)

    def _linger(self, *, is_broken: bool) -> None:
        """Close after the end of the body, or after the client's end of file.

        ``is_broken``: the end of the body cannot be found, so only the write side is closed and
        the client sees the end of the response.
        """
        if self._state != LINGER:  # The body may break later.
            self._state = LINGER
            self._set_deadline(self._shared.now + limits.LINGER_SECONDS_MAX)
        ahead = self._release_request()
        self._resume_reading()
        if not is_broken and not self._reader.is_complete:
            if ahead:
                self._discard_body(ahead)
            return
        if self.scheme == "https":  # TLS has no half-close.
            self._close(limits.LINGER_SECONDS_MAX)
            return
        self._reader.is_complete = True  # Discard all further data.
        self._transport.write_eof()
