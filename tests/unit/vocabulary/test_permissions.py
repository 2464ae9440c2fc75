"""The permissions of each role type, and the roles of a new service."""

from __future__ import annotations

import pytest

from parlour.vocabulary.permissions import (
    DEFAULT_ROLES,
    PERMISSIONS,
    DefaultRole,
    Permission,
    RoleType,
)


@pytest.mark.parametrize(
    ("name", "service", "conversation"),
    [
        ("addParticipant", True, True),
        ("addNonChatParticipant", False, True),
        ("createConversation", True, False),
        ("joinConversation", True, False),
        ("leaveConversation", False, True),
        ("removeParticipant", True, True),
        ("deleteConversation", True, True),
        ("editConversationName", True, True),
        ("editConversationAttributes", True, True),
        ("sendMessage", False, True),
        ("sendMediaMessage", False, True),
        ("editOwnMessage", True, True),
        ("editOwnMessageAttributes", True, True),
        ("editAnyMessage", True, True),
        ("editAnyMessageAttributes", True, True),
        ("deleteOwnMessage", False, True),
        ("deleteAnyMessage", True, True),
        ("editOwnUserInfo", True, True),
        ("editAnyUserInfo", True, True),
        ("editOwnParticipantAttributes", False, True),
        ("editAnyParticipantAttributes", True, True),
        ("editNotificationLevel", False, True),
        ("readChannelMetadata", True, True),
    ],
)
def test_a_permission_belongs_to_its_types(name: str, *, service: bool, conversation: bool) -> None:
    assert (name in PERMISSIONS[RoleType.SERVICE]) is service
    assert (name in PERMISSIONS[RoleType.CONVERSATION]) is conversation


def test_there_are_no_other_permissions() -> None:
    assert len(Permission) == 23
    assert PERMISSIONS[RoleType.SERVICE] | PERMISSIONS[RoleType.CONVERSATION] == set(Permission)


def test_the_default_roles_come_in_their_order() -> None:
    assert [(role.friendly_name, role.type, role.setting) for role in DEFAULT_ROLES] == [
        ("service admin", "service", None),
        ("service user", "service", "default_chat_service_role_sid"),
        ("channel admin", "conversation", "default_conversation_creator_role_sid"),
        ("channel user", "conversation", "default_conversation_role_sid"),
    ]


@pytest.mark.parametrize("role", DEFAULT_ROLES, ids=lambda role: role.friendly_name)
def test_a_default_role_has_permissions_of_its_type_only(role: DefaultRole) -> None:
    assert set(role.permissions) <= PERMISSIONS[role.type]
    assert len(set(role.permissions)) == len(role.permissions)


def test_the_user_role_is_as_documented() -> None:
    assert DEFAULT_ROLES[1].permissions == (
        "createConversation",
        "joinConversation",
        "editOwnUserInfo",
    )
    assert [len(role.permissions) for role in DEFAULT_ROLES] == [12, 3, 13, 8]
