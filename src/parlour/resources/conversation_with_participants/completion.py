"""Completing a conversation in the background: adding its participants, or giving it up.

What is still to be done stands in the conversation's own row until it is done, all in one
transaction, so a crash at any moment leaves it either begun or complete. What was checked when it
was begun is checked again, as it may have changed: a role removed, an identity in too many
conversations. If anything fails the conversation closes, which frees its pairs of addresses.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from parlour.operations import scoping
from parlour.resources.conversation_with_participants import together
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers
from parlour.resources.participants import actions as participants
from parlour.resources.participants import store as participant_store
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import limits
from parlour.vocabulary.origin import SILENT, Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.protocol.forms import Form
    from parlour.resources.conversations.store import Conversation
    from parlour.store.transaction import Store, Transaction

log = structlog.get_logger()

FAILED: Final = 50427
"""The code under which a failure is logged; no answer carries it."""


class Pending(msgspec.Struct, frozen=True):
    """What is still to be done, who wanted it, and the state that comes of it."""

    origin: Origin
    state: str
    participants: list[dict[str, list[str]]]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Pending).decode


def write_pending(origin: Origin, state: str, forms: list[Form]) -> str:
    """What is to be done, as it is kept in the conversation's row."""
    return _encode(Pending(origin, state, forms)).decode()


async def next_due_ms(tx: Transaction) -> int | None:
    """Now, if a conversation waits for its participants."""
    return tx.now if await conversation_store.pending(tx, 1) else None


async def complete_some(store: Store) -> None:
    """Complete conversations that wait, each in a transaction of its own."""
    waiting = await store.read(
        lambda tx: conversation_store.pending(tx, limits.PENDING_CONVERSATIONS_MAX)
    )
    await asyncio.gather(*(_complete_one(store, each) for each in waiting))


async def _complete_one(store: Store, begun: Conversation) -> None:
    """Complete one conversation, or give it up."""
    origin = SILENT
    try:
        pending = _decode(begun.pending_participants or "")
        origin = pending.origin
        await store.write(lambda tx: _complete(tx, begun, pending), origin)
    except (Busy, Unavailable):
        raise  # Nothing is wrong with the conversation: it is tried again.
    except Exception:  # Whatever it was: nobody may wait for ever.
        log.exception(
            "conversation_not_completed",
            code=FAILED,
            account_sid=begun.account_sid,
            conversation_sid=begun.sid,
        )
        await store.write(lambda tx: _give_up(tx, begun), origin)


async def _complete(tx: Transaction, begun: Conversation, pending: Pending) -> None:
    """Add the participants and let the conversation begin."""
    scope = Scope(begun.account_sid, begun.service_sid)
    if not await _still_waits(tx, scope, begun):
        return
    await participant_store.release_pending_pairs(tx, scope, begun.sid)
    ready = timers.restarted(
        msgspec.structs.replace(begun, state=pending.state, pending_participants=None), tx.now
    )
    for each in await together.make_participants(tx, scope, ready, pending.participants):
        await participants.keep_participant(tx, scope, each)
    await conversation_store.change(tx, scope, ready)
    await timers.tell_state(tx, scope, ready, timers.INITIALIZING, timers.BY_EVENT)


async def _give_up(tx: Transaction, begun: Conversation) -> None:
    """Close a conversation that cannot be completed, and free its pairs of addresses."""
    scope = Scope(begun.account_sid, begun.service_sid)
    if not await _still_waits(tx, scope, begun):
        return
    await participant_store.release_pending_pairs(tx, scope, begun.sid)
    closed = msgspec.structs.replace(
        begun, state=timers.CLOSED, pending_participants=None, date_updated=tx.now
    )
    await conversation_store.change(tx, scope, closed)
    await timers.tell_state(tx, scope, closed, timers.INITIALIZING, timers.BY_EVENT)


async def _still_waits(tx: Transaction, scope: Scope, begun: Conversation) -> bool:
    """Whether there is still something to do; below a removed service there is not."""
    found = await conversation_store.find(tx, scope, begun.sid)
    if found is None or found.pending_participants is None:
        return False
    if await scoping.service_exists(tx, scope):
        return True
    await conversation_store.change(
        tx, scope, msgspec.structs.replace(found, pending_participants=None)
    )
    return False
