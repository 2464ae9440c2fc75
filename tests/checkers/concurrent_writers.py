"""Concurrent writers: threads with a keep-alive connection each; the request log gets all results.

A request is logged once a connection is open, a response once all of it has been read. After a
crash of the server a writer only reconnects. Statuses with an unknown outcome, as when a database
fails during its commit, count as a lost response.
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
POLL_SECONDS = 0.002
Answered = tuple[int, dict[str, Any] | None]


def exchange(connection: http.client.HTTPConnection, step: Step, authorization: str) -> Answered:
    """Send one request and read its response; OSError or HTTPException if that fails."""
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
    """Return the value of the Authorization header."""
    return "Basic " + base64.b64encode(f"{sid}:{token}".encode()).decode()


class ConcurrentWriters:
    """Several writers, each in a separate thread."""

    def __init__(
        self,
        writers: Sequence[Writer],
        request_log: RequestLog,
        place: Callable[[], int],
        authorization: str,
        *,
        unknown_statuses: Collection[int] = (),
    ) -> None:
        """`place` returns the server's port on 127.0.0.1.

        `unknown_statuses` are the statuses that leave the outcome of the request unknown.
        """
        self._request_log = request_log
        self._place = place
        self._authorization = authorization
        self._unknown_statuses = unknown_statuses
        self.refusals: list[Answered] = []
        self._stopping = threading.Event()
        self._failures: list[BaseException] = []
        self._answers = dict.fromkeys((writer.number for writer in writers), 0)
        self._threads = [
            threading.Thread(target=self._run, args=(writer,), name=f"writer-{writer.number}")
            for writer in writers
        ]

    def start(self) -> None:
        """Start all writers."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop each writer after its current response; raise its failure."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.raise_failure()

    def wait_for(self, answers: int, seconds_max: float) -> None:
        """Wait until the writers have received this many more responses, or the time is up."""
        end = sum(self._answers.values()) + answers
        deadline = time.monotonic() + seconds_max
        while sum(self._answers.values()) < end and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def raise_failure(self) -> None:
        """Raise the failure of a writer, if there is one."""
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
        """Return an open connection, or None if the server does not listen."""
        connection = http.client.HTTPConnection("127.0.0.1", self._place(), timeout=TIMEOUT_SECONDS)
        try:
            connection.connect()
        except OSError:
            connection.close()
            self._stopping.wait(PAUSE_SECONDS)
            return None
        return connection

    def _work(self, writer: Writer, connection: http.client.HTTPConnection) -> None:
        """Send requests until the connection closes."""
        while not self._stopping.is_set():
            step = writer.next()
            number = self._request_log.record_request(writer.number, step)
            try:
                status, body = exchange(connection, step, self._authorization)
            except (OSError, http.client.HTTPException):
                writer.drop_unanswered(step)
                return
            if status in self._unknown_statuses:
                self.refusals.append((status, body))
                writer.drop_unanswered(step)
                self._stopping.wait(REFUSED_PAUSE_SECONDS)
                continue
            self._request_log.record_response(number, status, body)
            writer.process_response(step, status, body)
            self._answers[writer.number] += 1
            if connection.sock is None:  # The server closed the connection.
                return
