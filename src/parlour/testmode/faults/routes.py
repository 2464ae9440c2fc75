"""Routes of faults."""

from __future__ import annotations

from typing import Final

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.testmode.faults import actions as fault_actions
from parlour.testmode.faults import parameters as fault_parameters
from parlour.testmode.faults import representation as fault_representation

_VERSION: Final = "/parlour/v1"

FAULTS = Collection(
    noun="Fault",
    version=_VERSION,
    path="/Faults",
    url_forms=ACCOUNT_ONLY,
    represent=fault_representation.resource,
    specs=(
        on_server("List", "GET", fault_actions.list_faults, list_key="faults"),
        on_server(
            "Create",
            "POST",
            fault_actions.create_fault,
            status=201,
            parameters=fault_parameters.CreateFault,
        ),
        on_server("Fetch", "GET", fault_actions.fetch_fault, on_instance=True),
        on_server("Delete", "DELETE", fault_actions.delete_fault, status=204, on_instance=True),
    ),
    listed=False,
)

ALL_FAULTS = Collection(
    noun="Faults",
    version=_VERSION,
    path="/Faults",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=fault_representation.resource,
    specs=(on_server("Delete", "DELETE", fault_actions.delete_faults, status=204),),
    listed=False,
)
