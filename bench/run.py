"""``make bench``: Parlour against bare servers, in one interleaved run.

Prints rates, ratios, latencies, processor time per request and memory, and whether the goals are
met. A missed goal is an error only with ``--check``: a busy machine is not a regression. A wrong
response is always one. ``--against REVISION`` measures an earlier commit in the same run;
``--pair`` leaves out everything but the two.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import (
    earlier_version,
    goals,
    interleaving,
    machine,
    report,
    servers,
    startup,
    webhooks,
    workload,
)
from bench.api_client import Credentials, KeepAliveApi
from bench.interleaving import BenchTarget, InterleavedSamples, MeasurementPlan
from bench.load import client
from bench.processes import cores_apart, data_folder

if TYPE_CHECKING:
    from bench.processes import Process
    from bench.startup import Startup

CONNECTIONS = (1, 16, 64)
FULL = MeasurementPlan(rounds=5, seconds=1.0, connections=CONNECTIONS, warm_seconds=0.5)
QUICK = MeasurementPlan(rounds=1, seconds=0.2, connections=CONNECTIONS, warm_seconds=0.1)
STARTS = 5

CONSTANT = "A: constant"
CONSTANT_PAGE = "A: constant page"
HANDLER = "B: handler, no store"
ONE_TRANSACTION = "C: one transaction each"
UPDATE = "update participant"
WITH_WEBHOOKS = "the same with webhooks"
MESSAGE = "create message"
FETCH = "fetch by sid"
PAGE = "list of 50"
COMPARED_WITH = {
    UPDATE: (HANDLER, ONE_TRANSACTION),
    WITH_WEBHOOKS: (UPDATE,),
    MESSAGE: (HANDLER, ONE_TRANSACTION),
    FETCH: (CONSTANT,),
    PAGE: (CONSTANT_PAGE,),
}


class BenchRun:
    """One run: its folder, cores and processes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Choose the cores and create an account for this run."""
        self.folder = folder
        self.stack = stack
        self.credentials: Credentials = servers.make_credentials()
        self.server_cores, self.load_cores = cores_apart()

    def start(self, process: Process) -> Process:
        """Start a server that ends with the run."""
        self.stack.enter_context(process)
        process.start(self.server_cores)
        return process

    def targets(self) -> tuple[Process, list[BenchTarget]]:
        """Parlour with a filled store, and all targets."""
        parlour = self.start(servers.parlour(self.folder, self.credentials))
        with KeepAliveApi(parlour.port, self.credentials) as api:
            names = workload.fill(api)
            update = workload.update_participant(self.credentials, names)
            fetch = workload.fetch_participant(self.credentials, names)
            page = workload.list_messages(self.credentials, names)
            self._update_each(parlour, update, len(names.participants))
            conversation_sid, sid = names.participants[0]
            path = f"/v1/Conversations/{conversation_sid}"
            _, participant = api.raw("GET", f"{path}/Participants/{sid}")
            _, messages = api.raw("GET", f"{path}/Messages?PageSize={workload.PAGE_SIZE}")
        one_transaction = servers.one_transaction(self.folder, self.credentials)
        return parlour, [
            BenchTarget(CONSTANT, self._constant("constant", participant), fetch),
            BenchTarget(FETCH, parlour, fetch),
            BenchTarget(
                HANDLER, self.start(servers.handler(self.folder, self.credentials)), update
            ),
            BenchTarget(UPDATE, parlour, update),
            self._with_webhooks(),
            BenchTarget(ONE_TRANSACTION, self.start(one_transaction), update),
            BenchTarget(MESSAGE, parlour, workload.create_message(self.credentials, names)),
            BenchTarget(CONSTANT_PAGE, self._constant("constant-page", messages), page),
            BenchTarget(PAGE, parlour, page),
        ]

    def pair(self, revision: str) -> list[BenchTarget]:
        """Four operations of this Parlour, each next to the same of an earlier commit."""
        parlour = self.start(servers.parlour(self.folder, self.credentials))
        with KeepAliveApi(parlour.port, self.credentials) as api:
            operations = earlier_version.operations(api, self.credentials)
        ours = [BenchTarget(each.name, parlour, each) for each in operations]
        pairs = zip(ours, self.earlier(revision), strict=True)
        return [target for pair in pairs for target in pair]

    def earlier(self, revision: str) -> list[BenchTarget]:
        """The four operations of an earlier commit."""
        process = self.start(earlier_version.server(self.folder, self.credentials, revision))
        return earlier_version.targets(process, self.credentials)

    def _with_webhooks(self) -> BenchTarget:
        """Another Parlour that sends a webhook for every update; it has a separate store."""
        parlour = self.start(servers.parlour(self.folder, self.credentials, "parlour-webhooks"))
        receivers = servers.receivers(self.folder, 1)
        self.stack.enter_context(receivers)
        receivers.start(self.load_cores)
        with KeepAliveApi(parlour.port, self.credentials) as api:
            names = workload.fill(api)
            url = webhooks.ReceiverProcess(receivers).url(0)
            form = {"PostWebhookUrl": url, "Filters": "onParticipantUpdated"}
            api.post("/v1/Configuration/Webhooks", **form)
        update = workload.update_participant(self.credentials, names)
        self._update_each(parlour, update, len(names.participants))
        webhooks.settle(parlour)
        return BenchTarget(WITH_WEBHOOKS, parlour, update, settle=webhooks.settle)

    def _constant(self, name: str, body: bytes) -> Process:
        return self.start(servers.constant(self.folder, name, body))

    def _update_each(
        self, parlour: Process, update: workload.PreparedOperation, count: int
    ) -> None:
        """Update every participant once, so that responses have their usual size."""
        load = client.Load(parlour.port, connections=1, seconds=20.0, requests_max=count)
        seen = client.run_requests(load, update.requests)
        assert seen.errors == 0, f"update participant: {seen}"


def rows_of(measured: InterleavedSamples) -> list[report.ReportRow]:
    """Return the table: Parlour's operations first, then the baselines."""
    names = [
        UPDATE,
        WITH_WEBHOOKS,
        MESSAGE,
        FETCH,
        PAGE,
        CONSTANT,
        CONSTANT_PAGE,
        HANDLER,
        ONE_TRANSACTION,
    ]
    return [
        report.ReportRow(measured, name, connections, compared_with=COMPARED_WITH.get(name, ()))
        for name in names
        for connections in CONNECTIONS
    ]


