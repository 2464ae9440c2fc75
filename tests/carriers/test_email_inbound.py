"""Inbound mail of a Node.js mail program: threading, attachments, responses, loops, bounces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.carrier import DeliveryReport, InboundRefused
from parlour.vocabulary import limits
from tests.carriers.email_setup import (
    ALICE,
    CONVERSATION,
    HELP,
    MESSAGE_ID,
    REFERENCE,
    TAGGED,
    MailSink,
    email_carrier,
    encoded,
    mail_peer,
    make_mail,
)
from tests.carriers.test_email_outbound import run, write_certificate

if TYPE_CHECKING:
    from pathlib import Path

PNG = bytes(range(256)) * 20
MAIL: dict[str, Any] = {"from": ALICE, "to": HELP, "subject": "Hi", "text": "Hello"}


def test_a_reply_to_a_sent_mail_names_its_conversation_by_tag_and_references() -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            await carrier.send(make_mail(ALICE))
            got = await peer.next("mail")
            result = await peer.send(
                carrier.listener_port,
                **{"from": {"name": "Älice", "address": ALICE}},
                to=got["replyTo"][0]["address"],
                cc="bob@customer.example",
                subject=f"Re: {got['subject']}",
                inReplyTo=got["messageId"],
                references=got["messageId"],
                text="Danke!\n\nAm 01.12.26 um 10:00 schrieb Help desk:\n> Hello\n",
                html="<p>Danke!</p><blockquote>Hello</blockquote>",
                attachments=[
                    {"filename": "plän.png", "content": encoded(PNG), "contentType": "image/png"},
                    {
                        "filename": "logo.gif",
                        "content": encoded(b"GIF89a"),
                        "cid": "logo@customer.example",
                        "contentDisposition": "inline",
                    },
                ],
            )
            assert result["response"].startswith("250 ")
            [message] = sink.messages
            assert (message.sender, message.receiver) == (ALICE, HELP)
            assert (message.body, message.profile_name) == ("Danke!", "Älice")
            assert message.email is not None
            assert message.email.conversation_sid == CONVERSATION
            assert message.email.in_reply_to == MESSAGE_ID
            assert message.email.references == (MESSAGE_ID,)
            assert message.email.message_id == result["messageId"]
            assert message.email.subject == "Re: Your order"
            shown = [(each.address, each.level) for each in message.email.recipients]
            assert shown == [(HELP, "to"), ("bob@customer.example", "cc")]
            categories = [
                (each.category, each.content_type.split(";")[0]) for each in message.media
            ]
            assert categories == [
                ("body", "text/plain"),
                ("body", "text/html"),
                ("history", "text/plain"),
                ("media", "image/gif"),
                ("media", "image/png"),
            ]
            assert message.media[4].filename == "plän.png"
            assert message.media[4].content == PNG

    run(scenario())


def test_a_reply_without_the_tag_names_its_conversation_by_references() -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            marks = {"inReplyTo": MESSAGE_ID, "references": ["<0@x.example>", MESSAGE_ID]}
            await peer.send(carrier.listener_port, **MAIL, **marks)
            [message] = sink.messages
            assert message.email is not None
            assert message.email.conversation_sid is None
            assert message.email.references == ("<0@x.example>", MESSAGE_ID)

    run(scenario())


def test_a_refused_receiver_is_550_and_a_failure_to_store_451() -> None:
    async def scenario() -> None:
        sink = MailSink()
        sink.failures = [InboundRefused("no number\r\n250 help@example.com"), OSError("disk full")]
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            refused = await peer.send(carrier.listener_port, **MAIL)
            assert refused["code"] == 550
            assert "no number 250 help@example.com" in refused["response"]
            failed = await peer.send(carrier.listener_port, **MAIL)
            assert failed["code"] == 451
            assert "disk" not in failed["response"]
            assert not sink.messages
            stored = await peer.send(carrier.listener_port, **MAIL)
            assert stored["response"].startswith("250 ")
            assert len(sink.messages) == 1

    run(scenario())


def test_one_refused_receiver_of_two_does_not_refuse_the_mail() -> None:
    async def scenario() -> None:
        sink = MailSink()
        sink.failures = [InboundRefused("no number")]
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            both = {**MAIL, "to": [HELP, "sales@example.com"]}
            result = await peer.send(carrier.listener_port, **both)
            assert result["response"].startswith("250 ")
            assert [each.receiver for each in sink.messages] == ["sales@example.com"]

    run(scenario())


@pytest.mark.parametrize("recipient", ["x@other.example", "help@sub.example.com", "a@[127.0.0.1]"])
def test_recipients_elsewhere_are_not_relayed(recipient: str) -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            result = await peer.send(carrier.listener_port, **{**MAIL, "to": recipient})
            assert result["code"] == 550
            assert not sink.messages

    run(scenario())


def test_automatic_mail_is_accepted_and_dropped() -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            for headers in (
                {"Auto-Submitted": "auto-replied"},
                {"Precedence": "bulk"},
                {"Precedence": "list"},
            ):
                result = await peer.send(carrier.listener_port, **MAIL, headers=headers)
                assert result["response"].startswith("250 ")
            envelope = {"from": "", "to": [HELP]}
            result = await peer.send(carrier.listener_port, **MAIL, envelope=envelope)
            assert result["response"].startswith("250 ")
            assert not sink.messages
            await peer.send(carrier.listener_port, **MAIL, headers={"Auto-Submitted": "no"})
            assert len(sink.messages) == 1

    run(scenario())


def test_a_bounce_is_a_report_of_the_sent_mail() -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            await peer.bounce_to(carrier.listener_port)
            bounced = "bounced+x@customer.example"
            await carrier.send(make_mail(ALICE, bounced, email={"cc": (bounced,)}))
            await sink.wait_for(lambda each: bool(each.reports))
            assert sink.reports == [
                DeliveryReport(
                    status="undelivered",
                    reference=REFERENCE,
                    recipient=bounced,
                    error_code=30005,
                    detail="smtp; 552 5.2.2 Mailbox full",
                )
            ]
            assert not sink.messages

    run(scenario())


def test_a_mail_over_the_limit_is_refused_and_the_listener_goes_on() -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            content = encoded(bytes(limits.EMAIL_BYTES_MAX * 3 // 4))
            large = {**MAIL, "attachments": [{"filename": "a.bin", "content": content}]}
            result = await peer.send(carrier.listener_port, **large)
            assert result["code"] == 552 or "size" in result["response"].lower()
            result = await peer.send(carrier.listener_port, **MAIL)
            assert result["response"].startswith("250 ")
            assert len(sink.messages) == 1

    run(scenario())


def test_peers_outside_the_allowed_networks_are_refused() -> None:
    async def scenario() -> None:
        sink = MailSink()
        networks = {"allowed_networks": ["10.0.0.0/8", "fd00::/8"]}
        async with mail_peer() as peer, email_carrier(peer.port, sink, **networks) as carrier:
            result = await peer.send(carrier.listener_port, **MAIL)
            assert result["code"] == 554
        networks = {"allowed_networks": ["127.0.0.0/8"]}
        async with mail_peer() as peer, email_carrier(peer.port, sink, **networks) as carrier:
            result = await peer.send(carrier.listener_port, **MAIL)
            assert result["response"].startswith("250 ")

    run(scenario())


def test_the_listener_offers_starttls_with_its_certificate(tmp_path: Path) -> None:
    async def scenario() -> None:
        key, certificate, _ = write_certificate(tmp_path)
        files = {"listen_key_file": key, "listen_certificate_file": certificate}
        sink = MailSink()
        async with mail_peer() as peer, email_carrier(peer.port, sink, **files) as carrier:
            result = await peer.send(carrier.listener_port, tls=True, **MAIL)
            assert result["response"].startswith("250 ")
            assert len(sink.messages) == 1

    run(scenario())


async def _lines(port: int, *commands: bytes) -> list[bytes]:
    """Send commands one after the other; return the first line of each response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = [await reader.readline()]
    for command in commands:
        writer.write(command)
        line = await reader.readline()
        found.append(line)
        while line[3:4] == b"-":
            line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"x" * 100_000, id="a line of 100,000 bytes"),
        pytest.param(b"Subject: x\n.\nMAIL FROM:<evil@x.example>", id="a bare line feed"),
    ],
)
def test_malformed_content_ends_no_other_mail(text: bytes) -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with email_carrier(1, sink) as carrier:
            head = f"From: {ALICE}\r\nTo: {HELP}\r\n\r\n".encode()
            found = await _lines(
                carrier.listener_port,
                b"EHLO x\r\n",
                b"MAIL FROM:<alice@customer.example>\r\n",
                b"RCPT TO:<help@example.com>\r\n",
                b"DATA\r\n",
                head + text + b"\r\n.\r\n",
                b"QUIT\r\n",
            )
            assert found[-1].startswith(b"221")
            assert found[-2][:3] in (b"250", b"500")
            assert len(sink.messages) == (found[-2][:3] == b"250")

    run(scenario())


