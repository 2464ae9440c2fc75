"""The e-mail carrier with Exim, a mail server of many sites, as its relay and its peer."""

from __future__ import annotations

import asyncio
import email
import email.policy
import smtplib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parlour.channels.carrier import DeliveryReport, InboundRefused
from tests.carriers.email_setup import (
    ALICE,
    CONVERSATION,
    HELP,
    MESSAGE_ID,
    REFERENCE,
    TAGGED,
    MailSink,
    email_carrier,
    make_mail,
)
from tests.carriers.exim_server import EximMissing, exim_server, unpack_exim
from tests.support.ports import ReservedPort

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from parlour.channels.email.carrier import EmailCarrier
    from tests.carriers.exim_server import EximServer

pytestmark = [pytest.mark.gate, pytest.mark.xdist_group("exim")]

REPLY = f"""From: Alice <{ALICE}>
To: {TAGGED}
Subject: Re: Your order
Message-ID: <1@customer.example>
In-Reply-To: {MESSAGE_ID}
References: {MESSAGE_ID}

Thanks

On Mon, 1 Dec 2026 at 10:00, Help desk <help@example.com> wrote:
> Hello
"""


@pytest.fixture(scope="session")
def exim() -> Iterator[Path]:
    """Exim's programs; the tests are skipped, with the reason, where there are none."""
    # Not below the folder of the tests: Exim reads it as another user.
    with tempfile.TemporaryDirectory(prefix="parlour-exim-") as folder:
        Path(folder).chmod(0o755)
        try:
            yield unpack_exim(Path(folder))
        except EximMissing as error:
            pytest.skip(f"EXIM IS NOT TESTED: {error}")


def run(
    programs: Path, scenario: Callable[[EximServer, EmailCarrier, MailSink], Awaitable[None]]
) -> None:
    async def with_exim() -> None:
        sink = MailSink()
        with tempfile.TemporaryDirectory(prefix="parlour-exim-") as name, ReservedPort() as port:
            async with (
                exim_server(programs, Path(name), port.number) as server,
                email_carrier(server.port, sink, listen_port=port.number) as carrier,
            ):
                await scenario(server, carrier, sink)

    asyncio.run(asyncio.wait_for(with_exim(), 120))


async def submit(server: EximServer, mail: str, recipient: str) -> None:
    """Give Exim a mail of Alice."""

    def deliver() -> None:
        with smtplib.SMTP("127.0.0.1", server.port) as client:
            client.sendmail(ALICE, [recipient], mail)

    await asyncio.to_thread(deliver)


def test_a_delivered_mail_is_reported_as_delivered(exim: Path) -> None:
    async def scenario(server: EximServer, carrier: EmailCarrier, sink: MailSink) -> None:
        await carrier.send(make_mail(ALICE, body="Grüße"))
        content = await server.wait_mails("alice", MESSAGE_ID.encode())
        mail = email.message_from_bytes(content.partition(b"\n")[2], policy=email.policy.default)
        assert mail["Return-path"] == f"<bounces+{REFERENCE}@example.com>"
        assert mail["Reply-To"] == f"Help desk <{TAGGED}>"
        assert mail.get_content().strip() == "Grüße"
        await sink.wait_for(lambda each: bool(each.reports))
        [report] = sink.reports
        assert report == DeliveryReport(
            status="delivered", reference=REFERENCE, recipient=ALICE, detail=report.detail
        )

    run(exim, scenario)


def test_a_mail_to_an_unknown_mailbox_is_reported_as_undelivered(exim: Path) -> None:
    async def scenario(_server: EximServer, carrier: EmailCarrier, sink: MailSink) -> None:
        unknown = "nobody@customer.example"
        await carrier.send(make_mail(unknown, ALICE))
        await sink.wait_for(lambda each: len(each.reports) == 2)
        found = {each.recipient: (each.status, each.error_code) for each in sink.reports}
        assert found == {unknown: ("undelivered", 30005), ALICE: ("delivered", 0)}
        assert {each.reference for each in sink.reports} == {REFERENCE}

    run(exim, scenario)


def test_a_reply_that_was_not_stored_is_delivered_again(exim: Path) -> None:
    async def scenario(server: EximServer, _carrier: EmailCarrier, sink: MailSink) -> None:
        sink.failures = [OSError("disk full"), OSError("disk full")]
        await submit(server, REPLY, TAGGED)
        await sink.wait_for(lambda each: bool(each.messages))
        [message] = sink.messages
        assert (message.sender, message.receiver, message.body) == (ALICE, HELP, "Thanks")
        assert message.email is not None
        assert message.email.conversation_sid == CONVERSATION
        assert message.email.references == (MESSAGE_ID,)
        assert not sink.failures

    run(exim, scenario)


def test_a_refused_mail_is_returned_to_its_sender(exim: Path) -> None:
    async def scenario(server: EximServer, _carrier: EmailCarrier, sink: MailSink) -> None:
        sink.failures = [InboundRefused("no number help@example.com")]
        await submit(server, REPLY, HELP)
        content = await server.wait_mails("alice", b"no number help@example.com")
        assert b"multipart/report" in content
        assert not sink.messages

    run(exim, scenario)
