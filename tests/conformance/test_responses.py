"""Every response of each of the 103 operations is as documented: status, keys, types, URLs."""

from __future__ import annotations

import copy
import json
from email.message import Message
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.operation_tour import Tour, go
from tests.conformance.response_checker import faults, of_object, place_of
from tests.conformance.response_schemas import EXCEPTIONS, SHAPES, noun_of
from tests.contract.operations import OPERATIONS
from tests.support.client import ApiResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

BASE_URL = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def tour(server: Server) -> Iterator[Tour]:
    made = Tour(server, server.make_account())
    go(made)
    yield made
    made.api.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.operation_id)
def test_every_response_is_as_documented(tour: Tour, operation: Any) -> None:
    assert tour.findings[operation.operation_id] == []
    assert tour.statuses[operation.operation_id] == set(operation.statuses)


def test_responses_have_each_member_with_and_without_a_value(tour: Tour) -> None:
    """A check of types proves little for a member that is always null."""
    seen: dict[tuple[str, str], set[bool]] = {}
    for operation_id, _, answer in tour.answers:
        for body in _objects(operation_id, answer):
            for key, value in body.items():
                seen.setdefault((noun_of(operation_id), key), set()).add(value is None)
    always_null = {name for name, states in seen.items() if states == {True}}
    # No user has been online: that takes a connected client. A conversation that is created
    # with participants cannot be given an e-mail binding.
    assert always_null == {
        ("User", "is_online"),
        ("User", "is_notifiable"),
        ("ConversationWithParticipants", "bindings"),
    }
    never_null = {
        (noun, key)
        for noun, shapes in SHAPES.items()
        for key, member in shapes[0].members.items()
        if member.nullable and True not in seen[noun, key]
    }
    # Every account has a messaging service, so conversations have one. The channel of this tour
    # accepts every message, and its bindings have credentials.
    assert never_null == {
        ("ConversationMessageReceipt", "channel_message_sid"),
        ("Configuration", "default_messaging_service_sid"),
        ("Conversation", "messaging_service_sid"),
        ("ConversationWithParticipants", "messaging_service_sid"),
        ("ServiceBinding", "credential_sid"),
    }


def _objects(operation_id: str, answer: ApiResponse) -> Iterator[dict[str, Any]]:
    body = answer.json
    if operation_id.startswith("List"):
        yield from body[body["meta"]["key"]]
    elif body is not None:
        yield body


def test_each_exception_is_needed_and_has_a_reason() -> None:
    for (noun, key), reason in EXCEPTIONS.items():
        assert SHAPES[noun][0].members[key].nullable
        assert len(reason) > 20


# --- The check itself is tested with invalid responses. -------------------------------------


def participant() -> dict[str, Any]:
    sids = {"CH": "CH" + "0" * 31 + "1", "MB": "MB" + "0" * 31 + "2"}
    return {
        "account_sid": "AC" + "0" * 31 + "1",
        "conversation_sid": sids["CH"],
        "sid": sids["MB"],
        "identity": "alice",
        "attributes": "{}",
        "messaging_binding": {"type": "sms", "projected_address": "+15017122663"},
        "role_sid": None,
        "date_created": "2023-05-04T09:42:00Z",
        "date_updated": "2023-05-04T09:42:00Z",
        "url": f"{BASE_URL}/v1/Conversations/{sids['CH']}/Participants/{sids['MB']}",
        "last_read_message_index": None,
        "last_read_timestamp": None,
    }


def problems(body: Any, path: str = "/v1/Conversations/x/Participants/alice") -> list[str]:
    return of_object("ConversationParticipant", body, place_of(BASE_URL, path))


def test_valid_response_has_no_fault() -> None:
    assert problems(participant()) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sid", "MB1"),
        ("sid", "MB" + "0" * 32 + "\n"),
        ("sid", None),
        ("identity", 7),
        ("attributes", "{"),
        ("date_created", "2023-05-04T09:42:00.5Z"),
        ("date_created", "2023-05-04T09:42:00+00:00"),
        ("last_read_message_index", "0"),
        ("last_read_message_index", True),
        ("messaging_binding", {"type": "fax"}),
        ("messaging_binding", {"projected_address": "+15017122663", "type": "sms"}),
        ("messaging_binding", {"type": "sms", "proxy": "+15017122663"}),
        ("url", "/v1/Conversations/x/Participants/alice"),
        ("url", "https://example.com/v1/Conversations/x/Participants/alice"),
    ],
)
def test_wrong_member_is_reported(key: str, value: Any) -> None:
    assert len(problems(participant() | {key: value})) >= 1


def test_missing_added_and_moved_keys_are_reported() -> None:
    missing = participant()
    del missing["role_sid"]
    assert problems(missing) == ["ConversationParticipant.role_sid is missing"]
    assert problems(participant() | {"x": 1}) == ["ConversationParticipant.x is unknown"]
    moved = participant()
    moved["sid"] = moved.pop("sid")
    assert len(problems(moved)) == 1
    assert problems([participant()]) != []


def test_service_form_has_the_service_sid_and_other_urls() -> None:
    sid = "IS" + "0" * 31 + "1"
    path = f"/v1/Services/{sid}/Conversations/x/Participants/alice"
    assert len(problems(participant(), path)) == 2


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (404, {"status": 400}),
        (404, {"code": 1}),
        (400, {"status": 400}),
        (404, {"more_info": "https://example.com"}),
        (404, {"message": ""}),
        (404, {"details": {}}),
        (404, {"code": "20404"}),
        (404, None),
    ],
)
def test_wrong_error_response_is_reported(status: int, change: dict[str, Any] | None) -> None:
    right = {
        "code": 20404,
        "message": "The requested resource /x was not found",
        "more_info": "https://www.twilio.com/docs/errors/20404",
        "status": 404,
    }
    assert refusal_faults(404, right) == []
    wrong = None if change is None else copy.copy(right) | change
    assert refusal_faults(status, wrong) != []


def refusal_faults(status: int, body: Any) -> list[str]:
    headers = Message()
    headers["Twilio-Request-Id"] = "RQ" + "0" * 32
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Content-Type"] = "application/json"
    answer = ApiResponse(status, headers, json.dumps(body).encode())
    return faults("FetchUser", BASE_URL, "/v1/Users/x", answer)
