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
def conversation(server: Server, form_api: Api) -> ConversationClient:
    return ConversationClient.make(server, form_api)


@pytest.fixture
def member(conversation: ConversationClient) -> dict[str, Any]:
    return conversation.chat()


def place(conversation: ConversationClient, member: dict[str, Any]) -> str:
    return f"{conversation.path}/{member['sid']}"


def not_found(conversation: ConversationClient, path: str) -> str:
    return (
        f"The requested resource {conversation.api.prefix.removeprefix('/v1')}{path} was not found"
    )


# --- Under which names


def test_the_response_has_the_url_form_of_the_request(
    conversation: ConversationClient, member: dict[str, Any], api: Api
) -> None:
    answer = conversation.update(member, CHANGE).expect(200)
    assert answer["url"] == f"{api.base_url}{conversation.api.prefix}{place(conversation, member)}"
    in_service = conversation.api.prefix != "/v1"
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
    conversation = ConversationClient.make(server, api)
    member = conversation.chat()
    service = api.service(conversation.resource["chat_service_sid"])
    by_service = service.post(place(conversation, member), CHANGE).expect(200)
    assert by_service["chat_service_sid"] == conversation.resource["chat_service_sid"]
    by_short = api.get(place(conversation, member)).expect(200)
    assert "chat_service_sid" not in by_short
    differing = {"chat_service_sid", "url"}
    assert {k: v for k, v in by_service.items() if k not in differing} == {
        k: v for k, v in by_short.items() if k not in differing
    }


def test_the_short_form_does_not_reach_another_service(
    server: Server, api: Api, service_api: Api
) -> None:
    conversation = ConversationClient.make(server, service_api)
    member = conversation.chat()
    before = conversation.fetch(member)
    api.post(place(conversation, member), CHANGE).refuses(404, 20404)
    assert conversation.fetch(member) == before


@pytest.mark.parametrize(
    "identity",
    ["alice", "user@example.com", "a b", "whatsapp:+15558675310", "ü", "50%", "a/b", "?#&;="],
)
def test_a_participant_is_named_by_its_identity(
    conversation: ConversationClient, identity: str
) -> None:
    member = conversation.chat(identity)
    encoded = quote(identity, safe="")
    path = f"{conversation.path}/{encoded}"
    assert conversation.api.post(path, CHANGE).expect(200)["sid"] == member["sid"]
    assert conversation.api.get(place(conversation, member)).expect(200)["attributes"] == "[1]"


@pytest.mark.parametrize("identity", ["alice", "user@example.com", "a b", "ü", "a+b", "x:y,z!"])
def test_an_identity_is_accepted_in_the_path_unencoded(
    conversation: ConversationClient, identity: str
) -> None:
    member = conversation.chat(identity)
    answer = conversation.api.post(f"{conversation.path}/{identity}", CHANGE).expect(200)
    assert (answer["sid"], answer["identity"]) == (member["sid"], identity)


def test_an_identity_is_case_sensitive_and_a_sid_is_not(
    conversation: ConversationClient, member: dict[str, Any]
) -> None:
    path = f"{conversation.path}/Alice"
    error = conversation.api.post(path, CHANGE).refuses(404, 20404)
    assert error["message"] == not_found(conversation, path)
    upper = f"{conversation.path}/MB{member['sid'][2:].upper()}"
    assert conversation.api.post(upper, CHANGE).expect(200)["sid"] == member["sid"]


def test_the_conversation_may_be_named_by_its_unique_name(server: Server, form_api: Api) -> None:
    name = "visit @ 9+1"
    found = form_api.get(f"/Conversations/{name}")
    if found.status == 200:
        form_api.delete(f"/Conversations/{name}").expect(204)
    conversation = ConversationClient.make(server, form_api, UniqueName=name)
    member = conversation.chat()
    for word in (name, quote(name, safe="")):
        path = f"/Conversations/{word}/Participants/{member['sid']}"
        answer = form_api.post(path, CHANGE).expect(200)
        assert answer["url"].endswith(place(conversation, member))


def test_an_unknown_url_is_reported_with_its_whole_path(
    conversation: ConversationClient, member: dict[str, Any]
) -> None:
    other = ConversationClient.make(conversation.server, conversation.api)
    for path in (
        f"{other.path}/{member['sid']}",
        f"{other.path}/alice",
        f"{conversation.path}/MB{'0' * 32}",
        f"{conversation.path}/US{'0' * 32}",
        f"/Conversations/CH{'0' * 32}/Participants/{member['sid']}",
        f"/Conversations/nope/Participants/{member['sid']}",
    ):
        error = conversation.api.post(path, CHANGE).refuses(404, 20404)
        assert error["message"] == not_found(conversation, path)
    unknown = conversation.api.under("/v1").service("IS" + "0" * 32)
    unknown.post(place(conversation, member), CHANGE).refuses(404, 20404)
    unknown.post(place(conversation, member), {"Attributes": "{"}).refuses(404, 20404)


def test_a_removed_participant_is_unknown(
    conversation: ConversationClient, member: dict[str, Any]
) -> None:
    conversation.api.delete(place(conversation, member)).expect(204)
    conversation.api.post(place(conversation, member), CHANGE).refuses(404, 20404)
    conversation.api.post(f"{conversation.path}/alice", CHANGE).refuses(404, 20404)


# --- By whom


def test_without_valid_credentials_nothing_is_revealed_or_changed(
    conversation: ConversationClient, member: dict[str, Any], foreign_account: tuple[str, str]
) -> None:
    before = conversation.fetch(member)
    right_sid, right_token = conversation.api.sid, conversation.api.token
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
        stranger = conversation.api.signed(sid, token)
        for path in (place(conversation, member), f"{conversation.path}/MB{'0' * 32}"):
            error = stranger.post(path, CHANGE).refuses(401, 20003)
            assert error["message"] == "Authenticate"
    assert conversation.fetch(member) == before


