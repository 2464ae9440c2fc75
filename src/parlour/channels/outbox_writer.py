"""The result writer of the outbox: records the outcomes of submissions, many in one transaction.

A result stays queued until it is written, so a failed write is retried; recording one twice changes
nothing. A submission stays in memory until its result is on disk, so it is not loaded again before.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import structlog

from parlour.channels.outbox_results import SubmissionResult, record_result
from parlour.operations.open_work import OpenWork
from parlour.store.leases import LeaseLost
from parlour.store.transaction import Busy, Unavailable
from parlour.vocabulary import crash_points, limits
from parlour.vocabulary.crash_points import crash_point
from parlour.vocabulary.origin import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parlour.store.leases import LeaseTerm
    from parlour.store.transaction import Transaction

log = structlog.get_logger()


class OutboxWriter:
    """Writes results in batches, in one task of one lease term."""

    # Steps of a batch:
    #
    #   1. commit the results
    #   2. release each submission: its lane has a new head on disk, or a later date
    #
    # A crash before 1 repeats the submissions, under the same references. After an unexpected error
    # the results are written one by one, so that a bad one delays no other.

    def __init__(self, lease_term: LeaseTerm) -> None:
        self._lease_term = lease_term
        # tidy: bounded - by the submissions in memory, of which each has one result
        self._results: deque[tuple[SubmissionResult, Callable[[], None]]] = deque()
        self._batch_max = limits.SUBMISSION_RESULTS_PER_WRITE_MAX
        self._wanted = asyncio.Event()
        self._is_stopping = False
        # Held during each write: who holds it as well sees none half done.
        self.writing = asyncio.Lock()

    def add(self, result: SubmissionResult, on_written: Callable[[], None]) -> None:
        """Queue a result; ``on_written`` is called after its commit. Never waits."""
        self._results.append((result, on_written))
        self._wanted.set()

    def open_work(self) -> Iterator[OpenWork]:
        """Return the accounts that have results in the queue."""
        for account_sid in {result.loaded.key[0] for result, _ in self._results}:
            yield OpenWork("results of submissions", account_sid)

    def drop(self, accounts: Callable[[str], bool]) -> None:
        """Release the results of some accounts, which are not written. Only under ``writing``."""
        results = tuple(self._results)
        self._results.clear()
        for result, on_written in results:
            if accounts(result.loaded.key[0]):
                on_written()
            else:
                self._results.append((result, on_written))

    def stop(self) -> None:
        """End ``run`` once all results are written."""
        self._is_stopping = True
        self._wanted.set()

    async def run(self) -> None:
        """Write results until the stop. Returns at the end of the lease term."""
        while self._results or not self._is_stopping:
            self._wanted.clear()
            if not self._results:
                await self._wanted.wait()
                continue
            try:
                async with self.writing:
                    await self._write_batch()
            except LeaseLost:
                return  # The next owner sends these again.
            except (Busy, Unavailable) as error:
                log.warning("submission_result_write_failed", error=str(error))
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
            except Exception:
                log.exception("submission_result_write_failed", waiting=len(self._results))
                if self._batch_max == 1:
                    self._results.rotate(-1)
                self._batch_max = 1
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)

    async def _write_batch(self) -> None:
        batch = list(islice(self._results, self._batch_max))
        results = [result for result, _ in batch]
        await self._lease_term.store.write(partial(_record_all, results), SYSTEM)
        crash_point(crash_points.SUBMISSION_RECORDED)
        for _, on_written in batch:
            self._results.popleft()
            on_written()
        if not self._results:
            self._batch_max = limits.SUBMISSION_RESULTS_PER_WRITE_MAX


async def _record_all(batch: list[SubmissionResult], tx: Transaction) -> None:
    # In one order of conversations, as each result locks its conversation.
    for result in sorted(batch, key=lambda each: each.loaded.submission.conversation_sid):
        await record_result(tx, result)
