"""The action of the server itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parlour.operations.call import Call
    from parlour.operations.parameters import NoParameters
    from parlour.operations.server_parts import ServerDescription, ServerParts


async def fetch_server(parts: ServerParts, _call: Call[NoParameters]) -> ServerDescription:
    """Return the description of the server."""
    return parts.description
