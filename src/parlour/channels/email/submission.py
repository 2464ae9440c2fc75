"""The client of the SMTP relay that takes outbound mail. One connection carries one mail at a time.

The outcome of a mail follows from the responses of the relay:

| response | to | outcome |
|---|---|---|
| none, 421, or a failed login | anything | CarrierUnavailable: the outbox retries |
| 4xx | MAIL, DATA, or each RCPT | transient rejection: the outbox retries |
| 5xx | MAIL, DATA, or each RCPT | rejected |
| 5xx | some RCPT | accepted, these recipients refused |
| 4xx | some RCPT | nothing is sent, transient rejection; after some retries as for 5xx |
| 250 | DATA | accepted |

If the connection ends between the content and the response, the outcome is unknown: the retry sends
the same mail under the same Message-ID.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from parlour.channels.carrier import (
    Accepted,
    CarrierUnavailable,
    RefusedRecipient,
    Rejected,
)
from parlour.vocabulary import limits
from parlour.vocabulary.redaction import Redacted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from parlour.vocabulary.clock import Clock

REFUSED_CODE: Final = 30008
_SERVICE_NOT_AVAILABLE: Final = 421
_PERMANENT: Final = 500
# What makes characters of RFC 3461's xtext unsafe.
_XTEXT_ESCAPED: Final = "+="

TlsMode = Literal["starttls", "implicit", "none"]


class Relay(Redacted, msgspec.Struct, frozen=True):
    """Where outbound mail goes."""

    host: str
    port: int
    tls: TlsMode
    username: str | None
    password: str | None
    hostname: str


class MailSubmission(msgspec.Struct, frozen=True):
    """One mail and its envelope. ``reference`` is its envelope identifier."""

    content: bytes
    sender: str
    recipients: tuple[str, ...]
    reference: str
    message_id: str
    retries: int


class RelayClient:
    """Submits mails to the relay."""

    def __init__(
        self,
        relay: Relay,
        tls: ssl.SSLContext | None,
        clock: Clock,
        require_lease: Callable[[], None],
    ) -> None:
        """``require_lease`` raises CarrierUnavailable; it is called before each content is sent."""
        self._relay = relay
        self._require_lease = require_lease
        self._tls = tls
        self._clock = clock
        self._slots = asyncio.Semaphore(limits.EMAIL_RELAY_CONNECTIONS_MAX)
        self._idle: list[tuple[SMTP, float]] = []
        self.last_error = "not used yet"

    async def submit(self, mail: MailSubmission) -> Accepted | Rejected:
        """Submit a mail. Raises CarrierUnavailable."""
        async with self._slots:
            client = await self._connection()
            try:
                result = await self._transact(client, mail)
            except SMTPResponseException as refusal:
                if refusal.code == _SERVICE_NOT_AVAILABLE:
                    client.close()
                    raise self._unavailable(refusal) from refusal
                result = _rejected(refusal.code, refusal.message)
            except (SMTPException, OSError) as failure:
                client.close()
                raise self._unavailable(failure) from failure
            except BaseException:
                client.close()
                raise
            await self._keep(client)
            return result

    async def check(self) -> str:
        """Connect, log in and disconnect; return the reason of a failure, else an empty text."""
        try:
            client = await self._connect()
        except CarrierUnavailable as failure:
            return str(failure)
        await _quit(client)
        return ""

    async def close(self) -> None:
        """Close the idle connections."""
        clients = [client for client, _ in self._idle]
        self._idle.clear()
        await asyncio.gather(*map(_quit, clients))

    async def _connection(self) -> SMTP:
        """Return an idle connection that the relay still accepts, or a new one."""
        while self._idle:
            client, since = self._idle.pop()
            age = self._clock.monotonic_ms() - since
            if age < limits.EMAIL_RELAY_IDLE_SECONDS_MAX * 1000:
                with contextlib.suppress(SMTPException, OSError):
                    await client.rset()
                    return client
            client.close()
        return await self._connect()

    async def _connect(self) -> SMTP:
        relay = self._relay
        client = SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.username,
            password=relay.password,
            local_hostname=relay.hostname,
            timeout=limits.EMAIL_RELAY_SECONDS_MAX,
            use_tls=relay.tls == "implicit",
            start_tls=relay.tls == "starttls",
            tls_context=self._tls,
        )
        try:
            await client.connect()
            await client.ehlo()
        except (SMTPException, OSError, ValueError) as failure:
            client.close()
            raise self._unavailable(failure) from failure
        self.last_error = ""
        return client

    async def _keep(self, client: SMTP) -> None:
        if client.is_connected:
            self._idle.append((client, self._clock.monotonic_ms()))

    async def _transact(self, client: SMTP, mail: MailSubmission) -> Accepted | Rejected:
        has_receipts = client.supports_extension("dsn")
        options = [f"SIZE={len(mail.content)}"] if client.supports_extension("size") else []
        if has_receipts:
            options += ["RET=HDRS", f"ENVID={_xtext(mail.reference)}"]
        await client.mail(mail.sender, options=options)
        refused = []
        for recipient in mail.recipients:
            refusal = await _add_recipient(client, recipient, has_receipts=has_receipts)
            if refusal is not None:
                refused.append(refusal)
        result = _before_content(mail, refused)
        if result is not None:
            await client.rset()
            return result
        self._require_lease()
        await client.data(mail.content)
        return Accepted(
            provider_ids=(mail.message_id,),
            refused=tuple(
                RefusedRecipient(each.recipient, REFUSED_CODE, _detail(each.code, each.message))
                for each in refused
            ),
        )

    def _unavailable(self, failure: Exception) -> CarrierUnavailable:
        self.last_error = f"{type(failure).__name__}: {failure}"[: limits.EMAIL_DETAIL_CHARS_MAX]
        return CarrierUnavailable(self.last_error)


async def _add_recipient(
    client: SMTP, recipient: str, *, has_receipts: bool
) -> SMTPRecipientRefused | None:
    """Name one recipient; return the refusal, unless the relay ends the session."""
    options = []
    if has_receipts:
        options = ["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;{_xtext(recipient)}"]
    try:
        await client.rcpt(recipient, options=options)
    except SMTPRecipientRefused as refusal:
        if refusal.code == _SERVICE_NOT_AVAILABLE:
            raise
        return refusal
    return None


def _before_content(mail: MailSubmission, refused: list[SMTPRecipientRefused]) -> Rejected | None:
    """Return why the content is not sent; None if some recipients get it."""
    deferred = [each for each in refused if each.code < _PERMANENT]
    if len(refused) < len(mail.recipients):
        if not deferred or mail.retries >= limits.EMAIL_DEFERRALS_MAX:
            return None
        return _rejected(deferred[0].code, deferred[0].message)
    # A transient refusal of one may end; the permanent ones will be refused again.
    first = (deferred or refused)[0]
    return _rejected(first.code, first.message)


def _rejected(code: int, text: str) -> Rejected:
    delay = None if code >= _PERMANENT else float(limits.EMAIL_RETRY_SECONDS)
    return Rejected(REFUSED_CODE, _detail(code, text), retry_after_seconds=delay)


def _detail(code: int, text: str) -> str:
    return f"{code} {' '.join(text.split())}"[: limits.EMAIL_DETAIL_CHARS_MAX]


def _xtext(text: str) -> str:
    """Return text with the escapes of RFC 3461, section 4."""
    return "".join(
        f"+{ord(each):02X}" if each in _XTEXT_ESCAPED or not "!" <= each <= "~" else each
        for each in text
    )


async def _quit(client: SMTP) -> None:
    try:
        await client.quit()
    except (SMTPException, OSError, SMTPServerDisconnected):
        # The relay closed it first.
        client.close()
