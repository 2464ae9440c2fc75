"""An earlier commit of Parlour next to this one, as further targets of ``make bench``.

The earlier sources run with the same interpreter and the same packages, on a separate store.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING, Final

from bench import goals, report, servers, workload
from bench.api_client import KeepAliveApi
from bench.interleaving import BenchTarget, InterleavedSamples
from bench.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from bench.api_client import Credentials
    from bench.processes import Process

CHECKOUT_SECONDS_MAX: Final = 30.0
# By the name of the operation: at the largest number of connections.
RATES_MIN: Final = {
    "update participant": goals.UPDATE_TO_EARLIER_MIN,
    "create message": goals.MESSAGE_TO_EARLIER_MIN,
    "fetch by sid": goals.FETCH_TO_EARLIER_MIN,
    "list of 50": goals.LIST_TO_EARLIER_MIN,
}


def earlier(name: str) -> str:
    """Return the report's name of an operation of the earlier commit."""
    return f"old: {name}"


def checkout(revision: str, folder: Path) -> Path:
    """Write the sources of a revision into the folder; return the folder to import from.

    Raises ``CalledProcessError`` for an unknown revision.
    """
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", revision, "src"],
        check=True,
        capture_output=True,
        timeout=CHECKOUT_SECONDS_MAX,
    )
    into = folder / "earlier"
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as sources:
        sources.extractall(into, filter="data")
    return into / "src"


def server(folder: Path, credentials: Credentials, revision: str) -> Process:
    """Parlour at an earlier revision, on a separate database."""
    process = servers.parlour(folder, credentials, "parlour-earlier")
    source = checkout(revision, folder)
    process.environment["PYTHONPATH"] = os.pathsep.join([str(source), str(ROOT)])
    return process


def operations(api: KeepAliveApi, credentials: Credentials) -> list[workload.PreparedOperation]:
    """Fill a server; return the four operations to compare, on its contents."""
    names = workload.fill(api)
    return [
        workload.update_participant(credentials, names),
        workload.create_message(credentials, names),
        workload.fetch_participant(credentials, names),
        workload.list_messages(credentials, names),
    ]


def targets(process: Process, credentials: Credentials) -> list[BenchTarget]:
    """Return the four operations of the earlier commit, with a filled store."""
    with KeepAliveApi(process.port, credentials) as api:
        found = operations(api, credentials)
    return [BenchTarget(earlier(each.name), process, each) for each in found]


def rows(measured: InterleavedSamples, connections: tuple[int, ...]) -> list[report.ReportRow]:
    """Return the earlier commit's part of the table."""
    return [
        report.ReportRow(measured, earlier(name), each)
        for name in RATES_MIN
        for each in connections
    ]


def checked(measured: InterleavedSamples, connections_max: int) -> list[goals.Goal]:
    """Return the goals compared with the earlier commit."""
    rates = [
        goals.at_least(
            f"{name} / earlier commit, c={connections_max}",
            measured.ratio((name, earlier(name)), connections_max),
            minimum,
        )
        for name, minimum in RATES_MIN.items()
    ]
    update = "update participant"
    alone = measured.ratio((update, earlier(update)), 1, lambda sample: sample.p50_us)
    text = f"p50 of {update} / earlier commit, c=1"
    return [*rates, goals.at_most(text, alone, goals.LONE_UPDATE_TO_EARLIER_MAX)]
