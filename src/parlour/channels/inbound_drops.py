"""The end of inbound messages that no conversation takes: dropped, always with a reason.

A message that the server could not process in INBOX_ATTEMPTS_MAX attempts is given up, so that its
lane continues. It was acknowledged to its network, which does not send it again: its row keeps
the content for INBOX_RETENTION_HOURS, and an operator may replay it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from parlour.channels import number_table
from parlour.channels.log_text import without_addresses
from parlour.resources.inbound import processing as inbound_processing
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from parlour.resources.inbox.message import InboxMessage
    from parlour.resources.inbox.store import InboxEntry
    from parlour.store.transaction import Store

log = structlog.get_logger()


async def drop(
    store: Store, entry: InboxEntry, reason: str, *, keeps_content: bool = False
) -> InboxEntry:
    """Drop a pending message; an opt-out word in it is handled. Return its row."""
    message = inbound_processing.message_of(entry)
    number = await number_table.find_number(store, message.receiver)
    return await store.write(
        lambda tx: inbound_processing.drop_message(
            tx, entry.key, message, number, reason, keeps_content=keeps_content
        ),
        account_sid=entry.account_sid,
    )


async def give_up(store: Store, entry: InboxEntry, error: Exception) -> InboxEntry:
    """Drop a message after its last attempt and log it; return its row.

    If even that fails, only the row is written. Raises Busy and Unavailable.
    """
    reason = (
        f"the server failed in {limits.INBOX_ATTEMPTS_MAX} attempts,"
        f" at last with {type(error).__name__}"
    )
    try:
        done = await drop(store, entry, reason, keeps_content=True)
    except (Busy, Unavailable):
        raise
    except Exception:
        log.exception("inbound_drop_failed", provider_id=entry.provider_id)
        done = await store.write(
            lambda tx: inbound_processing.give_up_message(tx, entry.key, reason),
            account_sid=entry.account_sid,
        )
    _warn(done, done.reason or reason)
    return done


def log_dropped(done: InboxEntry, message: InboxMessage) -> None:
    """Log a message that no conversation took: its sender gets no error."""
    if done.outcome == "dropped":
        hidden = message.numbers - {message.receiver}
        _warn(done, without_addresses(done.reason or "", hidden))


def log_replayed(done: InboxEntry) -> None:
    """Log the outcome of a replayed message, once it has one."""
    if done.date_replayed is None or done.outcome is None:
        return
    account_sid, carrier, provider_id = done.key
    bound = log.bind(account_sid=account_sid, carrier=carrier, provider_id=provider_id)
    bound.info("inbound_message_replayed", sid=done.channel_message_sid, outcome=done.outcome)


def _warn(done: InboxEntry, reason: str) -> None:
    account_sid, carrier, provider_id = done.key
    bound = log.bind(account_sid=account_sid, carrier=carrier, provider_id=provider_id)
    bound.warning("inbound_message_dropped", reason=reason)
