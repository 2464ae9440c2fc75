"""A server under eight writers during a fault of its environment, and a final comparison."""

from __future__ import annotations

import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from tests.checkers.atomicity_checker import violations_after
from tests.checkers.concurrent_writers import ConcurrentWriters, basic
from tests.checkers.request_log import RequestLog
from tests.checkers.workload import Writer
from tests.crash.kill_run import WRITERS, compare_states, describe_outcome, set_up
from tests.support.client import Api
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.server import Server

REFUSED = 503
CODE_REFUSED = 20503
PUSH_BINDINGS = 8
CHECK_SECONDS_MAX = 20.0
ANSWER_SECONDS_MAX = 12.0
"""Seconds until a 503: the timeouts to acquire, open and read a database connection."""


class FaultRun:
    """The server and its writers."""

    def __init__(
        self,
        server: Server,
        request_log: RequestLog,
        concurrent_writers: ConcurrentWriters,
        conversation: str,
    ) -> None:
        self._server = server
        self._request_log = request_log
        self._concurrent_writers = concurrent_writers
        self._conversation = conversation

    @property
    def refused(self) -> int:
        """Return the number of requests with status 503 so far."""
        return len(self._concurrent_writers.refusals)

    def work(self, seconds: float) -> None:
        """Let the writers work for this time."""
        self._concurrent_writers.wait_for(1_000_000, seconds)
        self._concurrent_writers.raise_failure()

    def note(self, text: str) -> None:
        """Record an event of the run in the request log."""
        self._request_log.note(text)

    def reads(self) -> bool:
        """Return whether a read succeeds now."""
        return self._is_answered(lambda api: api.get(f"/Conversations/{self._conversation}").status)

    def writes(self) -> bool:
        """Return whether a change succeeds now."""
        path = f"/Conversations/{self._conversation}"
        return self._is_answered(lambda api: api.post(path, Attributes="{}").status)

    def _is_answered(self, send_request: Callable[[Api], int]) -> bool:
        api = Api(self._server.base_url, self._server.account_sid, self._server.auth_token)
        started = time.monotonic()
        with closing(api):
            status = send_request(api)
        assert status in {200, REFUSED}
        assert time.monotonic() - started < ANSWER_SECONDS_MAX
        return status == 200

    def seconds_until(self, check: Callable[[], bool], started: float) -> float:
        """Return the seconds from ``started`` until the check succeeds again."""
        eventually(check, lambda is_back: is_back, seconds=CHECK_SECONDS_MAX)
        return time.monotonic() - started


@contextmanager
def run_with_fault(server: Server, folder: Path, seed: int = 1) -> Iterator[FaultRun]:
    """Run writers; at the end, no acknowledged change may be lost, and none may be partial."""
    path = folder / "requests.jsonl"
    with closing(RequestLog(path)) as request_log:
        world = set_up(server, request_log, PUSH_BINDINGS)
        api = Api(server.base_url, server.account_sid, server.auth_token)
        conversation = api.post("/Conversations", FriendlyName="probed").expect(201)["sid"]
        concurrent_writers = ConcurrentWriters(
            [Writer(number, seed, world) for number in range(WRITERS)],
            request_log,
            lambda: server.port,
            basic(server.account_sid, server.auth_token),
            unknown_statuses={REFUSED},
        )
        concurrent_writers.start()
        try:
            yield FaultRun(server, request_log, concurrent_writers, conversation)
        finally:
            concurrent_writers.stop()
        api.delete(f"/Conversations/{conversation}").expect(204)
        api.close()
    outcome = compare_states(server, path)
    outcome.found += violations_after(server, outcome.expected)
    print(f"{len(concurrent_writers.refusals)} refused, {outcome.report()}", file=sys.stderr)
    assert not outcome.found, describe_outcome(outcome)
    for status, body in concurrent_writers.refusals:
        assert body is not None
        assert (body["status"], body["code"]) == (status, CODE_REFUSED)
        assert body.keys() == {"code", "message", "more_info", "status"}
