"""Routes of the emulation of an account."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.testmode.emulation import actions as emulation_actions
from parlour.testmode.emulation import parameters as emulation_parameters
from parlour.testmode.emulation import representation as emulation_representation

EMULATION = Collection(
    noun="Emulation",
    version="/parlour/v1",
    path="/Emulation",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=emulation_representation.resource,
    specs=(
        on_server("Fetch", "GET", emulation_actions.fetch_emulation),
        on_server(
            "Update",
            "POST",
            emulation_actions.update_emulation,
            parameters=emulation_parameters.UpdateEmulation,
        ),
    ),
    listed=False,
)
