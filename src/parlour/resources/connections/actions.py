"""Actions of connections: list the connections of an account, and close one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parlour.operations.call import Rows
from parlour.vocabulary import sids

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.operations.server_parts import ConnectedClient, ServerParts
    from parlour.protocol.pages import PageRequest
    from parlour.resources.connections.parameters import ListConnections


async def list_connections(parts: ServerParts, call: Call[ListConnections]) -> Rows:
    """Return a page of the account's connections to this process, oldest first."""
    identity = call.parameters.given().get("identity")
    found = sorted(
        (
            each
            for each in parts.connections.list_clients(call.scope.account_sid)
            if identity in {None, each.identity}
        ),
        key=_position,
    )
    return Rows(_page(found, call.page_request), order="connected_ms")


async def delete_connection(parts: ServerParts, call: Call[NoParameters]) -> None:
    """Close a connection; its client may connect again."""
    sid = sids.parse(sids.CONNECTION, call.path["Sid"])
    if sid is None or not parts.connections.close_client(call.scope.account_sid, sid):
        raise call.not_found()


def _position(client: ConnectedClient) -> tuple[int, str]:
    return client.connected_ms, client.sid


def _page(found: list[ConnectedClient], request: PageRequest) -> list[ConnectedClient]:
    """Return the rows of a page as a store does: up to size + 1, in reading order."""
    position = request.position
    if position is not None:
        edge = (position.key, position.sid)
        if position.backwards:
            found = [each for each in reversed(found) if _position(each) < edge]
        else:
            found = [each for each in found if _position(each) > edge]
    return found[: request.size + 1]
