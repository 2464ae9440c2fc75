"""Prometheus metrics: counters and histograms by operation, never by account or content.

Counting is a few additions per request; samples of the client library are created per scrape.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from parlour.http.request_records import OWN_PATHS
from parlour.vocabulary import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sized

    from prometheus_client import Metric

    from parlour.http.connections import HttpConnections
    from parlour.http.messages import Request
    from parlour.operations.buffers import BufferPool
    from parlour.operations.minute_metrics import MinuteMetrics
    from parlour.operations.work_limit import WorkLimit
    from parlour.vocabulary.clock import Clock

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Answers:
    """The histogram of one operation and status, by duration."""

    __slots__ = ("seconds", "times")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.times = [0] * (len(_BUCKETS) + 1)


class Metrics(Collector):
    """The metrics of one process. Bounded by the number of operations and statuses."""

    def __init__(self, by_minute: MinuteMetrics | None = None) -> None:
        """``by_minute``: count the requests by the minute as well."""
        self._by_minute = by_minute
        self._answers: dict[tuple[str, int], _Answers] = {}
        self._refusals: Counter[int] = Counter()
        self.running: Callable[[], int] = lambda: 0
        self.sources: list[Callable[[], Iterable[Metric]]] = []
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def count_response(self, operation_id: str, status: int, seconds: float) -> None:
        """Count one response."""
        answers = self._answers.get((operation_id, status))
        if answers is None:
            answers = self._answers[operation_id, status] = _Answers()
        answers.seconds += seconds
        answers.times[bisect_left(_BUCKETS, seconds)] += 1

    def count_request(self, request: Request, status: int, seconds: float) -> None:
        """Count one response to a request."""
        self.count_response(request.operation_id, status, seconds)
        if self._by_minute is not None:
            caller = request.caller
            # Requests for our own paths are no traffic of an account, as in the journal.
            is_own = caller is None or request.path.startswith(OWN_PATHS)
            account_sid = "" if caller is None or is_own else caller.account_sid
            ended_ms = request.started_ms + 1000 * seconds
            self._by_minute.count(account_sid, status, seconds, ended_ms)

    def count_refusal(self, status: int) -> None:
        """Count one request that was refused before routing."""
        self._refusals[status] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield the samples of a scrape."""
        answers = CounterMetricFamily(
            "parlour_requests",
            "Answers, by operation and status.",
            labels=("operation_id", "status"),
        )
        counts = Counter({("", status): count for status, count in self._refusals.items()})
        times: dict[str, list[int]] = {}
        sums: dict[str, float] = {}
        for (operation_id, status), found in self._answers.items():
            counts[operation_id, status] += sum(found.times)
            sums[operation_id] = sums.get(operation_id, 0.0) + found.seconds
            so_far = times.get(operation_id, [0] * len(found.times))
            times[operation_id] = [
                one + other for one, other in zip(so_far, found.times, strict=True)
            ]
        for (operation_id, status), count in sorted(counts.items()):
            answers.add_metric((operation_id, str(status)), count)
        yield answers
        seconds = HistogramMetricFamily(
            "parlour_request_seconds",
            "Time from request to answer, by operation.",
            labels=("operation_id",),
        )
        bounds = [*map(str, _BUCKETS), "+Inf"]
        for operation_id, each in sorted(times.items()):
            buckets = list(zip(bounds, map(float, accumulate(each)), strict=True))
            seconds.add_metric((operation_id,), buckets, sums[operation_id])
        yield seconds
        running = "Requests that are running."
        yield GaugeMetricFamily("parlour_requests_running", running, value=self.running())
        for source in self.sources:
            yield from source()

    def text(self) -> bytes:
        """Return the samples in Prometheus' text format."""
        return generate_latest(self.registry)


def buffer_metrics(pool: BufferPool) -> Iterator[Metric]:
    """Yield the samples of the buffer pool, by part."""
    rooms = (("authenticated", pool.authenticated), ("unauthenticated", pool.unauthenticated))
    used = GaugeMetricFamily(
        "parlour_buffer_bytes", "Bytes that the edge has buffered.", labels=("room",)
    )
    capacity = GaugeMetricFamily(
        "parlour_buffer_bytes_max", "Bytes that the edge may buffer.", labels=("room",)
    )
    waits = CounterMetricFamily(
        "parlour_buffer_waits", "Requests that waited for room.", labels=("room",)
    )
    refusals = CounterMetricFamily(
        "parlour_buffer_refusals",
        "Reservations for which there was no room at first; those that wait may get it yet.",
        labels=("room",),
    )
    cuts = CounterMetricFamily(
        "parlour_buffer_cuts", "Exchanges that were cut to make room.", labels=("room",)
    )
    for name, room in rooms:
        used.add_metric((name,), room.used)
        capacity.add_metric((name,), room.capacity)
        waits.add_metric((name,), room.waits)
        refusals.add_metric((name,), room.refusals)
        cuts.add_metric((name,), room.cuts)
    yield from (used, capacity, waits, refusals, cuts)


def work_metrics(work: WorkLimit, held: Sized) -> Iterator[Metric]:
    """Yield the samples of active requests."""
    in_work = "Requests that are processed, without those that wait for a webhook."
    yield GaugeMetricFamily("parlour_requests_in_work", in_work, value=work.in_work)
    most = "Maximum of requests that are processed at a time; further ones are refused."
    yield GaugeMetricFamily("parlour_requests_in_work_max", most, value=work.limit)
    refused = "Refusals that are held back."
    yield GaugeMetricFamily("parlour_refusals_held", refused, value=len(held))


def connection_metrics(connections: HttpConnections) -> Iterator[Metric]:
    """Yield the samples of open client connections, WebSockets before `init` included."""
    found = GaugeMetricFamily(
        "parlour_open_connections", "Connections of clients that are open.", labels=("kind",)
    )
    found.add_metric(("http",), len(connections))
    found.add_metric(("websocket",), connections.websockets)
    yield found
    most = "Connections of clients that may be open; one more is answered with 503."
    yield GaugeMetricFamily("parlour_open_connections_max", most, value=connections.total_max)


class MetricsPage:
    """The metrics page. It is public, so its cost is bounded at any rate of requests.

    A page takes a millisecond. Concurrent requests share the next page, and pages are at least
    METRICS_REST_FACTOR times their duration apart; no sample is older than its request.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._next: asyncio.Task[bytes] | None = None
        self._rests_until_ms = 0.0

    async def text(self) -> bytes:
        """Return current samples in Prometheus' text format."""
        if self._next is None:
            self._next = asyncio.create_task(self._make())
        # Shielded: a client that disconnects must not cancel the page of the others.
        return await asyncio.shield(self._next)

    async def _make(self) -> bytes:
        # Requests that arrive during the delay share this page, those after it the next one: a
        # page is never older than its request.
        await asyncio.sleep(max(0.0, self._rests_until_ms - self._clock.monotonic_ms()) / 1000)
        self._next = None
        began = self._clock.monotonic_ms()
        text = self._metrics.text()
        ended = self._clock.monotonic_ms()
        rest = (ended - began) * limits.METRICS_REST_FACTOR
        self._rests_until_ms = ended + min(rest, limits.METRICS_REST_MS_MAX)
        return text
