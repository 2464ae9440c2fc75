"""`kill -9` of the server while messages flow in both directions, on either engine."""

from __future__ import annotations

import random
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.checkers import launch_with_submission_headers
from tests.checkers.channel_checker import (
    channel_violations,
    read_channels,
    sent_again,
    unfinished,
)
from tests.checkers.channel_provider import RecordingProvider
from tests.checkers.channel_traffic import OWN, Traffic, configure
from tests.support.polling import eventually
from tests.support.server import Server
from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LAUNCH = str(launch_with_submission_headers.__file__)
MESSAGES_BETWEEN_KILLS_MAX = 60
PASSAGE_MAX = 4
PROGRESS_SECONDS_MAX = 30.0
CRASH_SECONDS_MAX = 30.0
SETTLE_SECONDS_MAX = 60.0


@dataclass
class ChannelKillResult:
    """The result of a run."""

    kills: int
    inbound: int
    posted: int
    submissions: int
    repeated: int
    settle_seconds: float
    found: list[str]

    def report(self) -> str:
        """Return the metrics in one line."""
        return (
            f"{self.kills} kills: {self.inbound} inbound and {self.posted} posted messages"
            f" acknowledged, {self.submissions} submissions, {self.repeated} of them repeated,"
            f" complete after {self.settle_seconds:.1f} s, {len(self.found)} violations"
        )


class ChannelKillRun:
    """A server with an HTTP provider, killed repeatedly."""

    def __init__(self, folder: Path, seed: int, database: str = "", planted: str = "") -> None:
        """``database``: the URL of a database on PostgreSQL; empty for the embedded one."""
        self.rng = random.Random(seed)
        self.provider = RecordingProvider(lambda: [self.server.port])
        path = folder / "carriers.toml"
        env = {
            "PARLOUR_DATABASE": database,
            "PARLOUR_CARRIERS": str(path),
            "PLANTED": planted,
            "PROVIDER_URL": self.provider.url,
        }
        self.server = Server(folder / "data", env=env, program=(LAUNCH,))
        self.server._env["PARLOUR_PUBLIC_URL"] = self.server.base_url
        path.write_text(self.provider.carriers_file(OWN, self.server.account_sid))

    def run(self, kills: Sequence[str], *, settles: bool = True) -> ChannelKillResult:
        """Kill the server once for each name of a crash point; empty: at a random moment.

        Unless the run ``settles``, because of a planted fault, the comparison is early.
        """
        with self.provider, closing(self.server):
            self.server.start()
            traffic = Traffic([self.server], self.provider, configure(self.server))
            traffic.start()
            try:
                for point in kills:
                    if point:
                        self._crash_at(point)
                    else:
                        self._kill_at_random(traffic)
                self._restart()
                self._flow(traffic, MESSAGES_BETWEEN_KILLS_MAX // 2)
            finally:
                traffic.stop()
            self.provider.report_last()
            return self._compare(traffic, len(kills), settles=settles)

    def _compare(self, traffic: Traffic, kills: int, *, settles: bool) -> ChannelKillResult:
        begun = time.monotonic()
        if settles:
            with suppress(AssertionError):  # Unfinished rows are violations.
                eventually(
                    lambda: unfinished(self.server), lambda n: not n, seconds=SETTLE_SECONDS_MAX
                )
        seconds = time.monotonic() - begun
        arrivals = list(self.provider.arrivals)
        result = ChannelKillResult(
            kills,
            sum(traffic.acknowledged.values()),
            len(traffic.posted),
            len(arrivals),
            sent_again(arrivals),
            seconds,
            channel_violations(
                traffic.acknowledged, traffic.posted, read_channels(self.server), arrivals
            ),
        )
        print(result.report(), file=sys.stderr)
        return result

    def _flow(self, traffic: Traffic, messages: int) -> None:
        before = traffic.progress()
        eventually(
            traffic.progress, lambda count: count > before + messages, seconds=PROGRESS_SECONDS_MAX
        )

    def _kill_at_random(self, traffic: Traffic) -> None:
        if self.server.process is None:
            self._restart()
        self._flow(traffic, self.rng.randrange(MESSAGES_BETWEEN_KILLS_MAX))
        self.server.kill()

    def _crash_at(self, point: str) -> None:
        """Restart the server so that it crashes at a passage of a point."""
        self.server.kill()
        passage = self.rng.randrange(1, PASSAGE_MAX + 1)
        self.server._env["PARLOUR_CRASH_AT"] = f"{point}#{passage}"
        self._let_claims_end()
        self.server._spawn()  # It may crash before its health check passes.
        process = self.server.process
        assert process is not None
        code = eventually(process.poll, lambda code: code is not None, seconds=CRASH_SECONDS_MAX)
        assert code == -9, f"{point}: {self.server.log_tail()}"
        self.server.kill()
        del self.server._env["PARLOUR_CRASH_AT"]

    def _restart(self) -> None:
        self.server.kill()
        self._let_claims_end()
        self.server.start()

    def _let_claims_end(self) -> None:
        """End the lease and the claims of the killed process, as time would."""
        if not self.server.database:
            return  # There the next process knows that it is alone.
        with closing(connect(self.server)) as database:
            database.execute("UPDATE lease SET expires_ms = 0")
            database.execute("UPDATE inbox SET due_ms = 0 WHERE due_ms IS NOT NULL")
