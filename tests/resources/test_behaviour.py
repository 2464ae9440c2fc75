"""Behaviour across resources: states, pairs, natural keys, users that are created implicitly."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.resources.participant_setup import (
    ADDRESS,
    PROJECTED_ADDRESS,
    PROXY_ADDRESS,
    ConversationClient,
)
from tests.resources.unique_names import at_once, unique
from tests.support.phone_numbers import PROXY, phone_number
from tests.support.polling import eventually
from tests.support.server_database import connect

if TYPE_CHECKING:
    from tests.support.client import Api, ApiResponse
    from tests.support.server import Server

TOGETHER = 16


@pytest.fixture
def conversation(server: Server, form_api: Api) -> ConversationClient:
    return ConversationClient.make(server, form_api)


def state_of(conversation: ConversationClient) -> str:
    state: str = conversation.api.get(f"/Conversations/{conversation.sid}").expect(200)["state"]
    return state


def move(conversation: ConversationClient, state: str) -> ApiResponse:
    return conversation.api.post(f"/Conversations/{conversation.sid}", State=state)


# --- States


@pytest.mark.parametrize("steps", [("inactive", "active", "inactive", "closed"), ("closed",)])
def test_a_state_follows_another_and_closed_is_the_last(
    conversation: ConversationClient, steps: tuple[str]
) -> None:
    for state in steps:
        assert move(conversation, state).expect(200)["state"] == state
        assert state_of(conversation) == state
    for state in ("active", "inactive", "closed"):
        error = move(conversation, state).refuses(400, 50377)
        assert error["message"] == "Can't update conversation as it's in final closed state"
    assert state_of(conversation) == "closed"


def test_a_closed_conversation_rejects_all_but_its_removal(
    conversation: ConversationClient,
) -> None:
    member = conversation.chat()
    conversation.send_messages(1)
    path = f"/Conversations/{conversation.sid}"
    messages = conversation.api.get(f"{path}/Messages").expect(200)["messages"]
    move(conversation, "closed").expect(200)
    before = conversation.api.get(path).body, conversation.fetch(member), conversation.events()
    for answer in (
        conversation.api.post(path, FriendlyName="x"),
        conversation.api.post(path, {"Timers.Closed": "P1D"}),
        conversation.api.post(f"{path}/Messages", Body="too late"),
        conversation.api.post(f"{path}/Messages/{messages[0]['sid']}", Body="x"),
        conversation.api.delete(f"{path}/Messages/{messages[0]['sid']}"),
        conversation.api.post(conversation.path, Identity="x"),
        conversation.api.post(f"{conversation.path}/{member['sid']}", Attributes="{}"),
        conversation.api.delete(f"{conversation.path}/{member['sid']}"),
    ):
        answer.refuses(400, 50377)
    assert (
        conversation.api.get(path).body,
        conversation.fetch(member),
        conversation.events(),
    ) == before
    assert conversation.api.get(f"{path}/Messages").expect(200)["messages"] == messages
    conversation.api.delete(path).expect(204)


def test_a_message_wakes_an_inactive_conversation(conversation: ConversationClient) -> None:
    move(conversation, "inactive").expect(200)
    begun = len(conversation.events())
    conversation.send_messages(1)
    assert state_of(conversation) == "active"
    assert conversation.events()[begun:] == [
        ("onMessageAdded", False),
        ("onConversationStateUpdated", False),
    ]
    conversation.send_messages(1)
    assert conversation.events()[begun + 2 :] == [("onMessageAdded", False)]


def test_a_message_starts_the_timers_again(conversation: ConversationClient) -> None:
    path = f"/Conversations/{conversation.sid}"
    conversation.api.post(path, {"Timers.Inactive": "PT1H", "Timers.Closed": "PT2H"}).expect(200)
    with closing(connect(conversation.server)) as connection, connection:
        connection.execute(
            "UPDATE conversation SET date_inactive = 4000000000000, date_closed = 4000000000000"
            " WHERE sid = ?",
            (conversation.sid,),
        )
    far = conversation.api.get(path).expect(200)["timers"]
    assert set(far.values()) == {"2096-10-02T07:06:40Z"}
    conversation.api.post(path, FriendlyName="no reason").expect(200)
    assert conversation.api.get(path).expect(200)["timers"] == far
    conversation.send_messages(1)
    near = conversation.api.get(path).expect(200)["timers"]
    assert near["date_inactive"] < near["date_closed"] < "2096"


# --- Pairs


def pair_of(address: str) -> dict[str, str]:
    return {ADDRESS: address, PROXY_ADDRESS: PROXY}


@pytest.mark.parametrize("way", ["close", "remove", "leave", "unbind"])
def test_a_pair_is_free_again(server: Server, conversation: ConversationClient, way: str) -> None:
    pair, other = pair_of(phone_number()), ConversationClient.make(server, conversation.api)
    member = conversation.add(pair)
    other.api.post(other.path, pair).refuses(409, 50416)
    path = f"/Conversations/{conversation.sid}"
    if way == "close":
        move(conversation, "closed").expect(200)
    elif way == "remove":
        conversation.api.delete(path).expect(204)
    elif way == "leave":
        conversation.api.delete(f"{conversation.path}/{member['sid']}").expect(204)
    else:
        conversation.update(member, {PROXY_ADDRESS: phone_number()}).expect(200)
    other.add(pair)
    ConversationClient.make(server, conversation.api).api.post(other.path, pair).refuses(409, 50416)


def test_an_inactive_conversation_keeps_its_pairs(
    server: Server, conversation: ConversationClient
) -> None:
    pair = pair_of(phone_number())
    conversation.add(pair)
    move(conversation, "inactive").expect(200)
    other = ConversationClient.make(server, conversation.api)
    other.api.post(other.path, pair).refuses(409, 50416)


def test_a_removed_service_frees_its_pairs_at_once(server: Server, api: Api) -> None:
    service = api.post("/Services", FriendlyName="Gone").expect(201)["sid"]
    pair = pair_of(phone_number())
    ConversationClient.make(server, api.service(service)).add(pair)
    api.delete(f"/Services/{service}").expect(204)
    ConversationClient.make(server, api).add(pair)


# --- Natural keys, with many requests at once


def one_of_many(answers: list[ApiResponse], code: int) -> dict[str, Any]:
    """Check that exactly one was created, and all others were rejected with this code."""
    assert sorted(answer.status for answer in answers) == [201] + [409] * (TOGETHER - 1)
    assert {answer.code for answer in answers} == {None, code}
    (won,) = (answer.json for answer in answers if answer.status == 201)
    made: dict[str, Any] = won
    return made


def test_one_of_many_gets_a_unique_name(form_api: Api) -> None:
    name = unique("name")
    answers = at_once(TOGETHER, lambda _: form_api.post("/Conversations", UniqueName=name))
    won = one_of_many(answers, 50353)
    assert form_api.get(f"/Conversations/{name}").expect(200) == won


def test_one_of_many_gets_a_user_identity(form_api: Api) -> None:
    identity = unique("user")
    answers = at_once(TOGETHER, lambda _: form_api.post("/Users", Identity=identity))
    won = one_of_many(answers, 50201)
    assert form_api.get(f"/Users/{identity}").expect(200) == won


def test_one_of_many_gets_a_participant_identity(conversation: ConversationClient) -> None:
    answers = at_once(
        TOGETHER, lambda _: conversation.api.post(conversation.path, Identity="alice")
    )
    won = one_of_many(answers, 50433)
    assert conversation.api.get(conversation.path).expect(200)["participants"] == [won]


def test_one_of_many_conversations_gets_a_pair(server: Server, form_api: Api) -> None:
    conversations = [ConversationClient.make(server, form_api) for _ in range(TOGETHER)]
    pair = pair_of(phone_number())
    answers = at_once(TOGETHER, lambda number: form_api.post(conversations[number].path, pair))
    won = one_of_many(answers, 50416)
    members = [
        form_api.get(conversation.path).expect(200)["participants"]
        for conversation in conversations
    ]
    assert [each for found in members for each in found] == [won]


def test_concurrent_participants_create_one_user(server: Server, form_api: Api) -> None:
    conversations, identity = (
        [ConversationClient.make(server, form_api) for _ in range(TOGETHER)],
        unique("new"),
    )
    answers = at_once(TOGETHER, lambda n: form_api.post(conversations[n].path, Identity=identity))
    for answer in answers:
        answer.expect(201)
    with closing(connect(server)) as connection:
        query = "SELECT COUNT(*) FROM chat_user WHERE account_sid = ? AND identity = ?"
        assert connection.execute(query, (form_api.sid, identity)).fetchone() == (1,)


# --- Users that are created implicitly


def users_of(conversation: ConversationClient, identity: str) -> ApiResponse:
    return conversation.api.get(f"/Users/{identity}")


@pytest.mark.parametrize("projected", [False, True])
def test_an_unknown_identity_becomes_a_user(
    conversation: ConversationClient, projected: bool
) -> None:
    identity = unique("arrives")
    users_of(conversation, identity).refuses(404, 20404)
    form = {PROJECTED_ADDRESS: phone_number()} if projected else {}
    header = {"X-Twilio-Webhook-Enabled": "true"}
    conversation.api.post(conversation.path, {"Identity": identity, **form}, headers=header).expect(
        201
    )
    user = users_of(conversation, identity).expect(200)
    assert (user["friendly_name"], user["attributes"]) == (None, "{}")
    settings = conversation.api.under("/v1").service(user["chat_service_sid"]).get("/Configuration")
    assert user["role_sid"] == settings.expect(200)["default_chat_service_role_sid"]
    with closing(connect(conversation.server)) as connection:
        query = "SELECT name, fires FROM event WHERE subject_sid = ?"
        assert connection.execute(query, (user["sid"],)).fetchall() == [("onUserAdded", 1)]


def test_a_known_identity_keeps_its_user(conversation: ConversationClient) -> None:
    identity = unique("known")
    user = conversation.api.post("/Users", Identity=identity, FriendlyName="K").expect(201)
    conversation.chat(identity)
    assert users_of(conversation, identity).expect(200) == user


def test_an_unknown_author_becomes_no_user(conversation: ConversationClient) -> None:
    author = unique("author")
    conversation.api.post(
        f"/Conversations/{conversation.sid}/Messages", Author=author, Body="x"
    ).expect(201)
    users_of(conversation, author).refuses(404, 20404)


def test_a_refused_participant_leaves_no_user_behind(conversation: ConversationClient) -> None:
    identity = unique("refused")
    conversation.bare()
    conversation.api.post(conversation.path, Identity=identity).refuses(400, 50434)
    users_of(conversation, identity).refuses(404, 20404)


# --- The read horizon


def test_the_read_horizon_is_one_for_participant_and_user(conversation: ConversationClient) -> None:
    member = conversation.chat()
    conversation.send_messages(3)
    mine = f"/Users/alice/Conversations/{conversation.sid}"
    assert conversation.api.get(mine).expect(200)["unread_messages_count"] is None
    conversation.update(member, {"LastReadMessageIndex": "1"}).expect(200)
    shown = conversation.api.get(mine).expect(200)
    assert (shown["last_read_message_index"], shown["unread_messages_count"]) == (1, 1)
    conversation.api.post(mine, LastReadMessageIndex="99").expect(200)
    found = conversation.api.get(f"{conversation.path}/alice").expect(200)
    assert found["last_read_message_index"] == 2
    assert found["last_read_timestamp"] is not None
    conversation.update(member, {"LastReadMessageIndex": ""}).expect(200)
    shown = conversation.api.get(mine).expect(200)
    assert (shown["last_read_message_index"], shown["unread_messages_count"]) == (None, None)


# --- Cascades


def below(server: Server, conversation_sid: str) -> dict[str, int]:
    """Return the number of rows below a conversation."""
    counted = {}
    with closing(connect(server)) as connection:
        for table in ("participant", "message", "receipt", "scoped_webhook", "pending_pair"):
            query = f"SELECT COUNT(*) FROM {table} WHERE conversation_sid = ?"
            counted[table] = connection.execute(query, (conversation_sid,)).fetchone()[0]
    return counted


def furnished(server: Server, api: Api) -> ConversationClient:
    """Create a conversation with objects of every kind below it."""
    conversation = ConversationClient.make(server, api)
    conversation.chat()
    conversation.phone()
    conversation.send_messages(3)
    hook = {"Target": "webhook", "Configuration.Url": "http://127.0.0.1:9/hook"}
    hook["Configuration.Filters"] = "onMessageAdded"
    api.post(f"/Conversations/{conversation.sid}/Webhooks", hook).expect(201)
    counted = below(server, conversation.sid)
    assert (counted["participant"], counted["message"], counted["receipt"]) == (2, 3, 3)
    return conversation


def test_nothing_remains_of_a_removed_conversation(server: Server, form_api: Api) -> None:
    conversation = furnished(server, form_api)
    form_api.delete(f"/Conversations/{conversation.sid}").expect(204)
    eventually(lambda: below(server, conversation.sid), lambda counted: not any(counted.values()))


def test_nothing_remains_of_a_removed_service(server: Server, api: Api) -> None:
    service = api.post("/Services", FriendlyName="Gone").expect(201)["sid"]
    conversations = [furnished(server, api.service(service)) for _ in range(3)]
    api.delete(f"/Services/{service}").expect(204)
    for conversation in conversations:
        api.service(service).get(f"/Conversations/{conversation.sid}").refuses(404, 20404)
        api.get(f"/Conversations/{conversation.sid}").refuses(404, 20404)
        eventually(
            lambda conversation=conversation: below(server, conversation.sid),
            lambda it: not any(it.values()),
            seconds=10,
        )
    with closing(connect(server)) as connection:
        for table in ("conversation", "chat_user", "role", "service_configuration"):
            query = f"SELECT COUNT(*) FROM {table} WHERE service_sid = ?"
            eventually(
                lambda query=query: connection.execute(query, (service,)).fetchone(),
                lambda found: found == (0,),
            )
