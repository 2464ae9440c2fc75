"""Commands that create, find, update and list conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.realtime.clients import NO_CONVERSATION, NO_MEMBER

if TYPE_CHECKING:
    from tests.realtime.clients import RealtimeClients, ScenarioRunner

COMMANDS = "https://aim.us1.twilio.com/Client/v2"


def test_a_conversation_as_its_creator_sees_it(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        body = {"friendly_name": "New", "unique_name": "new-1", "attributes": '{"a":1}'}
        made = await clients.post("alice", "Conversations", body | {"access": "private"})
        assert made.status == 201
        sid = made.body["sid"]
        url = f"{COMMANDS}/Conversations/{sid}"
        shown = {
            "account_sid": clients.instance.scope.account_sid,
            "chat_service_sid": clients.instance.scope.service_sid,
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
            assert await clients.get("alice", path) == (200, shown)

    run_scenario(scenario)


def test_a_conversation_as_a_participant_sees_it(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob", "carol", UniqueName="a/b ü")
        await clients.instance.send_message(sid, "one")
        await clients.instance.send_message(sid, "two")
        await clients.post("bob", f"MyConversations/{sid}", {"last_read_message_index": 0})
        found = await clients.get("bob", "MyConversations/a%2Fb%20%C3%BC")
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
        assert await clients.get("bob", f"Conversations/{sid}") == found
        carols = await clients.get("carol", f"Conversations/{sid}")
        assert carols.body["unread_messages_count"] is None
        assert carols.body["last_read_message_index"] is None

    run_scenario(scenario)


def test_counts_follow_removals(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob", "carol")
        message = [await clients.instance.send_message(sid, str(number)) for number in range(3)]
        await clients.instance.do(
            "DeleteConversationMessage", ConversationSid=sid, Sid=message[1].sid
        )
        await clients.instance.do("DeleteConversationParticipant", ConversationSid=sid, Sid="carol")
        read = {"last_read_message_index": 0}
        seen = await clients.post("bob", f"MyConversations/{sid}", read)
        assert (seen.body["messages_count"], seen.body["participants_count"]) == (2, 1)
        assert seen.body["unread_messages_count"] == 1

    run_scenario(scenario)


def test_a_conversation_is_changed_and_removed(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        made = await clients.post("alice", "Conversations", {"attributes": "{}"})
        sid, path = made.body["sid"], f"Conversations/{made.body['sid']}"
        await clients.post("alice", f"{path}/Participants", {"identity": "alice"})
        for change, shown in (
            ({"friendly_name": "Named"}, {"friendly_name": "Named"}),
            ({"unique_name": "unique"}, {"unique_name": "unique"}),
            ({"attributes": '{"a": [1]}'}, {"attributes": '{"a": [1]}'}),
            ({"attributes": {"b": 2}}, {"attributes": '{"b":2}'}),
            ({"unique_name": ""}, {"unique_name": None}),
        ):
            changed = await clients.post("alice", path, change)
            assert changed.status == 200
            assert changed.body | shown == changed.body
            assert changed.body["status"] == "joined"
        assert await clients.delete("alice", path) == (204, None)
        assert (await clients.get("alice", path)).refusal == NO_CONVERSATION
        assert (await clients.delete("alice", path)).refusal == NO_CONVERSATION
        assert (
            await clients.post("alice", f"MyConversations/{sid}", {})
        ).refusal == NO_CONVERSATION

    run_scenario(scenario)


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
def test_a_new_conversation_is_refused(
    run_scenario: ScenarioRunner, body: Any, refused: tuple[int, int]
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        await clients.create_conversation(UniqueName="taken")
        assert (await clients.post("alice", "Conversations", body)).refusal == refused

    run_scenario(scenario)


def test_a_change_of_nothing_is_refused(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        made = await clients.post("alice", "Conversations", {})
        path = f"Conversations/{made.body['sid']}"
        await clients.post("alice", f"{path}/Participants", {"identity": "alice"})
        assert (await clients.post("alice", path, {"topic": "x"})).refusal == (400, 50347)
        nothing = await clients.post("alice", f"My{path}", {"muted": True})
        assert nothing.refusal == (400, 20161)

    run_scenario(scenario)


def test_a_foreign_conversation_looks_like_a_missing_one(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob", UniqueName="theirs")
        message = await clients.instance.send_message(sid, "a secret")
        missing = "CH" + "0" * 32
        bodies = []
        for name in (sid, "theirs", missing, "nobody's"):
            path = f"Conversations/{name}"
            asked = (
                await clients.get("alice", path),
                await clients.get("alice", f"My{path}"),
                await clients.post("alice", f"My{path}", {"last_read_message_index": 0}),
                await clients.post("alice", path, {"friendly_name": "mine"}),
                await clients.delete("alice", path),
                await clients.post("alice", f"{path}/Participants", {"identity": "alice"}),
                await clients.post("alice", f"{path}/Participants", {"identity": "carol"}),
                await clients.post("alice", f"{path}/Participants/bob", {"attributes": "{}"}),
                await clients.delete("alice", f"{path}/Participants/alice"),
                await clients.delete("alice", f"{path}/Participants/bob"),
                await clients.post("alice", f"{path}/Messages", {"body": "hello?"}),
                await clients.post("alice", f"{path}/Messages/{message.sid}", {"body": "changed"}),
                await clients.delete("alice", f"{path}/Messages/{message.sid}"),
                await clients.get("alice", f"{path}/Messages/{message.sid}/Receipts"),
                await clients.get("alice", f"{path}/Messages/{message.sid}/ChannelMetadata"),
                await clients.get("alice", f"{path}/MessageRecipients"),
                await clients.get("alice", f"{path}/MessageRecipients", MessageSid=message.sid),
                await clients.publish_typing("alice", f"ChannelSid={name}".encode()),
            )
            bodies += [answer.body for answer in asked]
        assert all(body == bodies[0] for body in bodies)
        assert (bodies[0]["status"], bodies[0]["code"]) == NO_CONVERSATION
        assert clients.hub.typed == []

    run_scenario(scenario)


def test_a_conversation_of_another_service_is_not_found(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        await clients.session("alice")
        other = await clients.instance.do("CreateService", {"FriendlyName": "other"})
        place = {"ChatServiceSid": other.sid}
        made = await clients.instance.do("CreateServiceConversation", **place)
        await clients.instance.do(
            "CreateServiceConversationParticipant",
            {"Identity": "alice"},
            ConversationSid=made.sid,
            **place,
        )
        for path in (f"Conversations/{made.sid}", f"MyConversations/{made.sid}"):
            assert (await clients.get("alice", path)).refusal == NO_CONVERSATION
        assert (await clients.get("alice", "MyConversations")).body["conversations"] == []

    run_scenario(scenario)


def test_a_creator_sees_the_conversation_and_nothing_below_it(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        made = await clients.post("alice", "Conversations", {})
        path = f"Conversations/{made.body['sid']}"
        message = await clients.instance.send_message(made.body["sid"], "hello")
        for answer in (
            await clients.post("alice", f"{path}/Messages", {"body": "x"}),
            await clients.post("alice", f"{path}/Messages/{message.sid}", {"body": "x"}),
            await clients.delete("alice", f"{path}/Messages/{message.sid}"),
            await clients.get("alice", f"{path}/Messages/{message.sid}/Receipts"),
            await clients.get("alice", f"{path}/MessageRecipients"),
            await clients.delete("alice", f"{path}/Participants/alice"),
            await clients.post("alice", f"{path}/Participants/bob", {"attributes": "{}"}),
            await clients.post("alice", f"My{path}", {"notification_level": "muted"}),
            await clients.publish_typing("alice", f"ChannelSid={made.body['sid']}".encode()),
        ):
            assert answer.refusal == NO_MEMBER

    run_scenario(scenario)


def test_own_conversations_are_listed_in_pages(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        own = [await clients.create_conversation("bob") for _ in range(5)]
        await clients.create_conversation("carol")
        whole = await clients.get("bob", "MyConversations")
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
            page = await clients.get("bob", "MyConversations", PageSize="2", **token)
            pages.append(page.body)
            seen += [each["conversation_sid"] for each in page.body["conversations"]]
            if page.body["meta"]["next_token"] is None:
                break
            token = {"PageToken": page.body["meta"]["next_token"]}
        assert (seen, len(pages)) == (own, 3)
        back = {"PageToken": pages[2]["meta"]["previous_token"]}
        before = await clients.get("bob", "MyConversations", PageSize="2", **back)
        assert before.body["conversations"] == pages[1]["conversations"]
        # A page token of another user's list is rejected.
        stolen = await clients.get("carol", "MyConversations", **token)
        assert stolen.refusal == (400, 20001)
        assert (await clients.get("bob", "MyConversations", PageSize="0")).refusal == (400, 20001)
        many = await clients.get("bob", "MyConversations", PageSize="1000")
        assert many.body["meta"]["page_size"] == 100

    run_scenario(scenario)


def test_a_closed_conversation_rejects_changes(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        made = await clients.post("alice", "Conversations", {})
        sid = made.body["sid"]
        path = f"Conversations/{sid}"
        await clients.post("alice", f"{path}/Participants", {"identity": "alice"})
        await clients.instance.do("UpdateConversation", {"State": "closed"}, Sid=sid)
        for answer in (
            await clients.post("alice", path, {"friendly_name": "x"}),
            await clients.post("alice", f"{path}/Messages", {"body": "x"}),
            await clients.post("alice", f"{path}/Participants", {"identity": "bob"}),
            await clients.delete("alice", f"{path}/Participants/alice"),
            await clients.post("alice", f"My{path}", {"notification_level": "muted"}),
        ):
            assert answer.refusal == (400, 50377)
        seen = await clients.get("alice", path)
        assert (seen.body["state"], seen.body["status"]) == ("closed", "joined")

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("index", "shown", "unread"), [(1, 1, 1), (2, 2, 0), (9, 2, 0), (0, 0, 2), (None, None, None)]
)
def test_the_read_horizon(
    run_scenario: ScenarioRunner, index: Any, shown: Any, unread: Any
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        for number in range(3):
            await clients.instance.send_message(sid, str(number))
        await clients.post("bob", f"MyConversations/{sid}", {"last_read_message_index": 1})
        read = await clients.post(
            "bob", f"MyConversations/{sid}", {"last_read_message_index": index}
        )
        assert read.status == 200
        assert read.body["last_read_message_index"] == shown
        assert read.body["unread_messages_count"] == unread
        found = await clients.instance.do(
            "FetchConversationParticipant", ConversationSid=sid, Sid="bob"
        )
        assert found.last_read_message_index == shown
        assert (found.last_read_timestamp is None) == (shown is None)

    run_scenario(scenario)


@pytest.mark.parametrize("index", [-1, 1.5, "two", True, [], {}])
def test_no_read_horizon(run_scenario: ScenarioRunner, index: Any) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        body = {"last_read_message_index": index}
        assert (await clients.post("bob", f"MyConversations/{sid}", body)).refusal == (400, 50421)

    run_scenario(scenario)


def test_being_notified_or_not(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob")
        path = f"MyConversations/{sid}"
        muted = await clients.post("bob", path, {"notification_level": "muted"})
        assert (muted.status, muted.body["notification_level"]) == (200, "muted")
        loud = await clients.post("bob", path, {"notification_level": "loud"})
        assert loud.refusal == (400, 50210)
        assert (await clients.get("bob", path)).body["notification_level"] == "muted"

    run_scenario(scenario)
