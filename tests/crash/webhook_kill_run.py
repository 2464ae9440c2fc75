"""Kills of the server and of its webhook receiver under a constant rate of messages."""

from __future__ import annotations

import http.client
import random
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.checkers.concurrent_writers import basic
from tests.checkers.delivery_checker import committed, differences, duplicates, is_complete
from tests.checkers.webhook_receiver import WebhookReceiver
from tests.support.background_threads import BackgroundThreads
from tests.support.client import FORM_TYPE, Api

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tests.checkers.delivery_checker import Committed
    from tests.checkers.webhook_receiver import Line
    from tests.support.cluster import Installation
    from tests.support.server import Server

# Enough to hold the rate while some of them wait for a response.
WRITERS = 16
CONVERSATIONS = 12
EVENTS_PER_SECOND = 200
# A writer whose response took longer skips the messages that became due during that time.
BEHIND_SECONDS_MAX = 1.0
SECONDS_BETWEEN_KILLS = (0.3, 1.2)
RECEIVER_DOWN_SECONDS_MAX = 0.5
COMPLETE_SECONDS_MAX = 60.0
NAMED_CRASH_SECONDS_MAX = 60.0


@dataclass
class WebhookKillResult:
    """The result of a run."""

    log: Committed
    lines: list[Line]
    found: list[str]
    acknowledged: int
    offered_per_second: float
    complete_seconds: float

    def report(self) -> str:
        """Return the metrics in one line."""
        return (
            f"{self.offered_per_second:.0f}/s offered, "
            f"{sum(map(len, self.log.values()))} committed, {self.acknowledged} acknowledged, "
            f"{len(self.lines)} received, {duplicates(self.lines)} duplicates, complete after "
            f"{self.complete_seconds:.1f} s, {len(self.found)} differences"
        )


class Writers(BackgroundThreads):
    """Threads that post messages at a fixed rate, also while the server is down.

    Each has a schedule: a late response does not delay the next message, and messages that were
    due while the server was down count as offered.
    """

    def __init__(
        self,
        server: Installation,
        conversations: list[str],
        rate: int = EVENTS_PER_SECOND,
        refusals: Collection[int] = (),
    ) -> None:
        """``rate``: events a second; ``refusals``: statuses that acknowledge nothing."""
        self._server = server
        self._rate = rate
        self._refusals = refusals
        self._conversations = conversations
        self.acknowledged: list[str] = []
        self._offered = [0] * WRITERS
        super().__init__(*((number,) for number in range(WRITERS)))

    def start(self) -> None:
        """Start."""
        self._begun = time.monotonic()
        super().start()

    def stop(self) -> None:
        """Stop after the requests in flight."""
        seconds = time.monotonic() - self._begun
        super().stop()
        self.offered_per_second = sum(self._offered) / seconds

    def _run(self, number: int) -> None:
        rng = random.Random(number)
        headers = {
            "Authorization": basic(self._server.account_sid, self._server.auth_token),
            "Content-Type": FORM_TYPE,
            "X-Twilio-Webhook-Enabled": "true",
        }
        connection: http.client.HTTPConnection | None = None
        due = self._begun + number / self._rate
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + WRITERS / self._rate, time.monotonic() - BEHIND_SECONDS_MAX)
            path = f"/v1/Conversations/{rng.choice(self._conversations)}/Messages"
            body = urlencode({"Body": f"writer {number}, message {self._offered[number]}"})
            self._offered[number] += 1
            connection = connection or http.client.HTTPConnection(
                "127.0.0.1", self._server.port, timeout=5
            )
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                connection = None
                continue
            if answer.status not in self._refusals:
                assert answer.status == 201, text
                self.acknowledged.append(text.decode())


class WebhookKillRun:
    """A server with a webhook, killed repeatedly."""

    def __init__(self, server: Server, folder: Path, seed: int) -> None:
        self.server = server
        self.receiver = WebhookReceiver(folder)
        self.rng = random.Random(seed)

    def kill_at_random(self, kills: int) -> WebhookKillResult:
        """Kill both sides at random moments."""

        def kill(_number: int) -> None:
            time.sleep(self.rng.uniform(*SECONDS_BETWEEN_KILLS))
            if self.rng.random() < 0.3:
                self.receiver.kill()
                time.sleep(self.rng.uniform(0, RECEIVER_DOWN_SECONDS_MAX))
                self.receiver.start()
            self.server.kill()
            self.server.start()

        return self._run(kill, kills)

    def crash_at(self, names: list[str], passages: int) -> WebhookKillResult:
        """Let the server crash at named points, each at another of their passages."""

        def kill(number: int) -> None:
            passage = self.rng.randrange(1, passages)
            self.server.kill()
            self.server._env["PARLOUR_CRASH_AT"] = f"{names[number]}#{passage}"
            self.server._spawn()  # It may crash before its health check passes.
            self._wait_for_death()
            del self.server._env["PARLOUR_CRASH_AT"]
            self.server.start()

        return self._run(kill, len(names))

    def _wait_for_death(self) -> None:
        process = self.server.process
        assert process is not None
        assert process.wait(NAMED_CRASH_SECONDS_MAX) == -9
        self.server.kill()

    def _run(self, kill: object, times: int) -> WebhookKillResult:
        assert callable(kill)
        with self.receiver, self.server.start():
            writers = Writers(self.server, self._set_up())
            writers.start()
            try:
                for number in range(times):
                    kill(number)
            finally:
                writers.stop()
            started = time.monotonic()
            while not self._is_complete() and time.monotonic() - started < COMPLETE_SECONDS_MAX:
                time.sleep(0.1)
            seconds = time.monotonic() - started
            # Give duplicates and unexpected requests time to arrive.
            time.sleep(0.3)
            log, lines = committed(self.server), self.receiver.lines()
            self.server.kill()
        found = differences(log, lines)
        outcome = WebhookKillResult(
            log, lines, found, len(writers.acknowledged), writers.offered_per_second, seconds
        )
        print(outcome.report(), file=sys.stderr)
        return outcome

    def _is_complete(self) -> bool:
        return is_complete(committed(self.server), self.receiver.lines())

    def _set_up(self) -> list[str]:
        api = Api(self.server.base_url, self.server.account_sid, self.server.auth_token)
        with suppress(KeyError):
            form = {"PostWebhookUrl": self.receiver.url(), "Filters": ["onMessageAdded"]}
            api.post("/Configuration/Webhooks", form).expect(200)
        made = [api.post("/Conversations").expect(201)["sid"] for _ in range(CONVERSATIONS)]
        api.close()
        return made
