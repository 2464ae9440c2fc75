"""Representations of the notification settings of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.service_notifications.store import (
        NotificationTemplate,
        ServiceNotification,
    )


def _notice(template: NotificationTemplate) -> dict[str, Any]:
    """Return whether the template is enabled, and its members that are set."""
    members = {
        "template": template.template,
        "badge_count_enabled": template.badge_count_enabled,
        "sound": template.sound,
        "with_media": None if template.with_media is None else _notice(template.with_media),
    }
    set_members = {name: value for name, value in members.items() if value is not None}
    return {"enabled": template.enabled, **set_members}


def resource(settings: ServiceNotification, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    service_url = f"{view.root_url}/Services/{settings.service_sid}"
    return {
        "account_sid": settings.account_sid,
        "chat_service_sid": settings.service_sid,
        "log_enabled": settings.log_enabled,
        "added_to_conversation": _notice(settings.added_to_conversation),
        "new_message": _notice(settings.new_message),
        "removed_from_conversation": _notice(settings.removed_from_conversation),
        "url": f"{service_url}/Configuration/Notifications",
    }
