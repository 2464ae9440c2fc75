"""Actions on the notification settings of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from parlour.resources.changes import settings_saver
from parlour.resources.service_notifications import store as service_notification_store
from parlour.resources.service_notifications.store import NotificationTemplate, ServiceNotification
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.resources.service_notifications.parameters import UpdateServiceNotification
    from parlour.store.transaction import Transaction


_save = settings_saver(
    ServiceNotification,
    event_names.SERVICE_CHANGED,
    "service_notification",
    service_notification_store.save_service_notification,
)


async def fetch_service_notification(
    tx: Transaction, call: Call[NoParameters]
) -> ServiceNotification:
    """Return the service's notification settings."""
    return await service_notification_store.get_service_notification(tx, call.scope)


async def update_service_notification(
    tx: Transaction, call: Call[UpdateServiceNotification]
) -> ServiceNotification:
    """Update the service's notification settings."""
    before = await service_notification_store.get_service_notification(tx, call.scope)
    after = _changed(before, call.parameters.given())
    await _save(tx, call.scope, after)
    return after


def _changed(before: ServiceNotification, given: dict[str, Any]) -> ServiceNotification:
    """Return the settings with the given values, each set in the template its name starts with."""
    new_message = _with_sent_values(before.new_message, given, "new_message_")
    with_media = _with_sent_values(
        before.new_message.with_media or NotificationTemplate(), given, "with_media_"
    )
    if before.new_message.with_media is not None or _sent_values(given, "with_media_"):
        new_message = msgspec.structs.replace(new_message, with_media=with_media)
    return msgspec.structs.replace(
        before,
        log_enabled=given.get("log_enabled", before.log_enabled),
        new_message=new_message,
        added_to_conversation=_with_sent_values(
            before.added_to_conversation, given, "added_to_conversation_"
        ),
        removed_from_conversation=_with_sent_values(
            before.removed_from_conversation, given, "removed_from_conversation_"
        ),
    )


def _with_sent_values(
    before: NotificationTemplate, given: dict[str, Any], prefix: str
) -> NotificationTemplate:
    return msgspec.structs.replace(before, **_sent_values(given, prefix))


def _sent_values(given: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)
    }
