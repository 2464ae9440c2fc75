"""Outbound mail through a mail server of Node.js: content, rejections, deferrals, TLS, receipts."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from parlour.channels.carrier import (
    Accepted,
    CarrierUnavailable,
    OutboundMedium,
    RefusedRecipient,
    Rejected,
)
from parlour.channels.email.carrier import CARRIER_TYPE
from parlour.channels.email.options import EmailOptions
from parlour.protocol import certificates
from parlour.vocabulary import limits
from parlour.vocabulary.clock import SystemClock
from tests.carriers.email_setup import (
    ALICE,
    HELP,
    MESSAGE_ID,
    REFERENCE,
    RETURN_PATH,
    TAGGED,
    MailSink,
    email_carrier,
    mail_peer,
    make_context,
    make_mail,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

BOB = "bob@customer.example"
PNG = bytes(range(256)) * 20


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))


@pytest.mark.channel("C42")
def test_another_mail_program_reads_sender_thread_texts_and_attachment() -> None:
    async def scenario() -> None:
        media = {"ME1": b"<b>Gr\xc3\xbc\xc3\x9fe</b>", "ME2": PNG, "ME3": "Grüße".encode()}
        async with mail_peer() as peer, email_carrier(peer.port, MailSink(), media) as carrier:
            message = make_mail(
                ALICE,
                BOB,
                body="not used",
                media=(
                    OutboundMedium("ME1", "text/html; charset=utf-8", 14, None, "", "body"),
                    OutboundMedium("ME2", "image/png", len(PNG), "plän.png", ""),
                    OutboundMedium("ME3", "text/plain", 7, None, "", "body"),
                ),
                email={
                    "subject": "Your ördər №1",
                    "sender_name": 'Help, "desk"',
                    "names": {ALICE: "Älice, A."},
                    "cc": (BOB,),
                    "references": ("<1@customer.example>", "<2@customer.example>"),
                },
            )
            assert await carrier.send(message) == Accepted((MESSAGE_ID,))
            mail = await peer.next("mail")
            assert mail["from"] == RETURN_PATH
            assert [each["address"] for each in mail["to"]] == [ALICE, BOB]
            assert mail["fromName"] == [{"address": HELP, "name": 'Help, "desk"'}]
            assert mail["toNames"] == [{"address": ALICE, "name": "Älice, A."}]
            assert mail["ccNames"] == [{"address": BOB, "name": ""}]
            assert mail["replyTo"][0]["address"] == TAGGED
            assert mail["subject"] == "Your ördər №1"
            assert mail["messageId"] == MESSAGE_ID
            assert mail["inReplyTo"] == "<2@customer.example>"
            assert mail["references"] == ["<1@customer.example>", "<2@customer.example>"]
            assert mail["text"].strip() == "Grüße"
            assert mail["html"].strip() == "<b>Grüße</b>"
            [attachment] = mail["attachments"]
            assert (attachment["type"], attachment["name"]) == ("image/png", "plän.png")
            assert base64.b64decode(attachment["content"]) == PNG
            assert "auto-submitted" not in mail["headers"]

    run(scenario())


def test_receipts_are_requested_for_each_recipient_under_the_reference() -> None:
    async def scenario() -> None:
        async with mail_peer() as peer, email_carrier(peer.port, MailSink()) as carrier:
            await carrier.send(make_mail("a+b=c@customer.example"))
            mail = await peer.next("mail")
            assert mail["dsn"] == {"ret": "HDRS", "envid": REFERENCE}
            assert mail["to"][0]["dsn"] == {
                "notify": ["SUCCESS", "FAILURE"],
                "orcpt": "rfc822;a+b=c@customer.example",
            }

    run(scenario())


def test_a_relay_without_receipts_gets_no_parameters_of_them() -> None:
    async def scenario() -> None:
        async with mail_peer(dsn=False) as peer:
            async with email_carrier(peer.port, MailSink()) as carrier:
                await carrier.send(make_mail(ALICE))
            mail = await peer.next("mail")
            assert list(mail["mailArgs"]) == ["SIZE"]
            assert not mail["to"][0]["args"]

    run(scenario())


def test_mails_share_a_connection_and_four_are_sent_at_once() -> None:
    async def scenario() -> None:
        async with mail_peer() as peer, email_carrier(peer.port, MailSink()) as carrier:
            assert carrier.concurrency == limits.EMAIL_RELAY_CONNECTIONS_MAX
            many = [make_mail(ALICE, body=f"mail {number}") for number in range(20)]
            results = await asyncio.gather(*map(carrier.send, many))
            assert results == [Accepted((MESSAGE_ID,))] * 20
            texts = {(await peer.next("mail"))["text"].strip() for _ in range(20)}
            assert texts == {f"mail {number}" for number in range(20)}

    run(scenario())


@pytest.mark.channel("C42")
@pytest.mark.parametrize("name", ["unknown", "spam"])
def test_a_permanent_refusal_fails_with_30008_and_the_reason(name: str) -> None:
    async def scenario() -> None:
        async with mail_peer() as peer, email_carrier(peer.port, MailSink()) as carrier:
            result = await carrier.send(make_mail(f"{name}@customer.example"))
            assert isinstance(result, Rejected)
            assert (result.code, result.retry_after_seconds) == (30008, None)
            assert result.detail.startswith(("550 5.1.1", "554 5.7.1"))
            assert await carrier.send(make_mail(ALICE)) == Accepted((MESSAGE_ID,))

    run(scenario())


def test_a_refused_recipient_of_several_fails_alone() -> None:
    async def scenario() -> None:
        async with mail_peer() as peer, email_carrier(peer.port, MailSink()) as carrier:
            result = await carrier.send(make_mail(ALICE, "unknown@customer.example", BOB))
            assert result == Accepted(
                (MESSAGE_ID,),
                refused=(
                    RefusedRecipient(
                        "unknown@customer.example", 30008, "550 5.1.1 No such mailbox"
                    ),
                ),
            )
            mail = await peer.next("mail")
            assert [each["address"] for each in mail["to"]] == [ALICE, BOB]

    run(scenario())


def test_a_greylisted_mail_is_rejected_for_a_retry_and_accepted_then() -> None:
    async def scenario() -> None:
        async with mail_peer() as peer, email_carrier(peer.port, MailSink()) as carrier:
            message = make_mail("greylisted@customer.example")
            first = await carrier.send(message)
            assert isinstance(first, Rejected)
            assert first.retry_after_seconds == limits.EMAIL_RETRY_SECONDS
            assert await carrier.send(message) == Accepted((MESSAGE_ID,))
            assert (await peer.next("mail"))["messageId"] == MESSAGE_ID
            assert not peer.waiting("mail")

    run(scenario())


def test_a_deferred_recipient_delays_the_others_for_some_retries_only() -> None:
    async def scenario() -> None:
        async with mail_peer() as peer, email_carrier(peer.port, MailSink()) as carrier:
            deferred = "deferred@customer.example"
            for retries in (0, limits.EMAIL_DEFERRALS_MAX - 1):
                result = await carrier.send(make_mail(ALICE, deferred, retries=retries))
                assert isinstance(result, Rejected)
                assert result.retry_after_seconds
            last = make_mail(ALICE, deferred, retries=limits.EMAIL_DEFERRALS_MAX)
            result = await carrier.send(last)
            assert isinstance(result, Accepted)
            assert [each.recipient for each in result.refused] == [deferred]
            mail = await peer.next("mail")
            assert [each["address"] for each in mail["to"]] == [ALICE]
            assert not peer.waiting("mail")

    run(scenario())


def test_deferred_and_refused_recipients_alone_are_a_retry() -> None:
    async def scenario() -> None:
        async with mail_peer() as peer, email_carrier(peer.port, MailSink()) as carrier:
            both = make_mail("unknown@customer.example", "deferred@customer.example", retries=99)
            result = await carrier.send(both)
            assert isinstance(result, Rejected)
            assert result.retry_after_seconds

    run(scenario())


def test_a_connection_lost_after_the_content_is_an_unknown_outcome() -> None:
    async def scenario() -> None:
        async with mail_peer() as peer, email_carrier(peer.port, MailSink()) as carrier:
            with pytest.raises(CarrierUnavailable):
                await carrier.send(make_mail("lost@customer.example"))
            assert not carrier.links()[0].is_up
            assert await carrier.send(make_mail(ALICE)) == Accepted((MESSAGE_ID,))
            assert carrier.links()[0].is_up

    run(scenario())


def test_a_relay_that_is_away_makes_the_carrier_unavailable() -> None:
    async def scenario() -> None:
        async with mail_peer() as peer:
            port = peer.port
        async with email_carrier(port, MailSink()) as carrier:
            with pytest.raises(CarrierUnavailable):
                await carrier.send(make_mail(ALICE))
            [link] = await carrier.check()
            assert not link.is_up

    run(scenario())


def test_a_relay_that_restarts_gets_the_next_mail_on_a_new_connection() -> None:
    async def scenario() -> None:
        sink = MailSink()
        async with mail_peer() as peer, email_carrier(peer.port, sink) as carrier:
            assert await carrier.send(make_mail(ALICE)) == Accepted((MESSAGE_ID,))
            for client, _ in carrier._client._idle:
                assert client.transport is not None
                client.transport.abort()
            assert await carrier.send(make_mail(ALICE)) == Accepted((MESSAGE_ID,))

    run(scenario())


def test_attachments_over_the_limit_fail_before_they_are_read() -> None:
    async def scenario() -> None:
        async with email_carrier(1, MailSink()) as carrier:
            size = limits.EMAIL_BYTES_MAX * 3 // 4
            media = (OutboundMedium("ME1", "image/png", size, None, ""),)
            result = await carrier.send(make_mail(ALICE, media=media))
            assert isinstance(result, Rejected)
            assert result.code == 11751
            assert result.retry_after_seconds is None

    run(scenario())


def test_a_text_over_the_limit_once_it_is_encoded_fails_and_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "EMAIL_BYTES_MAX", 20_000)

    async def scenario() -> None:
        text = "ü".encode() * 5_000
        async with email_carrier(1, MailSink(), {"ME1": text}) as carrier:
            media = (OutboundMedium("ME1", "text/plain", len(text), None, "", "body"),)
            result = await carrier.send(make_mail(ALICE, media=media))
            assert isinstance(result, Rejected)
            assert (result.code, result.retry_after_seconds) == (11751, None)

    run(scenario())


def test_a_conversation_without_an_address_fails_with_63007() -> None:
    async def scenario() -> None:
        async with email_carrier(1, MailSink()) as carrier:
            result = await carrier.send(make_mail(ALICE, sender=None))
            assert isinstance(result, Rejected)
            assert result.code == 63007

    run(scenario())


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_login_and_content_are_encrypted_with_a_trusted_certificate(
    tls: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        key, certificate, authority = write_certificate(tmp_path)
        settings = {"key": key, "cert": certificate, "user": "relay", "password": "secret"}
        login = {"smtp_username": "relay", "smtp_password": "secret"}
        async with mail_peer(secure=tls == "implicit", **settings) as peer:
            sink = MailSink()
            trusted = {"smtp_tls": tls, "smtp_ca_file": authority, "smtp_host": "localhost"}
            async with email_carrier(peer.port, sink, **trusted, **login) as carrier:
                assert await carrier.send(make_mail(ALICE)) == Accepted((MESSAGE_ID,))
                mail = await peer.next("mail")
                assert (mail["secure"], mail["user"]) == (True, "relay")
                [link] = await carrier.check()
                assert (link.is_up, link.detail) == (True, "")
            wrong = {**login, "smtp_password": "wrong"}
            async with email_carrier(peer.port, sink, **trusted, **wrong) as carrier:
                with pytest.raises(CarrierUnavailable):
                    await carrier.send(make_mail(ALICE))
            untrusted = {"smtp_tls": tls, "smtp_host": "localhost"}
            async with email_carrier(peer.port, sink, **untrusted, **login) as carrier:
                with pytest.raises(CarrierUnavailable):
                    await carrier.send(make_mail(ALICE))
            assert not peer.waiting("mail")

    run(scenario())


def write_certificate(folder: Path) -> tuple[str, str, str]:
    """Write a key and certificate of localhost, and their authority; return the paths."""
    now_ms = SystemClock().now_ms()
    authority = certificates.make_authority(["localhost"], now_ms, b"\1" * 16)
    made = certificates.make_certificate(authority, ["localhost"], now_ms, b"\2" * 16)
    paths = []
    for name, content in (
        ("key.pem", made.key_pem),
        ("certificate.pem", made.certificate_pem),
        ("authority.pem", authority.certificate_pem),
    ):
        (folder / name).write_bytes(content)
        paths.append(str(folder / name))
    return paths[0], paths[1], paths[2]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"domains": ["not a domain"]}, "is not a domain name"),
        ({"return_path": "a+b"}, "return_path"),
        ({"smtp_username": "x"}, "belong together"),
        ({"smtp_username": "x", "smtp_password": "y", "smtp_tls": "none"}, "plain text"),
        ({"listen_certificate_file": "x"}, "belong together"),
        ({"listen_certificate_file": "/x", "listen_key_file": "/x"}, "cannot be loaded"),
        ({"smtp_ca_file": "/nowhere"}, "cannot be loaded"),
        ({"allowed_networks": ["10.0.0.1/8"]}, "allowed_networks"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(changes: dict[str, Any], text: str) -> None:
    options = EmailOptions(**{"domains": ["example.com"], "smtp_host": "relay", **changes})
    with pytest.raises(ValueError, match=text):
        CARRIER_TYPE.make("mail", options, make_context(MailSink(), {}))
