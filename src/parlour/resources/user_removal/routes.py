"""The operation that deletes a user; the others are in ``users``."""

from __future__ import annotations

from parlour.operations.operation import SHORT_AND_SERVICE, Collection, delete
from parlour.resources.user_removal import actions as user_removal_actions
from parlour.resources.users import representation as user_representation

USER_REMOVAL = Collection(
    noun="User",
    path="/Users",
    url_forms=SHORT_AND_SERVICE,
    represent=user_representation.resource,
    specs=(delete(user_removal_actions.delete_user, webhook_header=True),),
)
