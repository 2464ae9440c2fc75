"""Scenarios with the resources of an account and of a service, through the PyPI client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.server_database import seed_push_binding

if TYPE_CHECKING:
    from tests.contract.python_client import ScenarioUrls

STUDIO_FLOW = "FW" + "0" * 31 + "1"
MESSAGING_SERVICE = "MG" + "0" * 31 + "1"


def configuration(place: ScenarioUrls) -> None:
    v1 = place.client.conversations.v1
    before = v1.configuration().fetch()
    assert before.account_sid == place.account_sid
    assert before.default_chat_service_sid.startswith("IS")
    assert before.default_messaging_service_sid.startswith("MG")
    assert (before.default_inactive_timer, before.default_closed_timer) == (None, None)
    assert before.links["webhooks"] == f"{place.server.base_url}/v1/Configuration/Webhooks"

    changed = v1.configuration().update(default_inactive_timer="PT1M", default_closed_timer="PT10M")
    assert changed.default_inactive_timer == "PT1M"
    assert changed.default_closed_timer == "PT10M"
    assert changed.default_chat_service_sid == before.default_chat_service_sid
    timed = v1.conversations.create()
    assert set(timed.timers) == {"date_inactive", "date_closed"}
    timed.delete()
    off = v1.configuration().update(default_inactive_timer="PT0S", default_closed_timer="PT0S")
    assert (off.default_inactive_timer, off.default_closed_timer) == (None, None)


def account_webhooks(place: ScenarioUrls) -> None:
    webhooks = place.client.conversations.v1.configuration.webhooks()
    fresh = webhooks.fetch()
    assert (fresh.pre_webhook_url, fresh.post_webhook_url) == (None, None)
    assert (fresh.method, fresh.filters, fresh.target) == ("POST", [], "webhook")

    changed = webhooks.update(
        method="get",
        filters=["onMessageAdd", "onMessageAdded"],
        pre_webhook_url="https://example.com/pre",
        post_webhook_url="https://example.com/post",
        target="flex",
    )
    assert changed.method == "GET"
    assert changed.filters == ["onMessageAdd", "onMessageAdded"]
    assert changed.pre_webhook_url == "https://example.com/pre"
    assert changed.target == "flex"
    assert webhooks.fetch().post_webhook_url == "https://example.com/post"
    assert changed.url == f"{place.server.base_url}/v1/Configuration/Webhooks"
    cleared = webhooks.update(pre_webhook_url="", post_webhook_url="", filters=[""])
    assert (cleared.pre_webhook_url, cleared.post_webhook_url, cleared.filters) == (None, None, [])


def address_configurations(place: ScenarioUrls) -> None:
    addresses = place.client.conversations.v1.address_configurations
    made = addresses.create(
        type="sms",
        address="+37256123457",
        friendly_name="Front desk",
        auto_creation_enabled=True,
        auto_creation_type="webhook",
        auto_creation_webhook_url="https://example.com/new",
        auto_creation_webhook_method="get",
        auto_creation_webhook_filters=["onParticipantAdded", "onMessageAdded"],
    )
    assert made.sid.startswith("IG")
    assert (made.address, made.type, made.friendly_name) == ("+37256123457", "sms", "Front desk")
    assert made.auto_creation["enabled"] is True
    assert made.auto_creation["webhook_method"] == "GET"
    assert made.auto_creation["webhook_filters"] == ["onParticipantAdded", "onMessageAdded"]
    assert addresses(made.sid).fetch().address == made.address
    assert addresses("+37256123457").fetch().sid == made.sid

    changed = addresses(made.sid).update(
        auto_creation_type="studio",
        auto_creation_studio_flow_sid=STUDIO_FLOW,
        auto_creation_studio_retry_count=2,
    )
    assert changed.friendly_name == "Front desk"
    assert changed.auto_creation["studio_flow_sid"] == STUDIO_FLOW
    assert changed.auto_creation["studio_retry_count"] == 2
    assert changed.auto_creation["webhook_url"] is None
    other = addresses.create(type="whatsapp", address="whatsapp:+37256123458")
    assert [each.sid for each in addresses.list()] == [made.sid, other.sid]
    assert [each.sid for each in addresses.list(type="whatsapp")] == [other.sid]
    assert addresses(made.sid).delete() is True
    assert [each.sid for each in addresses.list()] == [other.sid]


def credentials(place: ScenarioUrls) -> None:
    keys = place.client.conversations.v1.credentials
    apn = keys.create(
        type="apn", friendly_name="Phones", certificate="one", private_key="two", sandbox=True
    )
    assert apn.sid.startswith("CR")
    assert (apn.type, apn.friendly_name, apn.sandbox) == ("apn", "Phones", "True")
    fcm = keys.create(type="fcm", secret="three")
    assert fcm.sandbox is None
    assert fcm.friendly_name is None
    assert [each.sid for each in keys.list()] == [apn.sid, fcm.sid]
    changed = keys(apn.sid).update(friendly_name="Tablets", sandbox=False)
    assert (changed.friendly_name, changed.sandbox) == ("Tablets", "False")
    assert keys(apn.sid).fetch().friendly_name == "Tablets"
    assert keys(apn.sid).delete() is True
    assert [each.sid for each in keys.list()] == [fcm.sid]


def services(place: ScenarioUrls) -> None:
    v1 = place.client.conversations.v1
    known = [each.sid for each in v1.services.list()]
    made = v1.services.create(friendly_name="Branch office")
    assert made.sid.startswith("IS")
    assert made.friendly_name == "Branch office"
    assert made.date_created == made.date_updated
    assert set(made.links) == {
        "bindings",
        "configuration",
        "conversation_with_participants",
        "conversations",
        "participant_conversations",
        "roles",
        "users",
    }
    fetched = v1.services(made.sid).fetch()
    assert (fetched.friendly_name, fetched.url) == (made.friendly_name, made.url)
    assert [each.sid for each in v1.services.list()] == [*known, made.sid]
    conversation = v1.services(made.sid).conversations.create()
    assert conversation.chat_service_sid == made.sid
    assert v1.services(made.sid).delete() is True
    assert [each.sid for each in v1.services.list()] == known


def service_configuration(place: ScenarioUrls) -> None:
    service = place.client.conversations.v1.services(place.service_sid)
    roles = {role.friendly_name: role for role in service.roles.list()}
    assert set(roles) >= {"service admin", "service user", "channel admin", "channel user"}
    before = service.configuration().fetch()
    assert before.chat_service_sid == place.service_sid
    assert before.default_conversation_creator_role_sid == roles["channel admin"].sid
    assert before.default_conversation_role_sid == roles["channel user"].sid
    assert before.default_chat_service_role_sid == roles["service user"].sid
    assert before.reachability_enabled is False

    changed = service.configuration().update(
        default_conversation_role_sid=roles["channel admin"].sid, reachability_enabled=True
    )
    assert changed.default_conversation_role_sid == roles["channel admin"].sid
    assert changed.reachability_enabled is True
    assert changed.default_chat_service_role_sid == roles["service user"].sid
    restored = service.configuration().update(
        default_conversation_role_sid=roles["channel user"].sid, reachability_enabled=False
    )
    assert restored.default_conversation_role_sid == roles["channel user"].sid


def service_webhooks(place: ScenarioUrls) -> None:
    webhooks = place.client.conversations.v1.services(place.service_sid).configuration.webhooks()
    fresh = webhooks.fetch()
    values = (fresh.pre_webhook_url, fresh.post_webhook_url, fresh.filters, fresh.method)
    assert values == (None, None, None, None)
    changed = webhooks.update(
        post_webhook_url="https://example.com/post", filters=["onUserAdded"], method="GET"
    )
    assert changed.post_webhook_url == "https://example.com/post"
    assert (changed.filters, changed.method) == (["onUserAdded"], "GET")
    assert webhooks.fetch().filters == ["onUserAdded"]
    assert changed.chat_service_sid == place.service_sid


def service_notifications(place: ScenarioUrls) -> None:
    service = place.client.conversations.v1.services(place.service_sid)
    notifications = service.configuration.notifications()
    fresh = notifications.fetch()
    assert fresh.log_enabled is False
    assert fresh.new_message == {"enabled": False}
    assert fresh.added_to_conversation == {"enabled": False}
    assert fresh.removed_from_conversation == {"enabled": False}
    changed = notifications.update(
        log_enabled=True,
        new_message_enabled=True,
        new_message_template="${PARTICIPANT}: ${MESSAGE}",
        new_message_badge_count_enabled=True,
        new_message_with_media_enabled=True,
        added_to_conversation_sound="ring",
    )
    assert changed.log_enabled is True
    assert changed.new_message["template"] == "${PARTICIPANT}: ${MESSAGE}"
    assert changed.new_message["badge_count_enabled"] is True
    assert changed.new_message["with_media"]["enabled"] is True
    assert changed.added_to_conversation == {"enabled": False, "sound": "ring"}
    assert notifications.fetch().new_message == changed.new_message


def service_bindings(place: ScenarioUrls) -> None:
    bindings = place.client.conversations.v1.services(place.service_sid).bindings
    alice, bob = (
        seed_push_binding(place.server, place.account_sid, place.service_sid, identity, kind)
        for identity, kind in (("alice", "fcm"), ("bob", "apn"))
    )
    fetched = bindings(alice).fetch()
    assert (fetched.sid, fetched.identity, fetched.binding_type) == (alice, "alice", "fcm")
    assert fetched.chat_service_sid == place.service_sid
    assert fetched.message_types == ["new_message", "added_to_conversation"]
    assert {each.sid for each in bindings.list()} == {alice, bob}
    assert [each.sid for each in bindings.list(identity=["bob"])] == [bob]
    assert [each.sid for each in bindings.list(binding_type=["fcm", "gcm"])] == [alice]
    assert bindings(alice).delete() is True
    assert [each.sid for each in bindings.list()] == [bob]


SCENARIOS = (
    configuration,
    account_webhooks,
    address_configurations,
    credentials,
    services,
    service_configuration,
    service_webhooks,
    service_notifications,
    service_bindings,
)
