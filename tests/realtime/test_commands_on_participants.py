"""Participants as clients add, change and remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.realtime.users import NO_CONVERSATION, NOT_PERMITTED

if TYPE_CHECKING:
    from tests.realtime.users import People, Play

COMMANDS = "https://aim.us1.twilio.com/Client/v2"
ROBERT, OWN = "+15558675310", "+15017122661"


async def own_room(people: People, *more: str) -> str:
    """A conversation of alice's, with others whom she added."""
    made = await people.post("alice", "Conversations", {})
    path = f"Conversations/{made.body['sid']}"
    for identity in ("alice", *more):
        added = await people.post("alice", f"{path}/Participants", {"identity": identity})
        assert added.status == 201, added
    return path


async def may_add_anybody(people: People, path: str) -> None:
    """Let alice add people by their addresses too, which no default role allows."""
    role = await people.house.do(
        "CreateRole",
        {
            "FriendlyName": "all",
            "Type": "conversation",
            "Permission": ["addNonChatParticipant", "addParticipant", "sendMessage"],
        },
    )
    sid = path.partition("/")[2]
    await people.house.do(
        "UpdateConversationParticipant", {"RoleSid": role.sid}, ConversationSid=sid, Sid="alice"
    )


def test_adding_somebody(play: Play) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people)
        sid = path.partition("/")[2]
        body = {"identity": "bob", "attributes": '{"seat":7}'}
        added = await people.post("alice", f"{path}/Participants", body)
        assert added.status == 201
        shown = added.body
        assert shown == {
            "account_sid": people.house.scope.account_sid,
            "chat_service_sid": people.house.scope.service_sid,
            "conversation_sid": sid,
            "sid": shown["sid"],
            "role_sid": shown["role_sid"],
            "identity": "bob",
            "attributes": '{"seat":7}',
            "date_created": shown["date_created"],
            "date_updated": shown["date_created"],
            "last_read_message_index": None,
            "last_read_timestamp": None,
            "messaging_binding": None,
            "url": f"{COMMANDS}/Conversations/{sid}/Participants/{shown['sid']}",
            "links": {"conversation": f"{COMMANDS}/Conversations/{sid}"},
        }
        # The user is made with the participant.
        assert (await people.get("alice", "Users/bob")).status == 200
        again = await people.post("alice", f"{path}/Participants", body)
        assert again.refusal == (409, 50433)

    play(scene)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({}, (400, 50204)),
        ({"identity": ""}, (400, 50204)),
        ({"identity": None}, (400, 50204)),
        ({"identity": "system"}, (400, 50203)),
        ({"identity": "US" + "0" * 32}, (400, 50206)),
        ({"identity": "i" * 257}, (400, 50207)),
        ({"identity": "bob", "attributes": "{"}, (400, 50304)),
        ({"identity": 7}, (400, 20001)),
        ({"messaging_binding": "sms"}, (400, 20001)),
        ({"messaging_binding": {"address": "x", "proxy_address": OWN}}, (400, 50407)),
        ({"messaging_binding": {"address": ROBERT, "proxy_address": ROBERT}}, (400, 50409)),
        ({"messaging_binding": {"address": ROBERT, "proxy_address": "x"}}, (400, 50408)),
        (
            {"messaging_binding": {"address": ROBERT, "proxy_address": OWN, "level": "to"}},
            (400, 50420),
        ),
        (
            {"messaging_binding": {"address": "a@b.example", "level": "bcc"}},
            (400, 50420),
        ),
        (
            {"identity": "bob", "messaging_binding": {"address": ROBERT, "proxy_address": OWN}},
            (400, 50211),
        ),
    ],
)
def test_adding_is_refused(play: Play, body: Any, refused: tuple[int, int]) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people)
        await may_add_anybody(people, path)
        assert (await people.post("alice", f"{path}/Participants", body)).refusal == refused

    play(scene)


