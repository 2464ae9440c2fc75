"""Complete conversations in the background: add their participants, or close them on failure.

| state        | outcome                        | next state                               |
|--------------|--------------------------------|------------------------------------------|
| initializing | participants added             | as requested, with its timers started    |
| initializing | a check or a webhook fails     | closed, with its reservations released   |
| initializing | busy, unavailable, or restart  | initializing: retried                    |

The remaining work is stored in the conversation's own row and done in one transaction, so after a
crash a conversation is either initializing or complete. All checks of the request are repeated, as
the state may have changed: a deleted role, an identity in too many conversations.

If a pre-action webhook is subscribed, a dry run produces the events of all participants, and the
webhook is called for all of them concurrently. The scheduler does not wait for the responses: other
conversations are completed in the meantime. A rejected participant counts as a failure.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from parlour.operations import scoping
from parlour.operations.open_work import OpenWork
from parlour.resources.conversation_with_participants import (
    batch_create as conversation_with_participants_batch_create,
)
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.participants import actions as participant_actions
from parlour.resources.participants import store as participant_store
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.dates import updated
from parlour.vocabulary.origin import SILENT, Origin
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parlour.operations.pipeline import PreActionHook
    from parlour.protocol.forms import FormFields
    from parlour.resources.conversations.store import Conversation
    from parlour.store.transaction import Store, Transaction

log = structlog.get_logger()

FAILED: Final = 50427
"""The code under which a failure is logged; never part of a response."""

_PRE_ACTION: Final = "onParticipantAdd"
_ADDED: Final = event_names.ON_PARTICIPANT_ADDED


class PendingParticipants(msgspec.Struct, frozen=True):
    """The remaining work: its origin, the resulting state, and the participants as forms."""

    origin: Origin
    state: str
    participants: list[dict[str, list[str]]]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PendingParticipants).decode


def encode_pending(origin: Origin, state: str, forms: list[FormFields]) -> str:
    """Return the remaining work as text for the conversation's row."""
    return _encode(PendingParticipants(origin, state, forms)).decode()


