"""The SMTP server for inbound mail. It relays nothing: it accepts recipients in own domains only.

A mail is acknowledged (250) once everything in it is stored. States of one transaction:

| state | response | afterwards |
|---|---|---|
| peer outside the allowed networks, or too many connections | 554, 421 | closed |
| recipient in another domain | 550 | the peer bounces it |
| too many mails at once | 451 | the peer retries |
| refused: a bound exceeded, no sender, no number of this server | 550 | the peer bounces it |
| dropped: automatic mail | 250 | logged |
| stored | 250 | processed by the inbox |
| not stored, for any other reason | 451 | the peer retries; the inbox recognises what it has |
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiosmtpd.smtp import SMTP

from parlour.channels.carrier import InboundRefused
from parlour.channels.email import header_text
from parlour.channels.email.incoming import MailEnvelope, OwnAddresses, ReadMail, read_mail
from parlour.channels.email.mail_content import MailContent
from parlour.vocabulary import limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from aiosmtpd.smtp import Envelope, Session

    from parlour.channels.carrier import CarrierSink, InboundMessage

_log: Final = structlog.get_logger()

ACCEPTED: Final = "250 2.0.0 Accepted"
_RETRY: Final = "451 4.3.0 Not stored, try again later"
_BUSY: Final = "451 4.3.2 Too many mails at once, try again later"
_NO_RELAY: Final = "550 5.7.1 Relaying is not allowed"
_TOO_MANY_RECIPIENTS: Final = "452 4.5.3 Too many recipients"
_NO_RECIPIENT: Final = "503 5.5.1 RCPT is missing"
_NO_ARGUMENT: Final = "501 5.5.4 Syntax: DATA"
_NOT_ALLOWED: Final = b"554 5.7.1 This server does not accept mail from your address\r\n"
_TOO_MANY_CONNECTIONS: Final = b"421 4.7.0 Too many connections, try again later\r\n"
_COMMANDS_MAX: Final = {"*": 1000}

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Listener:
    """Listens for SMTP, and passes what it reads to the sink of its carrier."""

    def __init__(
        self,
        carrier: str,
        sink: CarrierSink,
        own: OwnAddresses,
        *,
        hostname: str,
        networks: Sequence[IpNetwork] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._carrier = carrier
        self._sink = sink
        self._own = own
        self._hostname = hostname
        self._networks = tuple(networks)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._sessions: set[_PeerSession] = set()
        self._peers: dict[str, int] = {}
        self._mails = asyncio.Semaphore(limits.EMAIL_INBOUND_MAILS_MAX)
        # The library logs each line of each mail, and peers choose the text of its warnings.
        logging.getLogger("mail.log").setLevel(logging.ERROR)

    @property
    def is_listening(self) -> bool:
        """Whether the socket is open."""
        return self._server is not None and self._server.is_serving()

    @property
    def port(self) -> int:
        """The port, which the system chose if the configured one is 0."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Open the socket. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._make_session, host, port)

    async def stop(self) -> None:
        """Close the socket and all sessions: peers repeat mails without a response."""
        if self._server is None:
            return
        self._server.close()
        for session in list(self._sessions):
            session.abort()
        await self._server.wait_closed()
        self._server = None

    # --- What the library calls (its handler hooks) ----------------------------------------

    async def handle_RCPT(  # noqa: N802 - a name of the library.
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Accept a recipient in one of the own domains."""
        normal = header_text.normal_address(address)
        if normal is None or not self._own.has(normal):
            return _NO_RELAY
        if len(envelope.rcpt_tos) >= limits.EMAIL_RECIPIENTS_MAX:
            return _TOO_MANY_RECIPIENTS
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient accepted"

    async def handle_DATA(  # noqa: N802 - as above.
        self, _server: Any, session: Session, envelope: Envelope
    ) -> str:
        """Read a mail, and store it. The response is 250 only afterwards."""
        content = envelope.original_content
        assert isinstance(content, bytes)
        # The library shows an empty return path with its brackets.
        sender = (envelope.mail_from or "").strip("<>")
        mail_envelope = MailEnvelope(sender, tuple(envelope.rcpt_tos))
        try:
            # In a thread: decoding of megabytes and searching in texts would delay requests.
            mail = await asyncio.to_thread(read_mail, content, mail_envelope, self._own)
            return await self._pass_on(mail, str(session.peer))
        except Exception as failure:  # noqa: BLE001 - the peer retries after any failure.
            _log.error("mail_intake_failed", carrier=self._carrier, error=repr(failure))
            return _RETRY

    async def handle_exception(self, failure: Exception) -> str:
        """Return a response without details. The library calls it for errors of a command."""
        _log.warning("mail_command_failed", carrier=self._carrier, error=repr(failure))
        return _RETRY

    async def _pass_on(self, mail: ReadMail, peer: str) -> str:
        """Store messages and reports; return the response."""
        if mail.refused:
            _log.info("mail_refused", carrier=self._carrier, peer=peer, reason=mail.refused)
            return _refusal(mail.refused)
        if mail.dropped:
            _log.info("mail_dropped", carrier=self._carrier, peer=peer, reason=mail.dropped)
            return ACCEPTED
        for report in mail.reports:
            await self._sink.report(report)
        refusals = [await self._store(message) for message in mail.messages]
        if refusals and all(refusals):
            return _refusal(refusals[0])
        return ACCEPTED

    async def _store(self, message: InboundMessage) -> str:
        """Store a message; return the reason if its receiver was refused."""
        try:
            await self._sink.inbound(message)
        except InboundRefused as refused:
            return str(refused) or "no such recipient"
        return ""

    # --- Connections ------------------------------------------------------------------------

    def _make_session(self) -> _PeerSession:
        return _PeerSession(self)

    def admit(self, session: _PeerSession, peer: str) -> bytes:
        """Count a connection; return the response to one that is too many, or not allowed."""
        if not self._is_allowed(peer):
            return _NOT_ALLOWED
        if (
            len(self._sessions) >= limits.EMAIL_CONNECTIONS_MAX
            or self._peers.get(peer, 0) >= limits.EMAIL_CONNECTIONS_PER_PEER_MAX
        ):
            return _TOO_MANY_CONNECTIONS
        self._sessions.add(session)
        self._peers[peer] = self._peers.get(peer, 0) + 1
        return b""

    def release(self, session: _PeerSession, peer: str) -> None:
        """Remove a connection that `admit` counted."""
        if session not in self._sessions:
            return
        self._sessions.discard(session)
        self._peers[peer] -= 1
        if not self._peers[peer]:
            del self._peers[peer]

    def _is_allowed(self, peer: str) -> bool:
        if not self._networks:
            return True
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    @property
    def mails(self) -> asyncio.Semaphore:
        """The slots of mails in transfer."""
        return self._mails

    def session_options(self) -> dict[str, Any]:
        """Return the options of a session of the library."""
        return {
            "handler": self,
            "data_size_limit": limits.EMAIL_BYTES_MAX,
            "hostname": self._hostname,
            "ident": "ESMTP",
            "tls_context": self._tls,
            "timeout": limits.EMAIL_COMMAND_SECONDS_MAX,
            "command_call_limit": dict(_COMMANDS_MAX),
        }


class _PeerSession(SMTP):
    """One connection. The library's class has no bound for connections, or for mails in memory."""

    # The library's 1001 bytes are the limit of the standard; mails with longer lines exist.
    line_length_limit = limits.EMAIL_LINE_BYTES_MAX

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._peer = ""
        super().__init__(**listener.session_options())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit a connection. The base class begins the session; again after STARTTLS."""
        if self.transport is None:
            name = transport.get_extra_info("peername")
            self._peer = str(name[0]) if name else ""
            refusal = self._listener.admit(self, self._peer)
            if refusal:
                assert isinstance(transport, asyncio.Transport)
                transport.write(refusal)
                transport.close()
                return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Release the connection. The base class cancels the session, which a refused one lacks."""
        self._listener.release(self, self._peer)
        if self.session is not None:
            super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Pass data to the session. The base class expects one; a refused connection has none."""
        if self.session is not None:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        """End the session. The base class expects one; a refused connection has none."""
        return None if self.session is None else super().eof_received()

    def abort(self) -> None:
        """Close the connection at once."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - a name of the library.
        """Receive a mail if there is a slot. The base class holds it line by line in memory."""
        if await self.check_helo_needed():
            return
        assert self.session is not None
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push(_NO_RECIPIENT)
        elif arg:
            await self.push(_NO_ARGUMENT)
        elif self._listener.mails.locked():
            await self.push(_BUSY)
        else:
            async with self._listener.mails:
                await self._receive_mail(self.session, self.envelope)

    async def _receive_mail(self, session: Session, envelope: Envelope) -> None:
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        mail = MailContent(limits.EMAIL_BYTES_MAX, limits.EMAIL_LINE_BYTES_MAX)
        rest: bytes | None = None
        while rest is None:
            # All that is buffered, so that the bytes after the mail can be put back.
            chunk = await self._reader.read(limits.EMAIL_BYTES_MAX)
            if not chunk:
                return  # The end of the connection.
            rest = mail.feed(chunk)
        if rest and not self._reader.at_eof():
            self._reader.feed_data(rest)
        response = mail.refusal()
        if not response:
            envelope.original_content = mail.content()
            response = await self._listener.handle_DATA(self, session, envelope)
        self.envelope = self._create_envelope()
        await self.push(response)

    async def smtp_VRFY(self, _arg: str) -> None:  # noqa: N802 - as above.
        """Confirm no address. The base class answers as if each might exist."""
        await self.push("502 5.5.1 VRFY is not supported")


def _refusal(reason: str) -> str:
    """Return a response with a reason in one line of ASCII."""
    text = reason.encode("ascii", "replace").decode()
    return "550 5.7.1 " + " ".join(text.split())[: limits.EMAIL_REFUSAL_CHARS_MAX]