def test_adding_a_telephone(play: Play) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people)
        binding = {"address": ROBERT, "proxy_address": OWN, "name": None}
        body = {"attributes": "{}", "messaging_binding": binding}
        refused = await people.post("alice", f"{path}/Participants", body)
        assert refused.refusal == NOT_PERMITTED
        await may_add_anybody(people, path)
        added = await people.post("alice", f"{path}/Participants", body)
        assert added.status == 201
        assert added.body["identity"] is None
        assert added.body["messaging_binding"] == {
            "type": "sms",
            "address": ROBERT,
            "proxy_address": OWN,
        }
        again = await people.post("alice", f"{path}/Participants", body)
        assert again.refusal == (409, 50416)

    play(scene)


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        ({"name": "Ann", "level": "cc"}, {"level": "cc", "name": "Ann"}),
        ({}, {"level": "to"}),
        ({"level": "to"}, {"level": "to"}),
    ],
)
def test_adding_an_email_address(play: Play, details: Any, shown: Any) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people)
        await may_add_anybody(people, path)
        # Clients cannot leave out a proxy; for e-mail there is none.
        binding = {"address": "ann@mail.example", "proxy_address": "desk@mail.example"}
        body = {"attributes": "{}", "messaging_binding": binding | details}
        added = await people.post("alice", f"{path}/Participants", body)
        assert added.status == 201, added
        assert added.body["messaging_binding"] == {
            "type": "email",
            "address": "ann@mail.example",
            **shown,
        }

    play(scene)


def test_joining_is_for_creators(play: Play) -> None:
    async def scene(people: People) -> None:
        made = await people.post("alice", "Conversations", {})
        path = f"Conversations/{made.body['sid']}/Participants"
        assert (await people.post("bob", path, {"identity": "bob"})).refusal == NO_CONVERSATION
        joined = await people.post("alice", path, {"identity": "alice"})
        assert joined.status == 201
        seen = await people.get("alice", f"Conversations/{made.body['sid']}")
        assert (seen.body["status"], seen.body["participants_count"]) == ("joined", 1)

    play(scene)


@pytest.mark.parametrize("name", ["sid", "identity"])
def test_attributes_of_others(play: Play, name: str) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people, "b/o b+?ü")
        sid = path.partition("/")[2]
        everybody = await people.house.do(
            "FetchConversationParticipant", ConversationSid=sid, Sid="b/o b+?ü"
        )
        named = everybody.sid if name == "sid" else "b%2Fo%20b%2B%3F%C3%BC"
        changed = await people.post(
            "alice", f"{path}/Participants/{named}", {"attributes": '{"x":1}'}
        )
        assert (changed.status, changed.body["attributes"]) == (200, '{"x":1}')
        assert changed.body["identity"] == "b/o b+?ü"
        assert (await people.delete("alice", f"{path}/Participants/{named}")) == (204, None)
        gone = await people.delete("alice", f"{path}/Participants/{named}")
        assert gone.refusal == (404, 50432)

    play(scene)


def test_attributes_of_oneself(play: Play) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people, "bob")
        own = await people.post("bob", f"{path}/Participants/bob", {"attributes": "[1]"})
        assert (own.status, own.body["attributes"]) == (200, "[1]")
        other = await people.post("bob", f"{path}/Participants/alice", {"attributes": "[1]"})
        assert other.refusal == NOT_PERMITTED
        nothing = await people.post("bob", f"{path}/Participants/bob", {"seat": 1})
        assert nothing.refusal == (400, 20161)
        wrong = await people.post("bob", f"{path}/Participants/bob", {"attributes": "x"})
        assert wrong.refusal == (400, 50304)

    play(scene)


def test_leaving(play: Play) -> None:
    async def scene(people: People) -> None:
        path = await own_room(people, "bob")
        assert (await people.delete("bob", f"{path}/Participants/alice")).refusal == NOT_PERMITTED
        assert await people.delete("bob", f"{path}/Participants/bob") == (204, None)
        assert (await people.get("bob", path)).refusal == NO_CONVERSATION
        assert (await people.delete("bob", f"{path}/Participants/bob")).refusal == NO_CONVERSATION
        # Whoever made it still sees it after leaving, and may join it again.
        assert await people.delete("alice", f"{path}/Participants/alice") == (204, None)
        assert (await people.get("alice", path)).body["status"] == "notParticipating"
        again = await people.post("alice", f"{path}/Participants", {"identity": "alice"})
        assert again.status == 201

    play(scene)
