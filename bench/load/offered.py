"""Runs the open-loop load client: a schedule of prepared requests in, counts and latencies out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.load.client import output_of, requests_file

SOURCE = Path(__file__).with_name("offered.c")
# The client gives the server this long to accept its connections, before the schedule starts.
SETTLE_SECONDS = 0.3


class Latencies(msgspec.Struct, frozen=True):
    """Latencies of one kind of response, in microseconds from when the request was due."""

    count: int
    p50_us: float
    p99_us: float
    mean_us: float
    max_us: float


class ScheduleWindow(msgspec.Struct, frozen=True):
    """Results of the requests that were due in one window of the schedule."""

    due: int
    accepted: int
    refused: int
    other: int
    mean_us: float
    worst_us: float


class Offered(msgspec.Struct, frozen=True):
    """One run. ``lag`` is how late the client itself was where it had a free connection.

    ``unsent`` requests found no free connection before their timeout, ``cut_off`` ones got no
    complete response.
    """

    due: int
    sent: int
    unsent: int
    seconds: float
    connect_errors: int
    timeouts: int
    cut_off: int
    accepted: Latencies
    refused: Latencies
    lag: Latencies
    statuses: dict[str, int]
    cpu_seconds: float
    bytes: int
    window_ms: int
    windows: list[ScheduleWindow]


@dataclass(frozen=True, slots=True)
class Offer:
    """The rate of requests to offer one server, and the timeout of a caller."""

    port: int
    rate: float
    seconds: float
    connections: int = 1000
    schedule: str = "poisson"
    seed: int = 1
    timeout_ms: int = 10_000
    wait_ms: int = 1_000
    first: int = 0
    host: str = "127.0.0.1"


def run(offer: Offer, requests: Path, cores: frozenset[int] = frozenset()) -> Offered:
    """Offer a server the requests of a file, with the client on the given cores."""
    arguments = (
        offer.host,
        offer.port,
        offer.connections,
        offer.seconds,
        offer.rate,
        offer.schedule,
        offer.seed,
        offer.timeout_ms,
        offer.wait_ms,
        requests,
        offer.first,
    )
    seconds_max = offer.seconds + (offer.timeout_ms + offer.wait_ms) / 1000
    output = output_of(SOURCE, arguments, seconds_max=seconds_max, cores=cores)
    return msgspec.json.decode(output, type=Offered)


def run_requests(offer: Offer, requests: list[bytes]) -> Offered:
    """Offer a server prepared requests that need no separate file."""
    with requests_file(requests) as path:
        return run(offer, path)
