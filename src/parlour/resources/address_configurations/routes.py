"""Address configurations: where they are and what can be done."""

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
from parlour.resources.address_configurations import actions, parameters, representation

ADDRESS_CONFIGURATIONS = Collection(
    noun="ConfigurationAddress",
    is_setting=True,
    path="/Configuration/Addresses",
    url_forms=ACCOUNT_ONLY,
    represent=representation.resource,
    specs=(
        list_(
            actions.list_address_configurations,
            key="address_configurations",
            parameters=parameters.ListAddressConfigurations,
        ),
        create(actions.create_address_configuration, parameters.CreateAddressConfiguration),
        fetch(actions.fetch_address_configuration),
        update(actions.update_address_configuration, parameters.UpdateAddressConfiguration),
        delete(actions.delete_address_configuration),
    ),
)
