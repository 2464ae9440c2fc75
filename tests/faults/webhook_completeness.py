"""Message senders and a webhook that must receive every committed message despite faults."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from parlour.vocabulary import limits
from tests.checkers.delivery_checker import committed, differences, duplicates, is_complete
from tests.checkers.webhook_receiver import WebhookReceiver
from tests.support.background_threads import BackgroundThreads
from tests.support.client import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.server import Server

SENDERS = 4
PAUSE_SECONDS = 0.02
COMPLETE_SECONDS_MAX = 30.0
IN_FLIGHT_MAX = 64
"""Deliveries that may be sent but not recorded when the database fails."""
REPEATED_PER_TERM_MAX = limits.ATTEMPTS_UNRECORDED_MAX + SENDERS
"""Deliveries that a term of the lease repeats: those whose result the previous one has not written,
and one in flight per conversation."""
HEADERS = {"X-Twilio-Webhook-Enabled": "true"}


class MessageSenders(BackgroundThreads):
    """Threads that post messages in conversations of a separate account."""

    def __init__(self, server: Server, receiver: WebhookReceiver) -> None:
        self._server = server
        self._account = server.make_account()
        self.acknowledged: list[str] = []
        self.statuses: set[int] = set()
        conversations = [self._conversation(receiver) for _ in range(SENDERS)]
        super().__init__(*((sid,) for sid in conversations))

    def _api(self) -> Api:
        return Api(self._server.base_url, *self._account)

    def _conversation(self, receiver: WebhookReceiver) -> str:
        with closing(self._api()) as api:
            sid: str = api.post("/Conversations").expect(201)["sid"]
            webhook = {
                "Target": "webhook",
                "Configuration.Url": receiver.url(),
                "Configuration.Method": "POST",
                "Configuration.Filters": ["onMessageAdded"],
            }
            api.post(f"/Conversations/{sid}/Webhooks", webhook).expect(201)
        return sid

    def _run(self, sid: str) -> None:
        with closing(self._api()) as api:
            while not self._stop.wait(PAUSE_SECONDS):
                answer = api.post(f"/Conversations/{sid}/Messages", Body="heard", headers=HEADERS)
                self.statuses.add(answer.status)
                if answer.status == 201:
                    self.acknowledged.append(answer.json["sid"])


def repeated_by_terms_max(server: Server) -> int:
    """Return the number of deliveries that terms of a server's lease may have repeated.

    A term ends when its lease is not renewed in time: on a slow connection the renewals wait for
    the row of the lease, which a write of many results locks for seconds. Nothing else repeats one:
    results whose commit is unknown are written again, and not sent again.
    """
    log = server.log_path.read_text(errors="replace")
    acquired = [line for line in log.splitlines() if '"event": "lease_acquired"' in line]
    terms = sum('"lease": "sink webhooks"' in line for line in acquired)
    assert terms, acquired
    return (terms - 1) * REPEATED_PER_TERM_MAX


@contextmanager
def wait_for_all_webhooks(
    server: Server, folder: Path, count_repeated_max: Callable[[], int]
) -> Iterator[None]:
    """Run senders; at the end every committed message was delivered, in order, and no other.

    ``count_repeated_max`` returns the number of deliveries that may have been sent again.
    """
    with WebhookReceiver(folder) as receiver:
        senders = MessageSenders(server, receiver)
        senders.start()
        try:
            yield
        finally:
            senders.stop()
        deadline = time.monotonic() + COMPLETE_SECONDS_MAX
        while not is_complete(committed(server), receiver.lines()) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)  # Gives duplicates and unexpected requests time.
        log, lines = committed(server), receiver.lines()
    found = differences(log, lines)
    assert not found, found[:5]
    assert duplicates(lines) <= count_repeated_max()
    assert senders.statuses <= {201, 503}
    assert set(senders.acknowledged) <= {sid for sids in log.values() for sid in sids}
    assert senders.acknowledged
