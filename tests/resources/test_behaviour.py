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
def room(server: Server, form_api: Api) -> ConversationClient:
    return ConversationClient.make(server, form_api)


def state_of(room: ConversationClient) -> str:
    state: str = room.api.get(f"/Conversations/{room.sid}").expect(200)["state"]
    return state


def move(room: ConversationClient, state: str) -> ApiResponse:
    return room.api.post(f"/Conversations/{room.sid}", State=state)


# --- States


@pytest.mark.parametrize("steps", [("inactive", "active", "inactive", "closed"), ("closed",)])
def test_a_state_follows_another_and_closed_is_the_last(
    room: ConversationClient, steps: tuple[str]
) -> None:
    for state in steps:
        assert move(room, state).expect(200)["state"] == state
        assert state_of(room) == state
    for state in ("active", "inactive", "closed"):
        error = move(room, state).refuses(400, 50377)
        assert error["message"] == "Can't update conversation as it's in final closed state"
    assert state_of(room) == "closed"


def test_a_closed_conversation_rejects_all_but_its_removal(room: ConversationClient) -> None:
    member = room.chat()
    room.say(1)
    path = f"/Conversations/{room.sid}"
    messages = room.api.get(f"{path}/Messages").expect(200)["messages"]
    move(room, "closed").expect(200)
    before = room.api.get(path).body, room.fetch(member), room.events()
    for answer in (
        room.api.post(path, FriendlyName="x"),
        room.api.post(path, {"Timers.Closed": "P1D"}),
        room.api.post(f"{path}/Messages", Body="too late"),
        room.api.post(f"{path}/Messages/{messages[0]['sid']}", Body="x"),
        room.api.delete(f"{path}/Messages/{messages[0]['sid']}"),
        room.api.post(room.path, Identity="x"),
        room.api.post(f"{room.path}/{member['sid']}", Attributes="{}"),
        room.api.delete(f"{room.path}/{member['sid']}"),
    ):
        answer.refuses(400, 50377)
    assert (room.api.get(path).body, room.fetch(member), room.events()) == before
    assert room.api.get(f"{path}/Messages").expect(200)["messages"] == messages
    room.api.delete(path).expect(204)


def test_a_message_wakes_an_inactive_conversation(room: ConversationClient) -> None:
    move(room, "inactive").expect(200)
    begun = len(room.events())
    room.say(1)
    assert state_of(room) == "active"
    assert room.events()[begun:] == [
        ("onMessageAdded", False),
        ("onConversationStateUpdated", False),
    ]
    room.say(1)
    assert room.events()[begun + 2 :] == [("onMessageAdded", False)]


def test_a_message_starts_the_timers_again(room: ConversationClient) -> None:
    path = f"/Conversations/{room.sid}"
    room.api.post(path, {"Timers.Inactive": "PT1H", "Timers.Closed": "PT2H"}).expect(200)
    with closing(connect(room.server)) as connection, connection:
        connection.execute(
            "UPDATE conversation SET date_inactive = 4000000000000, date_closed = 4000000000000"
            " WHERE sid = ?",
            (room.sid,),
        )
    far = room.api.get(path).expect(200)["timers"]
    assert set(far.values()) == {"2096-10-02T07:06:40Z"}
    room.api.post(path, FriendlyName="no reason").expect(200)
    assert room.api.get(path).expect(200)["timers"] == far
    room.say(1)
    near = room.api.get(path).expect(200)["timers"]
    assert near["date_inactive"] < near["date_closed"] < "2096"


# --- Pairs


def pair_of(address: str) -> dict[str, str]:
    return {ADDRESS: address, PROXY_ADDRESS: PROXY}


@pytest.mark.parametrize("way", ["close", "remove", "leave", "unbind"])
def test_a_pair_is_free_again(server: Server, room: ConversationClient, way: str) -> None:
    pair, other = pair_of(phone_number()), ConversationClient.make(server, room.api)
    member = room.add(pair)
    other.api.post(other.path, pair).refuses(409, 50416)
    path = f"/Conversations/{room.sid}"
    if way == "close":
        move(room, "closed").expect(200)
    elif way == "remove":
        room.api.delete(path).expect(204)
    elif way == "leave":
        room.api.delete(f"{room.path}/{member['sid']}").expect(204)
    else:
        room.update(member, {PROXY_ADDRESS: phone_number()}).expect(200)
    other.add(pair)
    ConversationClient.make(server, room.api).api.post(other.path, pair).refuses(409, 50416)


def test_an_inactive_conversation_keeps_its_pairs(server: Server, room: ConversationClient) -> None:
    pair = pair_of(phone_number())
    room.add(pair)
    move(room, "inactive").expect(200)
    other = ConversationClient.make(server, room.api)
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


def test_one_of_many_gets_a_participant_identity(room: ConversationClient) -> None:
    answers = at_once(TOGETHER, lambda _: room.api.post(room.path, Identity="alice"))
    won = one_of_many(answers, 50433)
    assert room.api.get(room.path).expect(200)["participants"] == [won]


