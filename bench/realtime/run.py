"""``make bench-realtime``: the socket against a bare broadcaster, in one interleaved run.

Prints deliveries per second and their ratio, latencies, the cost of the order of replies, memory
per idle connection, and how long the client SDK takes to start. A missed goal is an error only with
``--check``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import goals, machine, report, servers
from bench.processes import cores_apart, data_folder
from bench.realtime import fanout, listeners, probe, reply_order, sdk_start
from bench.realtime.client import chunks
from bench.realtime.fanout import BASELINE, PARLOUR, Fanout

if TYPE_CHECKING:
    from bench.goals import Goal
    from bench.realtime.client import DeliveryTimes
    from bench.realtime.fanout import Stalled
    from bench.realtime.reply_order import Ordered
    from bench.realtime.sdk_start import Starts


@dataclass(frozen=True, slots=True)
class RealtimePlan:
    """The sizes of all measurements."""

    counts: tuple[int, ...] = (1000, 5000)
    rounds: int = 3
    deliveries: int = 50_000
    stalled: int = 100
    stalled_per_second: float = 10.0
    stalled_seconds: float = 10.0
    conversation_seconds: float = 20.0
    conversations: int = 1000
    starts: int = 3
    replies: int = 300


QUICK = RealtimePlan((200,), 1, 2_000, 20, 10.0, 2.0, 3.0, 50, 1, 30)
PER_SECOND = 20.0


@dataclass(slots=True)
class RealtimeResults:
    """All results of a run."""

    fanout: Fanout
    stalled: Stalled
    conversation: DeliveryTimes
    exchange: dict[str, Any]
    alone: dict[str, Any]
    ordered: Ordered
    starts: Starts


def measure(folder: Path, stack: ExitStack, plan: RealtimePlan) -> RealtimeResults:
    """Run every measurement, one after another on the same two servers."""
    server_cores, load_cores = cores_apart()
    parlour, credentials, key = listeners.serve(folder, "parlour", server_cores)
    stack.enter_context(parlour)
    count = max(plan.counts)
    _print_result(f"making {min(count, listeners.MEMBERS_MAX)} members")
    made = listeners.fill(parlour, credentials, key, min(count, listeners.MEMBERS_MAX))
    frames = probe.frames_of_a_message(made)
    _print_result(f"a message is {len(frames)} frames of {[len(each) for each in frames]} bytes")
    broadcaster = stack.enter_context(servers.broadcaster(folder, chunks(frames)))
    broadcaster.start(server_cores)
    places = [
        fanout.place_of(made, folder, count, load_cores),
        fanout.baseline_of(broadcaster, folder, count, load_cores),
    ]
    spread = Fanout(frames=len(frames))
    fanout.measure(
        places,
        spread,
        plan.counts,
        rounds=plan.rounds,
        deliveries=plan.deliveries,
        report=_print_result,
    )
    broadcaster.stop()
    few = min(plan.counts)
    _print_result(f"{plan.stalled} stalled among {few}")
    stalled = fanout.measure_stalled(
        places[0],
        healthy=few - plan.stalled,
        stalled=plan.stalled,
        per_second=plan.stalled_per_second,
        seconds=plan.stalled_seconds,
        rounds=plan.rounds,
    )
    return RealtimeResults(spread, stalled, *_measure_clients(folder, stack, plan))


def _measure_clients(
    folder: Path, stack: ExitStack, plan: RealtimePlan
) -> tuple[DeliveryTimes, dict[str, Any], dict[str, Any], Ordered, Starts]:
    """Conversations, the order of replies, and the SDK's start, on a separate server."""
    server_cores, load_cores = cores_apart()
    parlour, credentials, key = listeners.serve(folder, "clients", server_cores)
    stack.enter_context(parlour)
    _print_result("a conversation of eleven")
    made = listeners.fill(parlour, credentials, key, 11)
    seconds = plan.conversation_seconds
    spoken = fanout.measure_conversation(
        made, folder, load_cores, per_second=PER_SECOND, seconds=seconds
    )
    sdk_start.ensure_sdk()

    def exchange(members: int) -> dict[str, Any]:
        return sdk_start.sdk(
            "exchange",
            parlour.port,
            [key.token(each) for each in made.identities[:members]],
            load_cores,
            CONVERSATION_SID=made.conversation_sid,
            COUNT=int(PER_SECOND * seconds),
            PER_SECOND=PER_SECOND,
        )

    exchanged, alone = exchange(11), exchange(2)
    _print_result("replies behind notifications")
    in_order = reply_order.measure(made, plan.replies)
    _print_result(f"{plan.conversations} conversations of one user")
    sdk_start.fill(parlour, credentials, plan.conversations)
    memory = stack.enter_context(sdk_start.stand_in(folder, parlour))
    memory.start(server_cores)
    started = sdk_start.measure(
        parlour, memory, key, plan.conversations, load_cores, rounds=plan.starts
    )
    return spoken, exchanged, alone, in_order, started


