"""The route of settlements."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.testmode.settlement import actions as settlement_actions
from parlour.testmode.settlement import parameters as settlement_parameters
from parlour.testmode.settlement import representation as settlement_representation

SETTLEMENT = Collection(
    noun="Settlement",
    version="/parlour/v1",
    path="/Settle",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=settlement_representation.resource,
    specs=(
        on_server(
            "Create",
            "POST",
            settlement_actions.create_settlement,
            parameters=settlement_parameters.CreateSettlement,
            other_statuses=(202,),
        ),
    ),
    listed=False,
)
