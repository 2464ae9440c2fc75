"""Conversations as clients make, find, change and list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.realtime.users import NO_CONVERSATION, NO_MEMBER

if TYPE_CHECKING:
    from tests.realtime.users import People, Play

COMMANDS = "https://aim.us1.twilio.com/Client/v2"


def test_a_conversation_as_its_creator_sees_it(play: Play) -> None:
    async def scene(people: People) -> None:
        body = {"friendly_name": "New", "unique_name": "new-1", "attributes": '{"a":1}'}
        made = await people.post("alice", "Conversations", body | {"access": "private"})
        assert made.status == 201
        sid = made.body["sid"]
        url = f"{COMMANDS}/Conversations/{sid}"
        shown = {
            "account_sid": people.house.scope.account_sid,
            "chat_service_sid": people.house.scope.service_sid,
            "sid": sid,
            "conversation_sid": sid,
            **body,
            "created_by": "alice",
            "date_created": made.body["date_created"],
            "date_updated": made.body["date_updated"],
            "state": "active",
            "url": url,
            "sync_objects": {
                "conversation": f"{sid}.channel",
                "messages": f"{sid}.messages",
                "participants": f"{sid}.roster",
            },
            "links": {"messages": f"{url}/Messages", "participants": f"{url}/Participants"},
            "participants_count": 0,
            "messages_count": 0,
            "status": "notParticipating",
        }
        assert made.body == shown
        assert len(made.body["date_created"]) == len("2026-01-01T00:00:00.000Z")
        for path in (f"Conversations/{sid}", f"MyConversations/{sid}", "MyConversations/new-1"):
            assert await people.get("alice", path) == (200, shown)

    play(scene)


def test_a_conversation_as_a_participant_sees_it(play: Play) -> None:
    async def scene(people: People) -> None:
        sid = await people.room("bob", "carol", UniqueName="a/b ü")
        await people.house.say(sid, "one")
        await people.house.say(sid, "two")
        await people.post("bob", f"MyConversations/{sid}", {"last_read_message_index": 0})
        found = await people.get("bob", "MyConversations/a%2Fb%20%C3%BC")
        assert found.status == 200
        own = {
            "status": "joined",
            "last_read_message_index": 0,
            "unread_messages_count": 1,
            "notification_level": "default",
            "participants_count": 2,
            "messages_count": 2,
            "created_by": "system",
        }
        assert found.body | own == found.body
        assert await people.get("bob", f"Conversations/{sid}") == found
        carols = await people.get("carol", f"Conversations/{sid}")
        assert carols.body["unread_messages_count"] is None
        assert carols.body["last_read_message_index"] is None

    play(scene)


def test_counts_follow_what_is_removed(play: Play) -> None:
    async def scene(people: People) -> None:
        sid = await people.room("bob", "carol")
        said = [await people.house.say(sid, str(number)) for number in range(3)]
        await people.house.do("DeleteConversationMessage", ConversationSid=sid, Sid=said[1].sid)
        await people.house.do("DeleteConversationParticipant", ConversationSid=sid, Sid="carol")
        read = {"last_read_message_index": 0}
        seen = await people.post("bob", f"MyConversations/{sid}", read)
        assert (seen.body["messages_count"], seen.body["participants_count"]) == (2, 1)
        assert seen.body["unread_messages_count"] == 1

    play(scene)


def test_a_conversation_is_changed_and_removed(play: Play) -> None:
    async def scene(people: People) -> None:
        made = await people.post("alice", "Conversations", {"attributes": "{}"})
        sid, path = made.body["sid"], f"Conversations/{made.body['sid']}"
        await people.post("alice", f"{path}/Participants", {"identity": "alice"})
        for change, shown in (
            ({"friendly_name": "Named"}, {"friendly_name": "Named"}),
            ({"unique_name": "unique"}, {"unique_name": "unique"}),
            ({"attributes": '{"a": [1]}'}, {"attributes": '{"a": [1]}'}),
            ({"attributes": {"b": 2}}, {"attributes": '{"b":2}'}),
            ({"unique_name": ""}, {"unique_name": None}),
        ):
            changed = await people.post("alice", path, change)
            assert changed.status == 200
            assert changed.body | shown == changed.body
            assert changed.body["status"] == "joined"
        assert await people.delete("alice", path) == (204, None)
        assert (await people.get("alice", path)).refusal == NO_CONVERSATION
        assert (await people.delete("alice", path)).refusal == NO_CONVERSATION
        assert (await people.post("alice", f"MyConversations/{sid}", {})).refusal == NO_CONVERSATION

    play(scene)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"unique_name": "taken"}, (409, 50353)),
        ({"unique_name": "CH" + "0" * 32}, (400, 50390)),
        ({"unique_name": "n" * 257}, (400, 50004)),
        ({"friendly_name": "n" * 257}, (400, 50003)),
        ({"friendly_name": 7}, (400, 20001)),
        ({"friendly_name": "\0"}, (400, 20001)),
        ({"attributes": "no json"}, (400, 50304)),
        ({"attributes": '"' + "a" * 16384 + '"'}, (400, 50303)),
    ],
)
def test_a_new_conversation_is_refused(play: Play, body: Any, refused: tuple[int, int]) -> None:
    async def scene(people: People) -> None:
        await people.room(UniqueName="taken")
        assert (await people.post("alice", "Conversations", body)).refusal == refused

    play(scene)


def test_a_change_of_nothing_is_refused(play: Play) -> None:
    async def scene(people: People) -> None:
        made = await people.post("alice", "Conversations", {})
        path = f"Conversations/{made.body['sid']}"
        await people.post("alice", f"{path}/Participants", {"identity": "alice"})
        assert (await people.post("alice", path, {"topic": "x"})).refusal == (400, 50347)
        nothing = await people.post("alice", f"My{path}", {"muted": True})
        assert nothing.refusal == (400, 20161)

    play(scene)


def test_a_foreign_conversation_looks_like_a_missing_one(play: Play) -> None:
    async def scene(people: People) -> None:
        sid = await people.room("bob", UniqueName="theirs")
        said = await people.house.say(sid, "a secret")
        missing = "CH" + "0" * 32
        bodies = []
        for name in (sid, "theirs", missing, "nobody's"):
            path = f"Conversations/{name}"
            asked = (
                await people.get("alice", path),
                await people.get("alice", f"My{path}"),
                await people.post("alice", f"My{path}", {"last_read_message_index": 0}),
                await people.post("alice", path, {"friendly_name": "mine"}),
                await people.delete("alice", path),
                await people.post("alice", f"{path}/Participants", {"identity": "alice"}),
                await people.post("alice", f"{path}/Participants", {"identity": "carol"}),
                await people.post("alice", f"{path}/Participants/bob", {"attributes": "{}"}),
                await people.delete("alice", f"{path}/Participants/alice"),
                await people.delete("alice", f"{path}/Participants/bob"),
                await people.post("alice", f"{path}/Messages", {"body": "hello?"}),
                await people.post("alice", f"{path}/Messages/{said.sid}", {"body": "changed"}),
                await people.delete("alice", f"{path}/Messages/{said.sid}"),
                await people.get("alice", f"{path}/Messages/{said.sid}/Receipts"),
                await people.get("alice", f"{path}/Messages/{said.sid}/ChannelMetadata"),
                await people.get("alice", f"{path}/MessageRecipients"),
                await people.get("alice", f"{path}/MessageRecipients", MessageSid=said.sid),
                await people.typing("alice", f"ChannelSid={name}".encode()),
            )
            bodies += [answer.body for answer in asked]
        assert all(body == bodies[0] for body in bodies)
        assert (bodies[0]["status"], bodies[0]["code"]) == NO_CONVERSATION
        assert people.hub.typed == []

    play(scene)


def test_a_conversation_of_another_service_is_not_there(play: Play) -> None:
    async def scene(people: People) -> None:
        await people.session("alice")
        other = await people.house.do("CreateService", {"FriendlyName": "other"})
        place = {"ChatServiceSid": other.sid}
        made = await people.house.do("CreateServiceConversation", **place)
        await people.house.do(
            "CreateServiceConversationParticipant",
            {"Identity": "alice"},
            ConversationSid=made.sid,
            **place,
        )
        for path in (f"Conversations/{made.sid}", f"MyConversations/{made.sid}"):
            assert (await people.get("alice", path)).refusal == NO_CONVERSATION
        assert (await people.get("alice", "MyConversations")).body["conversations"] == []

    play(scene)


def test_a_creator_sees_the_conversation_and_nothing_below_it(play: Play) -> None:
    async def scene(people: People) -> None:
        made = await people.post("alice", "Conversations", {})
        path = f"Conversations/{made.body['sid']}"
        said = await people.house.say(made.body["sid"], "hello")
        for answer in (
            await people.post("alice", f"{path}/Messages", {"body": "x"}),
            await people.post("alice", f"{path}/Messages/{said.sid}", {"body": "x"}),
            await people.delete("alice", f"{path}/Messages/{said.sid}"),
            await people.get("alice", f"{path}/Messages/{said.sid}/Receipts"),
            await people.get("alice", f"{path}/MessageRecipients"),
            await people.delete("alice", f"{path}/Participants/alice"),
            await people.post("alice", f"{path}/Participants/bob", {"attributes": "{}"}),
            await people.post("alice", f"My{path}", {"notification_level": "muted"}),
            await people.typing("alice", f"ChannelSid={made.body['sid']}".encode()),
        ):
            assert answer.refusal == NO_MEMBER

    play(scene)


def test_own_conversations_are_listed_in_pages(play: Play) -> None:
    async def scene(people: People) -> None:
        own = [await people.room("bob") for _ in range(5)]
        await people.room("carol")
        whole = await people.get("bob", "MyConversations")
        assert [each["conversation_sid"] for each in whole.body["conversations"]] == own
        first = whole.body["conversations"][0]
        assert (first["status"], first["notification_level"]) == ("joined", "default")
        assert first["sync_objects"]["conversation"] == f"{own[0]}.channel"
        assert whole.body["meta"] == {
            "page_size": 100,
            "previous_token": None,
            "next_token": None,
            "key": "conversations",
        }
        seen, token, pages = [], {}, []
        while len(pages) < 9:
            page = await people.get("bob", "MyConversations", PageSize="2", **token)
            pages.append(page.body)
            seen += [each["conversation_sid"] for each in page.body["conversations"]]
            if page.body["meta"]["next_token"] is None:
                break
            token = {"PageToken": page.body["meta"]["next_token"]}
        assert (seen, len(pages)) == (own, 3)
        back = {"PageToken": pages[2]["meta"]["previous_token"]}
        before = await people.get("bob", "MyConversations", PageSize="2", **back)
        assert before.body["conversations"] == pages[1]["conversations"]
        # A token of somebody else's list opens nothing.
        stolen = await people.get("carol", "MyConversations", **token)
        assert stolen.refusal == (400, 20001)
        assert (await people.get("bob", "MyConversations", PageSize="0")).refusal == (400, 20001)
        many = await people.get("bob", "MyConversations", PageSize="1000")
        assert many.body["meta"]["page_size"] == 100

    play(scene)


def test_a_closed_conversation_takes_no_change(play: Play) -> None:
    async def scene(people: People) -> None:
        made = await people.post("alice", "Conversations", {})
        sid = made.body["sid"]
        path = f"Conversations/{sid}"
        await people.post("alice", f"{path}/Participants", {"identity": "alice"})
        await people.house.do("UpdateConversation", {"State": "closed"}, Sid=sid)
        for answer in (
            await people.post("alice", path, {"friendly_name": "x"}),
            await people.post("alice", f"{path}/Messages", {"body": "x"}),
            await people.post("alice", f"{path}/Participants", {"identity": "bob"}),
            await people.delete("alice", f"{path}/Participants/alice"),
            await people.post("alice", f"My{path}", {"notification_level": "muted"}),
        ):
            assert answer.refusal == (400, 50377)
        seen = await people.get("alice", path)
        assert (seen.body["state"], seen.body["status"]) == ("closed", "joined")

    play(scene)


@pytest.mark.parametrize(
    ("said", "shown", "unread"), [(1, 1, 1), (2, 2, 0), (9, 2, 0), (0, 0, 2), (None, None, None)]
)
def test_the_read_horizon(play: Play, said: Any, shown: Any, unread: Any) -> None:
    async def scene(people: People) -> None:
        sid = await people.room("bob")
        for number in range(3):
            await people.house.say(sid, str(number))
        await people.post("bob", f"MyConversations/{sid}", {"last_read_message_index": 1})
        read = await people.post("bob", f"MyConversations/{sid}", {"last_read_message_index": said})
        assert read.status == 200
        assert read.body["last_read_message_index"] == shown
        assert read.body["unread_messages_count"] == unread
        found = await people.house.do(
            "FetchConversationParticipant", ConversationSid=sid, Sid="bob"
        )
        assert found.last_read_message_index == shown
        assert (found.last_read_timestamp is None) == (shown is None)

    play(scene)


@pytest.mark.parametrize("said", [-1, 1.5, "two", True, [], {}])
def test_no_read_horizon(play: Play, said: Any) -> None:
    async def scene(people: People) -> None:
        sid = await people.room("bob")
        body = {"last_read_message_index": said}
        assert (await people.post("bob", f"MyConversations/{sid}", body)).refusal == (400, 50421)

    play(scene)


def test_being_notified_or_not(play: Play) -> None:
    async def scene(people: People) -> None:
        sid = await people.room("bob")
        path = f"MyConversations/{sid}"
        muted = await people.post("bob", path, {"notification_level": "muted"})
        assert (muted.status, muted.body["notification_level"]) == (200, "muted")
        loud = await people.post("bob", path, {"notification_level": "loud"})
        assert loud.refusal == (400, 50210)
        assert (await people.get("bob", path)).body["notification_level"] == "muted"

    play(scene)
