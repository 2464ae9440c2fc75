"""Test mode: its start, resets, snapshots and accounts, against the budgets of their design.

A server in this process takes the requests of HTTP without a socket. One account has 1,000
conversations, 3,000 participants and 5,000 messages; another one has nothing. Each operation is
measured several times, and the shortest duration counts. Both the elapsed time and the processor
time of the process are printed; the latter, with the writing of checkpoints in the background, is
compared with the budget: elapsed time also has the other work of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from bench import servers, startup, testkit_faults
from bench.goals import START_SECONDS_MAX
from bench.processes import cores_apart, data_folder
from tests.testmode.rest_server import RestAccount, RestServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CONVERSATIONS = 1000
PARTICIPANTS_EACH = 3
MESSAGES_EACH = 5
ROUNDS = 7
RESETS = 1000
WINDOW = 50
AT_ONCE = 50
STARTS = 9
TEST_START_MS_MAX = 30
"""What test mode may add to a start."""
RESET, SNAPSHOTS = "/parlour/v1/Reset", "/parlour/v1/Snapshots"


class MeasuredBudget(NamedTuple):
    """One operation: its budget and its measured value, of the same unit."""

    name: str
    must: float
    measured: float
    unit: str = "ms"
    elapsed: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the value is within the budget."""
        return self.measured <= self.must

    def line(self) -> str:
        """Return the row of the printed table."""
        mark = "" if self.is_met else "  OVER"
        elapsed = "" if self.elapsed is None else f"  elapsed {self.elapsed:.1f}"
        value = f"{self.measured:>8.1f}"
        return f"{self.name:<42} must {self.must:>6.1f} {self.unit:<3} {value}{elapsed}{mark}"


class Duration(NamedTuple):
    """The duration of an operation: processor time and elapsed time, in milliseconds."""

    processor_ms: float
    elapsed_ms: float


