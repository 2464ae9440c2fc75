"""The configuration of a client: its options, its objects and the URLs of its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from parlour.vocabulary import client_urls, limits
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName

if TYPE_CHECKING:
    from parlour.realtime.session import Session
    from parlour.resources.service_configuration.store import ServiceConfiguration

# Clients do not cache replies.
_CACHE_INTERVAL: Final = "PT0S"
_REPORT_INTERVAL: Final = "PT5S"
# Users whose properties a client stays subscribed to after it has read them.
_USERS_FOLLOWED: Final = 100
_EMAIL_TYPES: Final = ("text/plain", "text/html")


def client_configuration(service: ServiceConfiguration, session: Session) -> dict[str, Any]:
    """Return the configuration of one client."""
    media = f"{session.root_url}/v1/Services/{session.scope.service_sid}/Media"
    return {
        "identity": session.identity,
        "account_sid": session.scope.account_sid,
        "chat_service_sid": session.scope.service_sid,
        "url": f"{client_urls.COMMANDS}/Configuration",
        "options": {
            "user_infos_to_subscribe": _USERS_FOLLOWED,
            "reachability_enabled": bool(service.reachability_enabled),
            "http_cache_interval": _CACHE_INTERVAL,
            "consumption_report_interval": _REPORT_INTERVAL,
            "my_conversations_page_size": limits.CLIENT_PAGE_SIZE_MAX,
            "media_attachments_count_limit": limits.MEDIA_PER_MESSAGE_MAX,
            "media_attachment_size_limit_in_mb": limits.MEDIA_BYTES_MAX // limits.MEBIBYTE,
            "media_attachments_total_size_limit_in_mb": (
                limits.MEDIA_PER_MESSAGE_BYTES_MAX // limits.MEBIBYTE
            ),
            "email_histories_allowed_mime_types": _EMAIL_TYPES,
            "email_bodies_allowed_mime_types": _EMAIL_TYPES,
        },
        "sync_objects": {
            "my_conversations": ObjectName(
                ObjectKind.MY_CONVERSATIONS, session.user_sid
            ).unique_name,
            "my_user_info": ObjectName(ObjectKind.USER_INFO, session.user_sid).unique_name,
        },
        "links": {
            "my_conversations": f"{client_urls.COMMANDS}/MyConversations",
            "conversations": f"{client_urls.COMMANDS}/Conversations",
            "users": f"{client_urls.COMMANDS}/Users",
            "current_user": f"{client_urls.COMMANDS}/Users/{quote(session.identity, '')}",
            "typing": f"{client_urls.COMMANDS}/Typing",
            "messages_receipts": f"{client_urls.COMMANDS}/Conversations/%s/Messages/%s/Receipts",
            "media_service": media,
            "media_set_service": f"{media}Set",
        },
    }
