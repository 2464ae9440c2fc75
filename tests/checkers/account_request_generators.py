"""The steps of users, roles, webhooks and settings: the other half of `request_generators.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.checkers.request_generators import (
    CREATED,
    FILTERS,
    PERMISSIONS,
    Form,
    attributes,
    below,
    delete,
    hook_url,
    number,
    reads_through_user,
    some_service,
)
from tests.checkers.request_log import Step

if TYPE_CHECKING:
    from tests.checkers.workload import KnownObject, WriterChoice


def listed(name: str, values: tuple[str, ...]) -> Form:
    """A list in a form: its key once for each value."""
    return tuple((name, value) for value in values)


# Users


def user_path(mind: WriterChoice, user: KnownObject) -> str:
    """A user's path: by sid, or by identity."""
    key = user.sid
    if mind.dice.random() < 0.3:
        key = quote(user.body["identity"], safe="")
    return f"{mind.prefix(user.service_sid)}/Users/{key}"


def create_user(mind: WriterChoice) -> Step:
    """A user of the default service, or of one of the writer's own."""
    stamp, service_sid = mind.stamp(), some_service(mind)
    changes = {
        "identity": f"user {stamp}",
        "friendly_name": f"name {stamp}",
        "attributes": attributes(stamp),
    }
    form: Form = (
        ("Identity", changes["identity"]),
        ("FriendlyName", changes["friendly_name"]),
        ("Attributes", changes["attributes"]),
    )
    return Step(
        "create_user", "user", "create", f"{mind.prefix(service_sid)}/Users", form,
        parents=(service_sid,), changes=changes, statuses=CREATED,
    )  # fmt: skip


def update_user(mind: WriterChoice) -> Step | None:
    """Another name, other attributes, at times another role."""
    user = mind.some("user")
    if user is None:
        return None
    stamp = mind.stamp()
    form: Form = (("FriendlyName", f"name {stamp}"), ("Attributes", attributes(stamp)))
    changes = {"friendly_name": f"name {stamp}", "attributes": attributes(stamp)}
    if user.service_sid == mind.world.service_sid and mind.dice.random() < 0.3:
        changes["role_sid"] = mind.dice.choice(mind.world.service_role_sids)
        form += (("RoleSid", changes["role_sid"]),)
    return Step(
        "update_user", "user", "update", user_path(mind, user), form, user.sid, user.parents,
        changes,
    )  # fmt: skip


def delete_user(mind: WriterChoice) -> Step | None:
    """A user goes, and leaves all its conversations."""
    user = mind.some("user")
    return delete(mind, "user", user_path(mind, user), user) if user else None


def user_conversation_path(mind: WriterChoice, participant: KnownObject) -> str:
    """The path of a membership as its user sees it."""
    identity = quote(participant.body["identity"], safe="")
    prefix = mind.prefix(participant.service_sid)
    return f"{prefix}/Users/{identity}/Conversations/{participant.parents[0]}"


def update_user_conversation(mind: WriterChoice) -> Step | None:
    """Quiet or not, and the read horizon."""
    found = mind.some("participant")
    if found is None:
        return None
    level = mind.dice.choice(("default", "muted"))
    form: Form = (("NotificationLevel", level),)
    changes: dict[str, object] = {"notification_level": level}
    if found.parents[0] in mind.world.shared_sids and reads_through_user(found.sid):
        index = mind.dice.randrange(3)
        form += (("LastReadMessageIndex", str(index)),)
        changes["last_read_message_index"] = index
    return Step(
        "update_user_conversation", "user_conversation", "update",
        user_conversation_path(mind, found), form, found.sid, (found.sid, *found.parents),
        changes,
    )  # fmt: skip


def delete_user_conversation(mind: WriterChoice) -> Step | None:
    """The same as the removal of the participant, by another path."""
    found = mind.some("participant")
    if found is None:
        return None
    return delete(mind, "participant", user_conversation_path(mind, found), found)


# Webhooks of one conversation


def create_scoped_webhook(mind: WriterChoice) -> Step | None:
    """A webhook of one conversation, five at most."""
    conversation = mind.some("conversation")
    if conversation is None or conversation.webhooks == 5:
        return None
    conversation.webhooks += 1
    stamp, prefix = mind.stamp(), mind.prefix(conversation.service_sid)
    return Step(
        "create_scoped_webhook", "scoped_webhook", "create",
        f"{prefix}/Conversations/{conversation.sid}/Webhooks",
        (
            ("Target", "webhook"),
            ("Configuration.Url", hook_url(stamp)),
            *listed("Configuration.Filters", FILTERS[:2]),
        ),
        parents=(conversation.sid, *conversation.parents),
        changes={
            "target": "webhook",
            "configuration.url": hook_url(stamp),
            "configuration.filters": list(FILTERS[:2]),
        },
        statuses=CREATED,
    )  # fmt: skip


