"""The rates of the REST API with open consoles and without, in alternation on one server."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import servers, workload
from bench.api_client import KeepAliveApi
from bench.load import client
from bench.processes import ROOT, pinned_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.api_client import Credentials
    from bench.processes import Process

CONSOLES = 5
CONNECTIONS = 64
# The first requests fill the caches of the server.
WARM_SECONDS = 0.5
FIRST_EVENTS_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class RatePlan:
    """How often and how long the server is loaded."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """One short load: requests per second, and the processor time of the server for each."""

    rate: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class RatesOfOperation:
    """The samples of an operation without and with consoles, in order of the rounds."""

    name: str
    without: list[Sampled]
    with_consoles: list[Sampled]

    @property
    def ratio(self) -> float:
        """Return the median over the rounds of the rate with consoles, relative to without."""
        pairs = zip(self.with_consoles, self.without, strict=True)
        return statistics.median(one.rate / other.rate for one, other in pairs)

    def line(self) -> str:
        """Return the medians as text."""
        parts = [
            f"{statistics.median(each.rate for each in samples):,.0f}/s at "
            f"{statistics.median(each.cpu_us for each in samples):.0f} µs {name}"
            for name, samples in (
                ("without", self.without),
                (f"with {CONSOLES} consoles", self.with_consoles),
            )
        ]
        return f"{self.name}, c={CONNECTIONS}: {', '.join(parts)}"


@contextmanager
def open_consoles(
    process: Process, credentials: Credentials, cores: frozenset[int]
) -> Iterator[None]:
    """Open consoles that follow the server."""
    arguments = [process.port, credentials.account_sid, credentials.auth_token, CONSOLES]
    with pinned_to(cores):
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.console_clients", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        yield
        output, _ = child.communicate(timeout=client.GRACE_SECONDS)
        seen = json.loads(output)
        assert seen["stream_bytes"] > 0, "the streams had no events"
    finally:
        child.kill()
        child.wait()


def measure(
    folder: Path,
    credentials: Credentials,
    plan: RatePlan,
    *,
    server_cores: frozenset[int],
    load_cores: frozenset[int],
) -> list[RatesOfOperation]:
    """Measure changes and reads in alternation: without consoles, with consoles."""
    process = servers.parlour(folder, credentials, "consoles")
    with process:
        process.start(server_cores)
        with KeepAliveApi(process.port, credentials) as api:
            names = workload.fill(api)
        prepared = [
            workload.create_message(credentials, names),
            workload.update_participant(credentials, names),
            workload.list_messages(credentials, names),
        ]
        measured = [RatesOfOperation(each.name, [], []) for each in prepared]
        first = dict.fromkeys((each.name for each in prepared), 0)

        def sample(operation: workload.PreparedOperation, seconds: float) -> Sampled:
            load = client.Load(
                process.port, CONNECTIONS, seconds, operation.status, first=first[operation.name]
            )
            requests = folder / f"{operation.name}.requests"
            client.write_requests(operation.requests, requests)
            before = process.cpu_seconds()
            seen = client.run(load, requests, load_cores)
            assert seen.errors == 0, f"{operation.name}: {seen}"
            first[operation.name] += seen.requests
            return Sampled(seen.rate, (process.cpu_seconds() - before) / seen.requests * 1e6)

        for operation in prepared:
            sample(operation, WARM_SECONDS)
        for number in range(plan.rounds):
            for operation, rates in zip(prepared, measured, strict=True):
                states = (rates.without, rates.with_consoles)
                for samples in states if number % 2 == 0 else states[::-1]:
                    if samples is rates.without:
                        samples.append(sample(operation, plan.seconds))
                        continue
                    with open_consoles(process, credentials, load_cores):
                        # A change first: during reads as well, a stream has events.
                        sample(prepared[0], FIRST_EVENTS_SECONDS)
                        samples.append(sample(operation, plan.seconds))
    return measured
