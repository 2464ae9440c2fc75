"""Opt-out keywords: the words by which the recipient of a sender stops and restarts its messages.

A message is a keyword if it is that one word, without regard to case and surrounding blanks. It is
also delivered as an ordinary message. The reply goes to its writer alone and is not part of a
conversation.

| state | word | state after | answer |
|---|---|---|---|
| subscribed | stop | opted out | stop text |
| opted out | stop | opted out | none |
| opted out | start | subscribed | start text |
| subscribed | start | subscribed | none: "yes" is also an ordinary answer |
| any | help | unchanged | help text |

The network handles the words of toll-free numbers and answers them, so only the state is recorded
here. Short codes without a messaging service are not handled.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from parlour.protocol import addresses
from parlour.resources.carrier_numbers.store import OptOutSettings
from parlour.resources.opt_outs import store as opt_out_store
from parlour.resources.outbox.enqueue import enqueue_reply

if TYPE_CHECKING:
    from parlour.resources.carrier_numbers.store import CarrierNumber
    from parlour.resources.inbox.message import InboxMessage
    from parlour.store.transaction import Transaction
    from parlour.vocabulary.scope import Scope

Keyword = Literal["stop", "start", "help"]

_TOLL_FREE: Final = re.compile(r"(?:rcs:)?\+18(?:00|33|44|55|66|77|88)\d{7}\Z")
_SHORT_CODE: Final = re.compile(r"\d{3,8}\Z")
_TOLL_FREE_SETTINGS: Final = OptOutSettings(
    stop_words=("STOP",),
    start_words=("START", "UNSTOP"),
    help_words=(),
    stop_text="",
    start_text="",
    help_text="",
)


def settings_of(message: InboxMessage, number: CarrierNumber | None) -> OptOutSettings | None:
    """Return the words and answers for a message; None if none are handled."""
    has_service = number is not None and number.messaging_service_sid is not None
    if message.channel == addresses.WHATSAPP:
        # Only with the words of a messaging service.
        is_handled = has_service
    else:
        is_handled = message.channel in {addresses.SMS, addresses.RCS}
    if _SHORT_CODE.match(message.receiver) and not has_service:
        is_handled = False
    settings = OptOutSettings() if number is None else number.opt_out
    if not is_handled or not settings.is_handled:
        return None
    return _TOLL_FREE_SETTINGS if _TOLL_FREE.match(message.receiver) else settings


def match_keyword(body: str | None, settings: OptOutSettings) -> Keyword | None:
    """Return the kind of keyword that a whole body is, or None."""
    word = (body or "").strip().upper()
    if not word:
        return None
    if word in settings.stop_words:
        return "stop"
    if word in settings.start_words:
        return "start"
    return "help" if word in settings.help_words else None


def find_keyword(message: InboxMessage, number: CarrierNumber | None) -> Keyword | None:
    """Return the kind of keyword that a message is, or None."""
    settings = settings_of(message, number)
    return None if settings is None else match_keyword(message.body, settings)


# tidy: event-for-change - no resource and no webhook shows opt-outs
async def handle_keyword(
    tx: Transaction, account: Scope, message: InboxMessage, number: CarrierNumber | None
) -> Keyword | None:
    """Apply a keyword, and queue its reply; return its kind."""
    settings = settings_of(message, number)
    keyword = None if settings is None else match_keyword(message.body, settings)
    if settings is None or keyword is None:
        return None
    service_sid = None if number is None else number.messaging_service_sid
    binding = (service_sid, message.receiver, message.sender)
    if keyword == "stop":
        has_changed = await opt_out_store.insert_opt_out(tx, account, *binding)
        answer = settings.stop_text if has_changed else ""
    elif keyword == "start":
        has_changed = await opt_out_store.delete_opt_outs(tx, account, *binding)
        answer = settings.start_text if has_changed else ""
    else:
        answer = settings.help_text
    if answer:
        await enqueue_reply(
            tx,
            account.account_sid,
            message.channel,
            message.receiver,
            message.sender,
            answer,
        )
    return keyword
