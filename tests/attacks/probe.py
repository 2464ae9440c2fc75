"""A process that measures what other clients feel during an attack: latency, success, memory.

It is a separate process so that the attacker's threads do not share its interpreter lock, and it
uses the standard library only so that it starts quickly. `tests/attacks/harness.py` starts it and
exchanges lines with it:

| line to the probe    | response                                                    |
|----------------------|-------------------------------------------------------------|
| the plan, as JSON    | `warm`, once every target has responded for a second or two |
| `measure`            | `measuring`; earlier measurements are dropped               |
| `stop`               | the results as JSON; then the process exits                 |
| end of the input     | none; the process exits                                     |

Latency is free of coordinated omission: requests are due at fixed intervals, and while one request
is in flight, those that become due count with the time for which they would have waited.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import select
import signal
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

INTERVAL_SECONDS = 0.005
SAMPLE_SECONDS = 0.01
# A server imports some of its libraries only after its start.
WARM_SECONDS = 0.2
WARM_AGE_SECONDS = 1.2
TIMEOUT_SECONDS = 30.0

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 if it has exited."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Prober(threading.Thread):
    """One innocent client: a keep-alive connection with a request every few milliseconds."""

    def __init__(self, port: int, authority: str, requests: list[bytes]) -> None:
        """Use TLS if a file with a trusted authority is given."""
        super().__init__(daemon=True)
        self._port = port
        self._context = ssl.create_default_context(cafile=authority) if authority else None
        self._requests = requests
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._latencies: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._is_stopped = threading.Event()

    def run(self) -> None:
        """Send the requests in order until `stop`."""
        number, due = 0, time.perf_counter()
        while not self._is_stopped.is_set():
            began = time.perf_counter()
            status = self._exchange(self._requests[number % len(self._requests)])
            waited = time.perf_counter() - began
            with self._lock:
                self._statuses[status] += 1
                while waited > 0:
                    self._latencies.append(waited)
                    waited -= INTERVAL_SECONDS
            number += 1
            due = max(due + INTERVAL_SECONDS, time.perf_counter())
            time.sleep(max(0.0, due - time.perf_counter()))

    def clear(self) -> None:
        """Discard the measurements."""
        with self._lock:
            self._latencies.clear()
            self._statuses.clear()

    def finish(self) -> dict[str, Any]:
        """Wait for the response in flight, and return the measurements."""
        self._is_stopped.set()
        self.join(2 * TIMEOUT_SECONDS)
        with self._lock:
            return {"latencies": self._latencies, "statuses": self._statuses}

    def _exchange(self, request: bytes) -> str:
        """Send one request; return the status of the response, or the name of the error."""
        is_reused = self._socket is not None
        try:
            return self._answer_to(request)
        except TimeoutError:
            self._close()
            return "timeout"
        except OSError:
            self._close()
            # As clients do: a keep-alive connection may close at any time; then a new one is tried.
            return self._exchange(request) if is_reused else "closed"

    def _answer_to(self, request: bytes) -> str:
        if self._socket is None:
            made = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_SECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                made = self._context.wrap_socket(made, server_hostname="127.0.0.1")
            self._socket = made
        self._socket.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        missing = (int(length[1]) if length else 0) - len(body)
        while missing > 0:
            missing -= len(self._receive())
        if _CLOSE.search(head):
            self._close()
        return head.split(b" ", 2)[1].decode()

    def _receive(self) -> bytes:
        assert self._socket is not None
        received = self._socket.recv(1 << 16)
        if not received:
            raise ConnectionResetError
        return received

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class MemoryWatchdog:
    """The peak resident memory of a process, which is killed above its limit."""

    def __init__(self, pid: int, growth_bytes_max: int) -> None:
        self._pid = pid
        self._growth_bytes_max = growth_bytes_max
        self.is_killed = False
        self.clear()

    def clear(self) -> None:
        """Reset the peak to the current value."""
        self.before = self.peak = resident_bytes(self._pid)

    def sample(self) -> None:
        """Sample the memory."""
        self.peak = max(self.peak, resident_bytes(self._pid))
        if self.peak - self.before > self._growth_bytes_max and not self.is_killed:
            self.is_killed = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)


def _next_line(memory: MemoryWatchdog) -> str:
    """Return the next line of the input; sample the memory while waiting."""
    while not select.select([0], [], [], SAMPLE_SECONDS)[0]:
        memory.sample()
    memory.sample()
    line = bytearray()
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line.decode().strip()


def _write_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _age_seconds(pid: int) -> float:
    """Return the age of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    uptime = Path("/proc/uptime").read_text(encoding="ascii").split()[0]
    return float(uptime) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _warm(probers: dict[str, Prober], pid: int) -> None:
    """Send the first requests unmeasured: they cost more memory and time than later ones."""
    for prober in probers.values():
        prober.start()
    time.sleep(max(WARM_SECONDS, WARM_AGE_SECONDS - _age_seconds(pid)))


def main() -> None:
    """Measure as planned until `stop` or the end of the input."""
    line = sys.stdin.buffer.raw.readline()  # type: ignore[attr-defined]  # No read-ahead.
    plan = json.loads(line)
    memory = MemoryWatchdog(plan["pid"], plan["growth_bytes_max"])
    probers = {
        each["name"]: Prober(
            each["port"],
            each["authority"],
            [base64.b64decode(text) for text in each["requests"]],
        )
        for each in plan["targets"]
    }
    _warm(probers, plan["pid"])
    _write_line("warm")
    while (command := _next_line(memory)) == "measure":
        memory.clear()
        for prober in probers.values():
            prober.clear()
        _write_line("measuring")
    if command != "stop":
        return
    measured = {name: prober.finish() for name, prober in probers.items()}
    memory.sample()
    figures = {"before": memory.before, "peak": memory.peak, "is_killed": memory.is_killed}
    _write_line(json.dumps({"measured": measured, "memory": figures}))


if __name__ == "__main__":
    main()
