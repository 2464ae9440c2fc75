r"""Assert that an attack on a server leaves other clients unaffected.

A test starts a separate server and attacks it inside `others_unaffected`:

    def test_endless_trailers(fresh_server: Server, control: Server) -> None:
        with others_unaffected(fresh_server, control):
            flood(fresh_server, head=..., repeated=b"a: b\r\n" * 10_000, seconds=1.5)

During the block a separate process (`probe.py`) runs innocent clients of the attacked server, and
the same clients of `control`, an idle server. Bounds of latency are relative to the control, so
that a busy machine does not fail a test. At the end of the block an `AssertionError` names every
bound that was exceeded:

* resident memory grew by at most 96 MiB, and is back within 16 MiB of before within 10 s;
* the 99th percentile of each innocent client's latency is at most 50 ms, or three times the
  percentile of the same client of the control. When other tests run in parallel, they take CPU
  from the attacked server but not from the idle control, and the bound is 500 ms (`make attacks`
  and the end of `make gate` run these tests alone);
* every request of every innocent client succeeded.

The default attack takes one to two seconds; longer variants get `@pytest.mark.gate`. All tests of
this folder run one after the other, in one process (`conftest.py`).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.attacks.probe import resident_bytes
from tests.support.client import FORM_TYPE, Api, encode
from tests.support.server import REPOSITORY
from tests.support.tls_server import TlsApi, TlsServer

if TYPE_CHECKING:
    from tests.support.server import Server

MEBIBYTE = 1 << 20
IS_ALONE = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1") == "1"
P99_SECONDS = 0.050 if IS_ALONE else 0.500
# Innocent clients run this long after the attack: work may outlive its requester.
SETTLE_SECONDS = 0.3
# An attacked server that grows by more than this is killed to protect the machine.
KILL_GROWTH_BYTES = 1024 * MEBIBYTE

Innocent = Callable[["Server"], list[bytes]]
"""Returns the requests of an innocent client of a server; they are repeated in order."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The effect that an attack may have on other clients."""

    growth_bytes: int = 96 * MEBIBYTE
    remaining_bytes: int = 16 * MEBIBYTE
    recovery_seconds: float = 10.0
    p99_seconds: float = P99_SECONDS
    p99_ratio: float = 3.0


@dataclass(frozen=True)
class ClientMeasurements:
    """Latencies and statuses of one innocent client."""

    latencies: list[float]
    statuses: dict[str, int]

    def percentile(self, share: float) -> float:
        """Return the latency in seconds that this share of the requests did not exceed."""
        ordered = sorted(self.latencies) or [0.0]
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    @property
    def failures(self) -> dict[str, int]:
        """Return the count of each status other than success."""
        return {status: n for status, n in self.statuses.items() if not status.startswith("2")}

    def __str__(self) -> str:
        """Return the metrics in one line."""
        times = ", ".join(
            f"{name} {self.percentile(share) * 1000:.1f} ms"
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        )
        return f"{times}, answers {self.statuses}"


@dataclass
class AttackMonitor:
    """The measurements; complete when the block has ended."""

    server: Server
    before_bytes: int = 0
    peak_bytes: int = 0
    after_bytes: int = 0
    measured: dict[str, ClientMeasurements] = field(default_factory=dict)
    is_killed: bool = False

    def growth_now(self) -> int:
        """Return the growth of resident memory since the start of the attack, in bytes."""
        return resident_bytes(self.server.pid) - self.before_bytes

    def __str__(self) -> str:
        """Return all metrics, one line each."""
        sizes = (self.before_bytes, self.peak_bytes, self.after_bytes)
        before, peak, after = (f"{size / MEBIBYTE:.0f}" for size in sizes)
        lines = [f"resident memory {before} MiB before, {peak} at most, {after} afterwards"]
        lines += [f"{name}: {measured}" for name, measured in self.measured.items()]
        return "\n".join(lines)


# --- Innocent clients ------------------------------------------------------------------------


def healthz(server: Server) -> list[bytes]:
    """Return an innocent client that requests the health check."""
    del server
    return [b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]


def messages(server: Server) -> list[bytes]:
    """Return a client with a separate account that creates messages and fetches one."""
    sid, token = server.make_account()
    api = api_of(server, sid, token)
    chat = api.post("/Conversations").expect(201)["sid"]
    first = api.post(f"/Conversations/{chat}/Messages", Body="first").expect(201)["sid"]
    api.close()
    path = f"/v1/Conversations/{chat}/Messages"
    return [
        request("POST", path, account=(sid, token), form={"Body": "hello"}),
        request("GET", f"{path}/{first}", account=(sid, token)),
    ]


def api_of(server: Server, sid: str, token: str) -> Api:
    """Return an API client of one account, over TLS if the server uses it."""
    if isinstance(server, TlsServer):
        return TlsApi(server, sid, token)
    return Api(server.base_url, sid, token)


