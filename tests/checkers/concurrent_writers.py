"""Writers at work: threads with one kept connection each, whose every answer goes to the ledger.

A request counts as asked only once a connection stands, and as told only when its whole answer
has been read. What happens to the server is none of a writer's business: it connects again.
Where a refusal may come after the change was made, as when a database broke off at its commit, it
counts as no answer.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tests.checkers.request_log import RequestLog, Step
    from tests.checkers.workload import Writer

TIMEOUT_SECONDS = 20.0
PAUSE_SECONDS = 0.01
REFUSED_PAUSE_SECONDS = 0.1
LOOK_SECONDS = 0.002
Answered = tuple[int, dict[str, Any] | None]


def exchange(connection: http.client.HTTPConnection, step: Step, authorization: str) -> Answered:
    """Sends one request and reads its whole answer; OSError or HTTPException if that fails."""
    headers = {"Authorization": authorization, "Accept": "application/json"}
    content = None
    if step.method == "POST":
        content = urlencode(step.form).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(step.method, step.path, content, headers)
    response = connection.getresponse()
    received = response.read()
    try:
        body = json.loads(received) if received else None
    except ValueError:
        body = {"(not JSON)": received.decode(errors="replace")}
    return response.status, body


def basic(sid: str, token: str) -> str:
    """The value of the Authorization header."""
    return "Basic " + base64.b64encode(f"{sid}:{token}".encode()).decode()


class ConcurrentWriters:
    """Several writers, each in a thread of its own."""

    def __init__(
        self,
        writers: Sequence[Writer],
        request_log: RequestLog,
        place: Callable[[], int],
        authorization: str,
        *,
        doubtful: Collection[int] = (),
    ) -> None:
        """`place` gives the server's port on 127.0.0.1.

        `doubtful` are the statuses that leave open what became of the request.
        """
        self._ledger = request_log
        self._place = place
        self._authorization = authorization
        self._doubtful = doubtful
        self.refusals: list[Answered] = []
        self._stopping = threading.Event()
        self._failures: list[BaseException] = []
        self._answers = dict.fromkeys((writer.number for writer in writers), 0)
        self._threads = [
            threading.Thread(target=self._run, args=(writer,), name=f"writer-{writer.number}")
            for writer in writers
        ]

    def start(self) -> None:
        """Sets all writers to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets each writer hear its last answer; raises what went wrong in any of them."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.raise_failure()

    def wait_for(self, answers: int, seconds_max: float) -> None:
        """Waits until the writers have heard so many more answers, or the time is over."""
        end = sum(self._answers.values()) + answers
        deadline = time.monotonic() + seconds_max
        while sum(self._answers.values()) < end and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)

    def raise_failure(self) -> None:
        """Raises what went wrong in a writer, if anything did."""
        if self._failures:
            raise self._failures[0]

    def _run(self, writer: Writer) -> None:
        try:
            while not self._stopping.is_set():
                connection = self._connect()
                if connection is not None:
                    self._work(writer, connection)
                    connection.close()
        except BaseException as failure:
            self._failures.append(failure)

    def _connect(self) -> http.client.HTTPConnection | None:
        """A connection that stands, or None while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self._place(), timeout=TIMEOUT_SECONDS)
        try:
            connection.connect()
        except OSError:
            connection.close()
            self._stopping.wait(PAUSE_SECONDS)
            return None
        return connection

    def _work(self, writer: Writer, connection: http.client.HTTPConnection) -> None:
        """Asks until the connection breaks."""
        while not self._stopping.is_set():
            step = writer.next()
            number = self._ledger.record_request(writer.number, step)
            try:
                status, body = exchange(connection, step, self._authorization)
            except (OSError, http.client.HTTPException):
                writer.unanswered(step)
                return
            if status in self._doubtful:
                self.refusals.append((status, body))
                writer.unanswered(step)
                self._stopping.wait(REFUSED_PAUSE_SECONDS)
                continue
            self._ledger.record_response(number, status, body)
            writer.told(step, status, body)
            self._answers[writer.number] += 1
            if connection.sock is None:  # The server wants a new connection.
                return