def test_a_peer_has_a_bounded_number_of_connections() -> None:
    async def scenario() -> None:
        async with email_carrier(1, MailSink()) as carrier:
            port = carrier.listener_port
            opened = [
                await asyncio.open_connection("127.0.0.1", port)
                for _ in range(limits.EMAIL_CONNECTIONS_PER_PEER_MAX)
            ]
            for reader, _ in opened:
                assert (await reader.readline()).startswith(b"220")
            assert (await _lines(port))[0].startswith(b"421")
            opened[0][1].close()
            await opened[0][1].wait_closed()
            # The listener notices the end of a connection after its peer.
            answers = [(await _lines(port))[0] for _ in range(100)]
            assert answers[-1].startswith(b"220")
            for _, writer in opened[1:]:
                writer.close()

    run(scenario())


def test_mails_in_transfer_are_bounded_and_others_are_asked_to_retry() -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with email_carrier(1, sink) as carrier:
            port = carrier.listener_port
            start = b"EHLO x\r\n", b"MAIL FROM:<a@x.example>\r\n", b"RCPT TO:<help@example.com>\r\n"
            writers = []
            for _ in range(limits.EMAIL_INBOUND_MAILS_MAX):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"".join([*start, b"DATA\r\n"]))
                while not (await reader.readline()).startswith(b"354"):
                    pass
                writers.append((reader, writer))
            found = await _lines(port, *start, b"DATA\r\n")
            assert found[-1].startswith(b"451")
            reader, writer = writers[0]
            writer.write(b"From: a@x.example\r\n\r\nHello\r\n.\r\n")
            assert (await reader.readline()).startswith(b"250")
            found = await _lines(port, *start, b"DATA\r\n")
            assert found[-1].startswith(b"354")
            for _, writer in writers:
                writer.close()

    run(scenario())


