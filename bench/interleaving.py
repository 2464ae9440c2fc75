"""Interleaved measurement: every target for a short time in every round, medians over the rounds.

Two machines are never equally fast, and neither is one machine at two moments. So no target is
measured all at once: a round visits all of them shortly one after another, the next round in the
reverse order, and a ratio is taken within a round, before the median.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.load import client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.processes import Process
    from bench.workload import PreparedOperation

# Between two measurements: work in flight of the last one (a checkpoint) may end.
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class MeasurementPlan:
    """The duration, repetitions and numbers of connections of all measurements."""

    rounds: int
    seconds: float
    connections: tuple[int, ...]
    warm_seconds: float


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """One operation on one server; ``name`` is its name in the report.

    ``settle`` waits for the server's remaining work after its last response, so that it does not
    take the processor from the next target.
    """

    name: str
    process: Process
    operation: PreparedOperation
    settle: Callable[[Process], None] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """The result of one short measurement; the processor time is the server's, per request."""

    rate: float
    p50_us: float
    p99_us: float
    cpu_us: float
    answer_bytes: float
    client_share: float
    errors: int


@dataclass(slots=True)
class InterleavedSamples:
    """All samples of a run, by target and number of connections, in order of the rounds."""

    samples: dict[tuple[str, int], list[Sample]] = field(default_factory=dict)

    def median(self, name: str, connections: int, value: Callable[[Sample], float]) -> float:
        """Return the median of one value over the rounds."""
        return statistics.median(value(s) for s in self.samples[name, connections])

    def ratio(
        self,
        names: tuple[str, str],
        connections: int,
        value: Callable[[Sample], float] = lambda sample: sample.rate,
    ) -> float:
        """Return the median over the rounds of the first target's value divided by the second's."""
        pairs = zip(*(self.samples[name, connections] for name in names), strict=True)
        return statistics.median(value(one) / value(two) for one, two in pairs)

    def errors(self) -> dict[str, int]:
        """Return the number of wrong responses of each target that had any."""
        found: dict[str, int] = {}
        for (name, _), samples in self.samples.items():
            found[name] = found.get(name, 0) + sum(sample.errors for sample in samples)
        return {name: count for name, count in found.items() if count}


def measure(
    targets: list[BenchTarget],
    plan: MeasurementPlan,
    *,
    folder: Path,
    load_cores: frozenset[int],
    report: Callable[[str], None],
) -> InterleavedSamples:
    """Measure every target at every number of connections, in interleaved rounds."""
    loads = [_Load(target, folder / f"requests.{i}") for i, target in enumerate(targets)]
    measured = InterleavedSamples()
    for load in loads:
        load.sample(max(plan.connections), plan.warm_seconds, load_cores)
    for number in range(plan.rounds):
        report(f"round {number + 1} of {plan.rounds}")
        for connections in plan.connections:
            for load in loads if number % 2 == 0 else reversed(loads):
                sample = load.sample(connections, plan.seconds, load_cores)
                key = (load.target.name, connections)
                measured.samples.setdefault(key, []).append(sample)
                time.sleep(PAUSE_SECONDS)
    return measured


class _Load:
    """A target with its prepared requests; each sample continues where the last one ended.

    Starting over each time would repeat the requests, and changes, of the sample before.
    """

    def __init__(self, target: BenchTarget, requests: Path) -> None:
        self.target = target
        self.requests = requests
        self.next = 0
        client.write_requests(target.operation.requests, requests)

    def sample(self, connections: int, seconds: float, cores: frozenset[int]) -> Sample:
        """Load the server once, and return what it used."""
        process = self.target.process
        load = client.Load(
            port=process.port,
            connections=connections,
            seconds=seconds,
            status=self.target.operation.status,
            first=self.next,
        )
        before = process.cpu_seconds()
        seen = client.run(load, self.requests, cores)
        spent = process.cpu_seconds() - before
        self.next += seen.requests
        if self.target.settle is not None:
            self.target.settle(process)
        request_count = max(seen.requests, 1)
        return Sample(
            rate=seen.rate,
            p50_us=seen.p50_us,
            p99_us=seen.p99_us,
            cpu_us=spent / request_count * 1e6,
            answer_bytes=seen.bytes / request_count,
            client_share=seen.cpu_seconds / seen.seconds,
            errors=seen.errors,
        )
