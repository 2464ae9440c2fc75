"""Permits for users: read all of them, update oneself, or anyone with the permission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.operations import access
from parlour.resources.users import actions as user_actions
from parlour.vocabulary.permissions import Permission

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.store.transaction import Transaction


async def update_user(tx: Transaction, call: Call[Any]) -> None:
    """Permit a name or attributes; a role in a shared conversation may grant it too."""
    user = await user_actions.user_in_path(tx, call, variable="Sid")
    access.allow_only(call, "FriendlyName", "Attributes")
    permissions = [Permission.EDIT_ANY_USER_INFO]
    if user.identity == access.caller_identity(call):
        permissions.append(Permission.EDIT_OWN_USER_INFO)
    await access.require_shared_conversation(tx, call, *permissions, identity=user.identity)