def update_scoped_webhook(mind: WriterChoice) -> Step | None:
    """Another address, method and list."""
    found = mind.some("scoped_webhook")
    if found is None:
        return None
    stamp, method = mind.stamp(), mind.dice.choice(("GET", "POST"))
    filters = tuple(mind.dice.sample(FILTERS, 2))
    return Step(
        "update_scoped_webhook", "scoped_webhook", "update",
        f"{below(mind, found)}/Webhooks/{found.sid}",
        (
            ("Configuration.Url", hook_url(stamp)),
            ("Configuration.Method", method),
            *listed("Configuration.Filters", filters),
        ),
        found.sid, found.parents,
        {
            "configuration.url": hook_url(stamp),
            "configuration.method": method,
            "configuration.filters": list(filters),
        },
    )  # fmt: skip


def delete_scoped_webhook(mind: WriterChoice) -> Step | None:
    """A webhook of a conversation goes."""
    found = mind.some("scoped_webhook")
    if found is None:
        return None
    path = f"{below(mind, found)}/Webhooks/{found.sid}"
    return delete(mind, "scoped_webhook", path, found)


# Roles, credentials, addresses


def create_role(mind: WriterChoice) -> Step:
    """A role of a conversation with some permissions."""
    stamp, service_sid = mind.stamp(), some_service(mind)
    permissions = tuple(mind.dice.sample(PERMISSIONS, 2))
    return Step(
        "create_role", "role", "create", f"{mind.prefix(service_sid)}/Roles",
        (
            ("FriendlyName", stamp),
            ("Type", "conversation"),
            *listed("Permission", permissions),
        ),
        parents=(service_sid,),
        changes={
            "friendly_name": stamp,
            "type": "conversation",
            "permissions": list(permissions),
        },
        statuses=CREATED,
    )  # fmt: skip


def update_role(mind: WriterChoice) -> Step | None:
    """Other permissions in place of all of a role's."""
    role = mind.some("role")
    if role is None:
        return None
    permissions = tuple(mind.dice.sample(PERMISSIONS, mind.dice.randrange(1, 5)))
    return Step(
        "update_role", "role", "update", f"{mind.prefix(role.service_sid)}/Roles/{role.sid}",
        listed("Permission", permissions), role.sid, role.parents,
        {"permissions": list(permissions)},
    )  # fmt: skip


def delete_role(mind: WriterChoice) -> Step | None:
    """A role that nobody holds goes."""
    role = mind.some("role")
    if role is None:
        return None
    return delete(mind, "role", f"{mind.prefix(role.service_sid)}/Roles/{role.sid}", role)


def create_credential(mind: WriterChoice) -> Step:
    """A push credential."""
    stamp = mind.stamp()
    return Step(
        "create_credential", "credential", "create", "/v1/Credentials",
        (("Type", "fcm"), ("FriendlyName", stamp), ("Secret", f"secret of {stamp}")),
        changes={"friendly_name": stamp, "type": "fcm"}, statuses=CREATED,
    )  # fmt: skip


def update_credential(mind: WriterChoice) -> Step | None:
    """Another name and secret."""
    found = mind.some("credential")
    if found is None:
        return None
    stamp = mind.stamp()
    return Step(
        "update_credential", "credential", "update", f"/v1/Credentials/{found.sid}",
        (("FriendlyName", stamp), ("Secret", f"secret of {stamp}")), found.sid,
        changes={"friendly_name": stamp},
    )  # fmt: skip


def delete_credential(mind: WriterChoice) -> Step | None:
    """A push credential goes."""
    found = mind.some("credential")
    if found is None:
        return None
    return delete(mind, "credential", f"/v1/Credentials/{found.sid}", found)


def create_address(mind: WriterChoice) -> Step:
    """What shall happen when a stranger writes to one of the account's numbers."""
    stamp, address = mind.stamp(), number(mind, 5)
    return Step(
        "create_address", "address", "create", "/v1/Configuration/Addresses",
        (
            ("Type", "sms"),
            ("Address", address),
            ("FriendlyName", stamp),
            ("AutoCreation.Enabled", "true"),
            ("AutoCreation.Type", "webhook"),
            ("AutoCreation.WebhookUrl", hook_url(stamp)),
            *listed("AutoCreation.WebhookFilters", FILTERS[:2]),
        ),
        changes={
            "address": address,
            "friendly_name": stamp,
            "auto_creation.enabled": True,
            "auto_creation.webhook_url": hook_url(stamp),
        },
        statuses=CREATED,
    )  # fmt: skip


def address_path(mind: WriterChoice, found: KnownObject) -> str:
    """The path of an address configuration: by sid, or by its address."""
    key = found.sid if mind.dice.random() < 0.7 else quote(found.body["address"], safe="")
    return f"/v1/Configuration/Addresses/{key}"


