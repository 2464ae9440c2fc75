"""Messages as a carrier gets them from the outbox."""

from __future__ import annotations

from typing import Any

from parlour.channels.carrier import OutboundEmail, OutboundMessage


def outbound_message(**changes: Any) -> OutboundMessage:
    """Return an SMS to one phone, with changed members."""
    members: dict[str, Any] = {
        "reference": "SM" + "0" * 32,
        "account_sid": "AC" + "0" * 32,
        "conversation_sid": "CH" + "0" * 32,
        "message_sid": "IM" + "0" * 32,
        "channel": "sms",
        "sender": "+15017122661",
        "recipients": ("+15558675310",),
        "is_group": False,
        "body": "Hello",
    }
    return OutboundMessage(**(members | changes))


def outbound_email(**changes: Any) -> OutboundEmail:
    """Return the e-mail members of a message, with changed ones."""
    members: dict[str, Any] = {
        "subject": "Your order",
        "sender_name": "Help desk",
        "names": {},
        "cc": (),
        "references": (),
    }
    return OutboundEmail(**(members | changes))
