"""A model of one server process under load: its event loop, its disk, its clients.

One processor serves turns: in a turn the loop reads the bytes that arrived on every connection,
decides about each request, and ends those whose commit is done; a commit takes all that wait for
one. A client has a number of connections with one request at a time on each; requests are due at
random times, regardless of earlier ones.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parlour.operations.delayed_refusals import DelayedRefusals
from parlour.operations.work_limit import WorkLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.operations.work_limit import WorkSlot

# The model's loop handles as many connections in one turn as the real one.
EVENTS_PER_TURN = 1024


@dataclass
class ModelClock:
    """The clock of the model."""

    now: float = 0.0

    def now_ms(self) -> int:
        return int(self.now)

    def monotonic_ms(self) -> float:
        return self.now


@dataclass
class Costs:
    """Milliseconds: of the processor for a request and a rejection, of the disk for a commit."""

    request_ms: float
    refusal_ms: float
    commit_ms: float = 2.0
    outside_ms: float = 0.0
    outside_share: float = 0.0


@dataclass
class LoadResults:
    """The results of the requests."""

    accepted: list[tuple[float, float]] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)
    unsent: int = 0

    def goodput(self, since_ms: float, until_ms: float) -> float:
        """Return accepted requests per second in a window of time."""
        count = sum(since_ms <= at < until_ms for at, _ in self.accepted)
        return count / (until_ms - since_ms) * 1000

    @staticmethod
    def p99(answers: list[tuple[float, float]], since_ms: float = 0.0) -> float:
        """Return the 99th percentile of the latencies of responses since a time."""
        found = sorted(latency for at, latency in answers if at >= since_ms)
        return found[int(0.99 * (len(found) - 1))] if found else 0.0


class LoopModel:
    """One run of the model. ``rate_at`` returns how many requests per second are due at a time."""

    def __init__(self, costs: Costs, *, connections: int = 1000, limit: int | None = None) -> None:
        """Create a model; ``limit``: fixed, with immediate rejections, without controller."""
        self.clock = ModelClock()
        self.costs = costs
        self._used_ms = 0.0
        self.work = WorkLimit(self.clock, limit or 1000, lambda: self._used_ms)
        self.is_controlled = limit is None
        if limit:
            self.work.limit = limit
        self.held: DelayedRefusals[float] = DelayedRefusals(self.clock)
        self.seen = LoadResults()
        self.limits: list[int] = []
        self._chance = random.Random(8)
        self._free = connections
        self._unread: deque[float] = deque()
        self._to_commit: list[tuple[float, WorkSlot]] = []
        self._committing: list[tuple[float, WorkSlot]] = []
        self._commit_ends = 0.0
        self._outside: deque[tuple[float, float, WorkSlot]] = deque()

    def run(self, seconds: float, rate_at: Callable[[float], float]) -> LoadResults:
        """Offer requests for this many seconds."""
        due = self._chance.expovariate(rate_at(0.0)) * 1000
        until = seconds * 1000
        while self.clock.now < until:
            while due <= self.clock.now:
                if self._free:
                    self._free -= 1
                    self._unread.append(due)
                else:
                    self.seen.unsent += 1
                due += self._chance.expovariate(rate_at(due / 1000)) * 1000
            if not self._turn():
                self.clock.now = max(self.clock.now, min(due, self._next_event()))
            self.limits.append(self.work.limit)
        return self.seen

    def _next_event(self) -> float:
        commit = self._commit_ends if self._committing else float("inf")
        held = self.clock.now + 5 if len(self.held) else float("inf")
        outside = self._outside[0][0] if self._outside else float("inf")
        return min(commit, held, outside)

    def _turn(self) -> bool:
        """Run one turn of the loop; return whether there was any work."""
        clock, costs = self.clock, self.costs
        start = clock.now
        for due in self.held.due():
            self._refuse(due)
        for _ in range(min(EVENTS_PER_TURN, len(self._unread))):
            due = self._unread.popleft()
            if not self.work.has_room:
                if not self.is_controlled or not self.held.hold(due):
                    self._refuse(due)
                continue
            entered = self.work.enter()
            clock.now += costs.request_ms * 0.6
            if self._chance.random() < costs.outside_share:
                entered.suspend()
                self._outside.append((clock.now + costs.outside_ms, due, entered))
            else:
                self._to_commit.append((due, entered))
        while self._outside and self._outside[0][0] <= clock.now:
            _, due, entered = self._outside.popleft()
            entered.resume()
            self._to_commit.append((due, entered))
        if self._committing and self._commit_ends <= clock.now:
            for due, entered in self._committing:
                clock.now += costs.request_ms * 0.4
                if self.is_controlled:
                    entered.end()
                    self.held.earn()
                else:
                    self.work.in_work -= 1
                self._answer(self.seen.accepted, due)
            self._committing = []
        if self._to_commit and not self._committing:
            self._committing, self._to_commit = self._to_commit, []
            self._commit_ends = clock.now + costs.commit_ms
        self._used_ms += clock.now - start
        return clock.now > start

    def _refuse(self, due: float) -> None:
        self.clock.now += self.costs.refusal_ms
        self._answer(self.seen.refused, due)

    def _answer(self, answers: list[tuple[float, float]], due: float) -> None:
        answers.append((self.clock.now, self.clock.now - due))
        self._free += 1
