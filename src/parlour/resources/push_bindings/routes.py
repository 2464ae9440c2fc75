"""Routes of push bindings."""

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
from parlour.resources.push_bindings import actions as push_binding_actions
from parlour.resources.push_bindings import parameters as push_binding_parameters
from parlour.resources.push_bindings import registrations as push_binding_registrations
from parlour.resources.push_bindings import representation as push_binding_representation
from parlour.vocabulary import limits

PUSH_BINDINGS = Collection(
    noun="Binding",
    is_setting=True,
    path="/Bindings",
    url_forms=SERVICE_ONLY,
    represent=push_binding_representation.resource,
    specs=(
        list_(
            push_binding_actions.list_push_bindings,
            key="bindings",
            maximum=limits.PAGE_SIZE_MAX,
            parameters=push_binding_parameters.ListPushBindings,
        ),
        fetch(push_binding_actions.fetch_push_binding),
        delete(push_binding_actions.delete_push_binding),
    ),
)

CLIENT_REGISTRATIONS = Collection(
    noun="ClientRegistration",
    service_noun="ClientRegistration",
    path="/Registrations",
    url_forms=SERVICE_ONLY,
    represent=push_binding_representation.resource,
    specs=(
        create(
            push_binding_registrations.register_device,
            push_binding_parameters.RegisterDevice,
            permits=access.allow_any_user,
        ),
        delete(push_binding_registrations.unregister_by_sid, permits=access.allow_any_user),
        OperationSpec(
            verb="Forget",
            method="DELETE",
            on_instance=False,
            status=204,
            action=push_binding_registrations.unregister_by_address,
            parameters=push_binding_parameters.UnregisterDevice,
            permits=access.allow_any_user,
        ),
    ),
    listed=False,
)
"""The devices of a client's user; a user may only access its own."""