def goals_of(figures: RealtimeResults, plan: RealtimePlan) -> list[Goal]:
    """Return every goal with its measured value."""
    spread, few = figures.fanout, min(plan.counts)
    found = [
        goals.at_least(
            f"fan-out to {count} / broadcast of a constant",
            spread.ratio(count),
            goals.FANOUT_TO_BROADCAST_MIN,
        )
        for count in plan.counts
    ]
    last_ms = spread.median(PARLOUR, few, lambda seen: seen.last_p50_us) / 1000
    idle = spread.bytes_per_idle[max(plan.counts)] / 1024
    ratio, starts = figures.stalled.ratio, figures.starts
    spoken, exchanged = figures.conversation, figures.exchange
    p50, p99 = goals.DELIVERY_MS_P50_MAX, goals.DELIVERY_MS_P99_MAX
    return [
        *found,
        goals.at_most(f"last of {few}, p50, ms", last_ms, goals.LAST_LISTENER_MS_MAX),
        goals.at_most("memory per idle connection, KiB", idle, goals.IDLE_KIBIBYTES_MAX),
        goals.at_most(f"p99 beside {plan.stalled} stalled / without", ratio, goals.STALLED_MAX),
        goals.at_most("one to ten, load client, p50, ms", spoken.p50_us / 1000, p50),
        goals.at_most("one to ten, load client, p99, ms", spoken.p99_us / 1000, p99),
        goals.at_most("one to ten, SDK, p50, ms", exchanged["p50Ms"], p50),
        goals.at_most("one to ten, SDK, p99, ms", exchanged["p99Ms"], p99),
        goals.at_most("SDK ready, ms", starts.initialized_ms, goals.INITIALIZED_MS_MAX),
        goals.at_most(
            f"{plan.conversations} joined / from memory", starts.joined_ratio, goals.JOINED_MAX
        ),
    ]


def lines_of(figures: RealtimeResults, plan: RealtimePlan) -> list[str]:
    """Return the measurements behind the goals as text."""
    spread, lines = figures.fanout, []
    for count in plan.counts:
        for name in (PARLOUR, BASELINE):
            rate = spread.median(name, count, lambda seen: seen.rate)
            last = spread.median(name, count, lambda seen: seen.last_p50_us) / 1000
            late = spread.median(name, count, lambda seen: seen.last_p99_us) / 1000
            busy = spread.median(name, count, lambda seen: seen.cpu_seconds / seen.seconds)
            text = f"{rate:>9.0f} deliveries/s, last p50 {last:.1f} ms, p99 {late:.1f} ms"
            lines.append(f"{count:>6} listeners, {name:<27}{text}, load client {busy:.0%} busy")
    for count, size in spread.bytes_per_idle.items():
        lines.append(f"{count:>6} idle connections: {size / 1024:.1f} KiB each")
    stalled = figures.stalled
    for name, seen in (("without", stalled.without), ("with", stalled.with_stalled)):
        p99s = ", ".join(f"{each.p99_us / 1000:.1f}" for each in seen)
        closed = [each.stalled_closed for each in seen]
        lines.append(f"{name} stalled connections: p99 {p99s} ms; stalled and closed {closed}")
    spoken, exchanged, alone = figures.conversation, figures.exchange, figures.alone
    for name, p50_ms, p99_ms, received in (
        ("load client", spoken.p50_us / 1000, spoken.p99_us / 1000, spoken.message_frames),
        ("SDK", exchanged["p50Ms"], exchanged["p99Ms"], exchanged["received"]),
    ):
        figure = f"p50 {p50_ms:.2f} ms, p99 {p99_ms:.2f} ms, {received} received"
        lines.append(f"one to ten, {name}: {figure}")
    lines.append(f"one to ten, SDK: its eleven clients take {exchanged['cpuMs']:.1f} ms a message")
    lines.append(
        f"one to one, SDK: p50 {alone['p50Ms']:.2f} ms, p99 {alone['p99Ms']:.2f} ms, "
        f"both clients take {alone['cpuMs']:.1f} ms a message"
    )
    lines += reply_order.lines_of(figures.ordered)
    for name, starts in (("Parlour", figures.starts.parlour), ("memory", figures.starts.memory)):
        shown = ", ".join(f"{s.initialized_ms:.0f} / {s.joined_ms:.0f}" for s in starts)
        lines.append(f"SDK start, {name}: ready / all joined {shown} ms")
    return lines


def run(plan: RealtimePlan, json_path: Path | None) -> int:
    """Measure, print and write; return how many goals were missed."""
    listeners.raise_file_limit()
    with data_folder() as folder, ExitStack() as stack:
        figures = measure(folder, stack, plan)
        described = machine.describe(folder)
    checked, lines = goals_of(figures, plan), lines_of(figures, plan)
    print(", ".join(f"{name} {value}" for name, value in described.items()), "", sep="\n")
    print("\n".join([*lines, "", *(goal.line() for goal in checked)]))
    if json_path:
        shown = report.record_of_lines(
            described, [" ".join(each.split()) for each in lines], checked
        )
        json_path.write_text(json.dumps(shown, indent=2) + "\n")
    return sum(not goal.is_met for goal in checked)


def _print_result(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the command line of ``make bench-realtime``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few of everything: a smoke run")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    options = parser.parse_args()
    missed = run(QUICK if options.quick else RealtimePlan(), options.json)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
