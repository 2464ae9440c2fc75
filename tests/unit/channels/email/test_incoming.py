"""Inbound mail: texts, threading marks, attachments, loops, and mails built by the library."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.channels.carrier import InboundMedium, InboundMessage, MailRecipient
from parlour.channels.email import incoming
from parlour.vocabulary import limits
from tests.unit.channels.email.mails import (
    ALICE,
    CONVERSATION,
    HELP,
    MESSAGE_ID,
    OTHER_CONVERSATION,
    TAGGED,
    plain,
    read,
)

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), max_size=40)
BODIES = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"))


def one(raw: bytes | str, recipients: tuple[str, ...] = (HELP,)) -> InboundMessage:
    """Return the only message of a mail."""
    result = read(raw, recipients=recipients)
    assert (result.refused, result.dropped, len(result.messages)) == ("", "", 1)
    return result.messages[0]


def media(message: InboundMessage, category: str) -> list[InboundMedium]:
    """Return the media of a category."""
    return [each for each in message.media if each.category == category]


def test_a_plain_mail_becomes_a_message_of_its_sender() -> None:
    message = one(plain("Hello\n", subject="Hi"))
    assert message.channel == "email"
    assert (message.sender, message.receiver, message.profile_name) == (ALICE, HELP, "Alice")
    assert message.body == "Hello"
    assert [each.content for each in media(message, "body")] == [b"Hello"]
    assert not media(message, "history")
    assert message.email is not None
    assert (message.email.subject, message.email.sender_name) == ("Hi", "Alice")
    assert message.email.recipients == (MailRecipient(HELP, "to"),)
    assert message.email.conversation_sid is None


def test_a_reply_names_its_conversation_by_tag_and_by_references() -> None:
    raw = plain(
        to=f"Help <{TAGGED}>", in_reply_to=MESSAGE_ID, references=f"<0@x.example> {MESSAGE_ID}"
    )
    message = one(raw, (TAGGED,))
    assert message.receiver == HELP
    assert message.email is not None
    assert message.email.conversation_sid == CONVERSATION
    assert message.email.in_reply_to == MESSAGE_ID
    assert message.email.references == ("<0@x.example>", MESSAGE_ID)
    assert message.email.recipients == (MailRecipient(HELP, "to", "Help", CONVERSATION),)


def test_in_reply_to_without_references_is_a_reference() -> None:
    message = one(plain(in_reply_to=MESSAGE_ID))
    assert message.email is not None
    assert message.email.references == (MESSAGE_ID,)


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        ((HELP,), [(HELP, CONVERSATION)]),
        ((HELP, TAGGED), [(HELP, CONVERSATION)]),
        (
            (TAGGED, HELP, TAGGED.upper()),
            [(HELP, CONVERSATION), ("HELP@example.com", CONVERSATION)],
        ),
        (
            (f"help+{OTHER_CONVERSATION}@EXAMPLE.com", TAGGED),
            [(HELP, OTHER_CONVERSATION), (HELP, CONVERSATION)],
        ),
        (("sales@example.com", "x@other.example"), [("sales@example.com", None)]),
    ],
)
def test_each_own_address_of_the_envelope_gets_the_mail_once(
    recipients: tuple[str, ...], expected: list[tuple[str, str | None]]
) -> None:
    result = read(plain(to=TAGGED), recipients=recipients)
    found = [
        (each.receiver, each.email and each.email.conversation_sid) for each in result.messages
    ]
    assert found == expected
    assert len({each.provider_id for each in result.messages}) == len(expected)


def test_a_mail_delivered_to_tag_and_plain_address_apart_has_one_identifier() -> None:
    raw = plain(to=f"{TAGGED}, {HELP}")
    assert one(raw, (TAGGED,)).provider_id == one(raw, (HELP,)).provider_id


def test_the_identifier_survives_headers_added_on_the_way_and_names_the_content() -> None:
    first = one(plain("one"))
    assert one("Received: by mx\n" + plain("one")).provider_id == first.provider_id
    assert one(plain("two")).provider_id != first.provider_id
    assert one(plain("one", message_id="<2@x.example>")).provider_id != first.provider_id


@pytest.mark.parametrize(
    "headers",
    [
        {"auto_submitted": "auto-replied"},
        {"auto_submitted": "auto-generated (by hand)"},
        {"auto_submitted": "Auto-Notified; owner-email=x@y.example"},
        {"precedence": "bulk"},
        {"precedence": "Junk"},
        {"precedence": " list "},
    ],
)
def test_automatic_mail_is_dropped(headers: dict[str, str]) -> None:
    result = read(plain(**headers))
    assert not result.messages
    assert result.dropped.lower().startswith(next(iter(headers)).replace("_", "-"))


@pytest.mark.parametrize("value", ["no", "No (typed)", "no; x=y", ""])
def test_mail_that_is_not_automatic_is_read(value: str) -> None:
    assert one(plain(auto_submitted=value, precedence="first-class")).body == "Hello"


def test_an_empty_return_path_is_dropped() -> None:
    assert read(plain(), sender="").dropped == "an empty return path"


def test_a_mail_of_this_server_that_comes_back_is_dropped() -> None:
    raw = plain(**{"from": HELP}, message_id=MESSAGE_ID)
    assert read(raw).dropped == "a mail of this server came back"
    assert one(plain(message_id=MESSAGE_ID)).body == "Hello"


@pytest.mark.parametrize("value", ["", "nobody", "Alice <@x.example>", "a@b", "<>"])
def test_a_mail_without_an_address_to_answer_is_refused(value: str) -> None:
    result = read(plain(**{"from": value}))
    assert result.refused == "the header From has no valid address"


def test_a_mail_to_the_return_path_that_is_no_notification_is_dropped() -> None:
    assert read(plain(), recipients=("bounces+SM1@example.com", "BOUNCES@example.com")).dropped


def test_html_alone_gives_a_text_without_the_quotation() -> None:
    html = (
        "<html><head><title>t</title><style>p {}</style></head><body><p>Yes &amp; no</p>"
        "<p>two<br>lines</p><div>On Mon, 1 Dec 2026 at 10:00, Help &lt;help@example.com&gt; wrote:"
        "<br></div><blockquote>old <b>text</b></blockquote></body></html>"
    )
    message = one(plain(html, content_type="text/html; charset=utf-8"))
    assert message.body == "Yes & no\ntwo\nlines"
    shown = [(each.category, each.content_type.split(";")[0]) for each in message.media]
    assert shown == [("body", "text/plain"), ("body", "text/html"), ("history", "text/plain")]
    assert message.media[2].content is not None
    assert message.media[2].content.endswith(b"wrote:\n> old text")


def test_a_body_over_the_limit_is_cut_and_its_medium_is_whole() -> None:
    text = "ä" * limits.MESSAGE_BODY_BYTES_MAX
    message = one(plain(text, content_type="text/plain; charset=utf-8"))
    assert message.body == "ä" * (limits.MESSAGE_BODY_BYTES_MAX // 2)
    assert [each.content for each in media(message, "body")] == [text.encode()]


def test_a_mail_with_an_attachment_alone_has_no_body() -> None:
    raw = plain("AAEC", content_type='image/png; name="a.png"', content_transfer_encoding="base64")
    message = one(raw)
    assert message.body is None
    assert message.media == (InboundMedium("image/png", "a.png", b"\0\1\2"),)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("attachment; filename=a.pdf", "a.pdf"),
        ('attachment; filename="C:\\\\x\\\\a.pdf"', "a.pdf"),
        ("attachment; filename=../../etc/passwd", "passwd"),
        ('attachment; filename="=?utf-8?B?w6QucGRm?="', "ä.pdf"),
        ("attachment; filename*=utf-8''%C3%A4.pdf", "ä.pdf"),
        ("attachment; filename*0*=utf-8''%C3; filename*1*=%A4; filename*2=.pdf", "ä.pdf"),
        ("attachment; filename*=nonsense''%E4.pdf", "ä.pdf"),
        ("attachment; filename*=utf-8''a%00%0D%0Ab.pdf", "a b.pdf"),
        ("attachment; filename*x*=a", None),
        ("attachment", None),
    ],
)
def test_the_name_of_an_attachment_is_decoded_and_has_no_folder(
    header: str, expected: str | None
) -> None:
    message = one(plain("x", content_type="application/pdf", content_disposition=header))
    assert [each.filename for each in message.media] == [expected]


@pytest.mark.parametrize(
    ("charset", "content"),
    [
        ("iso-8859-1", "ä".encode("latin-1")),
        ("windows-1252", b"\xe4"),
        ("utf-8", "ä".encode()),
        ("us-ascii", "ä".encode()),
        ("nonsense", b"\xe4"),
        ("idna", "ä".encode()),
        ("zlib", b"\xe4"),
        ("os.path", "ä".encode()),
        ("utf-16-le", "ä".encode("utf-16-le")),
        ("utf-7", b"+AOQ-"),
        ("utf-8", b"\xc3\xa4\x00"),
    ],
)
def test_the_text_is_decoded_in_its_charset_or_the_likely_one(charset: str, content: bytes) -> None:
    head = plain("", content_type=f"text/plain; charset={charset}").encode()
    assert one(head.rstrip(b"\n") + b"\n\n" + content).body == "ä"


@given(NAMES, NAMES, BODIES, BODIES, st.binary(min_size=1, max_size=300), NAMES)
def test_what_the_library_builds_is_read_back(
    subject: str, name: str, text: str, html: str, content: bytes, filename: str
) -> None:
    mail = EmailMessage(SMTP)
    mail["From"] = Address(name, addr_spec=ALICE)
    mail["To"] = HELP
    mail["Subject"] = subject
    mail.set_content("\n".join(f"t{line}" for line in text.split("\n")))
    mail.add_alternative(f"<p>{html}", subtype="html")
    mail.add_attachment(content, maintype="image", subtype="png", filename=f"n{filename}.png")
    message = one(mail.as_bytes())
    assert message.email is not None
    assert message.email.subject == " ".join(subject.split(" ")).strip()
    assert (message.profile_name or "") == name.strip()
    assert message.media[-1].content == content
    assert message.media[-1].filename == f"n{filename}.png".replace("\\", "/").split("/")[-1]
    texts = [each.content for each in message.media if each.category == "body"]
    assert texts[-1] is not None
    assert texts[-1].decode().rstrip("\n") == f"<p>{html}".rstrip("\n")


def test_an_own_mail_is_read_as_it_was_built() -> None:
    from parlour.channels.email import outgoing  # noqa: PLC0415 - of this test alone.
    from tests.support.outbound_messages import outbound_email  # noqa: PLC0415 - as above.
    from tests.unit.channels.email.mails import outbound  # noqa: PLC0415 - as above.

    sent = outbound(
        sender=ALICE, recipients=(HELP,), email=outbound_email(subject="Grüße", sender_name="Älice")
    )
    message = one(outgoing.build_mail(sent, {}, 0))
    assert (message.sender, message.profile_name, message.body) == (ALICE, "Älice", "Hello")
    assert message.email is not None
    assert message.email.subject == "Grüße"


def test_the_result_of_a_digest_names_no_receiver_twice() -> None:
    own = incoming.OwnAddresses(frozenset({"a.example", "b.example"}), "bounces")
    envelope = incoming.MailEnvelope(ALICE, ("x@a.example", "x@b.example", "x@a.example"))
    result = incoming.read_mail(plain().encode(), envelope, own)
    assert [each.receiver for each in result.messages] == ["x@a.example", "x@b.example"]