@pytest.mark.parametrize(
    "value", ["", "Basic", "Basic !", "Basic QUM=", "Bearer x", "Digest x", "basic" + " " * 3]
)
def test_a_malformed_authorization_is_refused(
    conversation: ConversationClient, member: dict[str, Any], value: str
) -> None:
    headers = {"Authorization": value}
    conversation.api.post(place(conversation, member), CHANGE, headers=headers).refuses(401, 20003)


def test_a_foreign_participant_looks_like_a_missing_one(
    server: Server, api: Api, foreign_api: Api
) -> None:
    conversation = ConversationClient.make(server, api)
    member = conversation.chat()
    before = conversation.fetch(member)
    missing = f"/Conversations/CH{'0' * 32}/Participants/MB{'0' * 32}"
    for form in (CHANGE, {"Attributes": "{"}, {}):
        foreign = foreign_api.post(place(conversation, member), form).refuses(404, 20404)
        never = foreign_api.post(missing, form).refuses(404, 20404)
        assert foreign["message"] == not_found(conversation, place(conversation, member))
        assert never["message"] == not_found(conversation, missing)
    service = foreign_api.service(conversation.resource["chat_service_sid"])
    service.post(place(conversation, member), CHANGE).refuses(404, 20404)
    assert conversation.fetch(member) == before


def test_an_api_key_has_the_rights_of_its_account(
    server: Server, conversation: ConversationClient, member: dict[str, Any]
) -> None:
    key = server.make_key(conversation.resource["account_sid"])
    by_key = conversation.api.signed(*key)
    assert by_key.post(place(conversation, member), CHANGE).expect(200)["attributes"] == "[1]"
    conversation.api.signed(key[0], key[1] + "x").post(place(conversation, member), CHANGE).refuses(
        401, 20003
    )


# --- By which method, with which headers


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_update_is_a_post(
    conversation: ConversationClient, member: dict[str, Any], method: str
) -> None:
    before = conversation.fetch(member)
    refused = conversation.api.request(method, place(conversation, member), form=CHANGE)
    refused.refuses(405, 20004)
    allowed = {word.strip() for word in refused.headers["Allow"].split(",")}
    assert allowed >= {"GET", "POST", "DELETE"}
    assert not allowed & {"PUT", "PATCH"}
    assert conversation.fetch(member) == before


@pytest.mark.parametrize(
    ("value", "fires"),
    [("true", True), ("TRUE", True), ("True", True), ("false", False), ("x", False), ("1", False)],
)
def test_the_webhook_header_selects_the_webhooks(
    conversation: ConversationClient, member: dict[str, Any], value: str, fires: bool
) -> None:
    count_before = len(conversation.events())
    headers = {"X-Twilio-Webhook-Enabled": value}
    answer = conversation.api.post(place(conversation, member), CHANGE, headers=headers).expect(200)
    assert answer["attributes"] == "[1]"
    assert conversation.events()[count_before:] == [("onParticipantUpdated", fires)]


def test_without_the_webhook_header_no_webhook_is_called(
    conversation: ConversationClient, member: dict[str, Any]
) -> None:
    count_before = len(conversation.events())
    conversation.update(member, CHANGE).expect(200)
    assert conversation.events()[count_before:] == [("onParticipantUpdated", False)]


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "If-Unmodified-Since"])
def test_conditional_headers_are_ignored(
    conversation: ConversationClient, member: dict[str, Any], name: str
) -> None:
    headers = {name: "Thu, 01 Jan 1970 00:00:00 GMT"}
    conversation.api.post(place(conversation, member), CHANGE, headers=headers).expect(200)


# --- In which state


def test_a_participant_of_a_closed_conversation_cannot_change(
    conversation: ConversationClient,
) -> None:
    chat, phone = conversation.chat(), conversation.phone()
    conversation.send_messages(1)
    conversation.api.post(f"/Conversations/{conversation.sid}", State="closed").expect(200)
    for member in (chat, phone):
        for form in (
            CHANGE,
            {"LastReadMessageIndex": "0"},
            {"RoleSid": conversation.default_role()},
        ):
            error = conversation.refuses(member, form, 50377)
            assert "closed" in error["message"]
    conversation.refuses(chat, {"Attributes": "{"}, 50304)


def test_a_participant_of_an_initializing_conversation_cannot_change(
    conversation: ConversationClient, member: dict[str, Any]
) -> None:
    set_state(conversation, "initializing")
    conversation.refuses(member, CHANGE, 50386)
    set_state(conversation, "active")
    conversation.update(member, CHANGE).expect(200)


def test_a_change_of_a_participant_does_not_wake_an_inactive_conversation(
    conversation: ConversationClient, member: dict[str, Any]
) -> None:
    conversation.api.post(f"/Conversations/{conversation.sid}", State="inactive").expect(200)
    before = conversation.api.get(f"/Conversations/{conversation.sid}").body
    conversation.accepts(member, CHANGE, {"attributes": "[1]"})
    assert conversation.api.get(f"/Conversations/{conversation.sid}").body == before


def set_state(conversation: ConversationClient, state: str) -> None:
    """Put the conversation into a state that requests reach only for a moment."""
    with closing(connect(conversation.server)) as connection, connection:
        changed = connection.execute(
            "UPDATE conversation SET state = ? WHERE account_sid = ? AND sid = ?",
            (state, conversation.resource["account_sid"], conversation.sid),
        )
        assert changed.rowcount == 1
