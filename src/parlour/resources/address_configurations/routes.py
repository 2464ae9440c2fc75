"""Routes of address configurations."""

from __future__ import annotations

from parlour.operations.operation import (
    ACCOUNT_ONLY,
    Collection,
    create,
    delete,
    fetch,
    list_,
    update,
)
from parlour.resources.address_configurations import actions as address_configuration_actions
from parlour.resources.address_configurations import parameters as address_configuration_parameters
from parlour.resources.address_configurations import (
    representation as address_configuration_representation,
)

ADDRESS_CONFIGURATIONS = Collection(
    noun="ConfigurationAddress",
    is_setting=True,
    path="/Configuration/Addresses",
    url_forms=ACCOUNT_ONLY,
    represent=address_configuration_representation.resource,
    specs=(
        list_(
            address_configuration_actions.list_address_configurations,
            key="address_configurations",
            parameters=address_configuration_parameters.ListAddressConfigurations,
        ),
        create(
            address_configuration_actions.create_address_configuration,
            address_configuration_parameters.CreateAddressConfiguration,
        ),
        fetch(address_configuration_actions.fetch_address_configuration),
        update(
            address_configuration_actions.update_address_configuration,
            address_configuration_parameters.UpdateAddressConfiguration,
        ),
        delete(address_configuration_actions.delete_address_configuration),
    ),
)
