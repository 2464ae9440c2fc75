"""The configuration of an account: where it is and what can be done."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, fetch, update
from parlour.resources.configuration import actions, parameters, representation

CONFIGURATION = Collection(
    noun="Configuration",
    is_setting=True,
    path="/Configuration",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=representation.resource,
    specs=(
        fetch(actions.fetch_configuration),
        update(actions.update_configuration, parameters.UpdateConfiguration),
    ),
)
