"""The operations of connections, an extension of Parlour beyond the hosted API."""

from __future__ import annotations

from parlour.operations.operation import ACCOUNT_ONLY, Collection, on_server
from parlour.resources.connections import actions as connection_actions
from parlour.resources.connections import parameters as connection_parameters
from parlour.resources.connections import representation as connection_representation

CONNECTIONS = Collection(
    noun="Connection",
    version="/parlour/v1",
    path="/Connections",
    url_forms=ACCOUNT_ONLY,
    represent=connection_representation.resource,
    specs=(
        on_server(
            "List",
            "GET",
            connection_actions.list_connections,
            parameters=connection_parameters.ListConnections,
            list_key="connections",
        ),
        on_server(
            "Delete", "DELETE", connection_actions.delete_connection, status=204, on_instance=True
        ),
    ),
    listed=False,
)
