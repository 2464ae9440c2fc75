"""The connected clients of this process, for ``/parlour/v1/Connections``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from parlour.operations.server_parts import ConnectedClient
from parlour.realtime import disconnects
from parlour.realtime.connection import ClientConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parlour.realtime.hub import Hub

_SDK_CHARS_MAX: Final = 64


class _Metadata(msgspec.Struct):
    """The parts of the ``metadata`` of ``init`` that name the SDK."""

    sdk: str = ""
    sdkv: str = ""
    type: str = ""


class ConnectedClients:
    """Lists and closes the connections of an account."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def list_clients(self, account_sid: str) -> list[ConnectedClient]:
        """Return the clients of an account, in any order."""
        return [client for _, client in self._clients(account_sid)]

    def close_client(self, account_sid: str, sid: str) -> bool:
        """Close a connection of an account; return whether there is one with this SID."""
        for connection, client in self._clients(account_sid):
            if client.sid == sid:
                connection.close(disconnects.ENDED)
                return True
        return False

    def _clients(self, account_sid: str) -> Iterator[tuple[ClientConnection, ConnectedClient]]:
        for connection in list(self._hub.connections_of_account(account_sid)):
            assert isinstance(connection, ClientConnection)
            session = connection.session
            yield (
                connection,
                ConnectedClient(
                    sid=session.connection_sid,
                    account_sid=account_sid,
                    service_sid=session.scope.service_sid,
                    identity=session.identity,
                    user_sid=session.user_sid,
                    address=session.address,
                    sdk=session.sdk,
                    connected_ms=session.connected_ms,
                    token_expires_ms=session.token.expires_ms,
                    subscriptions=len(connection.subscribed),
                ),
            )


def sdk_of(metadata: object) -> str:
    """Return name and version of a client SDK, from its ``init``; empty if it names none."""
    try:
        found = msgspec.convert(metadata, _Metadata)
    except msgspec.ValidationError:
        return ""
    parts = (found.type, found.sdk, found.sdkv)
    return " ".join(each for each in parts if each)[:_SDK_CHARS_MAX]
