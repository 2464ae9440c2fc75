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


def _callbacks(noun: str, path: str, instance: str) -> Collection:
    """Return the collection of callbacks at a path."""
    return Collection(
        noun=noun,
        version="/parlour/v1",
        path=path,
        instance=instance,
        url_forms=ACCOUNT_ONLY,
        represent=carrier_callback_representation.represent_callback,
        specs=(_callback("Fetch", "GET"), _callback("Create", "POST")),
        listed=False,
        authentication=AuthScheme.CARRIER,
    )


CARRIER_CALLBACKS = _callbacks("CarrierCallback", "/Carriers", "{Name}")
CARRIER_CALLBACK_PATHS = _callbacks("CarrierCallbackPath", "/Carriers/{Name}", "{Path}")
"""Everything below the name; the carrier decides which paths exist."""
