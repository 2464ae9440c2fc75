"""Outbound messages and inbound mails that the tests of e-mail share."""

from __future__ import annotations

from typing import Any

from parlour.channels.carrier import OutboundMedium, OutboundMessage
from parlour.channels.email.incoming import MailEnvelope, OwnAddresses, ReadMail, read_mail
from tests.support.outbound_messages import outbound_email, outbound_message

REFERENCE = "SM" + "a" * 32
CONVERSATION = "CH" + "b" * 32
OTHER_CONVERSATION = "CH" + "d" * 32
MESSAGE = "IM" + "c" * 32
MESSAGE_ID = f"<{MESSAGE}.{CONVERSATION}@example.com>"
OWN = OwnAddresses(frozenset({"example.com"}), "bounces")
HELP = "help@example.com"
TAGGED = f"help+{CONVERSATION}@example.com"
ALICE = "alice@customer.example"


def outbound(**changes: Any) -> OutboundMessage:
    """Return a message for Alice, with changed members."""
    members: dict[str, Any] = {
        "reference": REFERENCE,
        "conversation_sid": CONVERSATION,
        "message_sid": MESSAGE,
        "channel": "email",
        "sender": HELP,
        "recipients": (ALICE,),
        "email": outbound_email(),
    }
    return outbound_message(**(members | changes))


def medium(
    sid: str, content_type: str, category: str = "media", name: str | None = None
) -> OutboundMedium:
    """Return a medium of one byte."""
    return OutboundMedium(sid, content_type, 1, name, "", category)


def read(
    raw: bytes | str, *, sender: str = ALICE, recipients: tuple[str, ...] = (HELP,)
) -> ReadMail:
    """Read a mail, given with line feeds, as SMTP would deliver it."""
    content = raw.encode() if isinstance(raw, str) else raw
    content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return read_mail(content, MailEnvelope(sender, recipients), OWN)


def plain(text: str = "Hello", **headers: str) -> str:
    """Return a mail of Alice with one text; ``message_id`` names Message-ID."""
    fields = {"from": f"Alice <{ALICE}>", "to": HELP, "message_id": "<1@customer.example>"}
    fields.update(headers)
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\n".join([*lines, "", text, ""])
