"""The queue of one carrier: loads due submissions from disk, and sends them.

Only the first queued submission of a lane has a due date, so one message of a binding is in flight
at a time, and one in backoff holds back the later ones, also after a restart. Accounts take turns,
with equal shares of the room in memory.

| state of a submission in memory | next |
|---|---|
| waiting | in flight: a slot is free; released: it waited too long, and is read again |
| in flight | unrecorded: the carrier returned, or raised |
| unrecorded | released: its result is on disk |

A submission that the policy refused as a whole is unrecorded at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from parlour.channels import outbox_metrics
from parlour.channels.carrier import Accepted, CarrierUnavailable, MediumDeleted, Rejected
from parlour.channels.log_text import without_addresses
from parlour.channels.outbox_results import (
    LoadedSubmission,
    Outcome,
    SubmissionResult,
    Unanswered,
)
from parlour.operations.open_work import OpenWork
from parlour.resources.outbox import queue as outbox_queue
from parlour.vocabulary import crash_points, limits
from parlour.vocabulary.crash_points import crash_point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parlour.channels.carrier import Carrier
    from parlour.channels.outbox_term import OutboxTerm
    from parlour.resources.outbox.store import Submission
    from parlour.store.transaction import Transaction

log = structlog.get_logger()

_MEDIUM_DELETED: Final = 63019


class _LoadedStep(NamedTuple):
    """The submissions of some accounts, and the last of these accounts; empty after the end."""

    found: list[LoadedSubmission]
    last_account: str
    is_end: bool


class CarrierQueue:
    """The submissions of one carrier during one lease term."""

    # Backoff: while the carrier is unavailable (``_failures`` > 0), one submission is tried at a
    # time, with a growing delay between two of them. Only this carrier's senders are delayed.

    def __init__(self, name: str, carrier: Carrier | None, term: OutboxTerm) -> None:
        """``carrier`` None: there is no carrier of this name, so each submission fails."""
        self.name = name
        self._carrier = carrier
        self._term = term
        # tidy: bounded - by _room
        self._waiting: deque[LoadedSubmission] = deque()
        # The keys of all submissions in memory, and their number by account.
        self._loaded: set[tuple[str, str]] = set()
        # The keys released during the current read, which may show them without their results. At
        # most as many as were in memory at its start.
        self._released: set[tuple[str, str]] = set()
        self._counts: Counter[str] = Counter()
        self._in_flight: dict[asyncio.Task[None], LoadedSubmission] = {}
        # The keys of those, and when they were passed to the carrier, on the monotonic clock.
        self._sent_at_ms: dict[tuple[str, str], float] = {}
        self._last_account = ""
        self._next_due_ms: int | None = None
        self._failures = 0
        self._backoff_until_ms = 0.0
        self._wanted = asyncio.Event()
        self._debounce: asyncio.TimerHandle | None = None

    def open_work(self) -> Iterator[OpenWork]:
        """Return the submissions in flight."""
        for (account_sid, sid), since_ms in self._sent_at_ms.items():
            yield OpenWork(f"carrier {self.name}, {sid}", account_sid, since_ms)

    # --- Running ------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look for due submissions soon: something was committed."""
        # Commits come in bursts: one read for all of them.
        if self._debounce is None and self._carrier is not None:
            delay = self._term.debounce_ms / 1000
            self._debounce = asyncio.get_running_loop().call_later(delay, self._end_debounce)

    def _end_debounce(self) -> None:
        self._debounce = None
        self._wanted.set()

    def clock_changed(self) -> None:
        """Look for due submissions now, also during a backoff: the clock was changed."""
        self._backoff_until_ms = 0.0
        self._wanted.set()

    def stop(self) -> None:
        """End ``run`` soon: the term is stopping."""
        self._wanted.set()

    async def run(self) -> None:
        """Load and send until the term stops."""
        while not self._term.is_stopping:
            self._wanted.clear()
            try:
                await self._load()
            except Exception:
                log.exception("submission_load_failed", carrier=self.name)
                await asyncio.sleep(limits.SINK_RETRY_MS / 1000)
            self._start_sending()
            await self._wait()

    async def drain(self, timeout_seconds: float) -> None:
        """Wait for the submissions in flight, within a limit; their results are queued."""
        if self._in_flight:
            await asyncio.wait(set(self._in_flight), timeout=timeout_seconds)
        tasks = tuple(self._in_flight)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drop(self, accounts: Callable[[str], bool], timeout_seconds: float) -> None:
        """Release the waiting submissions of some accounts, and cancel those in flight.

        Those in flight have ``timeout_seconds`` to end; their results are queued then.
        """
        waiting = tuple(self._waiting)
        self._waiting.clear()
        self._waiting.extend(each for each in waiting if not accounts(each.key[0]))
        for loaded in waiting:
            if accounts(loaded.key[0]):
                self.release(loaded)
        sending = {
            task: loaded for task, loaded in self._in_flight.items() if accounts(loaded.key[0])
        }
        if sending:
            await asyncio.wait(sending, timeout=timeout_seconds)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        for task, loaded in sending.items():
            if task.cancelled():
                self.release(loaded)

    async def _wait(self) -> None:
        """Wait until there may be something to do, at most for the fallback interval."""
        wait_ms: float = limits.OUTBOX_POLL_MS
        if self._next_due_ms is not None and self._room > 0:
            wait_ms = min(wait_ms, max(0, self._next_due_ms - self._term.clock.now_ms()))
        if self._waiting and self._backoff_ms > 0:
            wait_ms = min(wait_ms, self._backoff_ms)
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._wanted.wait()
        except TimeoutError:
            return

    # --- Loading ------------------------------------------------------------------------------

    @property
    def _slots(self) -> int:
        """How many submissions may be in flight."""
        if self._carrier is None:
            return 1
        return 1 if self._failures else max(1, self._carrier.concurrency)

    @property
    def _room(self) -> int:
        """How many more submissions fit in memory."""
        per_slot = limits.SUBMISSIONS_LOADED_PER_SLOT_MAX
        most = limits.SUBMISSIONS_LOADED_MAX
        if self._carrier is not None:
            most = min(most, max(self._slots * per_slot, per_slot))
        return most - len(self._loaded)

    async def _load(self) -> None:
        """Load due submissions of all accounts in turn, as many as fit in memory."""
        first, self._next_due_ms = self._last_account, None
        has_wrapped = not first
        while self._room > 0 and not self._term.is_stopping:
            self._released.clear()
            step = await self._term.reads.read(self._read_step)
            for each in step.found:
                self._add(each)
            self._start_sending()
            self._last_account = step.last_account
            if step.is_end:
                if has_wrapped:
                    return
                has_wrapped = True
            elif has_wrapped and self._last_account >= first:
                return

    async def _read_step(self, tx: Transaction) -> _LoadedStep:
        """Read the due heads of the next accounts, each with an equal share of the room."""
        now_ms, room = self._term.clock.now_ms(), self._room
        accounts = await outbox_queue.accounts_after(tx, self.name, self._last_account)
        due = [each.account_sid for each in accounts if each.due_ms <= now_ms]
        if self._term.is_held is not None:
            due = [account_sid for account_sid in due if not self._term.is_held(account_sid)]
        self._add_due_dates([each.due_ms for each in accounts if each.due_ms > now_ms])
        share = max(1, room // max(1, len(due)))
        found: list[LoadedSubmission] = []
        for account_sid in due:
            if len(found) >= room:
                return _LoadedStep(found, found[-1].key[0], is_end=False)
            # Those in memory are among the heads until their results are on disk.
            count = self._counts[account_sid] + share
            heads = await outbox_queue.due_heads(tx, self.name, account_sid, now_ms, count)
            new = [each for each in heads if (account_sid, each.sid) not in self._loaded]
            new = new[: min(share, room - len(found))]
            found += [await self._apply_policy(tx, each) for each in new]
        if len(accounts) < limits.OUTBOX_ACCOUNTS_PER_STEP_MAX:
            return _LoadedStep(found, "", is_end=True)
        return _LoadedStep(found, accounts[-1].account_sid, is_end=False)

    def _add_due_dates(self, dates: list[int]) -> None:
        """Update the earliest date at which a submission is due later."""
        if self._next_due_ms is not None:
            dates = [*dates, self._next_due_ms]
        self._next_due_ms = min(dates, default=None)

    async def _apply_policy(self, tx: Transaction, submission: Submission) -> LoadedSubmission:
        return await self._term.policy.load(
            tx,
            submission,
            has_carrier=self._carrier is not None,
            monotonic_ms=self._term.clock.monotonic_ms(),
        )

    def _add(self, loaded: LoadedSubmission) -> None:
        if loaded.key in self._loaded or loaded.key in self._released:
            return
        self._loaded.add(loaded.key)
        self._counts[loaded.key[0]] += 1
        if loaded.message is None:
            self._finish(loaded, None)
        else:
            self._waiting.append(loaded)

    def release(self, loaded: LoadedSubmission) -> None:
        """Discard a submission: its result is on disk, or it has to be read again."""
        self._loaded.discard(loaded.key)
        self._released.add(loaded.key)
        account_sid = loaded.key[0]
        self._counts[account_sid] -= 1
        if self._counts[account_sid] <= 0:
            del self._counts[account_sid]
        self._wanted.set()

    # --- Sending ------------------------------------------------------------------------------

    @property
    def _backoff_ms(self) -> float:
        return self._backoff_until_ms - self._term.clock.monotonic_ms()

    def _start_sending(self) -> None:
        """Start to send the first waiting submissions, as many as there are free slots."""
        if self._carrier is None or self._term.is_stopping:
            return
        while self._waiting and len(self._in_flight) < self._slots and self._backoff_ms <= 0:
            loaded = self._waiting.popleft()
            age_ms = self._term.clock.monotonic_ms() - loaded.loaded_at_ms
            if age_ms > limits.SUBMISSION_LOADED_MS_MAX:
                self.release(loaded)
                continue
            task = asyncio.create_task(self._send(self._carrier, loaded))
            self._in_flight[task] = loaded
            task.add_done_callback(self._in_flight.pop)

    async def _send(self, carrier: Carrier, loaded: LoadedSubmission) -> None:
        """Make one attempt, and queue its result."""
        if not self._term.lease_term.is_current():
            return  # The next owner sends it.
        assert loaded.message is not None
        crash_point(crash_points.SUBMISSION_LOADED)
        outcome: Outcome
        is_available = True
        self._sent_at_ms[loaded.key] = self._term.clock.monotonic_ms()
        try:
            outcome = await carrier.send(loaded.message)
        except CarrierUnavailable as error:
            if not self._term.lease_term.is_current():
                return  # As above: the lease was lost while it waited.
            outcome, is_available = Unanswered(str(error)), False
        except MediumDeleted as error:
            outcome = Rejected(_MEDIUM_DELETED, str(error))
        except Exception as error:
            # A message that the carrier's code cannot process delays only its own lane.
            log.exception("submission_failed", carrier=self.name, reference=loaded.submission.sid)
            outcome = Unanswered(repr(error))
        finally:
            del self._sent_at_ms[loaded.key]
        crash_point(crash_points.SUBMISSION_SENT)
        self._update_availability(is_available=is_available)
        self._finish(loaded, outcome)
        asyncio.get_running_loop().call_soon(self._start_sending)

    def _update_availability(self, *, is_available: bool) -> None:
        if is_available:
            if self._failures:
                log.info("carrier_connection_restored", carrier=self.name)
            self._failures, self._backoff_until_ms = 0, 0.0
            return
        if not self._failures:
            log.warning("carrier_connection_failed", carrier=self.name)
        exponent = min(self._failures, 16)
        wait_ms = min(limits.CARRIER_BACKOFF_MS_MIN * 2**exponent, limits.CARRIER_BACKOFF_MS_MAX)
        self._failures += 1
        self._backoff_until_ms = self._term.clock.monotonic_ms() + wait_ms
        while self._waiting:
            self.release(self._waiting.popleft())

    def _finish(self, loaded: LoadedSubmission, outcome: Outcome) -> None:
        """Queue the result of a submission for the writer."""
        self._term.metrics.outcomes[self.name, _outcome_name(outcome)] += 1
        if isinstance(outcome, Rejected | Unanswered):
            recipients = loaded.message.recipients if loaded.message is not None else ()
            log.warning(
                "submission_rejected",
                carrier=self.name,
                reference=loaded.submission.sid,
                code=outcome.code if isinstance(outcome, Rejected) else None,
                detail=without_addresses(outcome.detail, recipients),
            )
        due_ms = self._next_attempt_ms(loaded.submission, outcome)
        result = SubmissionResult(loaded, outcome, due_ms)
        self._term.writer.add(result, partial(self.release, loaded))

    def _next_attempt_ms(self, submission: Submission, outcome: Outcome) -> int:
        """Return the date of the next attempt after this outcome; at most when it expires."""
        delay_ms: float = min(
            limits.SUBMISSION_RETRY_MS_MIN * 2 ** min(submission.attempts, 16),
            limits.SUBMISSION_RETRY_MS_MAX,
        )
        delay_ms *= 1 + self._term.random.fraction() * limits.SUBMISSION_JITTER_PERCENT / 100
        if isinstance(outcome, Rejected) and outcome.retry_after_seconds is not None:
            asked_ms = outcome.retry_after_seconds * 1000
            delay_ms = max(delay_ms, min(asked_ms, limits.CARRIER_RETRY_AFTER_MS_MAX))
        return self._term.clock.now_ms() + int(delay_ms)


def _outcome_name(outcome: Outcome) -> str:
    if outcome is None:
        return outbox_metrics.REFUSED
    if isinstance(outcome, Accepted):
        return outbox_metrics.SENT
    if isinstance(outcome, Unanswered):
        return outbox_metrics.UNAVAILABLE
    is_final = outcome.retry_after_seconds is None
    return outbox_metrics.REJECTED if is_final else outbox_metrics.RETRIED
