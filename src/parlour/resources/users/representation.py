"""Representations of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from parlour.protocol.timestamps import format_date, format_date_ms
from parlour.protocol.webhook_parameters import (
    ADDED,
    UPDATE,
    UPDATED,
    WebhookParameter,
    boolean_text,
    date_text,
)
from parlour.vocabulary import client_urls
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.resources.users.store import User

# The members of webhook requests; resources/webhook_forms.py adds those that every request has.
WEBHOOK_PARAMETERS: Final = (
    WebhookParameter("DateCreated", "date_created", date_text, ADDED | UPDATED),
    WebhookParameter("DateUpdated", "date_updated", date_text, UPDATE | UPDATED),
    WebhookParameter("UserSid", "sid"),
    WebhookParameter("Identity", "identity"),
    WebhookParameter("RoleSid", "role_sid"),
    WebhookParameter("Attributes", "attributes"),
    WebhookParameter("FriendlyName", "friendly_name"),
    WebhookParameter("isOnline", "is_online", boolean_text, UPDATED),
    WebhookParameter("isNotifiable", "is_notifiable", boolean_text, UPDATED),
)


def _claim(value: int | None, view: View) -> bool | None:
    """Return whether a user is reachable; None in lists and if the record has no value."""
    return None if view.is_list or value is None else bool(value)


def resource(user: User, view: View) -> dict[str, Any]:
    """Return the REST resource, keys in documented order."""
    url = f"{view.base_url}/Users/{user.sid}"
    return {
        "sid": user.sid,
        "account_sid": user.account_sid,
        "chat_service_sid": user.service_sid,
        "role_sid": user.role_sid,
        "identity": user.identity,
        "friendly_name": user.friendly_name,
        "attributes": user.attributes,
        "is_online": _claim(user.is_online, view),
        "is_notifiable": _claim(user.is_notifiable, view),
        "date_created": format_date(user.date_created),
        "date_updated": format_date(user.date_updated),
        "url": url,
        "links": {"user_conversations": f"{url}/Conversations"},
    }


def realtime_items(user: User, *, shows_reachability: bool) -> dict[str, dict[str, Any]]:
    """Return the entries of a user's map of properties, by key in order."""
    shown: dict[str, dict[str, Any]] = {
        "attributes": {"value": user.attributes},
        "friendlyName": {"value": user.friendly_name},
    }
    if shows_reachability:
        shown["reachability"] = {
            "online": bool(user.is_online),
            "notifiable": bool(user.is_notifiable),
        }
    return shown


def client_resource(user: User) -> dict[str, Any]:
    """Return what clients see of a user, in the response to a command."""
    online, notifiable = user.is_online, user.is_notifiable
    return {
        "sid": user.sid,
        "account_sid": user.account_sid,
        "chat_service_sid": user.service_sid,
        "identity": user.identity,
        "friendly_name": user.friendly_name,
        "attributes": user.attributes,
        "role_sid": user.role_sid,
        "is_online": None if online is None else bool(online),
        "is_notifiable": None if notifiable is None else bool(notifiable),
        "date_created": format_date_ms(user.date_created),
        "date_updated": format_date_ms(user.date_updated),
        "url": f"{client_urls.COMMANDS}/Users/{quote(user.identity, '')}",
        "sync_objects": {"user_info_map": ObjectName(ObjectKind.USER_INFO, user.sid).unique_name},
    }
