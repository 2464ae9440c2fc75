"""The routes of callbacks from carriers. The callers are carriers, which sign their requests."""

from __future__ import annotations

from parlour.operations.operation import (
    ACCOUNT_ONLY,
    AuthScheme,
    BodyKind,
    Collection,
    OperationSpec,
)
from parlour.resources.carrier_callbacks import actions as carrier_callback_actions
from parlour.resources.carrier_callbacks import representation as carrier_callback_representation


def _callback(verb: str, method: str) -> OperationSpec:
    """Return the spec of one method: bytes in, bytes out; the carrier chooses the status."""
    return OperationSpec(
        verb=verb,
        method=method,
        on_instance=True,
        status=200,
        action=carrier_callback_actions.receive_callback,
        request_body=BodyKind.RAW,
        response_body=BodyKind.RAW,
    )


_SPECS = (_callback("Fetch", "GET"), _callback("Create", "POST"))

CARRIER_CALLBACKS = Collection(
    noun="CarrierCallback",
    version="/parlour/v1",
    path="/Carriers",
    instance="{Name}",
    url_forms=ACCOUNT_ONLY,
    represent=carrier_callback_representation.represent_callback,
    specs=_SPECS,
    listed=False,
    authentication=AuthScheme.CARRIER,
)

CARRIER_CALLBACK_PATHS = Collection(
    noun="CarrierCallbackPath",
    version="/parlour/v1",
    path="/Carriers/{Name}",
    instance="{Path}",
    url_forms=ACCOUNT_ONLY,
    represent=carrier_callback_representation.represent_callback,
    specs=_SPECS,
    listed=False,
    authentication=AuthScheme.CARRIER,
)
"""Everything below the name; the carrier decides which paths exist."""
