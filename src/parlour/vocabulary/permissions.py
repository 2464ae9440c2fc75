"""Permissions, the role types that may have them, and the roles of a new service."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class RoleType(StrEnum):
    """The extent of a role: a whole service, or one conversation."""

    SERVICE = "service"
    CONVERSATION = "conversation"


class Permission(StrEnum):
    """A permission of connected users, by its name in the API."""

    ADD_PARTICIPANT = "addParticipant"
    ADD_NON_CHAT_PARTICIPANT = "addNonChatParticipant"
    CREATE_CONVERSATION = "createConversation"
    JOIN_CONVERSATION = "joinConversation"
    LEAVE_CONVERSATION = "leaveConversation"
    REMOVE_PARTICIPANT = "removeParticipant"
    DELETE_CONVERSATION = "deleteConversation"
    EDIT_CONVERSATION_NAME = "editConversationName"
    EDIT_CONVERSATION_ATTRIBUTES = "editConversationAttributes"
    SEND_MESSAGE = "sendMessage"
    SEND_MEDIA_MESSAGE = "sendMediaMessage"
    EDIT_OWN_MESSAGE = "editOwnMessage"
    EDIT_OWN_MESSAGE_ATTRIBUTES = "editOwnMessageAttributes"
    EDIT_ANY_MESSAGE = "editAnyMessage"
    EDIT_ANY_MESSAGE_ATTRIBUTES = "editAnyMessageAttributes"
    DELETE_OWN_MESSAGE = "deleteOwnMessage"
    DELETE_ANY_MESSAGE = "deleteAnyMessage"
    EDIT_OWN_USER_INFO = "editOwnUserInfo"
    EDIT_ANY_USER_INFO = "editAnyUserInfo"
    EDIT_OWN_PARTICIPANT_ATTRIBUTES = "editOwnParticipantAttributes"
    EDIT_ANY_PARTICIPANT_ATTRIBUTES = "editAnyParticipantAttributes"
    EDIT_NOTIFICATION_LEVEL = "editNotificationLevel"
    READ_CHANNEL_METADATA = "readChannelMetadata"


_SERVICE_ONLY = frozenset({Permission.CREATE_CONVERSATION, Permission.JOIN_CONVERSATION})
_CONVERSATION_ONLY = frozenset(
    {
        Permission.ADD_NON_CHAT_PARTICIPANT,
        Permission.LEAVE_CONVERSATION,
        Permission.SEND_MESSAGE,
        Permission.SEND_MEDIA_MESSAGE,
        Permission.DELETE_OWN_MESSAGE,
        Permission.EDIT_OWN_PARTICIPANT_ATTRIBUTES,
        Permission.EDIT_NOTIFICATION_LEVEL,
    }
)

PERMISSIONS: dict[RoleType, frozenset[Permission]] = {
    RoleType.SERVICE: frozenset(Permission) - _CONVERSATION_ONLY,
    RoleType.CONVERSATION: frozenset(Permission) - _SERVICE_ONLY,
}
"""The permissions that a role of each type may have."""


class DefaultRole(NamedTuple):
    """One of the roles of a new service.

    `setting` is the service setting that names the role, or None if none does.
    """

    friendly_name: str
    type: RoleType
    setting: str | None
    permissions: tuple[Permission, ...]


DEFAULT_ROLES: tuple[DefaultRole, ...] = (
    DefaultRole(
        "service admin",
        RoleType.SERVICE,
        None,
        (
            Permission.CREATE_CONVERSATION,
            Permission.JOIN_CONVERSATION,
            Permission.DELETE_CONVERSATION,
            Permission.EDIT_CONVERSATION_ATTRIBUTES,
            Permission.EDIT_CONVERSATION_NAME,
            Permission.ADD_PARTICIPANT,
            Permission.REMOVE_PARTICIPANT,
            Permission.EDIT_ANY_PARTICIPANT_ATTRIBUTES,
            Permission.EDIT_ANY_MESSAGE,
            Permission.DELETE_ANY_MESSAGE,
            Permission.EDIT_ANY_MESSAGE_ATTRIBUTES,
            Permission.EDIT_ANY_USER_INFO,
        ),
    ),
    DefaultRole(
        "service user",
        RoleType.SERVICE,
        "default_chat_service_role_sid",
        (
            Permission.CREATE_CONVERSATION,
            Permission.JOIN_CONVERSATION,
            Permission.EDIT_OWN_USER_INFO,
        ),
    ),
    DefaultRole(
        "channel admin",
        RoleType.CONVERSATION,
        "default_conversation_creator_role_sid",
        (
            Permission.SEND_MESSAGE,
            Permission.SEND_MEDIA_MESSAGE,
            Permission.LEAVE_CONVERSATION,
            Permission.EDIT_NOTIFICATION_LEVEL,
            Permission.DELETE_CONVERSATION,
            Permission.REMOVE_PARTICIPANT,
            Permission.EDIT_CONVERSATION_NAME,
            Permission.EDIT_CONVERSATION_ATTRIBUTES,
            Permission.ADD_PARTICIPANT,
            Permission.EDIT_ANY_PARTICIPANT_ATTRIBUTES,
            Permission.EDIT_ANY_MESSAGE,
            Permission.EDIT_ANY_MESSAGE_ATTRIBUTES,
            Permission.DELETE_ANY_MESSAGE,
        ),
    ),
    DefaultRole(
        "channel user",
        RoleType.CONVERSATION,
        "default_conversation_role_sid",
        (
            Permission.SEND_MESSAGE,
            Permission.SEND_MEDIA_MESSAGE,
            Permission.LEAVE_CONVERSATION,
            Permission.EDIT_NOTIFICATION_LEVEL,
            Permission.EDIT_OWN_PARTICIPANT_ATTRIBUTES,
            Permission.EDIT_OWN_MESSAGE,
            Permission.EDIT_OWN_MESSAGE_ATTRIBUTES,
            Permission.DELETE_OWN_MESSAGE,
        ),
    ),
)
"""The roles of a new service, in the order of their creation."""
