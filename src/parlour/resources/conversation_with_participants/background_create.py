"""Completing a conversation in the background: adding its participants, or giving it up.

What is still to be done stands in the conversation's own row until it is done, all in one
transaction, so a crash at any moment leaves it either begun or complete. What was checked when it
was begun is checked again, as it may have changed: a role removed, an identity in too many
conversations. If anything fails the conversation closes, which frees its pairs of addresses.

Where a pre-action webhook wants to be asked about each participant, it is asked on a rehearsal,
about all of them at once, and the scheduler does not wait for its answers: other conversations go
on. That a webhook rejects one participant is a failure like any other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from parlour.operations import scoping
from parlour.resources.conversation_with_participants import (
    batch_create as conversation_with_participants_batch_create,
)
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.participants import actions as participant_actions
from parlour.resources.participants import store as participant_store
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.dates import updated_at
from parlour.vocabulary.origin import SILENT, Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.operations.pipeline import PreActionHook
    from parlour.protocol.forms import FormFields
    from parlour.resources.conversations.store import Conversation
    from parlour.store.transaction import Store, Transaction

log = structlog.get_logger()

FAILED: Final = 50427
"""The code under which a failure is logged; no answer carries it."""

_PRE_ACTION: Final = "onParticipantAdd"
_ADDED: Final = event_names.ON_PARTICIPANT_ADDED


class PendingParticipants(msgspec.Struct, frozen=True):
    """What is still to be done, who wanted it, and the state that comes of it."""

    origin: Origin
    state: str
    participants: list[dict[str, list[str]]]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PendingParticipants).decode


def encode_pending(origin: Origin, state: str, forms: list[FormFields]) -> str:
    """Return what is to be done, as it is kept in the conversation's row."""
    return _encode(PendingParticipants(origin, state, forms)).decode()


