"""Commands that add, update and remove participants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.realtime.clients import NO_CONVERSATION, NOT_PERMITTED

if TYPE_CHECKING:
    from tests.realtime.clients import RealtimeClients, ScenarioRunner

COMMANDS = "https://aim.us1.twilio.com/Client/v2"
ROBERT, OWN = "+15558675310", "+15017122661"


async def own_conversation_path(clients: RealtimeClients, *more: str) -> str:
    """Create a conversation of alice with others whom she added; return its path."""
    made = await clients.post("alice", "Conversations", {})
    path = f"Conversations/{made.body['sid']}"
    for identity in ("alice", *more):
        added = await clients.post("alice", f"{path}/Participants", {"identity": identity})
        assert added.status == 201, added
    return path


async def may_add_participants(clients: RealtimeClients, path: str) -> None:
    """Let alice add participants by their addresses too, which no default role allows."""
    role = await clients.instance.do(
        "CreateRole",
        {
            "FriendlyName": "all",
            "Type": "conversation",
            "Permission": ["addNonChatParticipant", "addParticipant", "sendMessage"],
        },
    )
    sid = path.partition("/")[2]
    await clients.instance.do(
        "UpdateConversationParticipant", {"RoleSid": role.sid}, ConversationSid=sid, Sid="alice"
    )


def test_adding_a_participant(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients)
        sid = path.partition("/")[2]
        body = {"identity": "bob", "attributes": '{"seat":7}'}
        added = await clients.post("alice", f"{path}/Participants", body)
        assert added.status == 201
        shown = added.body
        assert shown == {
            "account_sid": clients.instance.scope.account_sid,
            "chat_service_sid": clients.instance.scope.service_sid,
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
        # The user is created with the participant.
        assert (await clients.get("alice", "Users/bob")).status == 200
        again = await clients.post("alice", f"{path}/Participants", body)
        assert again.refusal == (409, 50433)

    run_scenario(scenario)


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
def test_adding_is_refused(
    run_scenario: ScenarioRunner, body: Any, refused: tuple[int, int]
) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients)
        await may_add_participants(clients, path)
        assert (await clients.post("alice", f"{path}/Participants", body)).refusal == refused

    run_scenario(scenario)


def test_adding_a_telephone(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients)
        binding = {"address": ROBERT, "proxy_address": OWN, "name": None}
        body = {"attributes": "{}", "messaging_binding": binding}
        refused = await clients.post("alice", f"{path}/Participants", body)
        assert refused.refusal == NOT_PERMITTED
        await may_add_participants(clients, path)
        added = await clients.post("alice", f"{path}/Participants", body)
        assert added.status == 201
        assert added.body["identity"] is None
        assert added.body["messaging_binding"] == {
            "type": "sms",
            "address": ROBERT,
            "proxy_address": OWN,
        }
        again = await clients.post("alice", f"{path}/Participants", body)
        assert again.refusal == (409, 50416)

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        ({"name": "Ann", "level": "cc"}, {"level": "cc", "name": "Ann"}),
        ({}, {"level": "to"}),
        ({"level": "to"}, {"level": "to"}),
    ],
)
def test_adding_an_email_address(run_scenario: ScenarioRunner, details: Any, shown: Any) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients)
        await may_add_participants(clients, path)
        # A proxy is required from clients; e-mail has none.
        binding = {"address": "ann@mail.example", "proxy_address": "desk@mail.example"}
        body = {"attributes": "{}", "messaging_binding": binding | details}
        added = await clients.post("alice", f"{path}/Participants", body)
        assert added.status == 201, added
        assert added.body["messaging_binding"] == {
            "type": "email",
            "address": "ann@mail.example",
            **shown,
        }

    run_scenario(scenario)


def test_joining_is_for_creators(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        made = await clients.post("alice", "Conversations", {})
        path = f"Conversations/{made.body['sid']}/Participants"
        assert (await clients.post("bob", path, {"identity": "bob"})).refusal == NO_CONVERSATION
        joined = await clients.post("alice", path, {"identity": "alice"})
        assert joined.status == 201
        seen = await clients.get("alice", f"Conversations/{made.body['sid']}")
        assert (seen.body["status"], seen.body["participants_count"]) == ("joined", 1)

    run_scenario(scenario)


@pytest.mark.parametrize("name", ["sid", "identity"])
def test_attributes_of_others(run_scenario: ScenarioRunner, name: str) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients, "b/o b+?ü")
        sid = path.partition("/")[2]
        participants = await clients.instance.do(
            "FetchConversationParticipant", ConversationSid=sid, Sid="b/o b+?ü"
        )
        named = participants.sid if name == "sid" else "b%2Fo%20b%2B%3F%C3%BC"
        changed = await clients.post(
            "alice", f"{path}/Participants/{named}", {"attributes": '{"x":1}'}
        )
        assert (changed.status, changed.body["attributes"]) == (200, '{"x":1}')
        assert changed.body["identity"] == "b/o b+?ü"
        assert (await clients.delete("alice", f"{path}/Participants/{named}")) == (204, None)
        removed = await clients.delete("alice", f"{path}/Participants/{named}")
        assert removed.refusal == (404, 50432)

    run_scenario(scenario)


def test_attributes_of_oneself(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients, "bob")
        own = await clients.post("bob", f"{path}/Participants/bob", {"attributes": "[1]"})
        assert (own.status, own.body["attributes"]) == (200, "[1]")
        other = await clients.post("bob", f"{path}/Participants/alice", {"attributes": "[1]"})
        assert other.refusal == NOT_PERMITTED
        nothing = await clients.post("bob", f"{path}/Participants/bob", {"seat": 1})
        assert nothing.refusal == (400, 20161)
        wrong = await clients.post("bob", f"{path}/Participants/bob", {"attributes": "x"})
        assert wrong.refusal == (400, 50304)

    run_scenario(scenario)


def test_leaving(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        path = await own_conversation_path(clients, "bob")
        assert (await clients.delete("bob", f"{path}/Participants/alice")).refusal == NOT_PERMITTED
        assert await clients.delete("bob", f"{path}/Participants/bob") == (204, None)
        assert (await clients.get("bob", path)).refusal == NO_CONVERSATION
        assert (await clients.delete("bob", f"{path}/Participants/bob")).refusal == NO_CONVERSATION
        # The creator still sees it after leaving, and may join it again.
        assert await clients.delete("alice", f"{path}/Participants/alice") == (204, None)
        assert (await clients.get("alice", path)).body["status"] == "notParticipating"
        again = await clients.post("alice", f"{path}/Participants", {"identity": "alice"})
        assert again.status == 201

    run_scenario(scenario)
