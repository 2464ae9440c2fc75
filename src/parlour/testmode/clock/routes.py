"""Routes of the clock: it is of all accounts, so they need the auth token."""

from __future__ import annotations

from typing import Final

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.testmode.clock import actions as clock_actions
from parlour.testmode.clock import parameters as clock_parameters
from parlour.testmode.clock import representation as clock_representation

_VERSION: Final = "/parlour/v1"

CLOCK = Collection(
    noun="Clock",
    version=_VERSION,
    path="/Clock",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=clock_representation.resource,
    specs=(
        on_server("Fetch", "GET", clock_actions.fetch_clock),
        on_server(
            "Update",
            "POST",
            clock_actions.update_clock,
            parameters=clock_parameters.UpdateClock,
        ),
    ),
    listed=False,
    needs_auth_token=True,
)

CLOCK_ADVANCE = Collection(
    noun="ClockAdvance",
    version=_VERSION,
    path="/Clock/Advance",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=clock_representation.advanced,
    specs=(
        on_server(
            "Create",
            "POST",
            clock_actions.create_clock_advance,
            parameters=clock_parameters.CreateClockAdvance,
            other_statuses=(202,),
        ),
    ),
    listed=False,
    needs_auth_token=True,
)