class BackgroundCreate:
    """Completes conversations; remembers only which ones somebody is being asked about."""

    def __init__(self, before: PreActionHook | None = None) -> None:
        """``before``: who is asked about participants, where that is wanted."""
        self._before = before
        # By the conversation: whose it is, and what asks.
        self._hook_tasks: dict[str, tuple[str, asyncio.Task[None]]] = {}

    async def next_due_ms(self, tx: Transaction) -> int | None:
        """Now, if a conversation waits for its participants, and nobody is asked about it yet."""
        return tx.now if await self._list_pending(tx) else None

    async def _list_pending(self, tx: Transaction) -> list[Conversation]:
        """Return the conversations to complete next, shared fairly by accounts.

        An account may have at most as many as are still free (`operations/fair_shares.py`): of
        those that are chosen now, and of these and those being asked about together. Beyond that
        it is passed over.
        """
        free = limits.PENDING_CONVERSATIONS_ASKED_MAX - len(self._hook_tasks)
        most = min(free, limits.PENDING_CONVERSATIONS_MAX)
        has = Counter(account_sid for account_sid, _ in self._hook_tasks.values())
        has_now: Counter[str] = Counter()
        chosen: dict[str, Conversation] = {}
        full: list[str] = []
        # Each round either finds all there is, or an account more that is passed over.
        for _ in range(limits.PENDING_ACCOUNTS_SKIPPED_MAX):
            if len(chosen) >= most:
                break  # Looked at again when an answer is there.
            count = most + len(self._hook_tasks)
            found = await conversation_store.list_pending_conversations(tx, count, full)
            for each in found:
                account_sid = each.account_sid
                if each.sid in self._hook_tasks or each.sid in chosen or account_sid in full:
                    continue
                is_full = has[account_sid] >= free - len(chosen)
                if is_full or has_now[account_sid] >= most - len(chosen):
                    full.append(account_sid)
                else:
                    chosen[each.sid] = each
                    has[account_sid] += 1
                    has_now[account_sid] += 1
            if len(found) < count:
                break
        return list(chosen.values())

    async def complete_some(self, store: Store) -> None:
        """Complete conversations that wait, each in a transaction of its own."""
        waiting = await store.read(self._list_pending)
        at_once = []
        for each in waiting:
            if await self._needs_hook(each):
                task = asyncio.create_task(self._complete_after_hook(store, each))
                self._hook_tasks[each.sid] = each.account_sid, task
            else:
                at_once.append(each)
        await asyncio.gather(*(self._complete_one(store, each) for each in at_once))

    async def stop(self) -> None:
        """Cancel the pre-action hooks; the next start begins again what is incomplete."""
        tasks = [task for _, task in self._hook_tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _needs_hook(self, pending_conversation: Conversation) -> bool:
        """Return whether a pre-action webhook must be called for the participants."""
        if self._before is None or not _origin_of(pending_conversation).fires:
            return False
        scope = Scope(pending_conversation.account_sid, pending_conversation.service_sid)
        return await self._before.is_subscribed(scope, _PRE_ACTION)

    async def _complete_after_hook(self, store: Store, pending_conversation: Conversation) -> None:
        """Call the hook for each participant; complete the conversation if none is rejected."""
        try:
            await self._complete_one(store, pending_conversation, self._before)
        except Exception:
            log.exception("job_failed", job="pending_participants")
            await asyncio.sleep(limits.SCHEDULER_POLL_MS / 1000)
        finally:
            del self._hook_tasks[pending_conversation.sid]

    async def _complete_one(
        self, store: Store, pending_conversation: Conversation, before: PreActionHook | None = None
    ) -> None:
        """Complete one conversation, or close it on a failure."""
        origin = SILENT
        try:
            pending = _decode(pending_conversation.pending_participants or "")
            origin = pending.origin
            if before is not None:
                dry_run = await store.dry_run(
                    lambda tx: _complete(tx, pending_conversation, pending), origin
                )
                added = [each for each in dry_run.events if each.name == _ADDED]
                await asyncio.gather(*(before.check(_PRE_ACTION, each) for each in added))
            await store.write(lambda tx: _complete(tx, pending_conversation, pending), origin)
        except (Busy, Unavailable):
            raise  # Nothing is wrong with the conversation: it is tried again.
        except Exception:  # Whatever it was: nobody may wait for ever.
            log.exception(
                "conversation_not_completed",
                code=FAILED,
                account_sid=pending_conversation.account_sid,
                conversation_sid=pending_conversation.sid,
            )
            await store.write(lambda tx: _close_failed(tx, pending_conversation), origin)


def _origin_of(pending_conversation: Conversation) -> Origin:
    """Who wanted it; nobody whom a webhook hears of, if that cannot be read."""
    try:
        return _decode(pending_conversation.pending_participants or "").origin
    except msgspec.DecodeError:
        return SILENT


async def _complete(
    tx: Transaction, pending_conversation: Conversation, pending: PendingParticipants
) -> None:
    """Add the participants and let the conversation begin."""
    scope = Scope(pending_conversation.account_sid, pending_conversation.service_sid)
    held = await _lock_pending(tx, scope, pending_conversation)
    if held is None:
        return
    await participant_store.release_reservations(tx, scope, pending_conversation.sid)
    ready = conversation_timers.with_restarted_timers(
        msgspec.structs.replace(held, state=pending.state, pending_participants=None), tx.now
    )
    for each in await conversation_with_participants_batch_create.make_participants(
        tx, scope, ready, pending.participants
    ):
        await participant_actions.save_new_participant(tx, scope, each)
    await conversation_store.update_conversation_row(tx, scope, ready)
    await conversation_timers.emit_state_changed(
        tx, scope, ready, conversation_timers.INITIALIZING, conversation_timers.BY_EVENT
    )


async def _close_failed(tx: Transaction, pending_conversation: Conversation) -> None:
    """Close a conversation that cannot be completed, and free its pairs of addresses."""
    scope = Scope(pending_conversation.account_sid, pending_conversation.service_sid)
    held = await _lock_pending(tx, scope, pending_conversation)
    if held is None:
        return
    await participant_store.release_reservations(tx, scope, pending_conversation.sid)
    closed = msgspec.structs.replace(
        held,
        state=conversation_timers.CLOSED,
        pending_participants=None,
        date_updated=updated_at(tx.now, created_ms=held.date_created, updated_ms=held.date_updated),
    )
    await conversation_store.update_conversation_row(tx, scope, closed)
    await conversation_timers.emit_state_changed(
        tx, scope, closed, conversation_timers.INITIALIZING, conversation_timers.BY_EVENT
    )


async def _lock_pending(
    tx: Transaction, scope: Scope, pending_conversation: Conversation
) -> Conversation | None:
    """The conversation, if there is still something to do; below a removed service there is not."""
    found = await conversation_store.find_conversation(tx, scope, pending_conversation.sid)
    if found is None or found.pending_participants is None:
        return None
    if await scoping.service_exists(tx, scope):
        return found
    await conversation_store.update_conversation_row(
        tx, scope, msgspec.structs.replace(found, pending_participants=None)
    )
    return None
