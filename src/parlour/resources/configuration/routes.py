"""Routes of the configuration of an account."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, fetch, update
from parlour.resources.configuration import actions as configuration_actions
from parlour.resources.configuration import parameters as configuration_parameters
from parlour.resources.configuration import representation as configuration_representation

CONFIGURATION = Collection(
    noun="Configuration",
    is_setting=True,
    path="/Configuration",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=configuration_representation.resource,
    specs=(
        fetch(configuration_actions.fetch_configuration),
        update(
            configuration_actions.update_configuration, configuration_parameters.UpdateConfiguration
        ),
    ),
)
