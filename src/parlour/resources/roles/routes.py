"""Roles: where they are and what can be done."""

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
from parlour.resources.roles import actions, parameters, representation

ROLES = Collection(
    noun="Role",
    is_setting=True,
    path="/Roles",
    url_forms=SHORT_AND_SERVICE,
    represent=representation.resource,
    specs=(
        list_(actions.list_roles, key="roles"),
        create(actions.create_role, parameters.CreateRole),
        fetch(actions.fetch_role),
        update(actions.update_role, parameters.UpdateRole),
        delete(actions.delete_role),
    ),
)
