"""The start time of the client SDK, against Parlour and against a stand-in from memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.api_client import KeepAliveApi
from bench.processes import ROOT, Process, pinned_to
from tests.support.nodejs import install_packages, node_command
from tests.support.ports import ReservedPort

if TYPE_CHECKING:
    from bench.api_client import Credentials
    from bench.realtime.frames import ServiceKey

SCRIPT = Path(__file__).with_name("sdk.mjs")
SDK_FOLDER = ROOT / "tests" / "contract" / "realtime"
IDENTITY = "member-of-many"
MESSAGES_EACH = 3
SECONDS_MAX = 180.0


@dataclass(frozen=True, slots=True)
class Start:
    """Milliseconds until the client was ready, and until it had joined every conversation."""

    initialized_ms: float
    joined_ms: float


def ensure_sdk() -> None:
    """The client SDK, in the version of the contract tests' lock file."""
    install_packages(SDK_FOLDER)


def fill(process: Process, credentials: Credentials, conversations: int) -> None:
    """Create a user in many conversations, each with another member and a few messages."""
    with KeepAliveApi(process.port, credentials) as api:
        for number in range(conversations):
            sid = api.post("/v1/Conversations", FriendlyName=f"Order {number}")["sid"]
            path = f"/v1/Conversations/{sid}"
            for identity in (IDENTITY, f"agent-{number % 20}"):
                api.post(f"{path}/Participants", Identity=identity)
            for _ in range(MESSAGES_EACH):
                api.post(f"{path}/Messages", Author=IDENTITY, Body="Is it on its way?")


def stand_in(folder: Path, parlour: Process) -> Process:
    """The server that serves cached responses of Parlour."""
    port = ReservedPort()
    return Process(
        ["-m", "bench.baselines.serve", "memory", str(port.number)],
        port=port,
        log=folder / "memory.log",
        environment={"BENCH_PARLOUR_URL": f"ws://127.0.0.1:{parlour.port}/v3/wsconnect"},
    )


def sdk(
    mode: str, port: int, tokens: list[str], cores: frozenset[int], **settings: object
) -> dict[str, Any]:
    """Return the output of the SDK, run in a separate process."""
    environment = {
        **os.environ,
        "SDK_FOLDER": str(SDK_FOLDER),
        "SOCKET_URL": f"ws://127.0.0.1:{port}/v3/wsconnect",
        "TOKENS": json.dumps(tokens),
        **{name: str(value) for name, value in settings.items()},
    }
    with pinned_to(cores):
        done = subprocess.run(
            [*node_command(), str(SCRIPT), mode],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def start(port: int, key: ServiceKey, conversations: int, cores: frozenset[int]) -> Start:
    """Start a client of the user once."""
    seen = sdk("start", port, [key.token(IDENTITY)], cores, COUNT=conversations)
    return Start(seen["initializedMs"], seen["joinedMs"])


@dataclass(frozen=True, slots=True)
class Starts:
    """The starts of both servers, in order of the rounds."""

    parlour: list[Start]
    memory: list[Start]

    @property
    def initialized_ms(self) -> float:
        """Return the time until the client is ready, the median."""
        return statistics.median(each.initialized_ms for each in self.parlour)

    @property
    def joined_ratio(self) -> float:
        """Return the time until all is joined, less the SDK's own; the median over the rounds."""
        pairs = zip(self.parlour, self.memory, strict=True)
        return statistics.median(one.joined_ms / two.joined_ms for one, two in pairs)


def measure(
    parlour: Process,
    memory: Process,
    key: ServiceKey,
    conversations: int,
    cores: frozenset[int],
    *,
    rounds: int,
) -> Starts:
    """Measure starts against both in turn; before them one of each, which fills the cache."""
    found = Starts([], [])
    both = [(parlour.port, found.parlour), (memory.port, found.memory)]
    for port, _ in both:
        start(port, key, conversations, cores)
    for number in range(rounds):
        for port, starts in both if number % 2 == 0 else reversed(both):
            starts.append(start(port, key, conversations, cores))
    return found
