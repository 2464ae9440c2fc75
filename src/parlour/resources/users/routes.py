"""Routes of users. Creating one calls no pre-action webhook."""

from __future__ import annotations

from parlour.operations import access
from parlour.operations.operation import (
    SHORT_AND_SERVICE,
    Collection,
    create,
    fetch,
    list_,
    update,
)
from parlour.resources.users import actions as user_actions
from parlour.resources.users import parameters as user_parameters
from parlour.resources.users import permits as user_permits
from parlour.resources.users import representation as user_representation

USERS = Collection(
    noun="User",
    path="/Users",
    url_forms=SHORT_AND_SERVICE,
    represent=user_representation.resource,
    specs=(
        list_(user_actions.list_users, key="users", shows_cursor=True),
        create(user_actions.create_user, user_parameters.CreateUser, webhook_header=True),
        fetch(user_actions.fetch_user, permits=access.allow_any_user),
        update(
            user_actions.update_user,
            user_parameters.UpdateUser,
            webhook_header=True,
            pre_action="onUserUpdate",
            permits=user_permits.update_user,
        ),
    ),
)
