"""Routes of triggers."""

from __future__ import annotations

from dataclasses import replace

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.testmode.triggers import actions as trigger_actions
from parlour.testmode.triggers import parameters as trigger_parameters
from parlour.testmode.triggers import representation as trigger_representation

TRIGGERS = Collection(
    noun="Trigger",
    version="/parlour/v1",
    path="/Triggers",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=trigger_representation.resource,
    specs=(
        replace(
            on_server(
                "Create",
                "POST",
                trigger_actions.create_trigger,
                status=201,
                other_statuses=(202,),
                parameters=trigger_parameters.CreateTrigger,
            ),
            checks_names=True,
        ),
    ),
    listed=False,
)
