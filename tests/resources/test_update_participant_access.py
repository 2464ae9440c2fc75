"""Update participant: callers, names, methods and states."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.resources.participant_setup import ConversationClient
from tests.support.server_database import connect

if TYPE_CHECKING:
    from tests.support.client import Api
    from tests.support.server import Server

CHANGE = {"Attributes": "[1]"}


@pytest.fixture
def room(server: Server, form_api: Api) -> ConversationClient:
    return ConversationClient.make(server, form_api)


@pytest.fixture
def member(room: ConversationClient) -> dict[str, Any]:
    return room.chat()


def place(room: ConversationClient, member: dict[str, Any]) -> str:
    return f"{room.path}/{member['sid']}"


def not_found(room: ConversationClient, path: str) -> str:
    return f"The requested resource {room.api.prefix.removeprefix('/v1')}{path} was not found"


# --- Under which names


def test_the_response_has_the_url_form_of_the_request(
    room: ConversationClient, member: dict[str, Any], api: Api
) -> None:
    answer = room.update(member, CHANGE).expect(200)
    assert answer["url"] == f"{api.base_url}{room.api.prefix}{place(room, member)}"
    in_service = room.api.prefix != "/v1"
    keys = ["account_sid", "chat_service_sid", "conversation_sid", "sid", "identity"]
    shown = keys if in_service else [key for key in keys if key != "chat_service_sid"]
    assert list(answer) == [
        *shown,
        "attributes",
        "messaging_binding",
        "role_sid",
        "date_created",
        "date_updated",
        "url",
        "last_read_message_index",
        "last_read_timestamp",
    ]


def test_both_forms_reach_a_participant_of_the_default_service(server: Server, api: Api) -> None:
    room = ConversationClient.make(server, api)
    member = room.chat()
    service = api.service(room.conversation["chat_service_sid"])
    by_service = service.post(place(room, member), CHANGE).expect(200)
    assert by_service["chat_service_sid"] == room.conversation["chat_service_sid"]
    by_short = api.get(place(room, member)).expect(200)
    assert "chat_service_sid" not in by_short
    differing = {"chat_service_sid", "url"}
    assert {k: v for k, v in by_service.items() if k not in differing} == {
        k: v for k, v in by_short.items() if k not in differing
    }


def test_the_short_form_does_not_reach_another_service(
    server: Server, api: Api, service_api: Api
) -> None:
    room = ConversationClient.make(server, service_api)
    member = room.chat()
    before = room.fetch(member)
    api.post(place(room, member), CHANGE).refuses(404, 20404)
    assert room.fetch(member) == before


@pytest.mark.parametrize(
    "identity",
    ["alice", "user@example.com", "a b", "whatsapp:+15558675310", "ü", "50%", "a/b", "?#&;="],
)
def test_a_participant_is_named_by_its_identity(room: ConversationClient, identity: str) -> None:
    member = room.chat(identity)
    encoded = quote(identity, safe="")
    path = f"{room.path}/{encoded}"
    assert room.api.post(path, CHANGE).expect(200)["sid"] == member["sid"]
    assert room.api.get(place(room, member)).expect(200)["attributes"] == "[1]"


@pytest.mark.parametrize("identity", ["alice", "user@example.com", "a b", "ü", "a+b", "x:y,z!"])
def test_an_identity_is_accepted_in_the_path_unencoded(
    room: ConversationClient, identity: str
) -> None:
    member = room.chat(identity)
    answer = room.api.post(f"{room.path}/{identity}", CHANGE).expect(200)
    assert (answer["sid"], answer["identity"]) == (member["sid"], identity)


def test_an_identity_is_case_sensitive_and_a_sid_is_not(
    room: ConversationClient, member: dict[str, Any]
) -> None:
    path = f"{room.path}/Alice"
    error = room.api.post(path, CHANGE).refuses(404, 20404)
    assert error["message"] == not_found(room, path)
    upper = f"{room.path}/MB{member['sid'][2:].upper()}"
    assert room.api.post(upper, CHANGE).expect(200)["sid"] == member["sid"]


def test_the_conversation_may_be_named_by_its_unique_name(server: Server, form_api: Api) -> None:
    name = "visit @ 9+1"
    found = form_api.get(f"/Conversations/{name}")
    if found.status == 200:
        form_api.delete(f"/Conversations/{name}").expect(204)
    room = ConversationClient.make(server, form_api, UniqueName=name)
    member = room.chat()
    for word in (name, quote(name, safe="")):
        path = f"/Conversations/{word}/Participants/{member['sid']}"
        answer = form_api.post(path, CHANGE).expect(200)
        assert answer["url"].endswith(place(room, member))


def test_an_unknown_url_is_reported_with_its_whole_path(
    room: ConversationClient, member: dict[str, Any]
) -> None:
    other = ConversationClient.make(room.server, room.api)
    for path in (
        f"{other.path}/{member['sid']}",
        f"{other.path}/alice",
        f"{room.path}/MB{'0' * 32}",
        f"{room.path}/US{'0' * 32}",
        f"/Conversations/CH{'0' * 32}/Participants/{member['sid']}",
        f"/Conversations/nope/Participants/{member['sid']}",
    ):
        error = room.api.post(path, CHANGE).refuses(404, 20404)
        assert error["message"] == not_found(room, path)
    unknown = room.api.under("/v1").service("IS" + "0" * 32)
    unknown.post(place(room, member), CHANGE).refuses(404, 20404)
    unknown.post(place(room, member), {"Attributes": "{"}).refuses(404, 20404)


def test_a_removed_participant_is_unknown(room: ConversationClient, member: dict[str, Any]) -> None:
    room.api.delete(place(room, member)).expect(204)
    room.api.post(place(room, member), CHANGE).refuses(404, 20404)
    room.api.post(f"{room.path}/alice", CHANGE).refuses(404, 20404)


# --- By whom


def test_without_valid_credentials_nothing_is_revealed_or_changed(
    room: ConversationClient, member: dict[str, Any], foreign_account: tuple[str, str]
) -> None:
    before = room.fetch(member)
    right_sid, right_token = room.api.sid, room.api.token
    assert right_token is not None
    for sid, token in (
        (None, None),
        (right_sid, "wrong"),
        (right_sid, ""),
        (right_sid, right_token.upper()),
        (right_sid, foreign_account[1]),
        (foreign_account[0], right_token),
        ("AC" + "0" * 32, right_token),
        ("SK" + "0" * 32, right_token),
        ("", right_token),
    ):
        stranger = room.api.signed(sid, token)
        for path in (place(room, member), f"{room.path}/MB{'0' * 32}"):
            error = stranger.post(path, CHANGE).refuses(401, 20003)
            assert error["message"] == "Authenticate"
    assert room.fetch(member) == before


@pytest.mark.parametrize(
    "value", ["", "Basic", "Basic !", "Basic QUM=", "Bearer x", "Digest x", "basic" + " " * 3]
)
def test_a_malformed_authorization_is_refused(
    room: ConversationClient, member: dict[str, Any], value: str
) -> None:
    headers = {"Authorization": value}
    room.api.post(place(room, member), CHANGE, headers=headers).refuses(401, 20003)


def test_a_foreign_participant_looks_like_a_missing_one(
    server: Server, api: Api, foreign_api: Api
) -> None:
    room = ConversationClient.make(server, api)
    member = room.chat()
    before = room.fetch(member)
    missing = f"/Conversations/CH{'0' * 32}/Participants/MB{'0' * 32}"
    for form in (CHANGE, {"Attributes": "{"}, {}):
        foreign = foreign_api.post(place(room, member), form).refuses(404, 20404)
        never = foreign_api.post(missing, form).refuses(404, 20404)
        assert foreign["message"] == not_found(room, place(room, member))
        assert never["message"] == not_found(room, missing)
    service = foreign_api.service(room.conversation["chat_service_sid"])
    service.post(place(room, member), CHANGE).refuses(404, 20404)
    assert room.fetch(member) == before


def test_an_api_key_has_the_rights_of_its_account(
    server: Server, room: ConversationClient, member: dict[str, Any]
) -> None:
    key = server.make_key(room.conversation["account_sid"])
    by_key = room.api.signed(*key)
    assert by_key.post(place(room, member), CHANGE).expect(200)["attributes"] == "[1]"
    room.api.signed(key[0], key[1] + "x").post(place(room, member), CHANGE).refuses(401, 20003)


# --- By which method, with which headers


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_is_a_post(room: ConversationClient, member: dict[str, Any], method: str) -> None:
    before = room.fetch(member)
    refused = room.api.request(method, place(room, member), form=CHANGE)
    refused.refuses(405, 20004)
    allowed = {word.strip() for word in refused.headers["Allow"].split(",")}
    assert allowed >= {"GET", "POST", "DELETE"}
    assert not allowed & {"PUT", "PATCH"}
    assert room.fetch(member) == before


@pytest.mark.parametrize(
    ("value", "fires"),
    [("true", True), ("TRUE", True), ("True", True), ("false", False), ("x", False), ("1", False)],
)
def test_the_webhook_header_selects_the_webhooks(
    room: ConversationClient, member: dict[str, Any], value: str, fires: bool
) -> None:
    count_before = len(room.events())
    headers = {"X-Twilio-Webhook-Enabled": value}
    answer = room.api.post(place(room, member), CHANGE, headers=headers).expect(200)
    assert answer["attributes"] == "[1]"
    assert room.events()[count_before:] == [("onParticipantUpdated", fires)]


def test_without_the_webhook_header_no_webhook_is_called(
    room: ConversationClient, member: dict[str, Any]
) -> None:
    count_before = len(room.events())
    room.update(member, CHANGE).expect(200)
    assert room.events()[count_before:] == [("onParticipantUpdated", False)]


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "If-Unmodified-Since"])
def test_conditional_headers_are_ignored(
    room: ConversationClient, member: dict[str, Any], name: str
) -> None:
    headers = {name: "Thu, 01 Jan 1970 00:00:00 GMT"}
    room.api.post(place(room, member), CHANGE, headers=headers).expect(200)


# --- In which state


def test_a_participant_of_a_closed_conversation_cannot_change(room: ConversationClient) -> None:
    chat, phone = room.chat(), room.phone()
    room.say(1)
    room.api.post(f"/Conversations/{room.sid}", State="closed").expect(200)
    for member in (chat, phone):
        for form in (CHANGE, {"LastReadMessageIndex": "0"}, {"RoleSid": room.default_role()}):
            error = room.refuses(member, form, 50377)
            assert "closed" in error["message"]
    room.refuses(chat, {"Attributes": "{"}, 50304)


def test_a_participant_of_an_initializing_conversation_cannot_change(
    room: ConversationClient, member: dict[str, Any]
) -> None:
    set_state(room, "initializing")
    room.refuses(member, CHANGE, 50386)
    set_state(room, "active")
    room.update(member, CHANGE).expect(200)


def test_a_change_of_a_participant_does_not_wake_an_inactive_conversation(
    room: ConversationClient, member: dict[str, Any]
) -> None:
    room.api.post(f"/Conversations/{room.sid}", State="inactive").expect(200)
    before = room.api.get(f"/Conversations/{room.sid}").body
    room.accepts(member, CHANGE, {"attributes": "[1]"})
    assert room.api.get(f"/Conversations/{room.sid}").body == before


def set_state(room: ConversationClient, state: str) -> None:
    """Put the conversation into a state that requests reach only for a moment."""
    with closing(connect(room.server)) as connection, connection:
        changed = connection.execute(
            "UPDATE conversation SET state = ? WHERE account_sid = ? AND sid = ?",
            (state, room.conversation["account_sid"], room.sid),
        )
        assert changed.rowcount == 1
