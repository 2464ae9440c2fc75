"""Outbound mail: headers, bodies and attachments, judged by the standard library's parser."""

from __future__ import annotations

import email.policy
import re
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels import mail_size
from parlour.channels.email import outgoing
from parlour.vocabulary import limits
from tests.support.outbound_messages import outbound_email as members
from tests.unit.channels.email.mails import (
    ALICE,
    CONVERSATION,
    HELP,
    MESSAGE_ID,
    TAGGED,
    medium,
    outbound,
)

BOB = "bob@customer.example"
ANY_TEXT = st.text(max_size=300)
NO_SURROGATES = st.text(st.characters(exclude_categories=["Cs"]), max_size=2000)


def built(message: Any, contents: dict[str, bytes] | None = None) -> tuple[bytes, EmailMessage]:
    """Return the mail of a message, and what the standard library reads in it."""
    raw = outgoing.build_mail(message, contents or {}, 1_800_000_000_000)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return raw, parsed


def test_headers_name_sender_recipients_and_thread() -> None:
    references = ("<first@customer.example>", "<last@customer.example>")
    message = outbound(
        recipients=(ALICE, BOB),
        email=members(names={ALICE: "Alice"}, cc=(BOB,), references=references),
    )
    _, mail = built(message)
    assert str(mail["From"]) == f"Help desk <{HELP}>"
    assert str(mail["To"]) == f"Alice <{ALICE}>"
    assert str(mail["Cc"]) == BOB
    assert str(mail["Reply-To"]) == f"Help desk <{TAGGED}>"
    assert str(mail["Subject"]) == "Your order"
    assert str(mail["Message-ID"]) == MESSAGE_ID
    assert str(mail["In-Reply-To"]) == references[-1]
    assert str(mail["References"]).split() == list(references)
    assert str(mail["Date"]) == "Fri, 15 Jan 2027 08:00:00 +0000"
    assert "Auto-Submitted" not in mail


def test_a_first_mail_has_no_references_and_one_recipient_no_copies() -> None:
    _, mail = built(outbound())
    assert "In-Reply-To" not in mail
    assert "References" not in mail
    assert "Cc" not in mail


def test_only_copies_leave_the_header_to_out() -> None:
    _, mail = built(outbound(email=members(cc=(ALICE,))))
    assert "To" not in mail
    assert str(mail["Cc"]) == ALICE


def test_texts_of_category_body_are_alternatives_and_other_media_attachments() -> None:
    media = (
        medium("ME1", "text/plain", "body"),
        medium("ME2", "text/html; charset=utf-8", "body"),
        medium("ME3", "text/plain", "history"),
        medium("ME4", "image/png", name="plan ä.png"),
        medium("ME5", "text/plain", name="notes.txt"),
        medium("ME6", "message/rfc822", name="old.eml"),
        medium("ME7", "nonsense"),
    )
    contents = {
        "ME1": "Grüße\r\nline".encode(),
        "ME2": b"<b>Hi</b>",
        "ME3": b"> old",
        "ME4": bytes(range(256)),
        "ME5": b"a note\xff",
        "ME6": b"Subject: old\r\n\r\ntext",
        "ME7": b"?",
    }
    _, mail = built(outbound(body="not used", media=media), contents)
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content() == "Grüße\r\nline\r\n\r\n> old\r\n"
    assert html.get_content() == "<b>Hi</b>\r\n"
    attachments = list(mail.iter_attachments())
    shown = [
        (each.get_content_type(), each.get_filename(), each.get_payload(decode=True))
        for each in attachments
    ]
    assert shown == [
        ("image/png", "plan ä.png", contents["ME4"]),
        ("text/plain", "notes.txt", contents["ME5"]),
        ("application/octet-stream", "old.eml", contents["ME6"]),
        ("application/octet-stream", "ME7", contents["ME7"]),
    ]