def update_address(mind: WriterChoice) -> Step | None:
    """Another name, another webhook."""
    found = mind.some("address")
    if found is None:
        return None
    stamp = mind.stamp()
    return Step(
        "update_address", "address", "update", address_path(mind, found),
        (("FriendlyName", stamp), ("AutoCreation.WebhookUrl", hook_url(stamp))), found.sid,
        changes={"friendly_name": stamp, "auto_creation.webhook_url": hook_url(stamp)},
    )  # fmt: skip


def delete_address(mind: WriterChoice) -> Step | None:
    """An address configuration goes."""
    found = mind.some("address")
    return delete(mind, "address", address_path(mind, found), found) if found else None


def delete_push_binding(mind: WriterChoice) -> Step | None:
    """A push binding of the default service goes."""
    found = mind.some("push_binding")
    if found is None:
        return None
    path = f"/v1/Services/{found.service_sid}/Bindings/{found.sid}"
    return delete(mind, "push_binding", path, found)


# Services and settings


def create_service(mind: WriterChoice) -> Step:
    """A service, with the four roles and the settings that come with it."""
    stamp = mind.stamp()
    return Step(
        "create_service", "service", "create", "/v1/Services", (("FriendlyName", stamp),),
        changes={"friendly_name": stamp}, statuses=CREATED,
    )  # fmt: skip


def delete_service(mind: WriterChoice) -> Step | None:
    """A service goes with everything in it."""
    found = mind.some("service")
    return delete(mind, "service", f"/v1/Services/{found.sid}", found) if found else None


def settings(
    mind: WriterChoice, kind: str, path: str, form: Form, changes: dict[str, object]
) -> Step:
    """A change to one of the settings of the writer's own services; the caller has one."""
    service = mind.some("service")
    assert service is not None
    return Step(
        f"update_{kind}", kind, "update", f"/v1/Services/{service.sid}/Configuration{path}",
        form, service.sid, (service.sid,), changes,
    )  # fmt: skip


def update_service_configuration(mind: WriterChoice) -> Step | None:
    """Whether a service shows who is online."""
    if mind.some("service") is None:
        return None
    is_enabled = mind.dice.random() < 0.5
    form = (("ReachabilityEnabled", str(is_enabled).lower()),)
    changes: dict[str, object] = {"reachability_enabled": is_enabled}
    return settings(mind, "service_configuration", "", form, changes)


def update_service_notification(mind: WriterChoice) -> Step | None:
    """Two of the three objects of push settings at once."""
    if mind.some("service") is None:
        return None
    stamp = mind.stamp()
    form = (
        ("NewMessage.Enabled", "true"),
        ("NewMessage.Template", stamp),
        ("AddedToConversation.Template", stamp),
        ("AddedToConversation.Sound", stamp),
    )
    changes: dict[str, object] = {
        "new_message.enabled": True,
        "new_message.template": stamp,
        "added_to_conversation.template": stamp,
        "added_to_conversation.sound": stamp,
    }
    return settings(mind, "service_notification", "/Notifications", form, changes)


def update_service_webhooks(mind: WriterChoice) -> Step | None:
    """Both addresses and the list of a service's webhooks."""
    if mind.some("service") is None:
        return None
    stamp, filters = mind.stamp(), tuple(mind.dice.sample(FILTERS, 2))
    form = (
        ("PreWebhookUrl", hook_url(f"{stamp}/pre")),
        ("PostWebhookUrl", hook_url(f"{stamp}/post")),
        *listed("Filters", filters),
    )
    changes: dict[str, object] = {
        "pre_webhook_url": hook_url(f"{stamp}/pre"),
        "post_webhook_url": hook_url(f"{stamp}/post"),
        "filters": list(filters),
    }
    return settings(mind, "service_webhooks", "/Webhooks", form, changes)


def update_account_settings(mind: WriterChoice) -> Step | None:
    """The account's own settings: one writer owns the timers, one the webhooks."""
    if mind.number == 0:
        hours, days = mind.dice.randrange(1, 24), mind.dice.randrange(2, 7)
        return Step(
            "update_configuration", "configuration", "update", "/v1/Configuration",
            (("DefaultInactiveTimer", f"PT{hours}H"), ("DefaultClosedTimer", f"P{days}D")),
            "configuration",
            changes={
                "default_inactive_timer": f"PT{hours}H",
                "default_closed_timer": f"P{days}D",
            },
        )  # fmt: skip
    if mind.number == 1:
        stamp, filters = mind.stamp(), tuple(mind.dice.sample(FILTERS, 2))
        return Step(
            "update_account_webhooks", "account_webhooks", "update",
            "/v1/Configuration/Webhooks",
            (("PostWebhookUrl", hook_url(stamp)), *listed("Filters", filters)),
            "account_webhooks",
            changes={"post_webhook_url": hook_url(stamp), "filters": list(filters)},
        )  # fmt: skip
    return None