def test_too_many_recipients_are_refused_one_by_one() -> None:
    async def scenario() -> None:
        async with email_carrier(1, MailSink()) as carrier:
            recipients = [
                f"RCPT TO:<a{number}@example.com>\r\n".encode()
                for number in range(limits.EMAIL_RECIPIENTS_MAX + 1)
            ]
            start = b"EHLO x\r\n", b"MAIL FROM:<a@x.example>\r\n"
            found = await _lines(carrier.listener_port, *start, *recipients)
            assert found[-2].startswith(b"250")
            assert found[-1].startswith(b"452")

    run(scenario())


def test_a_mail_without_an_end_is_not_stored() -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with email_carrier(1, sink) as carrier:
            await _lines(
                carrier.listener_port,
                b"EHLO x\r\n",
                b"MAIL FROM:<a@x.example>\r\n",
                b"RCPT TO:<help@example.com>\r\n",
                b"DATA\r\n",
            )
            assert not sink.messages

    run(scenario())


def test_commands_reveal_no_addresses() -> None:
    async def scenario() -> None:
        async with email_carrier(1, MailSink()) as carrier:
            found = await _lines(
                carrier.listener_port, b"EHLO x\r\n", b"VRFY help\r\n", b"EXPN help\r\n"
            )
            assert found[0] == b"220 example.com ESMTP\r\n"
            assert found[-2].startswith(b"502")
            assert found[-1].startswith(b"502")

    run(scenario())


def test_a_tagged_address_in_the_envelope_is_enough() -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            envelope = {"from": ALICE, "to": [TAGGED.lower()]}
            await peer.send(carrier.listener_port, **MAIL, envelope=envelope)
            [message] = sink.messages
            assert message.receiver == HELP
            assert message.email is not None
            assert message.email.conversation_sid == CONVERSATION

    run(scenario())
