"""The JSON of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parlour.protocol.timestamps import format_date_ms

if TYPE_CHECKING:
    from parlour.operations.call import View
    from parlour.operations.server_parts import ConnectedClient


def resource(client: ConnectedClient, _view: View) -> dict[str, Any]:
    """Return one connection; ``sdk`` is what the client has named itself."""
    return {
        "sid": client.sid,
        "account_sid": client.account_sid,
        "chat_service_sid": client.service_sid,
        "identity": client.identity,
        "user_sid": client.user_sid,
        "address": client.address,
        "sdk": client.sdk or None,
        "date": format_date_ms(client.connected_ms),
        "token_expires": format_date_ms(client.token_expires_ms),
        "subscriptions": client.subscriptions,
    }
