"""The configuration of a service: where it is and what can be done."""

from __future__ import annotations

from parlour.operations import access
from parlour.operations.operation import SERVICE_ONLY, Collection, fetch, update
from parlour.resources.service_configuration import actions, parameters, representation

SERVICE_CONFIGURATION = Collection(
    noun="ServiceConfiguration",
    is_setting=True,
    service_noun="ServiceConfiguration",
    path="/Configuration",
    instance=None,
    url_forms=SERVICE_ONLY,
    represent=representation.resource,
    specs=(
        fetch(actions.fetch_service_configuration, permits=access.allow_any_user),
        update(actions.update_service_configuration, parameters.UpdateServiceConfiguration),
    ),
)
