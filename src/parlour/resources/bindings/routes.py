"""Push bindings: where they are and what can be done."""

from __future__ import annotations

from parlour.operations.operation import SERVICE_ONLY, Collection, delete, fetch, list_
from parlour.resources.bindings import actions, parameters, representation

BINDINGS = Collection(
    noun="Binding",
    is_setting=True,
    path="/Bindings",
    forms=SERVICE_ONLY,
    represent=representation.resource,
    deeds=(
        list_(
            actions.list_bindings,
            key="bindings",
            maximum=100,
            parameters=parameters.ListBindings,
        ),
        fetch(actions.fetch_binding),
        delete(actions.delete_binding),
    ),
)
