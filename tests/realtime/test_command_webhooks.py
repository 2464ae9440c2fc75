"""Webhooks of clients' changes: pre-action, post-action, and the user who made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.events.webhook_backend import respond_with

if TYPE_CHECKING:
    from tests.events.webhook_backend import WebhookRequest
    from tests.realtime.clients import RealtimeClients, ScenarioRunner

COMMON = {"Source": "SDK", "ClientIdentity": "alice"}


async def listen(clients: RealtimeClients, **changes: Any) -> None:
    """Enable the webhooks of all events from now on."""
    await clients.instance.wait_until_idle()
    await clients.instance.enable_webhooks(clients.backend, **changes)


async def received_events(clients: RealtimeClients) -> list[str]:
    """Return the pre-action and post-action requests since the last call, in order."""
    await clients.instance.wait_until_idle()
    names = [each.event for each in clients.backend.requests]
    for each in clients.backend.requests:
        assert each.values | COMMON == each.values, each
    clients.backend.requests.clear()
    return names


async def own_conversation_path(clients: RealtimeClients) -> str:
    """Create and join a conversation as alice; return its path."""
    made = await clients.post("alice", "Conversations", {})
    path = f"Conversations/{made.body['sid']}"
    await clients.post("alice", f"{path}/Participants", {"identity": "alice"})
    return path


def test_every_change_of_a_client_calls_both_webhooks(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        await listen(clients)
        await clients.session("alice")
        assert await received_events(clients) == ["onUserAdded"]
        made = await clients.post("alice", "Conversations", {"friendly_name": "n"})
        path = f"Conversations/{made.body['sid']}"
        assert await received_events(clients) == ["onConversationAdd", "onConversationAdded"]
        await clients.post("alice", f"{path}/Participants", {"identity": "alice"})
        assert await received_events(clients) == ["onParticipantAdd", "onParticipantAdded"]
        await clients.post("alice", f"{path}/Participants", {"identity": "new"})
        assert await received_events(clients) == [
            "onParticipantAdd",
            "onUserAdded",
            "onParticipantAdded",
        ]
        await clients.post("alice", path, {"attributes": "{}"})
        assert await received_events(clients) == ["onConversationUpdate", "onConversationUpdated"]
        await clients.post("alice", f"{path}/Participants/new", {"attributes": "{}"})
        assert await received_events(clients) == ["onParticipantUpdate", "onParticipantUpdated"]
        created = await clients.post("alice", f"{path}/Messages", {"body": "b"})
        assert await received_events(clients) == ["onMessageAdd", "onMessageAdded"]
        message = f"{path}/Messages/{created.body['sid']}"
        await clients.post("alice", message, {"body": "c"})
        assert await received_events(clients) == ["onMessageUpdate", "onMessageUpdated"]
        await clients.post("alice", f"My{path}", {"last_read_message_index": 0})
        assert await received_events(clients) == ["onParticipantUpdate", "onParticipantUpdated"]
        await clients.post("alice", f"My{path}", {"notification_level": "muted"})
        assert await received_events(clients) == []
        await clients.delete("alice", message)
        assert await received_events(clients) == ["onMessageRemove", "onMessageRemoved"]
        await clients.post("alice", "Users/alice", {"friendly_name": "A"})
        assert await received_events(clients) == ["onUserUpdate", "onUserUpdated"]
        await clients.publish_typing("alice", f"ChannelSid={made.body['sid']}".encode())
        assert await received_events(clients) == []
        await clients.delete("alice", f"{path}/Participants/new")
        assert await received_events(clients) == ["onParticipantRemove", "onParticipantRemoved"]
        await clients.delete("alice", path)
        assert await received_events(clients) == ["onConversationRemove", "onConversationRemoved"]

    run_scenario(scenario)


def test_the_read_horizon_calls_the_webhook(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients)
        await clients.instance.send_message(path.partition("/")[2], "hello")
        await listen(clients)
        await clients.post("alice", f"My{path}", {"last_read_message_index": 0})
        await clients.instance.wait_until_idle()
        (after,) = [
            each for each in clients.backend.requests if each.event == "onParticipantUpdated"
        ]
        assert after.values["LastReadMessageIndex"] == "0"
        assert after.values["Identity"] == "alice"

    run_scenario(scenario)


def test_an_account_moves_the_read_horizon_in_silence(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients)
        await clients.instance.send_message(path.partition("/")[2], "hello")
        await listen(clients)
        await clients.instance.do(
            "UpdateUserConversation",
            {"LastReadMessageIndex": "0"},
            UserSid="alice",
            ConversationSid=path.partition("/")[2],
        )
        await clients.instance.wait_until_idle()
        assert clients.backend.requests == []

    run_scenario(scenario)


def test_a_backend_rejects_and_amends(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients)
        await listen(clients)
        clients.backend.responders["/pre"] = respond_with(400)
        refused = await clients.post("alice", f"{path}/Messages", {"body": "bad word"})
        assert refused.refusal == (403, 50056)
        assert (await clients.get("alice", path)).body["messages_count"] == 0
        # The backend may set another author, which the user may not.
        amendment = '{"body":"good word","author":"moderator","attributes":"{\\"m\\":1}"}'
        clients.backend.responders["/pre"] = respond_with(200, amendment)
        created = await clients.post("alice", f"{path}/Messages", {"body": "bad word"})
        assert created.status == 201
        assert (created.body["body"], created.body["author"]) == (
            "good word",
            "moderator",
        )
        assert created.body["attributes"] == '{"m":1}'
        clients.backend.responders["/pre"] = respond_with(200, '{"friendly_name":"better"}')
        named = await clients.post("alice", path, {"attributes": '{"a":1}'})
        assert (named.status, named.body["friendly_name"]) == (200, "better")
        clients.backend.responders["/pre"] = respond_with(200, '{"attributes":"no json"}')
        wrong = await clients.post("alice", path, {"friendly_name": "worse"})
        assert wrong.refusal == (400, 50304)

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("Conversations/theirs/Messages", {"body": "b"}),
        ("MyConversations/theirs", {"last_read_message_index": 0}),
        ("Users/bob", {"friendly_name": "n"}),
        ("Conversations/theirs/Participants", {"identity": "alice"}),
    ],
)
def test_a_forbidden_command_calls_no_pre_action_webhook(
    run_scenario: ScenarioRunner, path: str, body: Any
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        await clients.create_conversation("bob", UniqueName="theirs")
        await clients.session("alice")
        await listen(clients)
        assert (await clients.post("alice", path, body)).status in {403, 404}
        await clients.instance.wait_until_idle()
        asked: list[WebhookRequest] = clients.backend.requests
        assert asked == []

    run_scenario(scenario)
