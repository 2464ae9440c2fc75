"""Measurements of the fan-out: to many, past stalled ones, and from one member to ten."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.realtime import client
from bench.realtime.client import DeliveryTimes, Sockets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.processes import Process
    from bench.realtime.listeners import ListenerConversation

PARLOUR = "Parlour"
BASELINE = "D: broadcast of a constant"
SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class FanoutServer:
    """A server with the files that the load client needs for it."""

    name: str
    process: Process
    scripts: Path
    trigger: Path
    cores: frozenset[int]

    def sockets(self) -> Sockets:
        """Return a new load client of this server."""
        return Sockets(self.process.port, self.scripts, self.trigger, self.cores)


@dataclass(slots=True)
class Fanout:
    """The results of both servers' rounds, by number of connections."""

    frames: int
    seen: dict[tuple[str, int], list[DeliveryTimes]] = field(default_factory=dict)
    bytes_per_idle: dict[int, float] = field(default_factory=dict)

    def median(self, name: str, count: int, value: Callable[[DeliveryTimes], float]) -> float:
        """Return the median of one value over the rounds."""
        return statistics.median(map(value, self.seen[name, count]))

    def ratio(self, count: int) -> float:
        """Return Parlour's deliveries per second relative to the baseline (median of rounds)."""
        pairs = zip(self.seen[PARLOUR, count], self.seen[BASELINE, count], strict=True)
        return statistics.median(one.rate / two.rate for one, two in pairs)


def place_of(
    conversation: ListenerConversation, folder: Path, count: int, cores: frozenset[int]
) -> FanoutServer:
    """Parlour, with the connections of the SDK and messages through REST."""
    scripts, trigger = folder / "parlour.scripts", folder / "parlour.trigger"
    client.write_scripts(scripts, [conversation.script(number) for number in range(count)])
    client.write_trigger(trigger, client.HTTP, conversation.by_rest())
    return FanoutServer(PARLOUR, conversation.process, scripts, trigger, cores)


def baseline_of(process: Process, folder: Path, count: int, cores: frozenset[int]) -> FanoutServer:
    """The broadcaster, whose connections send no first frame, triggered by a POST as well."""
    scripts, trigger = folder / "baseline.scripts", folder / "baseline.trigger"
    client.write_scripts(scripts, [[]] * count)
    post = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"
    client.write_trigger(trigger, client.HTTP, [post])
    return FanoutServer(BASELINE, process, scripts, trigger, cores)


def measure(
    places: list[FanoutServer],
    fanout: Fanout,
    counts: tuple[int, ...],
    *,
    rounds: int,
    deliveries: int,
    report: Callable[[str], None],
) -> None:
    """Fan out to so many connections, in interleaved rounds; also the cost of each when idle."""
    open_ = {place.name: place.sockets() for place in places}
    try:
        parlour = next(place.process for place in places if place.name == PARLOUR)
        before = parlour.resident_bytes()
        for count in counts:
            for name, sockets in open_.items():
                opened = sockets.connect(count)
                assert opened.refusals == 0, f"{name}: {opened}"
                report(f"{name}: {count} connections after {opened.seconds:.1f} s")
            time.sleep(SETTLE_SECONDS)
            fanout.bytes_per_idle[count] = (parlour.resident_bytes() - before) / count
            messages = max(1, deliveries // count)
            for each in places:
                open_[each.name].fanout(max(1, messages // 5), fanout.frames)
            for number in range(rounds):
                for place in places if number % 2 == 0 else reversed(places):
                    seen = open_[place.name].fanout(messages, fanout.frames)
                    assert seen.healthy_closed == seen.refusals == 0, f"{place.name}: {seen}"
                    fanout.seen.setdefault((place.name, count), []).append(seen)
    finally:
        for sockets in open_.values():
            sockets.close()


@dataclass(frozen=True, slots=True)
class Stalled:
    """The latencies of healthy connections, with and without others that read nothing."""

    without: list[DeliveryTimes]
    with_stalled: list[DeliveryTimes]

    @property
    def ratio(self) -> float:
        """Return how much longer the slowest hundredth waits next to stalled connections."""
        pairs = zip(self.with_stalled, self.without, strict=True)
        return statistics.median(one.p99_us / two.p99_us for one, two in pairs)


def measure_stalled(
    place: FanoutServer,
    *,
    healthy: int,
    stalled: int,
    per_second: float,
    seconds: float,
    rounds: int,
) -> Stalled:
    """Messages at a fixed rate, to healthy connections alone and next to stalled ones in turn."""
    found = Stalled([], [])

    def without() -> None:
        with place.sockets() as sockets:
            sockets.connect(healthy)
            found.without.append(sockets.rate(per_second, seconds))

    def with_stalled() -> None:
        with place.sockets() as sockets:
            sockets.connect(healthy + stalled, tight=stalled)
            sockets.stall(stalled)
            found.with_stalled.append(sockets.rate(per_second, seconds))

    for number in range(rounds):
        for each in (without, with_stalled) if number % 2 == 0 else (with_stalled, without):
            each()
            # The server notices the closed connections before the next ones come.
            time.sleep(SETTLE_SECONDS)
    return found


def measure_conversation(
    conversation: ListenerConversation,
    folder: Path,
    cores: frozenset[int],
    *,
    per_second: float,
    seconds: float,
) -> DeliveryTimes:
    """One member sends through the socket, ten others listen."""
    listeners = 10
    scripts, trigger = folder / "conversation.scripts", folder / "conversation.trigger"
    client.write_scripts(scripts, [conversation.script(number) for number in range(listeners + 1)])
    client.write_trigger(trigger, client.SOCKET, conversation.by_socket())
    place = FanoutServer(PARLOUR, conversation.process, scripts, trigger, cores)
    with place.sockets() as sockets:
        sockets.connect(listeners + 1)
        sockets.rate(per_second, 1.0)
        return sockets.rate(per_second, seconds)