def request(
    method: str,
    target: str,
    *headers: str,
    account: tuple[str, str] | None = None,
    form: dict[str, Any] | None = None,
    body: bytes = b"",
) -> bytes:
    """Return the bytes of one request; header lines are sent unchanged."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *headers]
    if account is not None:
        lines.append("Authorization: " + basic(*account))
    if form is not None:
        body = encode(form).encode()
        lines.append(f"Content-Type: {FORM_TYPE}")
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def basic(name: str, secret: str) -> str:
    """Return the value of the Authorization header for a name and its secret."""
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


# --- The block -------------------------------------------------------------------------------


@contextmanager
def others_unaffected(
    server: Server,
    control: Server,
    *innocents: Innocent,
    bounds: Bounds = Bounds(),
) -> Iterator[AttackMonitor]:
    """Measure while the block attacks ``server``, and assert the bounds at its end.

    The default innocent client is `healthz`.
    """
    assert server.waits_for_disk == control.waits_for_disk, "Their latencies are not comparable."
    monitor = AttackMonitor(server)
    chosen = innocents or (healthz,)
    with _Prober(server, control, chosen) as prober:
        monitor.before_bytes = prober.measure()
        yield monitor
        time.sleep(SETTLE_SECONDS)
        prober.stop(monitor)
    _wait_for_memory(monitor, bounds)
    print(monitor)
    broken = [] if monitor.is_killed else list(_broken(monitor, chosen, bounds))
    if monitor.is_killed:
        growth = f"{(monitor.peak_bytes - monitor.before_bytes) / MEBIBYTE:.0f} MiB"
        broken = [f"resident memory grew by {growth}, and the server was killed"]
    assert not broken, "The attack hurt others:\n  " + "\n  ".join(broken) + f"\n{monitor}"


def _wait_for_memory(monitor: AttackMonitor, bounds: Bounds) -> None:
    deadline = time.monotonic() + bounds.recovery_seconds
    while not monitor.is_killed and monitor.growth_now() > bounds.remaining_bytes:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    monitor.after_bytes = resident_bytes(monitor.server.pid)


def _broken(monitor: AttackMonitor, innocents: Sequence[Innocent], bounds: Bounds) -> Iterator[str]:
    """Yield a message for each bound that was exceeded."""
    if monitor.server.process is None or monitor.server.process.poll() is not None:
        yield f"the server ended:\n{monitor.server.log_tail()}"
        return
    growth = monitor.peak_bytes - monitor.before_bytes
    if growth > bounds.growth_bytes:
        yield f"resident memory grew by {_mebibytes(growth, bounds.growth_bytes)}"
    remaining = monitor.after_bytes - monitor.before_bytes
    if remaining > bounds.remaining_bytes:
        sizes = _mebibytes(remaining, bounds.remaining_bytes)
        yield f"{bounds.recovery_seconds:g} s later there was still more memory: {sizes}"
    for each in innocents:
        name = each.__name__
        measured, baseline = monitor.measured[name], monitor.measured[f"{name} of the control"]
        allowed = max(bounds.p99_seconds, bounds.p99_ratio * baseline.percentile(0.99))
        if measured.percentile(0.99) > allowed:
            times = f"{measured.percentile(0.99) * 1000:.0f} ms, allowed {allowed * 1000:.0f} ms"
            yield f"p99 of {name}: {times}"
        if measured.failures or not measured.statuses:
            yield f"requests of {name} failed: {measured.statuses}"


def _mebibytes(size: int, allowed: int) -> str:
    return f"{size / MEBIBYTE:.0f} MiB, allowed {allowed / MEBIBYTE:.0f} MiB"


class _Prober:
    """The process of `probe.py`."""

    def __init__(self, server: Server, control: Server, innocents: Sequence[Innocent]) -> None:
        targets = []
        for each in innocents:
            targets.append((each.__name__, server, each(server)))
            targets.append((f"{each.__name__} of the control", control, each(control)))
        self._plan = {
            "pid": server.pid,
            "growth_bytes_max": KILL_GROWTH_BYTES,
            "targets": [
                {
                    "name": name,
                    "port": target.port,
                    "authority": target.authority if isinstance(target, TlsServer) else "",
                    "requests": [base64.b64encode(each).decode() for each in requests],
                }
                for name, target, requests in targets
            ],
        }

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.probe"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._send_line(json.dumps(self._plan))
        assert self._line() == "warm"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def measure(self) -> int:
        """Start measuring; return the server's current resident memory."""
        self._send_line("measure")
        assert self._line() == "measuring"
        return resident_bytes(self._plan["pid"])

    def stop(self, monitor: AttackMonitor) -> None:
        """Stop measuring, and store the results in the monitor."""
        self._send_line("stop")
        results = json.loads(self._line())
        monitor.measured = {
            name: ClientMeasurements(**measured) for name, measured in results["measured"].items()
        }
        monitor.before_bytes = results["memory"]["before"]
        monitor.peak_bytes = results["memory"]["peak"]
        monitor.is_killed = results["memory"]["is_killed"]

    def _send_line(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
