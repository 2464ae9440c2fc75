"""Routes of resets."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.testmode.reset import actions as reset_actions
from parlour.testmode.reset import parameters as reset_parameters
from parlour.testmode.reset import representation as reset_representation

RESET = Collection(
    noun="Reset",
    version="/parlour/v1",
    path="/Reset",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=reset_representation.resource,
    specs=(
        on_server(
            "Create",
            "POST",
            reset_actions.create_reset,
            parameters=reset_parameters.CreateReset,
        ),
    ),
    listed=False,
)