def goals_of(
    measured: InterleavedSamples, started: Startup, webhook_results: webhooks.WebhookResults
) -> list[goals.Goal]:
    """Return every goal with its measured value."""
    most = max(CONNECTIONS)
    update, fetch = goals.UPDATE_TO_HANDLER_MIN, goals.FETCH_TO_CONSTANT_MIN
    grouped = goals.UPDATE_TO_ONE_TRANSACTION_MIN
    page_rate = measured.median(PAGE, most, lambda sample: sample.rate)
    resident = started.resident_bytes / 1e6
    return [
        goals.at_least(
            f"update participant / handler, c={most}",
            measured.ratio((UPDATE, HANDLER), most),
            update,
        ),
        goals.at_least(
            f"update participant / one transaction each, c={most}",
            measured.ratio((UPDATE, ONE_TRANSACTION), most),
            grouped,
        ),
        goals.at_least(
            f"update participant with webhooks / without, c={most}",
            measured.ratio((WITH_WEBHOOKS, UPDATE), most),
            goals.WITH_WEBHOOKS_MIN,
        ),
        *_webhook_goals(webhook_results),
        goals.at_least(
            f"fetch by sid / constant, c={most}", measured.ratio((FETCH, CONSTANT), most), fetch
        ),
        goals.at_least(
            f"list of 50 per second on one core, c={most}", page_rate, goals.LIST_RATE_MIN
        ),
        goals.at_most(
            "first start to first answer, s", started.first_seconds, goals.START_SECONDS_MAX
        ),
        goals.at_most(
            "later start to first answer, s", started.again_seconds, goals.START_SECONDS_MAX
        ),
        goals.at_most("memory after start, MB", resident, goals.RESIDENT_MEGABYTES_MAX),
    ]


