"""One connection to an SMSC, with its session.

    state      becomes
    open       bound: the response to the bind has no error
               closed: any other response, or none
    bound      unbinding: `unbind`, or a request of the SMSC
               closed: a lost connection, no response to enquire_link, bytes that are no PDU
    unbinding  closed: the response, or a timeout
    closed     -

Memory is bounded: submissions by the window; inbound PDUs by their number, beyond which nothing is
read; bytes by the longest PDU; responses, since nothing is read while the SMSC reads none.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from parlour.channels.carrier import CarrierUnavailable
from parlour.channels.smpp import pdus
from parlour.channels.smpp.pace import Pace
from parlour.channels.smpp.submissions import (
    INVALID_BIND_STATUS,
    INVALID_LENGTH,
    OK,
    TEMPORARY_ERROR,
    UNKNOWN_COMMAND,
)
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.failure_log import failures_logged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.channels.smpp.carrier import SmppOptions
    from parlour.channels.smpp.pdus import SubmitPdu

log = structlog.get_logger()

_RECEIVES: Final = frozenset({pdus.BIND_RECEIVER, pdus.BIND_TRANSCEIVER})
_SENDS: Final = frozenset({pdus.BIND_TRANSMITTER, pdus.BIND_TRANSCEIVER})


class LinkFailed(Exception):  # noqa: N818 - an expected outcome.
    """The link was not opened: connection, TLS, or the SMSC's reason."""


class PendingDelivery:
    """One inbound PDU that waits for its response."""

    def __init__(self, link: SmppLink, command: int, sequence: int, pdu: bytes) -> None:
        self.pdu = pdu
        self._link = link
        self._command = command
        self._sequence = sequence
        self.is_answered = False

    def respond(self, status: int) -> bool:
        """Send the response, once. Return False if the SMSC cannot get it."""
        if self.is_answered:
            return False
        self.is_answered = True
        return self._link.write(pdus.build_response(self._command, self._sequence, status))


