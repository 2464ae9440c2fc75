"""The operation of an account's activity, an extension of Parlour beyond the hosted API."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, fetch
from parlour.resources.activity import actions as activity_actions
from parlour.resources.activity import representation as activity_representation

ACTIVITY = Collection(
    noun="Activity",
    version="/parlour/v1",
    path="/Activity",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=activity_representation.resource,
    specs=(fetch(activity_actions.fetch_activity),),
    listed=False,
)
