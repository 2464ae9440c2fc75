"""Routes of the description of the operations, which are Parlour's own."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.resources.openapi import actions as openapi_actions
from parlour.resources.openapi import representation as openapi_representation
from parlour.resources.openapi.parameters import FetchOpenApi

OPEN_API = Collection(
    noun="OpenApi",
    version="/parlour/v1",
    path="/OpenApi",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=openapi_representation.resource,
    specs=(on_server("Fetch", "GET", openapi_actions.fetch_open_api, parameters=FetchOpenApi),),
    listed=False,
)