async def fill(account: RestAccount, *, has_messages: bool = True) -> None:
    """Create the conversations, their participants and their messages."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with slots:
            made = await account.make("/v1/Conversations", UniqueName=f"c{number}")
            if not has_messages:
                return
            path = f"/v1/Conversations/{made['sid']}"
            for each in range(PARTICIPANTS_EACH):
                await account.make(f"{path}/Participants", Identity=f"u{number % 100}-{each}")
            for _ in range(MESSAGES_EACH):
                await account.make(f"{path}/Messages", Author="system", Body="a message")

    await asyncio.gather(*map(one, range(CONVERSATIONS)))


async def timed(work: Callable[[], Awaitable[Any]]) -> Duration:
    """Return the duration of some work."""
    started, processor = time.perf_counter(), time.process_time()
    await work()
    return Duration(
        (time.process_time() - processor) * 1000, (time.perf_counter() - started) * 1000
    )


def within(name: str, must: float, durations: list[Duration]) -> MeasuredBudget:
    """Return the shortest of some durations with its budget."""
    shortest = min(durations)
    return MeasuredBudget(name, must, shortest.processor_ms, elapsed=shortest.elapsed_ms)


async def measure_operations(server: RestServer) -> list[MeasuredBudget]:
    """Measure resets, snapshots and restores of both scopes."""
    own = await server.new_account()
    await fill(own)
    found: dict[str, list[Duration]] = {}

    async def run(name: str, path: str, **form: str) -> None:
        async def send() -> None:
            answer = await own.post(path, **form)
            assert answer.status in {200, 201}, answer

        found.setdefault(name, []).append(await timed(send))

    for scope in ("account", "server"):
        await own.post(SNAPSHOTS, Name=f"base-{scope}", Scope=scope)
    for _ in range(ROUNDS):
        for scope in ("account", "server"):
            await run(f"snapshot of the {scope}", SNAPSHOTS, Name=f"x-{scope}", Scope=scope)
            assert (await own.delete(f"{SNAPSHOTS}/x-{scope}")).status == 204
            await run(f"restore of the {scope}", f"{SNAPSHOTS}/base-{scope}/Restore")
    # Resets remove snapshots, so the data have to be created again.
    resets: dict[str, list[Duration]] = {"account": [], "server": [], "empty": []}
    for _ in range(3):
        for scope in ("account", "empty", "server"):
            owner = await server.new_account()
            await fill(owner, has_messages=scope != "empty")
            form = {"Scope": "account" if scope == "empty" else scope}
            resets[scope].append(await timed(partial(owner.post, RESET, **form)))
    return [
        within("server reset", 50, resets["server"]),
        within("account reset", 120, resets["account"]),
        within("account reset, 1,000 conversations alone", 50, resets["empty"]),
        within("snapshot of the server", 50, found["snapshot of the server"]),
        within("restore of the server", 80, found["restore of the server"]),
        within("snapshot of an account", 60, found["snapshot of the account"]),
        within("restore of an account", 180, found["restore of the account"]),
    ]


async def measure_accounts(server: RestServer) -> MeasuredBudget:
    """Measure the creation of accounts."""
    first = server.first()
    durations = [await timed(lambda: first.post("/parlour/v1/Accounts")) for _ in range(50)]
    return within("new account", 5, durations)


async def measure_growth(server: RestServer, resets: int) -> list[MeasuredBudget]:
    """Compare the last of many resets with the first ones, in time and in memory."""
    first = server.first()
    durations, memory = [], []
    for _ in range(resets):
        for number in range(3):
            made = await first.make("/v1/Conversations", UniqueName=f"c{number}")
            await first.make(f"/v1/Conversations/{made['sid']}/Messages", Body="a message")
        durations.append(await timed(lambda: first.post(RESET)))
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    # The first ones fill caches of statements.
    before, after = durations[WINDOW : 2 * WINDOW], durations[-WINDOW:]
    ratio = _middle(after) / _middle(before)
    rows = (await server.rows("SELECT COUNT(*) FROM event"))[0][0]
    return [
        MeasuredBudget(f"reset number {resets} / the first", 1.2, ratio, "x"),
        MeasuredBudget("more memory after them", 8, memory[-1] - memory[2 * WINDOW], "MiB"),
        MeasuredBudget("events in the log after them", 1, rows, ""),
    ]


def measure_starts() -> list[MeasuredBudget]:
    """Compare the time to the first response in test mode with the time without it.

    Both start alternately on new folders. The first start of each compiles and caches the sources.
    """
    credentials, (cores, _) = servers.make_credentials(), cores_apart()
    found: dict[str, list[Duration]] = {"0": [], "1": []}
    with data_folder() as folder:
        for number in range(STARTS + 1):
            for test, durations in found.items():
                name, program = f"start-{number}-{test}", (startup.AS_INSTALLED,)
                server = servers.parlour(folder, credentials, name, program=program)
                server.environment["PARLOUR_TEST"] = test
                with server:
                    elapsed_ms = 1000 * server.start(cores)
                    durations.append(Duration(1000 * server.cpu_seconds(), elapsed_ms))
    must = 1000 * START_SECONDS_MAX
    plain, testing = (min(each[1:]) for each in found.values())
    return [
        within("start to the first response", must, found["0"][1:]),
        within("the same in test mode", must, found["1"][1:]),
        MeasuredBudget(
            "test mode adds", TEST_START_MS_MAX, testing.processor_ms - plain.processor_ms
        ),
    ]


def _middle(durations: list[Duration]) -> float:
    return statistics.median(each.processor_ms for each in durations)


async def main() -> int:
    """Print the table; return the exit status: 1 if a budget is exceeded."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    rows = measure_starts()
    for step in (measure_operations, measure_accounts, lambda each: measure_growth(each, RESETS)):
        with tempfile.TemporaryDirectory() as folder:
            async with RestServer(Path(folder)) as server:
                found = await step(server)
                rows += found if isinstance(found, list) else [found]
    print("\n".join(each.line() for each in rows))
    return 0 if all(each.is_met for each in rows) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", default="", help=testkit_faults.AGAINST_HELP)
    options = parser.parse_args()
    failed = asyncio.run(main())
    if options.against:
        failed |= testkit_faults.run(options.against, measures_armed=False)
    sys.exit(failed)
