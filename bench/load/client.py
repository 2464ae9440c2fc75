"""Runs the load client: prepared requests in, rates and latencies out."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.compiler import compiled
from bench.processes import pinned_to

SOURCE = Path(__file__).with_name("load.c")
# The client ends by itself within its stall limit (5 s); this only catches a hung one.
GRACE_SECONDS = 30.0


class LoadError(Exception):
    """The load client refused to run."""


class Result(msgspec.Struct, frozen=True):
    """What one run of the load client saw; times in microseconds."""

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
    """How hard and how long to load one server, and which status is right.

    ``first`` is the number of the prepared request to begin with, counted round and round.
    """

    port: int
    connections: int
    seconds: float
    status: int = 200
    requests_max: int = 0
    first: int = 0
    host: str = "127.0.0.1"


def write_requests(requests: list[bytes], path: Path) -> None:
    """Write prepared requests, each behind its length (4 bytes, little-endian)."""
    framed = (struct.pack("<I", len(request)) + request for request in requests)
    path.write_bytes(b"".join(framed))


def run(load: Load, requests: Path, cores: frozenset[int] = frozenset()) -> Result:
    """Load one server with a file of prepared requests, on the given cores."""
    command = [
        str(compiled(SOURCE)),
        load.host,
        str(load.port),
        str(load.connections),
        str(load.seconds),
        str(load.requests_max),
        str(load.status),
        str(requests),
        str(load.first),
    ]
    with pinned_to(cores):
        outcome = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=load.seconds + GRACE_SECONDS,
        )
    if outcome.returncode != 0:
        raise LoadError(outcome.stderr.strip())
    return msgspec.json.decode(outcome.stdout, type=Result)


def run_requests(load: Load, requests: list[bytes]) -> Result:
    """Load one server with prepared requests that need no file of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests"
        write_requests(requests, path)
        return run(load, path)
