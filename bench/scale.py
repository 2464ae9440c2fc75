"""``make bench-scale``: the cost of a request for Parlour and for PostgreSQL.

Wall time on a small machine means little for a large one; processor time per request, bytes of
write-ahead log, and flushes show which resource is exhausted first. Prints them for each operation,
and the throughput of a number of cores if nothing else were the bottleneck.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import machine, servers, workload
from bench.api_client import KeepAliveApi
from bench.docs_pages import put
from bench.load import client
from bench.processes import ROOT, TICKS_PER_SECOND, cores_apart, data_folder
from tests.support.postgres_server import Postgres

if TYPE_CHECKING:
    from bench.processes import Process
    from bench.workload import PreparedOperation

PAGE = ROOT / "docs" / "explanation" / "scale.md"
CONNECTIONS = 64
CORES = (4, 8, 16, 32, 128)
# A processor above this utilization makes every request wait.
FULL_SHARE = 0.7
WAL_POSITION = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
SYNCS = "SELECT coalesce(sum(fsyncs), 0) FROM pg_stat_io WHERE object = 'wal'"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one request of an operation, in microseconds of processor time and in bytes."""

    operation: str
    rate: float
    parlour_us: float
    postgres_us: float
    wal_bytes: float
    flushes: float

    def carried(self, cores: int) -> tuple[float, float]:
        """Return the requests per second of so many cores, and the cores that PostgreSQL needs."""
        rate = cores * FULL_SHARE * 1e6 / (self.parlour_us + self.postgres_us)
        return rate, rate * self.postgres_us / 1e6 / FULL_SHARE

    def row(self) -> str:
        """Return the cost as a row of a table."""
        return (
            f"| {self.operation} | {self.parlour_us:,.0f} | {self.postgres_us:,.0f} "
            f"| {self.wal_bytes:,.0f} | {self.flushes:.2f} |"
        )

    def carried_row(self) -> str:
        """Return the throughput of so many cores as a row of a table."""
        found = [self.carried(cores) for cores in CORES]
        cells = [f"{rate:,.0f} ({database:.0f})" for rate, database in found]
        return f"| {self.operation} | {' | '.join(cells)} |"


def tables(costs: list[Cost], described: dict[str, object]) -> tuple[str, str]:
    """Return both tables for the page."""
    head = (
        "| operation | Parlour, µs | PostgreSQL, µs | log, bytes | flushes |\n|---|--:|--:|--:|--:|"
    )
    cores = " | ".join(f"{count} cores" for count in CORES)
    carried = f"| per second | {cores} |\n|---|{'--:|' * len(CORES)}"
    on = ", ".join(f"{name} {value}" for name, value in described.items())
    return (
        "\n".join([f"Measured on: {on}.", "", head, *(cost.row() for cost in costs)]),
        "\n".join([carried, *(cost.carried_row() for cost in costs)])
        + "\n\nIn brackets: how many of the cores are PostgreSQL's.",
    )


def write_page(shown: tuple[str, str]) -> None:
    """Write both tables between their marks."""
    page = PAGE.read_text()
    for mark, table in zip(("costs", "carried"), shown, strict=True):
        page = put(page, mark, table)
    PAGE.write_text(page)


def _postgres_seconds(server: Postgres) -> float:
    """Return the processor time of the database server and everything it started."""
    assert server.process is not None
    root, ticks = server.process.pid, 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == root:
            # Of the process, and of its children that have ended.
            ticks += sum(int(fields[at]) for at in (11, 12, 13, 14))
        elif int(fields[1]) == root:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def measure(
    operation: PreparedOperation, parlour: Process, postgres: Postgres, folder: Path, seconds: float
) -> Cost:
    """Load one operation, and return what both used."""
    requests = folder / "requests"
    client.write_requests(operation.requests, requests)
    load = client.Load(parlour.port, CONNECTIONS, seconds, operation.status)
    client.run(client.Load(parlour.port, CONNECTIONS, 1.0, operation.status), requests)
    before = _spent(parlour, postgres)
    seen = client.run(load, requests, cores_apart()[1])
    after = _spent(parlour, postgres)
    assert seen.errors == 0, f"{operation.name}: {seen}"
    each = [(late - early) / seen.requests for early, late in zip(before, after, strict=True)]
    return Cost(operation.name, seen.rate, each[0] * 1e6, each[1] * 1e6, each[2], each[3])


def _spent(parlour: Process, postgres: Postgres) -> tuple[float, float, float, float]:
    log, syncs = float(postgres.sql(WAL_POSITION)), float(postgres.sql(SYNCS))
    return parlour.cpu_seconds(), _postgres_seconds(postgres), log, syncs


def run(seconds: float, json_path: Path | None, *, writes_page: bool) -> None:
    """Measure every operation, print and write."""
    with data_folder() as folder, Postgres(shared_buffers="256MB") as postgres:
        credentials = servers.make_credentials()
        process = servers.parlour(folder, credentials)
        process.environment["PARLOUR_DATABASE"] = postgres.make_database()
        with process:
            process.start(cores_apart()[0])
            with KeepAliveApi(process.port, credentials) as api:
                names = workload.fill(api)
            costs = []
            for make in (
                workload.update_participant,
                workload.create_message,
                workload.fetch_participant,
                workload.list_messages,
            ):
                operation = make(credentials, names)
                print(f"{time.strftime('%H:%M:%S')} {operation.name}", file=sys.stderr)
                costs.append(measure(operation, process, postgres, folder, seconds))
        described = machine.describe(folder)
    shown = tables(costs, described)
    print("\n\n".join(shown))
    if writes_page:
        write_page(shown)
    if json_path:
        by_name = {each.operation: _record(each) for each in costs}
        record = {"machine": described, "costs": by_name}
        json_path.write_text(json.dumps(record, indent=2) + "\n")


def _record(cost: Cost) -> dict[str, float]:
    return {
        "parlour_us": round(cost.parlour_us, 1),
        "postgres_us": round(cost.postgres_us, 1),
        "wal_bytes": round(cost.wal_bytes, 1),
        "flushes": round(cost.flushes, 3),
    }


def main() -> None:
    """Run the command line of ``make bench-scale``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each is loaded")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    parser.add_argument("--page", action="store_true", help="also write the tables of the docs")
    options = parser.parse_args()
    run(options.seconds, options.json, writes_page=options.page)


if __name__ == "__main__":
    main()