def _webhook_goals(webhook_results: webhooks.WebhookResults) -> list[goals.Goal]:
    rate = f"{webhooks.RATE:.0f}/s"
    return [
        goals.at_most(
            f"commit to webhook at {rate}, p50 ms",
            webhook_results.healthy_ms(0.50),
            goals.WEBHOOK_MS_P50_MAX,
        ),
        goals.at_most(
            f"commit to webhook at {rate}, p99 ms",
            webhook_results.healthy_ms(0.99),
            goals.WEBHOOK_MS_P99_MAX,
        ),
        goals.at_most(
            f"p99 of {webhooks.ENDPOINTS - 1} endpoints, one hanging / none",
            webhook_results.hanging_ratio,
            goals.NEXT_TO_HANGING_MAX,
        ),
    ]


def run_pair(plan: MeasurementPlan, revision: str, json_path: Path | None) -> int:
    """Measure this commit and an earlier one only; return the same as ``run``."""
    with data_folder() as folder, ExitStack() as stack:
        bench = BenchRun(folder, stack)
        measured = interleaving.measure(
            bench.pair(revision),
            plan,
            folder=folder,
            load_cores=bench.load_cores,
            report=_print_result,
        )
        described = machine.describe(folder)
    ours = [
        report.ReportRow(
            measured, name, connections, compared_with=(earlier_version.earlier(name),)
        )
        for name in earlier_version.RATES_MIN
        for connections in CONNECTIONS
    ]
    rows = [*ours, *earlier_version.rows(measured, CONNECTIONS)]
    checked = earlier_version.checked(measured, max(CONNECTIONS))
    print(report.text(described, rows, [f"earlier commit: {revision}"], checked))
    if json_path:
        _write(json_path, report.record(described, rows, {}, checked))
    return _verdict(measured, checked)


def run(plan: MeasurementPlan, starts: int, json_path: Path | None, revision: str) -> int:
    """Measure, print and write; return how many goals were missed, or -1 for wrong responses."""
    with data_folder() as folder, ExitStack() as stack:
        bench = BenchRun(folder, stack)
        started = startup.measure(folder, bench.credentials, starts, bench.server_cores)
        _print_result("webhooks")
        webhook_results = webhooks.measure(
            folder,
            webhooks.FULL if plan is FULL else webhooks.QUICK,
            server_cores=bench.server_cores,
            load_cores=bench.load_cores,
        )
        parlour, targets = bench.targets()
        targets += bench.earlier(revision) if revision else []
        measured = interleaving.measure(
            targets, plan, folder=folder, load_cores=bench.load_cores, report=_print_result
        )
        facts = {
            "first_start_seconds": round(started.first_seconds, 3),
            "later_start_seconds": round(started.again_seconds, 3),
            "resident_after_start_mb": round(started.resident_bytes / 1e6, 1),
            "resident_after_run_mb": round(parlour.resident_bytes() / 1e6, 1),
            "webhooks_late": webhook_results.late,
            "load_client_busy_max": round(max(row.client_share for row in rows_of(measured)), 2),
        }
        described = machine.describe(folder)
    rows, checked = rows_of(measured), goals_of(measured, started, webhook_results)
    if revision:
        rows += earlier_version.rows(measured, CONNECTIONS)
        checked += earlier_version.checked(measured, max(CONNECTIONS))
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in facts.items()]
    print(report.text(described, rows, lines, checked))
    if json_path:
        _write(json_path, report.record(described, rows, facts, checked))
    return _verdict(measured, checked)


def _write(path: Path, shown: dict[str, Any]) -> None:
    path.write_text(json.dumps(shown, indent=2) + "\n")


def _verdict(measured: InterleavedSamples, checked: list[goals.Goal]) -> int:
    """Return how many goals were missed, or -1 for wrong responses."""
    if errors := measured.errors():
        print(f"wrong answers: {errors}", file=sys.stderr)
        return -1
    return sum(not goal.is_met for goal in checked)


def _print_result(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the command line of ``make bench``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke run")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    parser.add_argument("--against", metavar="REVISION", default="", help="an earlier commit")
    parser.add_argument("--pair", action="store_true", help="only this and the earlier commit")
    options = parser.parse_args()
    if options.pair and not options.against:
        parser.error("--pair needs --against")
    plan, starts = (QUICK, 1) if options.quick else (FULL, STARTS)
    if options.pair:
        missed = run_pair(plan, options.against, options.json)
    else:
        missed = run(plan, starts, options.json, options.against)
    return 1 if missed < 0 or (options.check and missed > 0) else 0


if __name__ == "__main__":
    sys.exit(main())
