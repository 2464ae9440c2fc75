"""Users: where they are and what can be done. A new user asks nobody before it is made."""

from __future__ import annotations

from parlour.operations import access
from parlour.operations.operation import (
    SHORT_AND_SERVICE,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.users import actions, parameters, permits, representation

USERS = Collection(
    noun="User",
    path="/Users",
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(
        list_(actions.list_users, key="users"),
        create(actions.create_user, parameters.CreateUser, webhook_header=True),
        fetch(actions.fetch_user, permits=access.allow_any_user),
        update(
            actions.update_user,
            parameters.UpdateUser,
            webhook_header=True,
            pre_action="onUserUpdate",
            permits=permits.update_user,
        ),
        delete(actions.delete_user, webhook_header=True),
    ),
)
