"""The start of Parlour: the time to the first response, and the memory after it."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import servers

if TYPE_CHECKING:
    from bench.api_client import Credentials

AS_INSTALLED = str(Path(__file__).with_name("launch_as_installed.py"))
# Memory is read a moment after the first response, when background work has started.
SETTLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Startup:
    """Medians over several starts: seconds to the first response, and resident bytes after it."""

    first_seconds: float
    again_seconds: float
    resident_bytes: float


def measure(folder: Path, credentials: Credentials, starts: int, cores: frozenset[int]) -> Startup:
    """Start Parlour several times on new folders, and again on each of them.

    The first start makes the database and the account; the second finds them. One start
    before all that is not counted: it compiles the sources. What only tests need is not loaded.
    """
    first, again, resident = [], [], []
    for number in range(starts + 1):
        server = servers.parlour(folder, credentials, f"start-{number}", program=(AS_INSTALLED,))
        with server:
            first.append(server.start(cores))
        with server:
            again.append(server.start(cores))
            time.sleep(SETTLE_SECONDS)
            resident.append(server.resident_bytes())
    return Startup(
        statistics.median(first[1:]), statistics.median(again[1:]), statistics.median(resident)
    )
