"""Delete users; imports both ``users`` and ``participants``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.resources.user_removal import membership_cleanup as user_removal_membership_cleanup
from parlour.resources.users import actions as user_actions
from parlour.resources.users import store as user_store
from parlour.vocabulary import event_names

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.store.transaction import Transaction


async def delete_user(tx: Transaction, call: Call[NoParameters]) -> None:
    """Delete a user with its memberships and its push bindings."""
    user = await user_actions.user_in_path_for_update(tx, call)
    await user_removal_membership_cleanup.remove_memberships(tx, call.scope, user)
    await user_store.delete_push_bindings(tx, call.scope, user.identity)
    await user_store.delete_user_row(tx, call.scope, user.sid)
    await tx.emit(
        call.scope, event_names.USER_REMOVED, subject_sid=user.sid, payload={"user": user}
    )
