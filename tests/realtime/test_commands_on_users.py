"""The client's own configuration, users, typing and push registrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from parlour.protocol.pages import PageRequest
from parlour.resources.push_bindings import store as push_binding_store
from tests.realtime.clients import NO_CONVERSATION, NOT_PERMITTED, ROOT_URL, TypingCall

if TYPE_CHECKING:
    from parlour.store.transaction import Transaction
    from tests.realtime.clients import RealtimeClients, ScenarioRunner

COMMANDS = "https://aim.us1.twilio.com/Client/v2"
CR = "CR" + "0" * 31 + "1"
REGISTRATIONS = "/v1/registrations"
FCM: dict[str, Any] = {
    "endpoint_platform": "web",
    "channel_type": "fcm",
    "version": "3",
    "message_types": [
        "twilio.conversations.new_message",
        "twilio.conversations.added_to_conversation",
        "twilio.conversations.removed_from_conversation",
        "twilio.ipmsg.typing_indicator",
        "twilio.channel.consumption_update",
    ],
    "data": {"registration_id": "a device"},
}


def test_the_configuration(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        session = await clients.session("a/li ce")
        service_sid = clients.instance.scope.service_sid
        found = await clients.get("a/li ce", "Configuration")
        assert found == (
            200,
            {
                "identity": "a/li ce",
                "account_sid": clients.instance.scope.account_sid,
                "chat_service_sid": service_sid,
                "url": f"{COMMANDS}/Configuration",
                "options": {
                    "user_infos_to_subscribe": 100,
                    "reachability_enabled": False,
                    "http_cache_interval": "PT0S",
                    "consumption_report_interval": "PT5S",
                    "my_conversations_page_size": 100,
                    "media_attachments_count_limit": 10,
                    "media_attachment_size_limit_in_mb": 150,
                    "media_attachments_total_size_limit_in_mb": 150,
                    "email_histories_allowed_mime_types": ["text/plain", "text/html"],
                    "email_bodies_allowed_mime_types": ["text/plain", "text/html"],
                },
                "sync_objects": {
                    "my_conversations": f"{session.user_sid}.myConversations",
                    "my_user_info": f"{session.user_sid}.info",
                },
                "links": {
                    "my_conversations": f"{COMMANDS}/MyConversations",
                    "conversations": f"{COMMANDS}/Conversations",
                    "users": f"{COMMANDS}/Users",
                    "current_user": f"{COMMANDS}/Users/a%2Fli%20ce",
                    "typing": f"{COMMANDS}/Typing",
                    "messages_receipts": f"{COMMANDS}/Conversations/%s/Messages/%s/Receipts",
                    "media_service": f"{ROOT_URL}/v1/Services/{service_sid}/Media",
                    "media_set_service": f"{ROOT_URL}/v1/Services/{service_sid}/MediaSet",
                },
            },
        )
        await clients.instance.do(
            "UpdateServiceConfiguration",
            {"ReachabilityEnabled": "true"},
            ChatServiceSid=service_sid,
        )
        found = await clients.get("a/li ce", "Configuration")
        assert found.body["options"]["reachability_enabled"] is True

    run_scenario(scenario)


def test_users_see_each_other(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        other = await clients.session("b/o b")
        found = await clients.get("alice", "Users/b%2Fo%20b")
        user = await clients.instance.do("FetchUser", Sid="b/o b")
        assert found == (
            200,
            {
                "sid": other.user_sid,
                "account_sid": clients.instance.scope.account_sid,
                "chat_service_sid": clients.instance.scope.service_sid,
                "identity": "b/o b",
                "friendly_name": None,
                "attributes": "{}",
                "role_sid": user.role_sid,
                "is_online": None,
                "is_notifiable": None,
                "date_created": found.body["date_created"],
                "date_updated": found.body["date_created"],
                "url": f"{COMMANDS}/Users/b%2Fo%20b",
                "sync_objects": {"user_info_map": f"{other.user_sid}.info"},
            },
        )
        assert (await clients.get("alice", "Users/ghost")).refusal == (404, 50200)

    run_scenario(scenario)


def test_a_user_changes_only_itself(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        await clients.session("bob")
        named = await clients.post("bob", "Users/bob", {"friendly_name": "Bob B."})
        assert (named.status, named.body["friendly_name"]) == (200, "Bob B.")
        changed = await clients.post("bob", "Users/bob", {"attributes": '{"a":1}'})
        assert changed.body["friendly_name"] == "Bob B."
        assert changed.body["attributes"] == '{"a":1}'
        theirs = await clients.post("alice", "Users/bob", {"friendly_name": "mine"})
        assert theirs.refusal == NOT_PERMITTED
        ghost = await clients.post("alice", "Users/ghost", {"friendly_name": "mine"})
        assert ghost.refusal == (404, 50200)
        for body, refused in (
            ({"friendly_name": "n" * 257}, (400, 50003)),
            ({"attributes": "{"}, (400, 50304)),
            ({"role_sid": "RL" + "0" * 32}, (400, 20161)),
        ):
            assert (await clients.post("bob", "Users/bob", body)).refusal == refused

    run_scenario(scenario)


def test_typing(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        sid = await clients.create_conversation("bob", "carol")
        own = await clients.instance.do(
            "FetchConversationParticipant", ConversationSid=sid, Sid="bob"
        )
        answer = await clients.publish_typing("bob", f"ChannelSid={sid}".encode())
        assert answer == (200, {"typing_timeout": 5})
        assert clients.hub.typed == [TypingCall(clients.instance.scope, sid, own.sid, "bob")]
        for body, refused in (
            (b"ChannelSid=CH" + b"0" * 32, NO_CONVERSATION),
            (b"", (400, 50351)),
            (b"ChannelSid=", (400, 50351)),
            (b"ChannelSid=%", (400, 20001)),
        ):
            assert (await clients.publish_typing("bob", body)).refusal == refused
        assert (await clients.publish_typing("alice", f"ChannelSid={sid}".encode())).refusal == (
            NO_CONVERSATION
        )
        assert len(clients.hub.typed) == 1

    run_scenario(scenario)


async def bindings(clients: RealtimeClients) -> list[Any]:
    """Return every push binding that REST lists."""

    async def look(tx: Transaction) -> list[Any]:
        request = PageRequest(page=0, size=50, position=None)
        return await push_binding_store.list_push_bindings(
            tx, clients.instance.scope, request, types=[], identities=[]
        )

    return await clients.instance.store.read(look)


def test_a_device_is_registered_and_unregistered(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        await clients.session("bob", push_credential_sid=CR)
        made = await clients.request("bob", "POST", REGISTRATIONS, FCM, productId="ip_messaging")
        assert made.status == 201
        (binding,) = await bindings(clients)
        assert made.body == {"id": binding.sid}
        assert (binding.identity, binding.binding_type) == ("bob", "fcm")
        assert (binding.address, binding.credential_sid) == ("a device", CR)
        assert binding.endpoint.startswith("bob:")
        assert "a device" not in binding.endpoint
        assert binding.message_types == (
            '["new_message","added_to_conversation","removed_from_conversation"]'
        )
        # The same device again, and another one.
        again = await clients.request("bob", "POST", REGISTRATIONS, FCM | {"message_types": []})
        assert again.body == made.body
        other = FCM | {"channel_type": "apn", "data": {"registration_id": "another"}}
        second = await clients.request("bob", "POST", REGISTRATIONS, other)
        assert (await bindings(clients))[0].message_types == "[]"
        assert len(await bindings(clients)) == 2
        # No user removes another's binding, or learns whether it exists.
        assert await clients.delete("eve", f"{REGISTRATIONS}/{made.body['id']}") == (204, None)
        address = {"binding_type": "fcm", "address": "a device"}
        assert await clients.delete("eve", REGISTRATIONS, address) == (204, None)
        assert len(await bindings(clients)) == 2
        assert await clients.delete("bob", f"{REGISTRATIONS}/{second.body['id']}") == (204, None)
        assert await clients.delete("bob", f"{REGISTRATIONS}/{second.body['id']}") == (204, None)
        assert await clients.delete("bob", f"{REGISTRATIONS}/nothing") == (204, None)
        assert [each.sid for each in await bindings(clients)] == [binding.sid]
        assert await clients.delete("bob", REGISTRATIONS, address) == (204, None)
        assert await bindings(clients) == []

    run_scenario(scenario)


def test_the_endpoint_is_the_one_of_the_token(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        await clients.session("bob", endpoint_id="bob:web")
        await clients.request("bob", "POST", REGISTRATIONS, FCM)
        (binding,) = await bindings(clients)
        assert (binding.endpoint, binding.credential_sid) == ("bob:web", None)

    run_scenario(scenario)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"channel_type": "pigeon"}, (400, 50209)),
        ({"channel_type": "twilsock"}, (400, 50209)),
        ({"channel_type": None}, (400, 20001)),
        ({"data": {}}, (400, 20001)),
        ({"data": "a device"}, (400, 20001)),
        ({"data": {"registration_id": "d" * 4097}}, (400, 20001)),
        ({"message_types": ["t" * 129]}, (400, 20001)),
        ({"message_types": ["t"] * 21}, (400, 20001)),
    ],
)
def test_no_device(run_scenario: ScenarioRunner, change: Any, refused: tuple[int, int]) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        assert (
            await clients.request("bob", "POST", REGISTRATIONS, FCM | change)
        ).refusal == refused
        assert await bindings(clients) == []

    run_scenario(scenario)


def test_a_user_can_be_notified_while_it_has_a_device(run_scenario: ScenarioRunner) -> None:
    async def scenario(clients: RealtimeClients) -> None:
        service = {"ChatServiceSid": clients.instance.scope.service_sid}
        await clients.instance.do(
            "UpdateServiceConfiguration", {"ReachabilityEnabled": "true"}, **service
        )
        await clients.session("bob")

        async def notifiable() -> Any:
            return (await clients.get("alice", "Users/bob")).body["is_notifiable"]

        assert await notifiable() is None
        first = await clients.request("bob", "POST", REGISTRATIONS, FCM)
        assert await notifiable() is True
        other = FCM | {"data": {"registration_id": "another"}}
        second = await clients.request("bob", "POST", REGISTRATIONS, other)
        await clients.instance.do("DeleteServiceBinding", Sid=first.body["id"], **service)
        assert await notifiable() is True
        await clients.delete("bob", f"{REGISTRATIONS}/{second.body['id']}")
        assert await notifiable() is False

    run_scenario(scenario)


def test_devices_of_one_user_are_bounded(
    run_scenario: ScenarioRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parlour.vocabulary.limits.BINDINGS_PER_IDENTITY_MAX", 2)

    async def scenario(clients: RealtimeClients) -> None:
        made = [
            await clients.request(
                "bob", "POST", REGISTRATIONS, FCM | {"data": {"registration_id": str(number)}}
            )
            for number in range(3)
        ]
        remaining = [each.sid for each in await bindings(clients)]
        assert remaining == [each.body["id"] for each in made[1:]]

    run_scenario(scenario)
