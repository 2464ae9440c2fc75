"""``make bench-overload``: a server that is offered more requests than its capacity.

In each round the capacity C is measured by a closed loop, and then an open-loop client on a
separate core offers a multiple of it, regardless of the results of earlier requests. Reported are
goodput (accepted requests per second, relative to C), latencies of accepted and of refused requests
from when they were due, responses of any other status, memory relative to that at C, and the
recovery time after the overload. Values are medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import earlier_version, goals, machine, report, servers, workload
from bench.api_client import KeepAliveApi
from bench.load import client, offered
from bench.processes import ROOT, cores_apart, data_folder
from bench.workload import PreparedOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.load.offered import Offered, ScheduleWindow
    from bench.processes import Process

CALM, OVER, FAR_OVER, FLOOD = 0.8, 1.5, 2.5, 10.0
FACTORS = (CALM, OVER, FAR_OVER, FLOOD)
# Closed-loop connections that saturate a server, as in the other benchmarks.
SATURATING = 64
# Callers at the same time; a further one finds no connection, waits this long, and gives up.
CONNECTIONS = 1000
WAIT_MS = 10
# The rate at which it is seen whether the server is as it was before an overload.
AFTERWARDS = 0.5
SAMPLE_SECONDS = 0.02
# Requests of the mix: of ten, six change something, three fetch one row, one reads a page.
MIX = (6, 3, 1)


@dataclass(frozen=True, slots=True)
class OverloadPlan:
    """How often and how long everything is measured."""

    rounds: int
    capacity_seconds: float
    overload_seconds: float
    afterwards_seconds: float


FULL = OverloadPlan(rounds=3, capacity_seconds=1.0, overload_seconds=4.0, afterwards_seconds=3.0)
QUICK = OverloadPlan(rounds=1, capacity_seconds=0.3, overload_seconds=1.0, afterwards_seconds=1.0)


@dataclass(frozen=True, slots=True)
class OverloadResult:
    """One overload: the capacity around it, what the client saw, memory, the time afterwards."""

    capacity: float
    offered: Offered
    memory: float
    normal_after: float

    @property
    def goodput(self) -> float:
        """Return accepted requests per second until the last response, relative to the capacity."""
        return self.offered.accepted.count / self.offered.seconds / self.capacity

    @property
    def bad_answers(self) -> int:
        """Answers that are neither 2xx nor 4xx nor 503, and requests without a whole answer."""
        bad = {s: n for s, n in self.offered.statuses.items() if s[0] not in "24" and s != "503"}
        lost = self.offered.cut_off + self.offered.timeouts + self.offered.connect_errors
        return sum(bad.values()) + lost


@dataclass(slots=True)
class Level:
    """All rounds of one operation at one multiple of the capacity."""

    operation: str
    factor: float
    rounds: list[OverloadResult] = field(default_factory=list)

    def median(self, value: Callable[[OverloadResult], float]) -> float:
        """The median of one value over the rounds."""
        return statistics.median(value(each) for each in self.rounds)

    def accepted_p99_ms(self) -> float:
        """The 99th percentile of accepted requests."""
        return self.median(lambda each: each.offered.accepted.p99_us) / 1000

    def refused_p99_ms(self) -> float:
        """The 99th percentile of refused requests."""
        return self.median(lambda each: each.offered.refused.p99_us) / 1000

    def line(self) -> str:
        """The level as text."""
        refused = self.median(lambda each: each.offered.refused.count / each.offered.seconds)
        spent = self.median(lambda each: each.offered.cpu_seconds / each.offered.seconds)
        return (
            f"{self.operation}, {self.factor:g} C: "
            f"C {self.median(lambda each: each.capacity):,.0f}/s, "
            f"goodput {self.median(lambda each: each.goodput):.2f} C, "
            f"accepted p50 {self.median(lambda each: each.offered.accepted.p50_us) / 1000:.1f} "
            f"p99 {self.accepted_p99_ms():.1f} ms, "
            f"refused {refused:,.0f}/s "
            f"p50 {self.median(lambda each: each.offered.refused.p50_us) / 1000:.1f} "
            f"p99 {self.refused_p99_ms():.1f} ms, "
            f"unsent {self.median(lambda each: each.offered.unsent / each.offered.due):.0%}, "
            f"bad answers {sum(each.bad_answers for each in self.rounds)}, "
            f"memory {self.median(lambda each: each.memory):.2f}, "
            f"normal after {max(each.normal_after for each in self.rounds):.1f} s, "
            f"client {spent:.0%} busy, late p99 "
            f"{self.median(lambda each: each.offered.lag.p99_us) / 1000:.1f} ms"
        )

    def goals(self) -> list[goals.Goal]:
        """Return the goals of this level."""
        name = f"{self.operation} at {self.factor:g} C"
        found = [
            goals.at_most(
                f"{name}: accepted p99, ms", self.accepted_p99_ms(), goals.ACCEPTED_MS_P99_MAX
            ),
            goals.at_most(f"{name}: bad answers", sum(r.bad_answers for r in self.rounds), 0),
            goals.at_most(
                f"{name}: memory beside that at C",
                self.median(lambda each: each.memory),
                goals.OVERLOAD_MEMORY_MAX,
            ),
            goals.at_most(
                f"{name}: normal after, s",
                max(each.normal_after for each in self.rounds),
                goals.NORMAL_SECONDS_MAX,
            ),
        ]
        if self.factor > 1:
            refused = self.refused_p99_ms()
            found.append(
                goals.at_most(f"{name}: refused p99, ms", refused, goals.REFUSED_MS_P99_MAX)
            )
        if self.factor in goals.GOODPUT_MIN:
            goodput = self.median(lambda each: each.goodput)
            bound = goals.GOODPUT_MIN[self.factor]
            found.append(goals.at_least(f"{name}: goodput, C", goodput, bound))
        return found


class Overload:
    """One server under test, and the requests that it is asked."""

    def __init__(self, process: Process, folder: Path, plan: OverloadPlan) -> None:
        """Take a server that is running and filled."""
        self.process = process
        self.folder = folder
        self.plan = plan
        self.cores = cores_apart()[1]
        self._next: dict[str, int] = {}

    def prepare(self, operation: PreparedOperation) -> None:
        """Write the requests of an operation, and let the server warm up with them."""
        client.write_requests(operation.requests, self._path(operation))
        self._next[operation.name] = 0
        self._capacity(operation)

    def measure(self, operation: PreparedOperation, factor: float) -> OverloadResult:
        """Offer a multiple of the capacity, with the capacity measured before and after."""
        with self._peak_memory() as calm_memory:
            before = self._capacity(operation)
        calm = self._offer(operation, before * AFTERWARDS, self.plan.capacity_seconds)
        with self._peak_memory() as memory:
            seen = self._offer(operation, before * factor, self.plan.overload_seconds)
        # Answers may come after the schedule's end, and that time counts already.
        ended = time.perf_counter() - max(0.0, seen.seconds - self.plan.overload_seconds)
        start_at = time.perf_counter() + offered.SETTLE_SECONDS
        rate = before * AFTERWARDS
        after = self._offer(operation, rate, self.plan.afterwards_seconds)
        abnormal = seconds_until_normal(calm.windows, after.windows, after.window_ms)
        return OverloadResult(
            capacity=(before + self._capacity(operation)) / 2,
            offered=seen,
            memory=max(memory) / max(calm_memory),
            normal_after=start_at - ended + abnormal if abnormal else 0.0,
        )

    def _path(self, operation: PreparedOperation) -> Path:
        return self.folder / f"requests.{operation.name.replace(' ', '-')}"

    def _capacity(self, operation: PreparedOperation) -> float:
        load = client.Load(
            self.process.port,
            SATURATING,
            self.plan.capacity_seconds,
            operation.status,
            first=self._next[operation.name],
        )
        seen = client.run(load, self._path(operation), self.cores)
        assert seen.errors == 0, f"{operation.name}: {seen}"
        self._next[operation.name] += seen.requests
        return seen.rate

    def _offer(self, operation: PreparedOperation, rate: float, seconds: float) -> Offered:
        offer = offered.Offer(
            self.process.port,
            rate,
            seconds,
            connections=CONNECTIONS,
            wait_ms=WAIT_MS,
            first=self._next[operation.name],
        )
        seen = offered.run(offer, self._path(operation), self.cores)
        self._next[operation.name] += seen.sent
        return seen

    @contextmanager
    def _peak_memory(self) -> Iterator[list[int]]:
        """Sample the server's memory from another thread, into the list."""
        samples = [self.process.resident_bytes()]
        over = threading.Event()

        def sample() -> None:
            while not over.wait(SAMPLE_SECONDS):
                samples.append(self.process.resident_bytes())

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield samples
        finally:
            over.set()
            thread.join()


