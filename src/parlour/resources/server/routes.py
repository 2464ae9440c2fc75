"""Routes of the server itself, which are Parlour's own and not part of the API."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.resources.server import actions as server_actions
from parlour.resources.server import representation as server_representation

SERVER = Collection(
    noun="Server",
    version="/parlour/v1",
    path="/Server",
    instance=None,
    url_forms=ACCOUNT_ONLY,
    represent=server_representation.resource,
    specs=(on_server("Fetch", "GET", server_actions.fetch_server),),
    listed=False,
)