def test_one_of_many_conversations_gets_a_pair(server: Server, form_api: Api) -> None:
    rooms = [ConversationClient.make(server, form_api) for _ in range(TOGETHER)]
    pair = pair_of(phone_number())
    answers = at_once(TOGETHER, lambda number: form_api.post(rooms[number].path, pair))
    won = one_of_many(answers, 50416)
    members = [form_api.get(room.path).expect(200)["participants"] for room in rooms]
    assert [each for found in members for each in found] == [won]


def test_concurrent_participants_create_one_user(server: Server, form_api: Api) -> None:
    rooms, identity = (
        [ConversationClient.make(server, form_api) for _ in range(TOGETHER)],
        unique("new"),
    )
    answers = at_once(TOGETHER, lambda n: form_api.post(rooms[n].path, Identity=identity))
    for answer in answers:
        answer.expect(201)
    with closing(connect(server)) as connection:
        query = "SELECT COUNT(*) FROM chat_user WHERE account_sid = ? AND identity = ?"
        assert connection.execute(query, (form_api.sid, identity)).fetchone() == (1,)


# --- Users that are created implicitly


def users_of(room: ConversationClient, identity: str) -> ApiResponse:
    return room.api.get(f"/Users/{identity}")


@pytest.mark.parametrize("projected", [False, True])
def test_an_unknown_identity_becomes_a_user(room: ConversationClient, projected: bool) -> None:
    identity = unique("arrives")
    users_of(room, identity).refuses(404, 20404)
    form = {PROJECTED_ADDRESS: phone_number()} if projected else {}
    header = {"X-Twilio-Webhook-Enabled": "true"}
    room.api.post(room.path, {"Identity": identity, **form}, headers=header).expect(201)
    user = users_of(room, identity).expect(200)
    assert (user["friendly_name"], user["attributes"]) == (None, "{}")
    settings = room.api.under("/v1").service(user["chat_service_sid"]).get("/Configuration")
    assert user["role_sid"] == settings.expect(200)["default_chat_service_role_sid"]
    with closing(connect(room.server)) as connection:
        query = "SELECT name, fires FROM event WHERE subject_sid = ?"
        assert connection.execute(query, (user["sid"],)).fetchall() == [("onUserAdded", 1)]


def test_a_known_identity_keeps_its_user(room: ConversationClient) -> None:
    identity = unique("known")
    user = room.api.post("/Users", Identity=identity, FriendlyName="K").expect(201)
    room.chat(identity)
    assert users_of(room, identity).expect(200) == user


def test_an_unknown_author_becomes_no_user(room: ConversationClient) -> None:
    author = unique("author")
    room.api.post(f"/Conversations/{room.sid}/Messages", Author=author, Body="x").expect(201)
    users_of(room, author).refuses(404, 20404)


def test_a_refused_participant_leaves_no_user_behind(room: ConversationClient) -> None:
    identity = unique("refused")
    room.bare()
    room.api.post(room.path, Identity=identity).refuses(400, 50434)
    users_of(room, identity).refuses(404, 20404)


# --- The read horizon


def test_the_read_horizon_is_one_for_participant_and_user(room: ConversationClient) -> None:
    member = room.chat()
    room.say(3)
    mine = f"/Users/alice/Conversations/{room.sid}"
    assert room.api.get(mine).expect(200)["unread_messages_count"] is None
    room.update(member, {"LastReadMessageIndex": "1"}).expect(200)
    shown = room.api.get(mine).expect(200)
    assert (shown["last_read_message_index"], shown["unread_messages_count"]) == (1, 1)
    room.api.post(mine, LastReadMessageIndex="99").expect(200)
    found = room.api.get(f"{room.path}/alice").expect(200)
    assert found["last_read_message_index"] == 2
    assert found["last_read_timestamp"] is not None
    room.update(member, {"LastReadMessageIndex": ""}).expect(200)
    shown = room.api.get(mine).expect(200)
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
    room = ConversationClient.make(server, api)
    room.chat()
    room.phone()
    room.say(3)
    hook = {"Target": "webhook", "Configuration.Url": "http://127.0.0.1:9/hook"}
    hook["Configuration.Filters"] = "onMessageAdded"
    api.post(f"/Conversations/{room.sid}/Webhooks", hook).expect(201)
    counted = below(server, room.sid)
    assert (counted["participant"], counted["message"], counted["receipt"]) == (2, 3, 3)
    return room


def test_nothing_remains_of_a_removed_conversation(server: Server, form_api: Api) -> None:
    room = furnished(server, form_api)
    form_api.delete(f"/Conversations/{room.sid}").expect(204)
    eventually(lambda: below(server, room.sid), lambda counted: not any(counted.values()))


def test_nothing_remains_of_a_removed_service(server: Server, api: Api) -> None:
    service = api.post("/Services", FriendlyName="Gone").expect(201)["sid"]
    rooms = [furnished(server, api.service(service)) for _ in range(3)]
    api.delete(f"/Services/{service}").expect(204)
    for room in rooms:
        api.service(service).get(f"/Conversations/{room.sid}").refuses(404, 20404)
        api.get(f"/Conversations/{room.sid}").refuses(404, 20404)
        eventually(
            lambda room=room: below(server, room.sid),
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
