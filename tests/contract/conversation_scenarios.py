"""Scenarios with conversations, users and roles, through the PyPI client, in both URL forms."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.contract.python_client import ScenarioUrls

PROXY = "+15017122661"
MOMENT = datetime(2023, 5, 4, 9, 42, tzinfo=UTC)


def conversations(place: ScenarioUrls) -> None:
    collection = place.resources.conversations
    made = collection.create(
        friendly_name="Home Repair Visit",
        unique_name="repair-1",
        attributes='{ "topic": "feedback" }',
        date_created=MOMENT,
        timers_closed="P7D",
        x_twilio_webhook_enabled="true",
    )
    assert made.sid.startswith("CH")
    assert made.account_sid == place.account_sid
    assert made.chat_service_sid == place.service_sid
    assert made.attributes == '{ "topic": "feedback" }'
    assert made.date_created == MOMENT
    assert (made.state, set(made.timers), made.bindings) == ("active", {"date_closed"}, None)
    assert made.url == place.url(f"/Conversations/{made.sid}")
    assert made.links["messages"] == place.url(f"/Conversations/{made.sid}/Messages")
    assert collection("repair-1").fetch().sid == made.sid
    other = collection.create()
    assert {each.sid for each in collection.list()} >= {made.sid, other.sid}
    old = collection.list(start_date="2023-05-04", end_date="2023-05-05", state="active")
    assert [each.sid for each in old] == [made.sid]

    changed = collection(made.sid).update(
        friendly_name="Done", unique_name="", state="inactive", timers_closed="PT0S"
    )
    assert (changed.friendly_name, changed.unique_name) == ("Done", None)
    assert (changed.state, changed.timers) == ("inactive", {})
    assert made.delete() is True
    assert made.sid not in {each.sid for each in collection.list()}
    assert other.delete() is True


def messages(place: ScenarioUrls) -> None:
    conversation = place.resources.conversations.create()
    alice = conversation.participants.create(identity="alice")
    first = conversation.messages.create(
        author="alice", body="Hello", attributes='{"importance": "high"}', date_created=MOMENT
    )
    assert first.sid.startswith("IM")
    assert (first.index, first.body, first.author) == (0, "Hello", "alice")
    assert first.participant_sid == alice.sid
    assert first.date_created == MOMENT
    assert (first.media, first.delivery, first.content_sid) == (None, None, None)
    place.shows_service(first)
    second = conversation.messages.create(body="Über ☎️", x_twilio_webhook_enabled="true")
    assert (second.index, second.author, second.participant_sid) == (1, "system", None)
    assert [each.body for each in conversation.messages.list()] == ["Hello", "Über ☎️"]
    assert [each.index for each in conversation.messages.list(order="desc")] == [1, 0]
    assert conversation.messages(first.sid).fetch().attributes == '{"importance": "high"}'

    changed = conversation.messages(first.sid).update(body="Hello again", author="bob")
    assert (changed.body, changed.author, changed.participant_sid) == ("Hello again", "bob", None)
    assert changed.index == 0
    assert changed.url == place.url(f"/Conversations/{conversation.sid}/Messages/{first.sid}")
    assert conversation.messages(first.sid).delete() is True
    assert [each.sid for each in conversation.messages.list()] == [second.sid]
    assert conversation.messages.create(body="next").index == 2


def receipts(place: ScenarioUrls) -> None:
    conversation = place.resources.conversations.create()
    phone = conversation.participants.create(
        messaging_binding_address=place.number(1), messaging_binding_proxy_address=PROXY
    )
    message = conversation.messages.create(body="Your plumber is here")
    assert message.delivery["total"] == 1
    receipt = eventually(
        conversation.messages(message.sid).delivery_receipts.list,
        lambda seen: seen and seen[0].status == "delivered",
    )[0]
    assert receipt.sid.startswith("DY")
    assert receipt.participant_sid == phone.sid
    assert receipt.message_sid == message.sid
    assert (receipt.status, receipt.error_code) == ("delivered", 0)
    assert receipt.channel_message_sid.startswith("SM")
    place.shows_service(receipt)
    fetched = conversation.messages(message.sid).delivery_receipts(receipt.sid).fetch()
    assert (fetched.status, fetched.url) == ("delivered", receipt.url)
    assert conversation.messages(message.sid).fetch().delivery == {
        "total": 1,
        "sent": "all",
        "delivered": "all",
        "read": "none",
        "failed": "none",
        "undelivered": "none",
    }


def participants(place: ScenarioUrls) -> None:
    conversation = place.resources.conversations.create()
    members = conversation.participants
    alice = members.create(identity="alice@example.com", attributes='{"role": "driver"}')
    assert alice.sid.startswith("MB")
    assert (alice.identity, alice.messaging_binding) == ("alice@example.com", None)
    assert alice.role_sid.startswith("RL")
    assert (alice.last_read_message_index, alice.last_read_timestamp) == (None, None)
    place.shows_service(alice)
    phone = members.create(
        messaging_binding_address=place.number(2), messaging_binding_proxy_address=PROXY
    )
    assert phone.identity is None
    assert phone.messaging_binding == {
        "type": "sms",
        "address": place.number(2),
        "proxy_address": PROXY,
    }
    assert [each.sid for each in members.list()] == [alice.sid, phone.sid]
    assert members("alice@example.com").fetch().sid == alice.sid
    conversation.messages.create(body="one")

    changed = members(alice.sid).update(
        attributes='{"seat":"2A"}',
        date_created=MOMENT,
        date_updated=MOMENT,
        last_read_message_index=0,
        last_read_timestamp="2025-05-04T09:42:00Z",
        x_twilio_webhook_enabled="true",
    )
    assert changed.attributes == '{"seat":"2A"}'
    assert (changed.date_created, changed.date_updated) == (MOMENT, MOMENT)
    assert (changed.last_read_message_index, changed.identity) == (0, "alice@example.com")
    assert changed.last_read_timestamp == "2025-05-04T09:42:00Z"
    moved = members(phone.sid).update(messaging_binding_proxy_address="+15017122662")
    assert moved.messaging_binding["proxy_address"] == "+15017122662"
    assert members(phone.sid).delete() is True
    assert [each.sid for each in members.list()] == [alice.sid]


def scoped_webhooks(place: ScenarioUrls) -> None:
    conversation = place.resources.conversations.create()
    hook = conversation.webhooks.create(
        target="webhook",
        configuration_url="https://example.com/hook",
        configuration_method="get",
        configuration_filters=["onMessageAdded", "onConversationRemoved"],
    )
    assert hook.sid.startswith("WH")
    assert hook.target == "webhook"
    assert hook.configuration == {
        "url": "https://example.com/hook",
        "method": "GET",
        "filters": ["onMessageAdded", "onConversationRemoved"],
    }
    place.shows_service(hook)
    trigger = conversation.webhooks.create(
        target="trigger",
        configuration_url="https://example.com/hook",
        configuration_triggers=["help", "stop"],
    )
    assert trigger.configuration["triggers"] == ["help", "stop"]
    assert [each.sid for each in conversation.webhooks.list()] == [hook.sid, trigger.sid]
    changed = conversation.webhooks(hook.sid).update(configuration_filters=["onMessageUpdated"])
    assert changed.configuration["filters"] == ["onMessageUpdated"]
    fetched = conversation.webhooks(hook.sid).fetch()
    assert fetched.configuration["url"] == "https://example.com/hook"
    assert conversation.webhooks(hook.sid).delete() is True
    assert [each.sid for each in conversation.webhooks.list()] == [trigger.sid]


def conversation_with_participants(place: ScenarioUrls) -> None:
    collection = place.resources.conversation_with_participants
    alone = collection.create(friendly_name="alone")
    assert (alone.state, alone.friendly_name) == ("active", "alone")
    binding = {"address": place.number(3), "proxy_address": PROXY}
    made = collection.create(
        friendly_name="together",
        participant=[
            json.dumps({"identity": "carol"}),
            json.dumps({"messaging_binding": binding, "attributes": '{"a":1}'}),
        ],
        x_twilio_webhook_enabled="true",
    )
    assert made.state == "initializing"
    assert made.url == place.url(f"/Conversations/{made.sid}")
    conversation = place.resources.conversations(made.sid)
    eventually(lambda: conversation.fetch().state, lambda state: state == "active")
    carol, phone = conversation.participants.list()
    assert carol.identity == "carol"
    assert phone.messaging_binding == {"type": "sms", **binding}
    assert phone.attributes == '{"a":1}'


def participant_conversations(place: ScenarioUrls) -> None:
    conversation = place.resources.conversations.create(friendly_name="found")
    member = conversation.participants.create(identity="dave")
    phone = conversation.participants.create(
        messaging_binding_address=place.number(4), messaging_binding_proxy_address=PROXY
    )
    found = place.resources.participant_conversations.list(identity="dave")
    assert [each.conversation_sid for each in found] == [conversation.sid]
    assert found[0].participant_sid == member.sid
    assert found[0].participant_user_sid.startswith("US")
    assert found[0].participant_messaging_binding is None
    assert found[0].conversation_friendly_name == "found"
    by_address = place.resources.participant_conversations.list(address=place.number(4))
    assert [each.participant_sid for each in by_address] == [phone.sid]
    assert by_address[0].participant_messaging_binding == {
        "type": "sms",
        "address": place.number(4),
        "proxy_address": PROXY,
        "projected_address": None,
        "level": None,
        "name": None,
    }
    assert place.resources.participant_conversations.list(identity="nobody") == []


def users(place: ScenarioUrls) -> None:
    collection = place.resources.users
    made = collection.create(
        identity="erin@example.com", friendly_name="Erin", attributes='{"duty":"tech"}'
    )
    assert made.sid.startswith("US")
    assert made.chat_service_sid == place.service_sid
    assert (made.is_online, made.is_notifiable) == (None, None)
    assert made.role_sid.startswith("RL")
    assert collection("erin@example.com").fetch().sid == made.sid
    assert made.sid in {each.sid for each in collection.list()}
    changed = collection(made.sid).update(friendly_name="E.", x_twilio_webhook_enabled="true")
    assert (changed.friendly_name, changed.attributes) == ("E.", '{"duty":"tech"}')
    assert changed.url == place.url(f"/Users/{made.sid}")
    assert collection("erin@example.com").delete() is True
    assert made.sid not in {each.sid for each in collection.list()}


def user_conversations(place: ScenarioUrls) -> None:
    conversation = place.resources.conversations.create(friendly_name="Visit")
    member = conversation.participants.create(identity="frank")
    conversation.messages.create(body="one")
    conversation.messages.create(body="two")
    mine = place.resources.users("frank").user_conversations
    fetched = mine(conversation.sid).fetch()
    assert (fetched.unread_messages_count, fetched.last_read_message_index) == (None, None)
    assert (fetched.participant_sid, fetched.friendly_name) == (member.sid, "Visit")
    assert (fetched.notification_level, fetched.conversation_state) == ("default", "active")
    changed = mine(conversation.sid).update(
        notification_level="muted", last_read_message_index=0, last_read_timestamp=MOMENT
    )
    assert (changed.unread_messages_count, changed.last_read_message_index) == (1, 0)
    assert changed.notification_level == "muted"
    assert conversation.participants("frank").fetch().last_read_timestamp == "2023-05-04T09:42:00Z"
    assert [each.conversation_sid for each in mine.list()] == [conversation.sid]
    assert mine(conversation.sid).delete() is True
    assert mine.list() == []
    assert conversation.participants.list() == []


def roles(place: ScenarioUrls) -> None:
    collection = place.resources.roles
    made = collection.create(
        friendly_name="reader",
        type="conversation",
        permission=["leaveConversation", "editNotificationLevel"],
    )
    assert made.sid.startswith("RL")
    assert (made.friendly_name, made.type) == ("reader", "conversation")
    assert made.permissions == ["leaveConversation", "editNotificationLevel"]
    changed = collection(made.sid).update(permission=["sendMessage"])
    assert changed.permissions == ["sendMessage"]
    assert collection(made.sid).fetch().permissions == ["sendMessage"]
    assert len(collection.list()) == 5
    assert collection(made.sid).delete() is True
    assert made.sid not in {each.sid for each in collection.list()}


def every_page(place: ScenarioUrls) -> None:
    conversation: Any = place.resources.conversations.create()
    for number in range(120):
        conversation.messages.create(body=str(number))
    expected = [str(number) for number in range(120)]
    assert [each.body for each in conversation.messages.list(limit=1000)] == expected
    assert [each.body for each in conversation.messages.stream(page_size=7)] == expected
    assert [each.body for each in conversation.messages.list(limit=30)] == expected[:30]
    page = conversation.messages.page(page_size=50)
    following = page.next_page()
    assert [each.body for each in following] == expected[50:100]
    assert [each.body for each in following.previous_page()] == expected[:50]
    again = conversation.messages.get_page(page.next_page_url)
    assert [each.body for each in again] == expected[50:100]


SCENARIOS = (
    conversations,
    messages,
    receipts,
    participants,
    scoped_webhooks,
    conversation_with_participants,
    participant_conversations,
    users,
    user_conversations,
    roles,
    every_page,
)
