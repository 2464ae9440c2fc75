"""`kill -9` while messages are sent to virtual phones: none is lost, none is shown twice.

The virtual carrier delivers and reports in the same process; a message whose result was lost is
sent again under the same reference, so that each status is published once. Other carriers:
`test_channel_kills.py`.
"""

from __future__ import annotations

import http.client
import json
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from parlour.vocabulary.crash_points import SUBMISSION_LOADED, SUBMISSION_SENT
from tests.resources.message_setup import MessageClient, rows
from tests.support.client import Api
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMED_CRASH_SECONDS_MAX = 20
STATUSES = """
SELECT payload FROM event WHERE name = 'onDeliveryUpdated' AND conversation_sid = ?
"""
ROWS = "SELECT sid, state, attempts FROM submission WHERE conversation_sid = ? ORDER BY lane_order"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    yield server
    server.kill()


def client_of(server: Server) -> MessageClient:
    api = Api(server.base_url, server.account_sid, server.auth_token)
    made = MessageClient.make(server, api)
    assert isinstance(made, MessageClient)
    return made


def continue_on(server: Server, client: MessageClient) -> None:
    """Use the address of the restarted server."""
    client.api = Api(server.base_url, server.account_sid, server.auth_token)


def published(client: MessageClient) -> Counter[tuple[str, str]]:
    """Return how often each status of each receipt was published."""
    payloads = [json.loads(row[0]) for row in rows(client.server, STATUSES, client.sid)]
    return Counter((each["receipt"]["sid"], each["receipt"]["status"]) for each in payloads)


@pytest.mark.channel("14", "C26")
@pytest.mark.embedded
@pytest.mark.slow
def test_a_crash_before_a_result_is_recorded_loses_no_message_and_publishes_each_status_once(
    server: Server,
) -> None:
    server.start()
    client = client_of(server)
    phones = [client.phone() for _ in range(2)]
    server.stop()
    server._env["PARLOUR_CRASH_AT"] = f"{SUBMISSION_SENT}#3"
    server.start()
    continue_on(server, client)
    sent: list[dict[str, Any]] = []
    with suppress(OSError, http.client.HTTPException, AssertionError):
        sent += [client.post(Body=str(number)) for number in range(6)]
    process = server.process
    assert process is not None
    assert process.wait(NAMED_CRASH_SECONDS_MAX) == -9
    before = {sid: state for sid, state, _ in rows(server, ROWS, client.sid)}
    server.kill()
    del server._env["PARLOUR_CRASH_AT"]
    server.start()
    continue_on(server, client)
    client.settle()
    for message in sent:
        assert len(client.receipts(message)) == len(phones)
    after = {sid: state for sid, state, _ in rows(server, ROWS, client.sid)}
    assert set(after) >= set(before)
    assert set(after.values()) == {"accepted"}
    counts = published(client)
    assert set(counts.values()) == {1}
    assert {status for _, status in counts} == {"sent", "delivered"}


@pytest.mark.channel("14", "C26")
@pytest.mark.embedded
@pytest.mark.slow
def test_a_restart_between_commit_and_submission_loses_and_duplicates_nothing(
    server: Server,
) -> None:
    """Checklist 14: the process ends before the first submission of a committed message."""
    server._env["PARLOUR_CRASH_AT"] = f"{SUBMISSION_LOADED}#1"
    server.start()
    client = client_of(server)
    phone = client.phone()
    with suppress(OSError, http.client.HTTPException, AssertionError):
        client.post(Body="Hello")
    process = server.process
    assert process is not None
    assert process.wait(NAMED_CRASH_SECONDS_MAX) == -9
    assert [row[1:] for row in rows(server, ROWS, client.sid)] == [("queued", 0)]
    server.kill()
    del server._env["PARLOUR_CRASH_AT"]
    server.start()
    continue_on(server, client)
    client.settle()
    assert client.bodies() == ["Hello"]
    (message,) = client.api.get(client.messages).expect(200)["messages"]
    (receipt,) = client.receipts(message)
    assert (receipt["participant_sid"], receipt["status"]) == (phone["sid"], "delivered")
    assert rows(server, ROWS, client.sid) == [(receipt["channel_message_sid"], "accepted", 1)]
    assert set(published(client).values()) == {1}