def seconds_until_normal(
    calm: list[ScheduleWindow], after: list[ScheduleWindow], window_ms: int
) -> float:
    """Return how long after its start a run still has an unusual window; 0 if it has none.

    A window is usual if nothing in it was refused or failed, and its mean latency is at most twice
    the latency of the slowest window before the overload, or 20 ms.
    """
    bound = max(20_000.0, 2 * max(window.mean_us for window in calm))
    abnormal = 0.0
    for number, window in enumerate(after):
        if window.refused or window.other or window.mean_us > bound:
            abnormal = (number + 1) * window_ms / 1000
    return abnormal


def mixed(parts: list[PreparedOperation]) -> PreparedOperation:
    """One operation made of several with the same status, in the shares of the mix."""
    sources = [iter(each.requests) for each in parts]
    turns = [at for at, count in enumerate(MIX) for _ in range(count)]
    pattern = [turns[(number * 7) % len(turns)] for number in range(len(turns))]
    count = min(len(each.requests) // share for each, share in zip(parts, MIX, strict=True))
    requests = [next(sources[at]) for _ in range(count) for at in pattern]
    return PreparedOperation("mix", parts[0].status, requests)


def run(plan: OverloadPlan, earlier: str, json_path: Path | None) -> int:
    """Measure, print and write; returns how many goals were missed."""
    with data_folder() as folder, ExitStack() as stack:
        credentials = servers.make_credentials()
        process = servers.parlour(folder, credentials)
        if earlier:
            source = earlier_version.checkout(earlier, folder)
            process.environment["PYTHONPATH"] = os.pathsep.join([str(source), str(ROOT)])
        stack.enter_context(process)
        process.start(cores_apart()[0])
        with KeepAliveApi(process.port, credentials) as api:
            names = workload.fill(api)
        update = workload.update_participant(credentials, names)
        reads = [make(credentials, names) for make in (workload.fetch_participant,)]
        reads.append(workload.list_messages(credentials, names))
        overload = Overload(process, folder, plan)
        levels = []
        for operation, factors in ((update, FACTORS), (mixed([update, *reads]), (FAR_OVER, FLOOD))):
            overload.prepare(operation)
            levels += _measure(overload, operation, factors)
        described = machine.describe(folder)
    lines = [level.line() for level in levels]
    checked = [goal for level in levels for goal in level.goals()]
    print(report.text(described, [], lines, checked))
    if json_path:
        shown = report.record_of_lines(described, lines, checked)
        json_path.write_text(json.dumps(shown, indent=2) + "\n")
    return sum(not goal.is_met for goal in checked)


def _measure(
    overload: Overload, operation: PreparedOperation, factors: tuple[float, ...]
) -> list[Level]:
    """All levels in each round, so that a slow moment of the machine is not one level's."""
    levels = [Level(operation.name, factor) for factor in factors]
    for _ in range(overload.plan.rounds):
        for level in levels:
            print(
                f"{time.strftime('%H:%M:%S')} {operation.name}, {level.factor:g} C",
                file=sys.stderr,
                flush=True,
            )
            level.rounds.append(overload.measure(operation, level.factor))
    return levels


def main() -> int:
    """The command line of ``make bench-overload``."""
    parser = argparse.ArgumentParser(description="Measure Parlour under overload.")
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke run")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    parser.add_argument("--earlier", default="", help="measure the server of this commit instead")
    options = parser.parse_args()
    missed = run(QUICK if options.quick else FULL, options.earlier, options.json)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
