"""Any mix of results, restarts, deletions and delays keeps order, loses nothing, repeats little.

Each run draws its carriers' results, and ends the term abruptly at random points. The model is the
list of messages of each lane, and what the carrier accepted.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from parlour.channels.carrier import Accepted, CarrierUnavailable, Rejected
from parlour.resources.outbox import queue as outbox_queue
from parlour.resources.outbox import store as outbox_store
from parlour.vocabulary import limits
from tests.unit.channels.outbox_setup import SCOPE, OutboxSetup, ScriptedCarrier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from parlour.channels.carrier import OutboundMessage

    RunOutbox = Callable[[Callable[[OutboxSetup], Awaitable[None]]], None]

SEEDS = int(os.environ.get("PARLOUR_SEEDS", "25"))
MESSAGES = 12
MOVED_EVERY = 5
ADDRESSES = ("+1", "+2", "+3")
HEADS = """
SELECT lane, COUNT(due_ms), MIN(lane_order),
       MIN(CASE WHEN due_ms IS NOT NULL THEN lane_order END)
  FROM submission WHERE account_sid = $1 AND state = 'queued' GROUP BY lane, conversation_sid
"""


class RandomCarrier(ScriptedCarrier):
    """A carrier whose results are drawn, and that records what it accepted."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(concurrency=rng.choice((1, 2, 8)))
        self.rng = rng
        self.accepted: dict[str, list[OutboundMessage]] = defaultdict(list)
        self.rejected: set[str] = set()
        self.attempts: list[str] = []

    async def send(self, message: OutboundMessage) -> Accepted | Rejected:
        (address,) = message.recipients
        self.attempts.append(message.reference)
        await asyncio.sleep(self.rng.choice((0, 0, 0.002)))
        draw = self.rng.random()
        if draw < 0.15:
            code = 30001
            return Rejected(code, "throttled", retry_after_seconds=self.rng.choice((0, 3)))
        if draw < 0.25:
            raise CarrierUnavailable("drawn")
        if draw < 0.3:
            self.rejected.add(message.reference)
            return Rejected(21211, "drawn")
        self.accepted[address].append(message)
        return Accepted((f"id {message.reference} {len(self.attempts)}",))


@pytest.mark.channel("C25")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_lanes_keep_their_order_and_lose_no_message(run_outbox: RunOutbox, seed: int) -> None:
    async def scenario(outbox: OutboxSetup) -> None:
        rng = random.Random(seed)
        carrier = RandomCarrier(rng)
        sent: list[str] = []
        deleted: set[str] = set()
        restarts = 0
        made = outbox.carriers(virtual=carrier)
        await made.start()
        for index in range(MESSAGES):
            addresses = rng.sample(ADDRESSES, rng.randint(1, 3))
            # The bindings move to another conversation periodically, without their backlog.
            outbox.clock.advance(1)
            sent.append(
                await outbox.add_message(index, *addresses, conversation=1 + index // MOVED_EVERY)
            )
            await asyncio.sleep(rng.choice((0, 0.001, 0.01)))
            outbox.clock.advance(rng.choice((0, 0, 500, 2000)))
            if rng.random() < 0.15:
                doomed = rng.choice(sent)
                deleted.add(doomed)
                await outbox.store.write(
                    lambda tx, sid=doomed: outbox_store.delete_submissions_of_message(
                        tx, SCOPE, sid
                    )
                )
            if rng.random() < 0.15:
                restarts += 1
                await _crash(outbox, made._task)
                made = outbox.carriers(virtual=carrier)
                await made.start()
            await _check_heads(outbox)
        await _finish(outbox)
        await _check_heads(outbox)
        await made.stop()
        _check_order(carrier, {f"message {sent.index(sid)}" for sid in deleted})
        _check_repetitions(carrier, restarts)
        for sid in set(sent) - deleted:
            statuses = {status for status, _ in (await outbox.receipts(sid)).values()}
            assert statuses <= {"sent", "failed"}, statuses

    run_outbox(scenario)


async def _crash(outbox: OutboxSetup, task: asyncio.Task[None] | None) -> None:
    """End a term without its last results, as a kill of the process does."""
    assert task is not None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # A killed process commits nothing later: the transactions that it has queued end first.
    await outbox.store.write(outbox_queue.next_expiry_ms)


async def _finish(outbox: OutboxSetup) -> None:
    """Advance the clock until nothing is queued."""

    async def is_done() -> bool:
        outbox.clock.advance(limits.SUBMISSION_RETRY_MS_MIN)
        await asyncio.sleep(0.005)
        return all(each.state == "accepted" for each in await outbox.submissions())

    await outbox.until(is_done)


async def _check_heads(outbox: OutboxSetup) -> None:
    """Each lane of a conversation with queued submissions has one head, and it is the first."""
    for lane, heads, first, head in await outbox.store.read(
        lambda tx: tx.all(HEADS, SCOPE.account_sid)
    ):
        assert (heads, head) == (1, first), lane


def _check_order(carrier: RandomCarrier, deleted: set[str]) -> None:
    """The first acceptances of a lane are in the order of its messages.

    A message that is deleted while it is in flight does not hold back the next one.
    """
    for messages in carrier.accepted.values():
        bodies = [str(each.body) for each in messages if each.body not in deleted]
        bodies = list(dict.fromkeys(bodies))
        assert bodies == sorted(bodies, key=lambda body: int(body.split()[1]))


def _check_repetitions(carrier: RandomCarrier, restarts: int) -> None:
    """A message is accepted again only after a crash, at most those that were in flight."""
    counts = [
        len([each for each in messages if each.reference == reference])
        for messages in carrier.accepted.values()
        for reference in {each.reference for each in messages}
    ]
    repeated = sum(count - 1 for count in counts)
    assert repeated <= restarts * len(ADDRESSES)
