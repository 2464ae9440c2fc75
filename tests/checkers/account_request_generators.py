"""Request generators for users, roles, webhooks and settings (see `request_generators.py`)."""

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
    from tests.checkers.workload import KnownObject, WriterState


def listed(name: str, values: tuple[str, ...]) -> Form:
    """Return a list as form fields: its key once for each value."""
    return tuple((name, value) for value in values)


# Users


def user_path(state: WriterState, user: KnownObject) -> str:
    """Return a user's path, by SID or by identity."""
    key = user.sid
    if state.rng.random() < 0.3:
        key = quote(user.body["identity"], safe="")
    return f"{state.prefix(user.service_sid)}/Users/{key}"


def create_user(state: WriterState) -> Step:
    """Create a user of the default service, or of one of the writer's services."""
    stamp, service_sid = state.stamp(), some_service(state)
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
        "create_user", "user", "create", f"{state.prefix(service_sid)}/Users", form,
        parents=(service_sid,), changes=changes, statuses=CREATED,
    )  # fmt: skip


def update_user(state: WriterState) -> Step | None:
    """Change name and attributes, sometimes the role."""
    user = state.some("user")
    if user is None:
        return None
    stamp = state.stamp()
    form: Form = (("FriendlyName", f"name {stamp}"), ("Attributes", attributes(stamp)))
    changes = {"friendly_name": f"name {stamp}", "attributes": attributes(stamp)}
    if user.service_sid == state.world.service_sid and state.rng.random() < 0.3:
        changes["role_sid"] = state.rng.choice(state.world.service_role_sids)
        form += (("RoleSid", changes["role_sid"]),)
    return Step(
        "update_user", "user", "update", user_path(state, user), form, user.sid, user.parents,
        changes,
    )  # fmt: skip


def delete_user(state: WriterState) -> Step | None:
    """Delete a user and thereby all its memberships."""
    user = state.some("user")
    return delete(state, "user", user_path(state, user), user) if user else None


def user_conversation_path(state: WriterState, participant: KnownObject) -> str:
    """Return the path of a membership as its user sees it."""
    identity = quote(participant.body["identity"], safe="")
    prefix = state.prefix(participant.service_sid)
    return f"{prefix}/Users/{identity}/Conversations/{participant.parents[0]}"


def update_user_conversation(state: WriterState) -> Step | None:
    """Change the notification level or the read horizon."""
    found = state.some("participant")
    if found is None:
        return None
    level = state.rng.choice(("default", "muted"))
    form: Form = (("NotificationLevel", level),)
    changes: dict[str, object] = {"notification_level": level}
    if found.parents[0] in state.world.shared_sids and reads_through_user(found.sid):
        index = state.rng.randrange(3)
        form += (("LastReadMessageIndex", str(index)),)
        changes["last_read_message_index"] = index
    return Step(
        "update_user_conversation", "user_conversation", "update",
        user_conversation_path(state, found), form, found.sid, (found.sid, *found.parents),
        changes,
    )  # fmt: skip


def delete_user_conversation(state: WriterState) -> Step | None:
    """Delete a membership through the user's path."""
    found = state.some("participant")
    if found is None:
        return None
    return delete(state, "participant", user_conversation_path(state, found), found)


# Webhooks of one conversation


def create_scoped_webhook(state: WriterState) -> Step | None:
    """Create a webhook of one conversation, five at most."""
    conversation = state.some("conversation")
    if conversation is None or conversation.webhooks == 5:
        return None
    conversation.webhooks += 1
    stamp, prefix = state.stamp(), state.prefix(conversation.service_sid)
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


