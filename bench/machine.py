"""The machine of a measurement: processor, versions, and the cost of one disk flush."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from importlib import metadata
from pathlib import Path

FLUSHES = 100
PAGE_BYTES = 4096


def describe(folder: Path) -> dict[str, str | int | float]:
    """Return the machine and the versions that affect results; the disk is ``folder``'s."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "uvicorn": metadata.version("uvicorn"),
        "uvloop": metadata.version("uvloop"),
        "httptools": metadata.version("httptools"),
        "apsw": metadata.version("apsw"),
        "flush_us_p50": round(flush_us(folder), 1),
    }


def flush_us(folder: Path) -> float:
    """Return the microseconds to append one page and flush it, the median of a hundred."""
    path = folder / "flush"
    times = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for _ in range(FLUSHES):
            begin = time.perf_counter()
            os.write(descriptor, b"x" * PAGE_BYTES)
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - begin)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(times) * 1e6


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
