"""Push bindings: where they are and what can be done."""

from __future__ import annotations

from parlour.operations import access
from parlour.operations.operation import (
    SERVICE_ONLY,
    Collection,
    OperationSpec,
    create,
    delete,
    fetch,
    list_,
)
from parlour.resources.bindings import actions, parameters, registrations, representation
from parlour.vocabulary import limits

BINDINGS = Collection(
    noun="Binding",
    is_setting=True,
    path="/Bindings",
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        list_(
            actions.list_bindings,
            key="bindings",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=parameters.ListBindings,
        ),
        fetch(actions.fetch_binding),
        delete(actions.delete_binding),
    ),
)

REGISTRATIONS_OF_CLIENTS = Collection(
    noun="ClientRegistration",
    service_noun="ClientRegistration",
    path="/Registrations",
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        create(registrations.register, parameters.RegisterDevice, permits=access.allow_any_user),
        delete(registrations.unregister, permits=access.allow_any_user),
        OperationSpec(
            verb="Forget",
            method="DELETE",
            on_instance=False,
            status=204,
            action=registrations.forget,
            parameters=parameters.ForgetDevice,
            permits=access.allow_any_user,
        ),
    ),
    listed=False,
)
"""The devices of a client's user; each user has to do with its own alone."""
