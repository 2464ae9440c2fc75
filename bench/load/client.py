"""Runs the load client: prepared requests in, rates and latencies out."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.compiler import compiled
from bench.processes import pinned_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOURCE = Path(__file__).with_name("load.c")
# The client ends within its stall limit (5 s); this only catches a hung one.
GRACE_SECONDS = 30.0


class LoadError(Exception):
    """The load client refused to run."""


class Result(msgspec.Struct, frozen=True):
    """The result of one run of the load client; times in microseconds."""

    requests: int
    seconds: float
    rate: float
    p50_us: float
    p99_us: float
    mean_us: float
    max_us: float
    cpu_seconds: float
    bytes: int
    status: dict[str, int]
    errors: int


@dataclass(frozen=True, slots=True)
class Load:
    """The load and duration of one run, and the expected status.

    ``first`` is the number of the first prepared request; the client cycles through all of them.
    """

    port: int
    connections: int
    seconds: float
    status: int = 200
    requests_max: int = 0
    first: int = 0
    host: str = "127.0.0.1"


def write_requests(requests: list[bytes], path: Path) -> None:
    """Write prepared requests, each with a length prefix (4 bytes, little-endian)."""
    framed = (struct.pack("<I", len(request)) + request for request in requests)
    path.write_bytes(b"".join(framed))


@contextmanager
def requests_file(requests: list[bytes]) -> Iterator[Path]:
    """Write a temporary file of prepared requests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests"
        write_requests(requests, path)
        yield path


def output_of(
    source: Path, arguments: Sequence[object], *, seconds_max: float, cores: frozenset[int]
) -> str:
    """Run a load client on the given cores; return what it prints. Raises LoadError."""
    with pinned_to(cores):
        outcome = subprocess.run(
            [str(compiled(source)), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds_max + GRACE_SECONDS,
        )
    if outcome.returncode != 0:
        raise LoadError(outcome.stderr.strip())
    return outcome.stdout


def run(load: Load, requests: Path, cores: frozenset[int] = frozenset()) -> Result:
    """Load one server with a file of prepared requests, on the given cores."""
    arguments = (
        load.host,
        load.port,
        load.connections,
        load.seconds,
        load.requests_max,
        load.status,
        requests,
        load.first,
    )
    output = output_of(SOURCE, arguments, seconds_max=load.seconds, cores=cores)
    return msgspec.json.decode(output, type=Result)


def run_requests(load: Load, requests: list[bytes]) -> Result:
    """Load one server with prepared requests that need no separate file."""
    with requests_file(requests) as path:
        return run(load, path)