@pytest.mark.parametrize("body", [None, "", "text"])
def test_a_mail_with_html_alone_has_one_text_if_there_is_no_other(body: str | None) -> None:
    message = outbound(body=body, media=(medium("ME1", "text/html", "body"),))
    _, mail = built(message, {"ME1": b"<p>Hi</p>"})
    assert mail.get_content_type() == ("multipart/alternative" if body else "text/html")


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, NO_SURROGATES, ANY_TEXT)
def test_no_text_adds_a_header_or_an_address(
    subject: str, sender_name: str, name: str, body: str, filename: str
) -> None:
    message = outbound(
        body=body,
        media=(medium("ME1", "image/png", name=filename),),
        email=members(subject=subject, sender_name=sender_name, names={ALICE: name}),
    )
    raw, mail = built(message, {"ME1": b"\0"})
    head, _, _ = raw.partition(b"\r\n\r\n")
    names = [line.split(b":")[0] for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    assert names == (b"From To Reply-To Subject Date Message-ID MIME-Version Content-Type".split())
    assert [each.addr_spec for each in mail["To"].addresses] == [ALICE]
    assert [each.addr_spec for each in mail["From"].addresses] == [HELP]
    assert [each.addr_spec for each in mail["Reply-To"].addresses] == [TAGGED]
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")


@given(NO_SURROGATES, st.binary(max_size=500))
def test_text_and_attachment_arrive_as_they_were(body: str, content: bytes) -> None:
    message = outbound(body=body, media=(medium("ME1", "application/pdf", name="a.pdf"),))
    _, mail = built(message, {"ME1": content})
    text = mail.get_body(("plain",))
    assert text is not None
    expected = re.sub("\r\n|\r", "\n", body).replace("\0", "").rstrip("\n")
    payload = text.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().replace("\r\n", "\n").rstrip("\n") == expected
    assert next(iter(mail.iter_attachments())).get_payload(decode=True) == content


@given(st.lists(st.from_regex(r"<[a-z0-9.]{1,200}@[a-z]{1,40}>", fullmatch=True), max_size=60))
def test_references_of_any_length_stay_whole(references: list[str]) -> None:
    _, mail = built(outbound(email=members(references=tuple(references))))
    expected = references[-limits.EMAIL_REFERENCES_SENT_MAX :]
    assert (str(mail["References"]).split() if expected else []) == expected


def test_the_same_message_is_the_same_mail() -> None:
    message = outbound(media=(medium("ME1", "text/html", "body"), medium("ME2", "image/png")))
    contents = {"ME1": b"<i>x</i>", "ME2": b"\1"}
    assert built(message, contents)[0] == built(message, contents)[0]


def test_a_body_with_the_delimiter_does_not_end_its_part() -> None:
    message = outbound(body=f"a\n--=_SM{'a' * 32}.0\nb", media=(medium("ME1", "image/png"),))
    _, mail = built(message, {"ME1": b"\1"})
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().endswith(".0\r\nb\r\n")
    assert len(list(mail.iter_attachments())) == 1


@given(st.lists(st.integers(0, 5000), max_size=5))
def test_the_estimate_is_the_size_without_the_headers_of_parts(sizes: list[int]) -> None:
    from msgspec.structs import replace  # noqa: PLC0415 - of this test alone.

    media = tuple(
        replace(medium(f"ME{number}", "image/png"), size=size) for number, size in enumerate(sizes)
    )
    with_media, _ = built(outbound(media=media), {each.sid: b"x" * each.size for each in media})
    without, _ = built(outbound())
    assert len(with_media) - len(without) <= mail_size.least_bytes(media) + 1300 * len(media)
    assert mail_size.least_bytes(media) <= len(with_media) - len(without)


def test_a_long_address_is_sent_without_a_tag() -> None:
    sender = f"{'h' * 40}@example.com"
    _, mail = built(outbound(sender=sender))
    assert [each.addr_spec for each in mail["Reply-To"].addresses] == [sender]
    assert CONVERSATION in str(mail["Message-ID"])