class SmppLink(asyncio.Protocol):
    """A session of one kind, on one connection.

    ``asyncio.Protocol`` calls ``connection_made``, ``data_received``, ``connection_lost``,
    ``pause_writing`` and ``resume_writing``. ``deliver`` processes an inbound message; it responds,
    or keeps the delivery to respond later; an exception is a temporary error.
    """

    def __init__(
        self, kind: int, options: SmppOptions, deliver: Callable[[PendingDelivery], Awaitable[None]]
    ) -> None:
        self.kind = kind
        self._options = options
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._pending: dict[int, asyncio.Future[tuple[int, bytes]]] = {}
        self._expected: dict[int, int] = {}
        self._window = asyncio.Semaphore(options.window)
        self._pace = Pace(options.messages_per_second)
        self._writable = asyncio.Event()
        self._writable.set()
        self._deliveries: set[asyncio.Task[None]] = set()
        self._keep_alive: asyncio.Task[None] | None = None
        self._sequence = 0
        self._last_received = self._loop.time()
        # Since when the SMSC reads nothing; None while it does.
        self._blocked_since: float | None = None
        self._is_reading = True
        self._reason = ""
        self.is_bound = False
        self.closed: asyncio.Future[str] = self._loop.create_future()

    # --- Of the owner ---------------------------------------------------------------------

    @property
    def can_send(self) -> bool:
        """Whether submissions are possible."""
        return self.is_bound and self.kind in _SENDS

    @property
    def in_flight(self) -> int:
        """The number of requests without a response."""
        return len(self._pending)

    async def bind(self) -> None:
        """Open the session. Raises LinkFailed; the connection is closed then."""
        options = self._options
        sequence = self._next_sequence()
        request = pdus.build_bind(
            self.kind,
            sequence,
            system_id=options.system_id,
            password=options.password,
            system_type=options.system_type,
        )
        try:
            status, _ = await self._request(self.kind, sequence, request)
        except CarrierUnavailable as error:
            self.abort("bind failed")
            raise LinkFailed(str(error)) from None
        if status != OK:
            self.abort("bind refused")
            raise LinkFailed(f"bind refused: {pdus.describe(status)}")
        if not self.closed.done():
            self._keep_alive = self._loop.create_task(self._enquire())

    async def submit(
        self, submission: SubmitPdu, require_lease: Callable[[], None] = lambda: None
    ) -> tuple[int, str]:
        """Send a submit_sm; return the status, and the SMSC's identifier of the message.

        Raises CarrierUnavailable if the outcome is unknown, ValueError for a field that does not
        fit into a PDU, and what ``require_lease`` raises: it is called after the waits for window,
        rate and connection.
        """
        async with self._window:
            if self.can_send:
                delay = self._pace.reserve(self._loop.time())
                if delay:
                    # A lost link ends the delay.
                    await asyncio.wait([self.closed], timeout=delay)
                await self._writable.wait()
            if not self.can_send:
                raise CarrierUnavailable(self._reason or "the link is closed")
            sequence = self._next_sequence()
            request = pdus.build_submit(submission, sequence)
            require_lease()
            status, body = await self._request(pdus.SUBMIT_SM, sequence, request)
            return status, pdus.parse_text(body)

    def slow_down(self) -> None:
        """Delay further submissions, because the SMSC throttled one."""
        self._pace.delay(self._loop.time() + limits.SMPP_THROTTLED_SECONDS)

    async def unbind(self) -> None:
        """End the session: wait for responses and messages in progress, for a bounded time."""
        if self.is_bound:
            self.is_bound = False
            in_progress: set[asyncio.Future[Any]] = {*self._pending.values(), *self._deliveries}
            if in_progress:
                await asyncio.wait(in_progress, timeout=limits.SMPP_DRAIN_SECONDS_MAX)
            sequence = self._next_sequence()
            request = pdus.build_header(pdus.UNBIND, sequence)
            try:
                async with asyncio.timeout(limits.SMPP_UNBIND_SECONDS_MAX):
                    await self._request(pdus.UNBIND, sequence, request)
            except (TimeoutError, CarrierUnavailable):
                log.debug("smpp_unbind_failed", peer=self._peer())
        self.abort("stopped")

    def abort(self, reason: str) -> None:
        """Close the connection at once."""
        self._reason = self._reason or reason
        self.is_bound = False
        if self._transport is not None:
            self._transport.abort()

    def write(self, pdu: bytes) -> bool:
        """Send a PDU. Return False if the connection is closed."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(pdu)
        return True

    # --- Requests -------------------------------------------------------------------------

    async def _request(self, command: int, sequence: int, request: bytes) -> tuple[int, bytes]:
        """Return status and body of the response. Raises CarrierUnavailable."""
        if not self.write(request):
            raise CarrierUnavailable(self._reason or "the link is closed")
        response: asyncio.Future[tuple[int, bytes]] = self._loop.create_future()
        self._pending[sequence] = response
        self._expected[sequence] = command | pdus.RESPONSE
        try:
            async with asyncio.timeout(self._options.response_seconds):
                return await response
        except TimeoutError:
            raise CarrierUnavailable("the SMSC does not respond") from None
        finally:
            del self._pending[sequence], self._expected[sequence]

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % pdus.SEQUENCE_MAX + 1
        return self._sequence

    async def _enquire(self) -> None:
        """Send enquire_link on an idle connection; without a response, close it."""
        interval = self._options.enquire_seconds
        while True:  # Ends with the connection.
            now = self._loop.time()
            if now - (self._blocked_since or now) >= self._options.response_seconds:
                self.abort("the SMSC reads nothing")
                return
            idle = now - self._last_received
            if idle < interval or self._must_pause():
                await asyncio.sleep(min(max(interval - idle, 1.0), self._options.response_seconds))
                continue
            sequence = self._next_sequence()
            request = pdus.build_header(pdus.ENQUIRE_LINK, sequence)
            try:
                await self._request(pdus.ENQUIRE_LINK, sequence, request)
            except CarrierUnavailable:
                self.abort("no response to enquire_link")
                return

    # --- Of the connection ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits for the SMSC."""
        self._reason = self._reason or (repr(exc) if exc else "closed by the SMSC")
        self.is_bound = False
        self._writable.set()
        if self._keep_alive is not None:
            self._keep_alive.cancel()
        for response in self._pending.values():
            if not response.done():
                response.set_exception(CarrierUnavailable(self._reason))
        if not self.closed.done():
            self.closed.set_result(self._reason)

    def pause_writing(self) -> None:
        """Stop submissions, and reading: each PDU may need a response."""
        self._writable.clear()
        self._blocked_since = self._loop.time()
        self._update_reading()

    def resume_writing(self) -> None:
        """Continue both."""
        self._blocked_since = None
        self._writable.set()
        self._read_buffer()

    def data_received(self, data: bytes) -> None:
        """Process the PDUs that are complete."""
        self._last_received = self._loop.time()
        self._buffer += data
        self._read_buffer()

    def _must_pause(self) -> bool:
        is_full = len(self._deliveries) >= limits.SMPP_DELIVERIES_AT_ONCE
        return is_full or not self._writable.is_set()

    def _update_reading(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._must_pause() == self._is_reading:
            self._is_reading = not self._is_reading
            if self._is_reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _read_buffer(self) -> None:
        place = 0
        while len(self._buffer) - place >= pdus.HEADER.size and not self._must_pause():
            length, command, status, sequence = pdus.HEADER.unpack_from(self._buffer, place)
            if not pdus.HEADER.size <= length <= limits.SMPP_PDU_BYTES_MAX:
                # The start of the next PDU is unknown.
                self._end(pdus.build_header(pdus.GENERIC_NACK, sequence, INVALID_LENGTH), "length")
                return
            if len(self._buffer) - place < length:
                break
            pdu = bytes(self._buffer[place : place + length])
            place += length
            if command & pdus.RESPONSE:
                self._receive_response(command, status, sequence, pdu)
            else:
                self._receive_request(command, sequence, pdu)
            if self.closed.done():
                return
        del self._buffer[:place]
        self._update_reading()

    def _receive_response(self, command: int, status: int, sequence: int, pdu: bytes) -> None:
        response = self._pending.get(sequence)
        is_expected = command in {self._expected.get(sequence), pdus.GENERIC_NACK}
        if response is None or response.done() or not is_expected:
            # Late, or to no request: the outcome is unknown to the sender already.
            log.debug("smpp_response_ignored", peer=self._peer(), command=command, status=status)
            return
        if command == pdus.GENERIC_NACK and status == OK:
            status = UNKNOWN_COMMAND
        if command == self.kind | pdus.RESPONSE and status == OK:
            # At once: the next PDU of the same read may be a message.
            self.is_bound = True
        response.set_result((status, pdu[pdus.HEADER.size :]))

    def _receive_request(self, command: int, sequence: int, pdu: bytes) -> None:
        if command in {pdus.DELIVER_SM, pdus.DATA_SM}:
            self._receive_message(PendingDelivery(self, command, sequence, pdu))
        elif command == pdus.ENQUIRE_LINK:
            self.write(pdus.build_response(command, sequence))
        elif command == pdus.UNBIND:
            self._end(pdus.build_response(command, sequence), "unbound by the SMSC")
        elif command not in {pdus.ALERT_NOTIFICATION, pdus.OUTBIND}:
            # The two have no response.
            self.write(pdus.build_header(pdus.GENERIC_NACK, sequence, UNKNOWN_COMMAND))

    def _receive_message(self, delivery: PendingDelivery) -> None:
        if not self.is_bound or self.kind not in _RECEIVES:
            delivery.respond(INVALID_BIND_STATUS)
            return
        task = self._loop.create_task(self._process(delivery))
        self._deliveries.add(task)
        task.add_done_callback(self._end_delivery)

    async def _process(self, delivery: PendingDelivery) -> None:
        with failures_logged("smpp_delivery_failed", Busy, Unavailable, peer=self._peer()):
            await self._deliver(delivery)
            return
        delivery.respond(TEMPORARY_ERROR)

    def _end_delivery(self, task: asyncio.Task[None]) -> None:
        was_paused = self._must_pause()
        self._deliveries.discard(task)
        if was_paused and not self.closed.done():
            self._read_buffer()

    def _end(self, last: bytes, reason: str) -> None:
        """Send a last PDU and close the connection once it is sent."""
        self._reason = self._reason or reason
        self.is_bound = False
        self._buffer.clear()
        self.write(last)
        if self._transport is not None:
            self._transport.close()

    def _peer(self) -> str:
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(peer)