def update_scoped_webhook(state: WriterState) -> Step | None:
    """Change URL, method and filters."""
    found = state.some("scoped_webhook")
    if found is None:
        return None
    stamp, method = state.stamp(), state.rng.choice(("GET", "POST"))
    filters = tuple(state.rng.sample(FILTERS, 2))
    return Step(
        "update_scoped_webhook", "scoped_webhook", "update",
        f"{below(state, found)}/Webhooks/{found.sid}",
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


def delete_scoped_webhook(state: WriterState) -> Step | None:
    """Delete a webhook of one conversation."""
    found = state.some("scoped_webhook")
    if found is None:
        return None
    path = f"{below(state, found)}/Webhooks/{found.sid}"
    return delete(state, "scoped_webhook", path, found)


# Roles, credentials, addresses


def create_role(state: WriterState) -> Step:
    """Create a conversation role with some permissions."""
    stamp, service_sid = state.stamp(), some_service(state)
    permissions = tuple(state.rng.sample(PERMISSIONS, 2))
    return Step(
        "create_role", "role", "create", f"{state.prefix(service_sid)}/Roles",
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


def update_role(state: WriterState) -> Step | None:
    """Replace all permissions of a role."""
    role = state.some("role")
    if role is None:
        return None
    permissions = tuple(state.rng.sample(PERMISSIONS, state.rng.randrange(1, 5)))
    return Step(
        "update_role", "role", "update", f"{state.prefix(role.service_sid)}/Roles/{role.sid}",
        listed("Permission", permissions), role.sid, role.parents,
        {"permissions": list(permissions)},
    )  # fmt: skip


def delete_role(state: WriterState) -> Step | None:
    """Delete a role without holders."""
    role = state.some("role")
    if role is None:
        return None
    return delete(state, "role", f"{state.prefix(role.service_sid)}/Roles/{role.sid}", role)


def create_credential(state: WriterState) -> Step:
    """Create a push credential."""
    stamp = state.stamp()
    return Step(
        "create_credential", "credential", "create", "/v1/Credentials",
        (("Type", "fcm"), ("FriendlyName", stamp), ("Secret", f"secret of {stamp}")),
        changes={"friendly_name": stamp, "type": "fcm"}, statuses=CREATED,
    )  # fmt: skip


def update_credential(state: WriterState) -> Step | None:
    """Change name and secret."""
    found = state.some("credential")
    if found is None:
        return None
    stamp = state.stamp()
    return Step(
        "update_credential", "credential", "update", f"/v1/Credentials/{found.sid}",
        (("FriendlyName", stamp), ("Secret", f"secret of {stamp}")), found.sid,
        changes={"friendly_name": stamp},
    )  # fmt: skip


def delete_credential(state: WriterState) -> Step | None:
    """Delete a push credential."""
    found = state.some("credential")
    if found is None:
        return None
    return delete(state, "credential", f"/v1/Credentials/{found.sid}", found)


def create_address(state: WriterState) -> Step:
    """Create a configuration for messages from unknown addresses to an address of the account."""
    stamp, address = state.stamp(), number(state, 5)
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


def address_path(state: WriterState, found: KnownObject) -> str:
    """Return the path of an address configuration, by SID or by its address."""
    key = found.sid if state.rng.random() < 0.7 else quote(found.body["address"], safe="")
    return f"/v1/Configuration/Addresses/{key}"


def update_address(state: WriterState) -> Step | None:
    """Change name and webhook."""
    found = state.some("address")
    if found is None:
        return None
    stamp = state.stamp()
    return Step(
        "update_address", "address", "update", address_path(state, found),
        (("FriendlyName", stamp), ("AutoCreation.WebhookUrl", hook_url(stamp))), found.sid,
        changes={"friendly_name": stamp, "auto_creation.webhook_url": hook_url(stamp)},
    )  # fmt: skip


def delete_address(state: WriterState) -> Step | None:
    """Delete an address configuration."""
    found = state.some("address")
    return delete(state, "address", address_path(state, found), found) if found else None


def delete_push_binding(state: WriterState) -> Step | None:
    """Delete a push binding of the default service."""
    found = state.some("push_binding")
    if found is None:
        return None
    path = f"/v1/Services/{found.service_sid}/Bindings/{found.sid}"
    return delete(state, "push_binding", path, found)


# Services and settings


def create_service(state: WriterState) -> Step:
    """Create a service, with the four roles and the settings that come with it."""
    stamp = state.stamp()
    return Step(
        "create_service", "service", "create", "/v1/Services", (("FriendlyName", stamp),),
        changes={"friendly_name": stamp}, statuses=CREATED,
    )  # fmt: skip


def delete_service(state: WriterState) -> Step | None:
    """Delete a service with everything in it."""
    found = state.some("service")
    return delete(state, "service", f"/v1/Services/{found.sid}", found) if found else None


def settings(
    state: WriterState, kind: str, path: str, form: Form, changes: dict[str, object]
) -> Step:
    """Change one of the settings of the writer's own services."""
    service = state.some("service")
    assert service is not None
    return Step(
        f"update_{kind}", kind, "update", f"/v1/Services/{service.sid}/Configuration{path}",
        form, service.sid, (service.sid,), changes,
    )  # fmt: skip


def update_service_configuration(state: WriterState) -> Step | None:
    """Switch reachability of a service."""
    if state.some("service") is None:
        return None
    is_enabled = state.rng.random() < 0.5
    form = (("ReachabilityEnabled", str(is_enabled).lower()),)
    changes: dict[str, object] = {"reachability_enabled": is_enabled}
    return settings(state, "service_configuration", "", form, changes)


def update_service_notification(state: WriterState) -> Step | None:
    """Change two of the three objects of push settings in one request."""
    if state.some("service") is None:
        return None
    stamp = state.stamp()
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
    return settings(state, "service_notification", "/Notifications", form, changes)


def update_service_webhooks(state: WriterState) -> Step | None:
    """Change both URLs and the filters of a service's webhooks."""
    if state.some("service") is None:
        return None
    stamp, filters = state.stamp(), tuple(state.rng.sample(FILTERS, 2))
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
    return settings(state, "service_webhooks", "/Webhooks", form, changes)


def update_account_settings(state: WriterState) -> Step | None:
    """Change account settings: one writer owns the timers, one the webhooks."""
    if state.number == 0:
        hours, days = state.rng.randrange(1, 24), state.rng.randrange(2, 7)
        return Step(
            "update_configuration", "configuration", "update", "/v1/Configuration",
            (("DefaultInactiveTimer", f"PT{hours}H"), ("DefaultClosedTimer", f"P{days}D")),
            "configuration",
            changes={
                "default_inactive_timer": f"PT{hours}H",
                "default_closed_timer": f"P{days}D",
            },
        )  # fmt: skip
    if state.number == 1:
        stamp, filters = state.stamp(), tuple(state.rng.sample(FILTERS, 2))
        return Step(
            "update_account_webhooks", "account_webhooks", "update",
            "/v1/Configuration/Webhooks",
            (("PostWebhookUrl", hook_url(stamp)), *listed("Filters", filters)),
            "account_webhooks",
            changes={"post_webhook_url": hook_url(stamp), "filters": list(filters)},
        )  # fmt: skip
    return None
