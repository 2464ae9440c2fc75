"""The latency of webhooks, and the effect of one hanging endpoint on all others.

A message's ``DateCreated`` is the moment its transaction started, so the time from there to its
arrival contains the commit and is a little longer than the one that is promised.
"""

from __future__ import annotations

import http.client
import json
import math
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench import servers, workload
from bench.api_client import KeepAliveApi
from bench.load import openloop
from bench.processes import pinned_to

if TYPE_CHECKING:
    from pathlib import Path

    from bench.api_client import Credentials
    from bench.processes import Process

RATE = 200.0
ENDPOINTS = 100
CONVERSATIONS_EACH = 4
WARM_SECONDS = 1.0
QUIET_SECONDS = 1.0
SEEN_EVERY_SECONDS = 0.05
SETTLE_SECONDS_MAX = 60.0
HANGING = 0
"""The index of the endpoint that hangs; it receives as many events as the others."""


class UnsettledError(Exception):
    """Webhooks are still pending long after the last event."""


@dataclass(frozen=True, slots=True)
class Span:
    """The duration of each part of the measurement, and the number of repetitions.

    A webhook that has not arrived ``grace_seconds`` after the last message is late.
    """

    seconds: float
    rounds: int
    grace_seconds: float


# Longer than the webhook timeout, so that the hanging ones are timed out and retried.
FULL = Span(seconds=6.0, rounds=5, grace_seconds=1.0)
# Next to other tests a machine may be slow; a webhook behind a hanging one takes longer.
QUICK = Span(seconds=1.0, rounds=1, grace_seconds=3.0)


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds from commit to arrival: of all, then of the others next to a hanging one.

    A webhook that did not arrive in time counts as infinitely late.
    """

    healthy: list[float]
    others: list[float]


@dataclass(frozen=True, slots=True)
class WebhookResults:
    """The measurements; each is the median over the rounds."""

    rounds: list[Round]

    def healthy_ms(self, share: float) -> float:
        """Return a percentile of all arrivals while every endpoint responds."""
        return statistics.median(percentile(each.healthy, share) for each in self.rounds)

    @property
    def hanging_ratio(self) -> float:
        """Return the others' 99th percentile next to a hanging one, relative to that without it."""
        return statistics.median(
            percentile(each.others, 0.99) / percentile(each.healthy, 0.99) for each in self.rounds
        )

    @property
    def late(self) -> int:
        """Return the number of webhooks that did not arrive in time."""
        return sum(
            math.isinf(time) for each in self.rounds for time in (*each.healthy, *each.others)
        )


class ReceiverProcess:
    """The receivers' process and its control port."""

    def __init__(self, process: Process) -> None:
        """Create a client of a running process."""
        self._connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
        self.ports: list[int] = self.send_request("/ports")

    def send_request(self, path: str) -> Any:
        """Return the response of the control port."""
        self._connection.request("GET", path)
        return json.loads(self._connection.getresponse().read())

    def url(self, place: int) -> str:
        """Return the URL of one of them."""
        return f"http://127.0.0.1:{self.ports[place]}/hook"


