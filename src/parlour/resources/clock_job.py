"""Restart timers that would act too late after the server's clock was set back.

Due times are stored as dates: a timer started while the clock was three days ahead would act three
days late. Once the clock shows less than before, and at the start of each process, the timers of
conversations are read in batches, and those that end later than their full duration from now are
restarted. The webhook sink caps its own due times (`delivery/webhook_sink.py`), leases use the
clock of the database, and retention times only become longer.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from parlour.operations import purge
from parlour.operations.scheduler import Job
from parlour.resources.conversations import store as conversation_store
from parlour.resources.conversations import timers as conversation_timers
from parlour.resources.outbox import queue as outbox_queue
from parlour.resources.users import presence as user_presence
from parlour.vocabulary import limits
from parlour.vocabulary.scope import Scope

if TYPE_CHECKING:
    from parlour.store.transaction import Store, Transaction

_PASS: Final = (conversation_store.LIST_BY_INACTIVE_TIMER, conversation_store.LIST_BY_CLOSED_TIMER)
# Timers of the same millisecond, which may be many, are ordered by sid.
_START: Final = (0, "")


class ClockJob:
    """One pass over the timers at startup, and again whenever the clock was set back."""

    def __init__(self) -> None:
        self._latest_ms = 0
        self._begin()

    def _begin(self) -> None:
        # The remaining statements of the pass, and the cursor of the first of them.
        self._left = list(_PASS)
        self._after = _START

    def job(self) -> Job:
        """Return the job for the scheduler."""
        return Job("clock", self._next_due_ms, self._step)

    async def _next_due_ms(self, tx: Transaction) -> int | None:
        now_ms = tx.now
        if now_ms < self._latest_ms - limits.CLOCK_SET_BACK_MS_MIN:
            self._begin()
        self._latest_ms = now_ms
        return now_ms if self._left else None

    async def _step(self, store: Store) -> None:
        if len(self._left) == len(_PASS) and self._after == _START:
            await store.write(_cap_others)
        listing = self._left[0]
        found = await store.read(partial(_after, listing, self._after))
        late = [
            each
            for each, now_ms in found
            if conversation_timers.with_capped_timers(each, now_ms) != each
        ]
        if late:
            await store.write(partial(_cap, late))
        if len(found) < limits.TIMERS_PER_STEP_MAX:
            del self._left[0]
            self._after = _START
        else:
            last = found[-1][0]
            date = last.date_inactive if listing == _PASS[0] else last.date_closed
            assert date is not None
            self._after = date, last.sid


async def _after(
    listing: str, after: tuple[int, str], tx: Transaction
) -> list[tuple[conversation_store.Conversation, int]]:
    now_ms = tx.now
    first = max(after, (now_ms, ""))
    found = await conversation_store.list_conversations_by_timer(
        tx, listing, first, limits.TIMERS_PER_STEP_MAX
    )
    return [(each, now_ms) for each in found]


# tidy: event-for-change - clients need no event for a date that only the clock changed
async def _cap(late: list[conversation_store.Conversation], tx: Transaction) -> None:
    for each in late:
        scope = Scope(each.account_sid, each.service_sid)
        # Read again in this transaction, because it may have changed since the listing.
        conversation = await conversation_store.find_conversation(tx, scope, each.sid)
        if conversation is not None:
            await conversation_store.update_conversation_row(
                tx, scope, conversation_timers.with_capped_timers(conversation, tx.now)
            )


async def _cap_others(tx: Transaction) -> None:
    await purge.cap_due_dates(tx)
    await user_presence.cap_node_expiry(tx)
    await outbox_queue.cap_due_dates(tx)
