"""``make bench-postgres``: updates on PostgreSQL, one or two workers against a baseline.

The baseline uses one transaction for each update. The database server is the one of the tests, with
every commit on disk, on the same cores as its clients: ratios hold, absolute numbers do not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench import docs_pages, goals, interleaving, machine, report, servers, workload
from bench.api_client import Credentials, KeepAliveApi
from bench.interleaving import BenchTarget, InterleavedSamples, MeasurementPlan
from bench.processes import ROOT, cores_apart, data_folder
from tests.support.postgres_server import Postgres

if TYPE_CHECKING:
    from bench.processes import Process

PAGE = ROOT / "docs" / "explanation" / "scale.md"
CONNECTIONS = (1, 16, 64)
FULL = MeasurementPlan(rounds=5, seconds=1.0, connections=CONNECTIONS, warm_seconds=0.5)
QUICK = MeasurementPlan(rounds=1, seconds=0.4, connections=CONNECTIONS, warm_seconds=0.2)

ONE_TRANSACTION = "E: one transaction each"
UPDATE = "update participant"
MESSAGE = "create message"
FETCH = "fetch by sid"
TWO_WORKERS = "update, two workers"
COMPARED_WITH = {UPDATE: (ONE_TRANSACTION,), TWO_WORKERS: (UPDATE,)}
NAMES = (UPDATE, MESSAGE, FETCH, TWO_WORKERS, ONE_TRANSACTION)


def targets(folder: Path, postgres: Postgres, stack: ExitStack) -> list[BenchTarget]:
    """Parlour with one and two workers, and the baseline, each on a separate database."""
    credentials: Credentials = servers.make_credentials()

    def start(process: Process) -> Process:
        stack.enter_context(process)
        process.start(frozenset())
        return process

    def parlour(name: str, workers: int) -> tuple[Process, workload.Names]:
        url = postgres.make_database()
        made = servers.parlour(folder, credentials, name, database=url, workers=workers)
        process = start(made)
        with KeepAliveApi(process.port, credentials) as api:
            return process, workload.fill(api)

    one, names = parlour("one", 1)
    two, other_names = parlour("two", 2)
    # On a separate server: events of new messages are still published during the next target.
    separate, separate_names = parlour("separate", 1)
    baseline = start(
        servers.one_transaction_postgres(folder, credentials, postgres.make_database())
    )
    return [
        BenchTarget(UPDATE, one, workload.update_participant(credentials, names)),
        BenchTarget(ONE_TRANSACTION, baseline, workload.update_participant(credentials, names)),
        BenchTarget(TWO_WORKERS, two, workload.update_participant(credentials, other_names)),
        BenchTarget(MESSAGE, separate, workload.create_message(credentials, separate_names)),
        BenchTarget(FETCH, separate, workload.fetch_participant(credentials, separate_names)),
    ]


def goals_of(measured: InterleavedSamples) -> list[goals.Goal]:
    """Return every goal with its measured value."""
    most = max(CONNECTIONS)
    return [
        goals.at_least(
            f"update participant / one transaction each, c={most}",
            measured.ratio((UPDATE, ONE_TRANSACTION), most),
            goals.POSTGRES_UPDATE_MIN,
        ),
        goals.at_least(
            f"two workers / one, c={most}",
            measured.ratio((TWO_WORKERS, UPDATE), most),
            goals.TWO_WORKERS_MIN,
        ),
    ]


def run(plan: MeasurementPlan, json_path: Path | None, *, writes_page: bool) -> int:
    """Measure, print and write; return how many goals were missed, or -1 for wrong responses."""
    with data_folder() as folder, ExitStack() as stack:
        folder.chmod(0o711)  # The user that runs the database server passes through the folder.
        postgres = stack.enter_context(Postgres(parent=folder, synchronous_commit="on"))
        _, load_cores = cores_apart()
        measured = interleaving.measure(
            targets(folder, postgres, stack),
            plan,
            folder=folder,
            load_cores=load_cores,
            report=_print_result,
        )
        described = machine.describe(folder)
    rows = [
        report.ReportRow(measured, name, connections, compared_with=COMPARED_WITH.get(name, ()))
        for name in NAMES
        for connections in CONNECTIONS
    ]
    checked = goals_of(measured)
    print(report.text(described, rows, [], checked))
    shown = report.record(described, rows, {}, checked)
    if json_path:
        json_path.write_text(json.dumps(shown, indent=2) + "\n")
    if writes_page:
        PAGE.write_text(docs_pages.put(PAGE.read_text(), "beside", docs_pages.section(shown)))
    if errors := measured.errors():
        print(f"wrong answers: {errors}", file=sys.stderr)
        return -1
    return sum(not goal.is_met for goal in checked)


def _print_result(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the command line of ``make bench-postgres``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke run")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    parser.add_argument("--page", action="store_true", help="also write the table of the docs")
    options = parser.parse_args()
    missed = run(QUICK if options.quick else FULL, options.json, writes_page=options.page)
    return 1 if missed < 0 or (options.check and missed > 0) else 0


if __name__ == "__main__":
    sys.exit(main())
