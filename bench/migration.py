"""``make bench-migration``: the cost of moving a million messages into PostgreSQL.

The embedded database is filled as for the growth run, with an event for each message; then the
command moves it. Prints seconds, rows per second, and the peak memory of the command, compared with
a store a twentieth of the size: memory must not grow with the store.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench import goals, machine, report, seed, servers
from bench.api_client import KeepAliveApi
from bench.processes import ROOT, data_folder
from bench.seed import SeedSize
from tests.support.postgres_server import Postgres

BIG = SeedSize(messages=1_000_000, conversations=60_000, users=20_000)
SMALL = SeedSize(messages=50_000, conversations=3_000, users=1_000)
QUICK = SeedSize(messages=100_000, conversations=6_000, users=2_000)
POLL_SECONDS = 0.05
# As many as a server would keep of the last days, one for each message.
ADD_EVENTS = """
INSERT INTO event (account_sid, service_sid, conversation_sid, subject_sid, name, source,
                   client_identity, fires, date_ms, payload)
SELECT m.account_sid, m.service_sid, m.conversation_sid, m.sid, e.name, e.source,
       e.client_identity, e.fires, m.date_created, e.payload
  FROM message m, (SELECT * FROM event WHERE name = 'onMessageAdded' LIMIT 1) e
"""
EDGES = """
SELECT count(*), min(sid), max(sid), sum(message_index), max(date_created) FROM message
"""
POSITIONS = "SELECT count(*), min(sequence), max(sequence) FROM event"


@dataclass(frozen=True, slots=True)
class Moved:
    """What one move took."""

    rows: int
    seconds: float
    resident_bytes_max: int
    database_bytes: int


def fill(folder: Path, name: str, shape: SeedSize) -> Path:
    """A stopped server's data folder of this shape."""
    credentials = servers.make_credentials()
    with servers.parlour(folder, credentials, name) as process:
        process.start()
        with KeepAliveApi(process.port, credentials) as api:
            template = seed.make_template(api)
    database = seed.database_of(folder / name)
    seed.fill(database, template, shape)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(ADD_EVENTS)
    return folder / name


def move(data: Path, url: str) -> Moved:
    """Run the command, and watch its memory."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PARLOUR_DATABASE": url}
    command = [sys.executable, "-m", "parlour", "migrate-store", "--json", "--from"]
    begin = time.perf_counter()
    with subprocess.Popen(
        [*command, f"sqlite:{data}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        most = 0
        while child.poll() is None:
            most = max(most, _resident_bytes(child.pid))
            time.sleep(POLL_SECONDS)
        assert child.stdout is not None
        lines = [json.loads(line) for line in child.stdout]
    assert child.returncode == 0, f"migrate-store ended with {child.returncode}"
    seconds = time.perf_counter() - begin
    size = seed.database_of(data).stat().st_size
    return Moved(sum(line["rows"] for line in lines), seconds, most, size)


def _resident_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(found[0]) * 1024 if found else 0


def is_same(data: Path, postgres: Postgres, url: str) -> bool:
    """Return whether sids, indexes, dates and the numbers of events equal the source's."""
    with closing(sqlite3.connect(seed.database_of(data))) as connection:
        for sql in (EDGES, POSITIONS):
            here = [str(value) for value in connection.execute(sql).fetchone()]
            if postgres.sql(sql, url).split() != here:
                return False
    return True


def run(big: SeedSize, small: SeedSize, json_path: Path | None) -> int:
    """Move both, print and write; returns how many goals were missed."""
    found: list[Moved] = []
    with data_folder() as folder, Postgres(shared_buffers="256MB", max_wal_size="4GB") as postgres:
        for name, shape in (("small", small), ("big", big)):
            _print_result(f"filling: {shape}")
            data = fill(folder, name, shape)
            url = postgres.make_database()
            _print_result("moving")
            found.append(move(data, url))
            assert is_same(data, postgres, url), "the target is not what the source was"
            shutil.rmtree(data)
        described = machine.describe(folder)
    lines = [
        f"{shape.messages:>9} messages: {each.rows} rows of {each.database_bytes / 1e6:.0f} MB in "
        f"{each.seconds:.1f} s, {each.rows / each.seconds:.0f} rows/s, "
        f"{each.resident_bytes_max / 1e6:.0f} MB of memory at most"
        for shape, each in zip((small, big), found, strict=True)
    ]
    growth = found[1].resident_bytes_max / found[0].resident_bytes_max
    checked = [goals.at_most("memory, big store / small", growth, goals.MOVING_MEMORY_MAX)]
    print(", ".join(f"{name} {value}" for name, value in described.items()), "", sep="\n")
    print("\n".join([*lines, "", *(goal.line() for goal in checked)]))
    if json_path:
        shown = report.record_of_lines(described, lines, checked)
        json_path.write_text(json.dumps(shown, indent=2) + "\n")
    return sum(not goal.is_met for goal in checked)


def _print_result(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """The command line of ``make bench-migration``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    parser.add_argument("--check", action="store_true", help="fail when a goal is missed")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    options = parser.parse_args()
    missed = run(QUICK if options.quick else BIG, SMALL, options.json)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
