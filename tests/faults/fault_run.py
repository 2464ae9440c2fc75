"""A server under eight writers while something around it goes wrong, and what is left of it all."""

from __future__ import annotations

import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from tests.checkers.atomicity_checker import violations_after
from tests.checkers.concurrent_writers import ConcurrentWriters, basic
from tests.checkers.request_log import RequestLog
from tests.checkers.workload import Writer
from tests.crash.kill_run import WRITERS, look, set_up, shown
from tests.support.client import Api
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.server import Server

REFUSED = 503
CODE_REFUSED = 20503
PUSH_BINDINGS = 8
LOOK_SECONDS_MAX = 20.0
ANSWER_SECONDS_MAX = 12.0
"""Longer than this nobody waits for a 503: for a connection, to have one made, for its answer."""


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
        self._crowd = concurrent_writers
        self._conversation = conversation

    @property
    def refused(self) -> int:
        """How many requests were answered 503 so far."""
        return len(self._crowd.refusals)

    def work(self, seconds: float) -> None:
        """Let the writers be at it for a while."""
        self._crowd.wait_for(1_000_000, seconds)
        self._crowd.raise_failure()

    def note(self, text: str) -> None:
        """Say in the ledger what happens."""
        self._request_log.note(text)

    def reads(self) -> bool:
        """Whether a read is answered now."""
        return self._is_answered(lambda api: api.get(f"/Conversations/{self._conversation}").status)

    def writes(self) -> bool:
        """Whether a change is taken now."""
        path = f"/Conversations/{self._conversation}"
        return self._is_answered(lambda api: api.post(path, Attributes="{}").status)

    def _is_answered(self, ask: Callable[[Api], int]) -> bool:
        api = Api(self._server.base_url, self._server.account_sid, self._server.auth_token)
        begun = time.monotonic()
        with closing(api):
            status = ask(api)
        assert status in {200, REFUSED}
        assert time.monotonic() - begun < ANSWER_SECONDS_MAX
        return status == 200

    def seconds_until(self, look: Callable[[], bool], begun: float) -> float:
        """How long after ``begun`` it is so again."""
        eventually(look, lambda is_back: is_back, seconds=LOOK_SECONDS_MAX)
        return time.monotonic() - begun


@contextmanager
def run_with_fault(server: Server, folder: Path, seed: int = 1) -> Iterator[FaultRun]:
    """Writers at work; in the end, nothing that was told may be lost, and nothing half done."""
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
    outcome = look(server, path)
    outcome.found += violations_after(server, outcome.expected)
    print(f"{len(concurrent_writers.refusals)} refused, {outcome.report()}", file=sys.stderr)
    assert not outcome.found, shown(outcome)
    for status, body in concurrent_writers.refusals:
        assert body is not None
        assert (body["status"], body["code"]) == (status, CODE_REFUSED)
        assert body.keys() == {"code", "message", "more_info", "status"}