class BackgroundCreate:
    """Completes conversations. Its only state is the tasks that wait for webhooks."""

    def __init__(self, pre_action_hook: PreActionHook | None = None) -> None:
        """``pre_action_hook``: the pre-action hook for participants, if there is one."""
        self._pre_action_hook = pre_action_hook
        # By conversation sid: its account, and the task that calls the hook.
        self._hook_tasks: dict[str, tuple[str, asyncio.Task[None]]] = {}

    def open_work(self) -> Iterator[OpenWork]:
        """Return the conversations whose webhooks are called."""
        for sid, (account_sid, _) in self._hook_tasks.items():
            yield OpenWork(f"participants of {sid}", account_sid)

    async def next_due_ms(self, tx: Transaction) -> int | None:
        """Return the current time if a conversation can be completed now, else None."""
        return tx.now if await self._list_pending(tx) else None

    async def _list_pending(self, tx: Transaction) -> list[Conversation]:
        """Return the conversations to complete next, with fair shares for accounts.

        An account may use at most as many slots as remain free (`operations/fair_shares.py`). This
        limits both the conversations chosen now, and these plus those with a hook task. An account
        at its limit is skipped.
        """
        free = limits.PENDING_CONVERSATIONS_ASKED_MAX - len(self._hook_tasks)
        limit = min(free, limits.PENDING_CONVERSATIONS_MAX)
        taken = Counter(account_sid for account_sid, _ in self._hook_tasks.values())
        taken_now: Counter[str] = Counter()
        chosen: dict[str, Conversation] = {}
        full: list[str] = []
        # Each round either lists all that remain, or adds an account to skip.
        for _ in range(limits.PENDING_ACCOUNTS_SKIPPED_MAX):
            if len(chosen) >= limit:
                break  # Listed again when a hook task has finished.
            count = limit + len(self._hook_tasks)
            found = await conversation_store.list_pending_conversations(tx, count, full)
            for each in found:
                account_sid = each.account_sid
                if each.sid in self._hook_tasks or each.sid in chosen or account_sid in full:
                    continue
                is_full = taken[account_sid] >= free - len(chosen)
                if is_full or taken_now[account_sid] >= limit - len(chosen):
                    full.append(account_sid)
                else:
                    chosen[each.sid] = each
                    taken[account_sid] += 1
                    taken_now[account_sid] += 1
            if len(found) < count:
                break
        return list(chosen.values())

    async def complete_some(self, store: Store) -> None:
        """Complete pending conversations, each in a separate transaction."""
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
        """Cancel the pre-action hooks; incomplete conversations are resumed at the next start."""
        await self.drop(lambda _account_sid: True)

    async def drop(self, accounts: Callable[[str], bool]) -> None:
        """Cancel the pre-action hooks of some accounts."""
        chosen = {sid: each for sid, each in self._hook_tasks.items() if accounts(each[0])}
        tasks = [task for _, task in chosen.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for conversation_sid, each in chosen.items():
            if self._hook_tasks.get(conversation_sid) is each:  # Cancelled before its first step.
                del self._hook_tasks[conversation_sid]

    async def _needs_hook(self, pending_conversation: Conversation) -> bool:
        """Return whether a pre-action webhook must be called for the participants."""
        if self._pre_action_hook is None or not _origin_of(pending_conversation).fires:
            return False
        scope = Scope(pending_conversation.account_sid, pending_conversation.service_sid)
        return await self._pre_action_hook.is_subscribed(scope, _PRE_ACTION)

    async def _complete_after_hook(self, store: Store, pending_conversation: Conversation) -> None:
        """Call the hook for each participant; complete the conversation if none is rejected."""
        try:
            await self._complete_one(store, pending_conversation, self._pre_action_hook)
        except Exception:
            log.exception("job_failed", job="pending_participants")
            await asyncio.sleep(limits.SCHEDULER_POLL_MS / 1000)
        finally:
            del self._hook_tasks[pending_conversation.sid]

    async def _complete_one(
        self,
        store: Store,
        pending_conversation: Conversation,
        pre_action_hook: PreActionHook | None = None,
    ) -> None:
        """Complete one conversation, or close it on a failure."""
        origin = SILENT
        try:
            pending = _decode(pending_conversation.pending_participants or "")
            origin = pending.origin
            if pre_action_hook is not None:
                dry_run = await store.dry_run(
                    lambda tx: _complete(tx, pending_conversation, pending), origin
                )
                added = [each for each in dry_run.events if each.name == _ADDED]
                await asyncio.gather(*(pre_action_hook.check(_PRE_ACTION, each) for each in added))
            await store.write(lambda tx: _complete(tx, pending_conversation, pending), origin)
        except (Busy, Unavailable):
            raise  # Transient, and not the conversation's fault: retried.
        except Exception:  # Any failure closes the conversation, so that none stays pending.
            log.exception(
                "conversation_completion_failed",
                code=FAILED,
                account_sid=pending_conversation.account_sid,
                conversation_sid=pending_conversation.sid,
            )
            await store.write(lambda tx: _close_failed(tx, pending_conversation), origin)


def _origin_of(pending_conversation: Conversation) -> Origin:
    """Return the origin of the request, or one without webhooks if it cannot be decoded."""
    try:
        return _decode(pending_conversation.pending_participants or "").origin
    except (ValueError, RecursionError):
        return SILENT


async def _complete(
    tx: Transaction, pending_conversation: Conversation, pending: PendingParticipants
) -> None:
    """Add the participants and make the transition to the requested state."""
    scope = Scope(pending_conversation.account_sid, pending_conversation.service_sid)
    locked = await _lock_pending(tx, scope, pending_conversation)
    if locked is None:
        return
    await participant_store.release_reservations(tx, scope, pending_conversation.sid)
    completed = conversation_timers.with_restarted_timers(
        msgspec.structs.replace(locked, state=pending.state, pending_participants=None), tx.now
    )
    for each in await conversation_with_participants_batch_create.make_participants(
        tx, scope, completed, pending.participants
    ):
        await participant_actions.save_new_participant(tx, scope, each)
    await conversation_store.update_conversation_row(tx, scope, completed)
    await conversation_timers.emit_state_changed(
        tx, scope, completed, conversation_timers.INITIALIZING, conversation_timers.BY_EVENT
    )


async def _close_failed(tx: Transaction, pending_conversation: Conversation) -> None:
    """Close a conversation that cannot be completed, and release its address pairs."""
    scope = Scope(pending_conversation.account_sid, pending_conversation.service_sid)
    locked = await _lock_pending(tx, scope, pending_conversation)
    if locked is None:
        return
    await participant_store.release_reservations(tx, scope, pending_conversation.sid)
    closed = updated(
        locked,
        tx.now,
        state=conversation_timers.CLOSED,
        pending_participants=None,
    )
    await conversation_store.update_conversation_row(tx, scope, closed)
    await conversation_timers.emit_state_changed(
        tx, scope, closed, conversation_timers.INITIALIZING, conversation_timers.BY_EVENT
    )


async def _lock_pending(
    tx: Transaction, scope: Scope, pending_conversation: Conversation
) -> Conversation | None:
    """Return the locked conversation if it is still pending, and its service exists."""
    found = await conversation_store.find_conversation(tx, scope, pending_conversation.sid)
    if found is None or found.pending_participants is None:
        return None
    if await scoping.service_exists(tx, scope):
        return found
    await conversation_store.update_conversation_row(
        tx, scope, msgspec.structs.replace(found, pending_participants=None)
    )
    return None
