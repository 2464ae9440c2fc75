"""The representation of the server itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.operations.server_parts import ServerDescription


def resource(server: ServerDescription, view: View) -> dict[str, Any]:
    """Return the server for a response; URLs are those that the caller used."""
    url = view.root_url.removesuffix("/v1")
    return {
        "version": server.version,
        "engine": server.engine,
        "test": server.is_test,
        "started": format_date(server.started_ms),
        "url": url,
        "ws_url": f"ws{url.removeprefix('http')}{server.socket_path}",
        "features": list(server.features),
    }