def percentile(times: list[float], share: float) -> float:
    """Return the smallest time that this share of all does not exceed."""
    ordered = sorted(times)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def settle(parlour: Process) -> None:
    """Wait until no webhook is pending."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    connection = http.client.HTTPConnection("127.0.0.1", parlour.port, timeout=10)
    while True:  # Ends with the deadline.
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        line = next(x for x in text.splitlines() if x.startswith("parlour_webhook_backlog "))
        if float(line.split()[1]) == 0:
            connection.close()
            return
        if time.monotonic() > deadline:
            raise UnsettledError(line)
        time.sleep(0.05)


class Measurement:
    """One server, its receivers, and conversations with webhooks to them."""

    def __init__(
        self, parlour: Process, receivers: Process, credentials: Credentials, span: Span
    ) -> None:
        """Make conversations that have one webhook each; both processes run already."""
        self.parlour = parlour
        self.credentials = credentials
        self.span = span
        self.backends = ReceiverProcess(receivers)
        self.next = 0
        with KeepAliveApi(parlour.port, credentials) as api:
            # Neighbours in the order of requests have different endpoints.
            self.webhooks = [
                self._listened_to(api, place)
                for _ in range(CONVERSATIONS_EACH)
                for place in range(ENDPOINTS)
            ]
        self.requests = [
            workload.raw_request(
                credentials,
                "POST",
                f"/v1/Conversations/{conversation_sid}/Messages",
                {"Author": "somebody", "Body": workload.BODY},
            )
            for conversation_sid, _ in self.webhooks
        ]

    def _listened_to(self, api: KeepAliveApi, place: int) -> tuple[str, str]:
        """Create a conversation with a webhook to one endpoint; return both sids."""
        sid = api.post("/v1/Conversations")["sid"]
        return sid, self._attach(api, sid, place)

    def _attach(self, api: KeepAliveApi, conversation_sid: str, place: int) -> str:
        form = {
            "Target": "webhook",
            "Configuration.Url": self.backends.url(place),
            "Configuration.Filters": "onMessageAdded",
        }
        sid: str = api.post(f"/v1/Conversations/{conversation_sid}/Webhooks", **form)["sid"]
        return sid

    def figures(self) -> WebhookResults:
        """Measure with every endpoint responding and with one hanging, in turns."""
        self._arrivals(WARM_SECONDS)
        rounds = []
        for _ in range(self.span.rounds):
            healthy = self._arrivals(self.span.seconds)
            self.backends.send_request(f"/hang/{HANGING}")
            others = self._arrivals(self.span.seconds, without=HANGING)
            self._free()
            rounds.append(Round(healthy, others))
        return WebhookResults(rounds)

    def _arrivals(self, seconds: float, without: int | None = None) -> list[float]:
        """Return the times that messages took to arrive, while they are sent at the rate."""
        first = self.next
        self.next += openloop.offer(
            self.parlour.port,
            self.requests,
            rate=RATE,
            seconds=seconds,
            status=201,
            first=first % len(self.requests),
        )
        expected = sum(number % ENDPOINTS != without for number in range(first, self.next))
        times = self._arrived(expected, without)
        return times + [math.inf] * (expected - len(times))

    def _arrived(self, expected: int, without: int | None) -> list[float]:
        """Return the times of so many arrivals, or of those within the grace period."""
        deadline = time.monotonic() + self.span.grace_seconds
        # A minimum, so that one part of the measurement does not overlap the next.
        time.sleep(QUIET_SECONDS)
        times: list[float] = []
        while True:  # Ends with the deadline.
            came = self.backends.send_request("/seen")
            times += [milliseconds for place, milliseconds in came if place != without]
            if len(times) >= expected or time.monotonic() > deadline:
                return times
            time.sleep(SEEN_EVERY_SECONDS)

    def _free(self) -> None:
        """Release the endpoint, and drop its pending deliveries."""
        hanging = [
            (number, conversation_sid, sid)
            for number, (conversation_sid, sid) in enumerate(self.webhooks)
            if number % ENDPOINTS == HANGING
        ]
        with KeepAliveApi(self.parlour.port, self.credentials) as api:
            for _, conversation_sid, sid in hanging:
                api.raw("DELETE", f"/v1/Conversations/{conversation_sid}/Webhooks/{sid}")
            self.backends.send_request("/free")
            settle(self.parlour)
            for number, conversation_sid, _ in hanging:
                self.webhooks[number] = (
                    conversation_sid,
                    self._attach(api, conversation_sid, HANGING),
                )
        self.backends.send_request("/seen")


def measure(
    folder: Path,
    span: Span,
    *,
    server_cores: frozenset[int] = frozenset(),
    load_cores: frozenset[int] = frozenset(),
    program: tuple[str, ...] = servers.PROGRAM,
) -> WebhookResults:
    """Start the server and receivers in a folder, and measure."""
    credentials = servers.make_credentials()
    receivers = servers.receivers(folder, ENDPOINTS)
    parlour = servers.parlour(folder, credentials, "parlour-webhooks", program=program)
    with receivers, parlour:
        receivers.start(load_cores)
        parlour.start(server_cores)
        with pinned_to(load_cores):
            return Measurement(parlour, receivers, credentials, span).figures()
