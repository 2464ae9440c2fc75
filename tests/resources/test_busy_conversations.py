"""Concurrent changes of the same conversations: no event is lost or duplicated."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.server_database import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Api, ApiResponse
    from tests.support.server import Server

CONVERSATIONS = 3
PARTICIPANTS_EACH = 4
ROUNDS = 4
THREADS = 16


@pytest.fixture
def conversations(form_api: Api) -> dict[str, list[dict[str, Any]]]:
    """Participants by conversation."""
    made: dict[str, list[dict[str, Any]]] = {}
    for _ in range(CONVERSATIONS):
        sid = form_api.post("/Conversations").expect(201)["sid"]
        path = f"/Conversations/{sid}/Participants"
        made[sid] = [
            form_api.post(path, Identity=f"{sid}-{seat}").expect(201)
            for seat in range(PARTICIPANTS_EACH)
        ]
    return made


def at_once(requests: list[Callable[[], ApiResponse]]) -> list[ApiResponse]:
    """Return the responses in the order of the requests."""
    with ThreadPoolExecutor(THREADS) as threads:
        return [each.result() for each in [threads.submit(each) for each in requests]]


def published(server: Server, sid: str, name: str) -> list[dict[str, Any]]:
    """Return the log's entries of one kind of event of a conversation, in its order."""
    connection = connect(server)
    try:
        rows = connection.execute(
            "SELECT payload FROM event WHERE conversation_sid = ? AND name = ? ORDER BY sequence",
            (sid, name),
        )
        return [json.loads(row[0]) for row in rows]
    finally:
        connection.close()


def test_messages_get_each_index_once_and_are_published_in_order(
    server: Server, form_api: Api, conversations: dict[str, list[dict[str, Any]]]
) -> None:
    count = 12
    answers = at_once(
        [
            lambda sid=sid, number=number: form_api.post(
                f"/Conversations/{sid}/Messages", Body=f"{number}", Author=f"{sid}-0"
            )
            for number in range(count)
            for sid in conversations
        ]
    )
    shown = [answer.expect(201) for answer in answers]
    for sid in conversations:
        of_this = [each for each in shown if each["conversation_sid"] == sid]
        assert sorted(each["index"] for each in of_this) == list(range(count))
        events = [each["message"] for each in published(server, sid, "onMessageAdded")]
        assert [each["message_index"] for each in events] == list(range(count))
        assert {each["sid"]: each["index"] for each in of_this} == {
            each["sid"]: each["message_index"] for each in events
        }


def test_concurrent_participant_changes_are_all_stored_and_published(
    server: Server, form_api: Api, conversations: dict[str, list[dict[str, Any]]]
) -> None:
    answers = at_once(
        [
            lambda sid=sid, one=one, number=number: form_api.post(
                f"/Conversations/{sid}/Participants/{one['sid']}",
                Attributes=json.dumps({"round": number}),
            )
            for number in range(ROUNDS)
            for sid, participants in conversations.items()
            for one in participants
        ]
    )
    assert {answer.status for answer in answers} == {200}
    for sid, participants in conversations.items():
        events = [each["participant"] for each in published(server, sid, "onParticipantUpdated")]
        assert Counter(each["sid"] for each in events) == {
            one["sid"]: ROUNDS for one in participants
        }
        last = {each["sid"]: each["attributes"] for each in events}
        for one in participants:
            stored = form_api.get(f"/Conversations/{sid}/Participants/{one['sid']}").expect(200)
            assert stored["attributes"] == last[one["sid"]]


def test_requests_for_missing_objects_do_not_affect_others(
    form_api: Api, conversations: dict[str, list[dict[str, Any]]]
) -> None:
    missing_sid = f"MB{'0' * 32}"

    def update(sid: str, participant_sid: str, number: int) -> ApiResponse:
        path = f"/Conversations/{sid}/Participants/{participant_sid}"
        return form_api.post(path, Attributes=json.dumps({"round": number}))

    requests: list[Callable[[], ApiResponse]] = []
    for number in range(ROUNDS):
        for sid, participants in conversations.items():
            wanted = [one["sid"] for one in participants] + [missing_sid]
            requests += [
                partial(update, sid, participant_sid, number) for participant_sid in wanted
            ]
    statuses = Counter(answer.status for answer in at_once(requests))
    assert statuses == {
        200: ROUNDS * CONVERSATIONS * PARTICIPANTS_EACH,
        404: ROUNDS * CONVERSATIONS,
    }
    for sid, participants in conversations.items():
        for one in participants:
            path = f"/Conversations/{sid}/Participants/{one['sid']}"
            assert "round" in json.loads(form_api.get(path).expect(200)["attributes"])


def test_messages_and_read_horizons_meet(
    form_api: Api, conversations: dict[str, list[dict[str, Any]]]
) -> None:
    requests: list[Callable[[], ApiResponse]] = []
    for number in range(ROUNDS):
        for sid, participants in conversations.items():
            path = f"/Conversations/{sid}"
            requests.append(lambda path=path: form_api.post(f"{path}/Messages", Body="hello"))
            for one in participants:
                own = f"{path}/Participants/{one['sid']}"
                requests.append(
                    lambda own=own, number=number: form_api.post(own, LastReadMessageIndex=number)
                )
    assert {answer.status for answer in at_once(requests)} == {200, 201}
    for sid, participants in conversations.items():
        listed = form_api.get(f"/Conversations/{sid}/Messages").expect(200)["messages"]
        assert [each["index"] for each in listed] == list(range(ROUNDS))
        for one in participants:
            path = f"/Conversations/{sid}/Participants/{one['sid']}"
            read = form_api.get(path).expect(200)["last_read_message_index"]
            assert read is None or read < ROUNDS
