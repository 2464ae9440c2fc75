"""``make bench-growth``: the cost of operations in a store a thousand times bigger.

Two Parlour servers run side by side, one on a small store, one on a big one, and get the same
requests in turns. The cost of an operation must not grow with the size of the store.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench import goals, interleaving, machine, report, seed, servers, workload
from bench.api_client import Credentials, KeepAliveApi
from bench.interleaving import BenchTarget, InterleavedSamples, MeasurementPlan
from bench.processes import cores_apart, data_folder
from bench.seed import Filled, SeedSize
from bench.workload import PreparedOperation

if TYPE_CHECKING:
    from bench.processes import Process

SMALL = SeedSize(messages=1_000, conversations=100, users=100)
BIG = SeedSize(messages=1_000_000, conversations=100_000, users=100_000)
QUICK_BIG = SeedSize(messages=20_000, conversations=2_000, users=2_000)
CONNECTIONS = (1, 16)
FULL = MeasurementPlan(rounds=7, seconds=0.8, connections=CONNECTIONS, warm_seconds=1.0)
QUICK = MeasurementPlan(rounds=1, seconds=0.2, connections=CONNECTIONS, warm_seconds=0.1)

UPDATE, MESSAGE, FETCH = "update participant", "create message", "fetch by sid"
PAGE, NEWEST, CONVERSATIONS = "list of 50", "newest 50 of longest", "list 50 conversations"
OPERATIONS = (UPDATE, MESSAGE, FETCH, PAGE, NEWEST, CONVERSATIONS)


def operations(credentials: Credentials, filled: Filled) -> dict[str, PreparedOperation]:
    """Return every measured operation, over names chosen at random from the whole store."""
    chance = random.Random(workload.SEED)
    names = filled.names
    chance.shuffle(names.participants)
    chance.shuffle(names.conversations)

    def get(path: str) -> bytes:
        return workload.raw_request(credentials, "GET", path)

    pages = [
        get(f"/v1/Conversations/{chance.choice(filled.long_ones)}/Messages?PageSize=50")
        for _ in range(workload.PREPARED)
    ]
    newest = get(f"/v1/Conversations/{filled.longest}/Messages?Order=desc&PageSize=50")
    return {
        UPDATE: workload.update_participant(credentials, names),
        MESSAGE: workload.create_message(credentials, names),
        FETCH: workload.fetch_participant(credentials, names),
        PAGE: PreparedOperation(PAGE, 200, pages),
        NEWEST: PreparedOperation(NEWEST, 200, [newest]),
        CONVERSATIONS: PreparedOperation(
            CONVERSATIONS, 200, [get("/v1/Conversations?PageSize=50")]
        ),
    }


def start_filled(
    folder: Path, name: str, shape: SeedSize, cores: frozenset[int]
) -> tuple[Process, dict[str, PreparedOperation]]:
    """Start a server whose store has this shape; return it with its requests."""
    credentials = servers.make_credentials()
    server = servers.parlour(folder, credentials, name)
    with server:
        server.start(cores)
        with KeepAliveApi(server.port, credentials) as api:
            template = seed.make_template(api)
    filled = seed.fill(seed.database_of(folder / name), template, shape)
    server.start(cores)
    return server, operations(credentials, filled)


def named(operation: str, size: str) -> str:
    """Return the report's name of an operation on one of the two stores."""
    return f"{operation}, {size}"


def goals_of(measured: InterleavedSamples) -> list[goals.Goal]:
    """Return, by operation and number of connections, p50 in the big store over the small."""
    return [
        goals.at_most(
            f"{operation}, c={connections}: p50 big / small",
            measured.ratio(
                (named(operation, "big"), named(operation, "small")),
                connections,
                lambda sample: sample.p50_us,
            ),
            goals.GROWTH_MAX,
        )
        for operation in OPERATIONS
        for connections in CONNECTIONS
    ]


def run(plan: MeasurementPlan, big: SeedSize, json_path: Path | None) -> int:
    """Measure, print and write; return how many goals were missed, or -1 for wrong responses."""
    server_cores, load_cores = cores_apart()
    with data_folder() as folder, ExitStack() as stack:
        sizes: dict[str, dict[str, BenchTarget]] = {}
        for size, shape in (("small", SMALL), ("big", big)):
            _print_result(f"filling the {size} store: {shape}")
            server, requests = start_filled(folder, size, shape, server_cores)
            stack.enter_context(server)
            sizes[size] = {
                name: BenchTarget(named(name, size), server, requests[name]) for name in OPERATIONS
            }
        targets = [sizes[size][name] for name in OPERATIONS for size in sizes]
        measured = interleaving.measure(
            targets, plan, folder=folder, load_cores=load_cores, report=_print_result
        )
        described = machine.describe(folder)
    rows = [
        report.ReportRow(measured, target.name, connections)
        for target in targets
        for connections in CONNECTIONS
    ]
    checked = goals_of(measured)
    print(report.text(described, rows, [f"small: {SMALL}", f"big: {big}"], checked))
    if json_path:
        shown = report.record(described, rows, {"messages": big.messages}, checked)
        json_path.write_text(json.dumps(shown, indent=2) + "\n")
    if errors := measured.errors():
        print(f"wrong answers: {errors}", file=sys.stderr)
        return -1
    return sum(not goal.is_met for goal in checked)


def _print_result(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the command line of ``make bench-growth``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller store, one short round")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    options = parser.parse_args()
    plan, big = (QUICK, QUICK_BIG) if options.quick else (FULL, BIG)
    missed = run(plan, big, options.json)
    return 1 if missed < 0 or (options.check and missed > 0) else 0


if __name__ == "__main__":
    sys.exit(main())
