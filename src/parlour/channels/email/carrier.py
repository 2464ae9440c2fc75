"""The e-mail carrier: a relay for outbound mail, a listener for inbound mail.

Receipts: a mail is sent once the relay accepted it. Recipients whom the relay refused with 5xx are
failed with 30008, also if the others got it. A notification of success makes it delivered, a bounce
undelivered with 30005; without notifications it stays sent.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final

import structlog

from parlour.channels import mail_size
from parlour.channels.carrier import (
    Accepted,
    Callback,
    CallbackRefused,
    CallbackRequest,
    CarrierContext,
    CarrierUnavailable,
    LinkState,
    OutboundMessage,
    Rejected,
)
from parlour.channels.email import bounces, outgoing
from parlour.channels.email.incoming import OwnAddresses
from parlour.channels.email.listener import Listener
from parlour.channels.email.options import EmailOptions, check_options
from parlour.channels.email.submission import MailSubmission, Relay, RelayClient
from parlour.protocol import addresses, email_threading
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.channels.carrier import Carrier

_log: Final = structlog.get_logger()

_TOO_LARGE_CODE: Final = 11751
_NO_SENDER_CODE: Final = 63007


class EmailCarrier:
    """One configured relay and listener."""

    concurrency = limits.EMAIL_RELAY_CONNECTIONS_MAX

    def __init__(self, name: str, options: EmailOptions, context: CarrierContext) -> None:
        self._name = name
        self._options = options
        self._context = context
        domains = frozenset(each.lower() for each in options.domains)
        self._own = OwnAddresses(domains, options.return_path)
        relay = Relay(
            host=options.smtp_host,
            port=options.relay_port,
            tls=options.smtp_tls,
            username=options.smtp_username,
            password=options.smtp_password,
            hostname=options.own_hostname,
        )
        self._client = RelayClient(
            relay, _client_tls(options), context.clock, context.require_lease
        )
        self._listener = Listener(
            name,
            context.sink,
            self._own,
            hostname=options.own_hostname,
            networks=options.networks,
            tls=_server_tls(options),
        )
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the listener; its socket is retried until it is free."""
        if self._options.listen_port is not None:
            self._opening = asyncio.get_running_loop().create_task(self._open_listener())

    async def stop(self) -> None:
        """Close listener and connections. Peers repeat mails that were not acknowledged."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait((self._opening,))
        await self._listener.stop()
        await self._client.close()

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        """Submit one mail to all of its recipients. Raises CarrierUnavailable."""
        if message.sender is None or message.email is None:
            return Rejected(_NO_SENDER_CODE, "the conversation has no e-mail address")
        if mail_size.least_bytes(message.media) > limits.EMAIL_BYTES_MAX:
            return Rejected(_TOO_LARGE_CODE, "the media are too large")
        contents = {each.sid: await self._read(message, each.sid) for each in message.media}
        now_ms = self._context.clock.now_ms()
        # In a thread: encoding of megabytes would delay requests.
        content = await asyncio.to_thread(outgoing.build_mail, message, contents, now_ms)
        if len(content) > limits.EMAIL_BYTES_MAX:
            return Rejected(_TOO_LARGE_CODE, f"the mail has {len(content)} bytes")
        domain = email_threading.domain_of(message.sender)
        bounces_domain = domain if domain in self._own.domains else self._options.domains[0]
        return await self._client.submit(
            MailSubmission(
                content=content,
                sender=bounces.bounce_address(
                    self._own.return_path, message.reference, bounces_domain.lower()
                ),
                recipients=message.recipients,
                reference=message.reference,
                message_id=email_threading.message_id(
                    message.message_sid, message.conversation_sid, domain
                ),
                retries=message.retries,
            )
        )

    async def read_callback(self, request: CallbackRequest) -> Callback:
        """Refuse: mail servers have no callbacks."""
        raise CallbackRefused(404, f"no callback {request.path}")

    async def read_medium(self, location: str) -> bytes:
        """Refuse: inbound media are in the mail."""
        raise CarrierUnavailable(f"no medium {location}")

    def links(self) -> tuple[LinkState, ...]:
        """Return the state of the relay's last connection, and of the listener's socket."""
        error = self._client.last_error
        relay = LinkState("relay", is_up=not error, detail=error)
        if self._options.listen_port is None:
            return (relay,)
        return relay, LinkState("listener", is_up=self._listener.is_listening)

    async def check(self) -> tuple[LinkState, ...]:
        """Connect to the relay and log in. The listener's port belongs to the running server."""
        error = await self._client.check()
        return (LinkState("relay", is_up=not error, detail=error),)

    @property
    def listener_port(self) -> int:
        """The port of the open listener."""
        return self._listener.port

    async def wait_listening(self) -> None:
        """Wait until the listener's socket is open."""
        if self._opening is not None:
            await self._opening

    async def _open_listener(self) -> None:
        """Open the socket: another process, the previous owner of the lease, may still hold it."""
        assert self._options.listen_port is not None
        while True:
            try:
                await self._listener.start(self._options.listen_host, self._options.listen_port)
            except OSError as error:
                _log.warning("listener_start_failed", carrier=self._name, error=str(error))
                await asyncio.sleep(limits.EMAIL_LISTENER_RETRY_SECONDS)
            else:
                return

    async def _read(self, message: OutboundMessage, sid: str) -> bytes:
        """Return the bytes of a medium, whose size was checked."""
        content = bytearray()
        async for chunk in await self._context.open_medium(message.account_sid, sid):
            content += chunk
        return bytes(content)


def _client_tls(options: EmailOptions) -> ssl.SSLContext | None:
    if options.smtp_tls == "none":
        return None
    return ssl.create_default_context(cafile=options.smtp_ca_file)


def _server_tls(options: EmailOptions) -> ssl.SSLContext | None:
    if options.listen_certificate_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.listen_certificate_file, options.listen_key_file)
    return context


class _EmailType:
    """The type ``email`` of the carriers file."""

    options = EmailOptions
    channels = frozenset((addresses.EMAIL,))

    def make(self, name: str, options: Any, context: CarrierContext) -> Carrier:
        """Return a carrier. Raises ValueError for options that do not fit together."""
        check_options(options)
        try:
            return EmailCarrier(name, options, context)
        except OSError as error:
            raise ValueError(f"a certificate cannot be loaded: {error}") from error


CARRIER_TYPE: Final = _EmailType()
