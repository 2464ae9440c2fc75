"""Routes of the configuration of a service."""

from __future__ import annotations

from parlour.operations import access
from parlour.operations.operation import SERVICE_ONLY, Collection, fetch, update
from parlour.resources.service_configuration import actions as service_configuration_actions
from parlour.resources.service_configuration import parameters as service_configuration_parameters
from parlour.resources.service_configuration import (
    representation as service_configuration_representation,
)

SERVICE_CONFIGURATION = Collection(
    noun="ServiceConfiguration",
    is_setting=True,
    service_noun="ServiceConfiguration",
    path="/Configuration",
    instance=None,
    url_forms=SERVICE_ONLY,
    represent=service_configuration_representation.resource,
    specs=(
        fetch(
            service_configuration_actions.fetch_service_configuration, permits=access.allow_any_user
        ),
        update(
            service_configuration_actions.update_service_configuration,
            service_configuration_parameters.UpdateServiceConfiguration,
        ),
    ),
)
