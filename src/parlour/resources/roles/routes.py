"""Routes of roles."""

from __future__ import annotations

from parlour.operations.operation import (
    SHORT_AND_SERVICE,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.roles import actions as role_actions
from parlour.resources.roles import parameters as role_parameters
from parlour.resources.roles import representation as role_representation

ROLES = Collection(
    noun="Role",
    is_setting=True,
    path="/Roles",
    url_forms=SHORT_AND_SERVICE,
    represent=role_representation.resource,
    specs=(
        list_(role_actions.list_roles, key="roles"),
        create(role_actions.create_role, role_parameters.CreateRole),
        fetch(role_actions.fetch_role),
        update(role_actions.update_role, role_parameters.UpdateRole),
        delete(role_actions.delete_role),
    ),
)
