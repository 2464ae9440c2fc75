"""What the connections of one process share: tokens, sessions, the hub, who answers requests."""

from __future__ import annotations

import asyncio
import base64
import hmac
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from parlour.protocol import twilsock_frames
from parlour.protocol.access_tokens import AccessTokenRefused
from parlour.protocol.forwarded import client_network
from parlour.realtime import disconnects
from parlour.realtime.connection import Connection
from parlour.realtime.session import Session
from parlour.resources.tokens.verification import (
    AccountNotActive,
    ServiceUnknown,
    caller_of,
    scope_of,
)
from parlour.resources.users import provisioning as user_provisioning
from parlour.resources.users import store as user_store
from parlour.vocabulary import event_names, limits
from parlour.vocabulary.origin import SDK, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from parlour.protocol.access_tokens import AccessToken
    from parlour.protocol.forwarded import TrustedProxies
    from parlour.protocol.twilsock_frames import Frame, Header
    from parlour.realtime.disconnects import Disconnect
    from parlour.realtime.hub import Hub
    from parlour.realtime.news import News
    from parlour.realtime.socket_shares import SocketShares
    from parlour.realtime.tunnel import Tunnel
    from parlour.realtime.websocket import Socket
    from parlour.resources.tokens.verification import AccessTokenVerifier
    from parlour.resources.users.store import User
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.event import Event

_FORMAT: Final = "rtd-ct-1"
_PRODUCT: Final = "ip_messaging"


class Endpoint:
    """The realtime side of one server process."""

    def __init__(
        self,
        store: Store,
        tokens: AccessTokenVerifier,
        hub: Hub,
        tunnel: Tunnel,
        shares: SocketShares,
        *,
        news: Callable[[Callable[[Event], None]], News],
        clock: Clock,
        random: Random,
        proxies: TrustedProxies,
        public_url: str,
        continuation_key: bytes,
    ) -> None:
        self._store = store
        self.tokens = tokens
        self.hub = hub
        self.tunnel = tunnel
        self.shares = shares
        self.news = news(self.rights_changed)
        self.clock = clock
        self.random = random
        self._proxies = proxies
        self._public_url = public_url.rstrip("/")
        self._continuation_key = continuation_key
        self.is_stopping = False
        self._connections: set[Connection] = set()
        self._unchecked: dict[Connection, None] = {}
        self._checking: asyncio.Task[None] | None = None

    # --- Connections ------------------------------------------------------------------------

    def accept(self, socket: Socket) -> Connection | None:
        """Return the receiver of a new socket; None when the server stops.

        How many there may be before ``init`` is decided before the handshake, by all connections.
        """
        if self.is_stopping:
            return None
        connection = Connection(socket, self)
        self._connections.add(connection)
        return connection

    def address_of(self, socket: Socket) -> str:
        """Return the client's address, as its failures are counted."""
        client = self._proxies.resolve_client(socket.peer, socket.scheme, socket.forwarding)
        return client_network(client.address)

    def left(self, connection: Connection) -> None:
        """A connection is over."""
        self._connections.discard(connection)
        self._unchecked.pop(connection, None)
        self.hub.leave(connection)
        self.shares.leave(connection)

    async def open_session(self, token: AccessToken, scheme: str, host: str) -> Session:
        """The session of a proven token. A user who comes for the first time is made."""
        await self.news.awaken()
        user = await self._user(token)
        return Session(
            token=token,
            scope=scope_of(token),
            caller=caller_of(token),
            identity=token.identity,
            user_sid=user.sid,
            root_url=self._public_url or f"{scheme}://{host}",
        )

    async def _user(self, token: AccessToken) -> User:
        scope, identity = scope_of(token), token.identity
        found = await self._store.read(
            lambda tx: user_store.find_user_by_identity(tx, scope, identity),
            account_sid=scope.account_sid,
        )
        if found is not None:
            return found
        origin = Origin(SDK, identity, fires=True)
        return await self._store.write(
            lambda tx: user_provisioning.ensure_user(tx, scope, identity),
            origin,
            account_sid=scope.account_sid,
        )

    async def why_gone(self, session: Session) -> Disconnect | None:
        """Why a connection that was let in has to end, if it has to."""
        try:
            await self.tokens.recheck(session.token)
        except AccessTokenRefused:
            return disconnects.KEY_REVOKED
        except ServiceUnknown:
            return disconnects.SERVICE_REMOVED
        except AccountNotActive:
            return disconnects.ACCOUNT_STOPPED
        found = await self._store.read(
            lambda tx: user_store.find_user(tx, session.scope, session.user_sid),
            account_sid=session.scope.account_sid,
        )
        return disconnects.USER_REMOVED if found is None else None

    def rights_changed(self, event: Event) -> None:
        """Something that connections stand on was changed: each of the account looks again."""
        if self.hub.presence is not None and event.name == event_names.SERVICE_CHANGED:
            # Perhaps it is shown from now on who is online.
            for key in self.hub.users_of(event.account_sid, event.service_sid):
                self.hub.presence(key)
        for listener in self.hub.of_account(event.account_sid):
            assert isinstance(listener, Connection)
            self._unchecked[listener] = None
        if self._unchecked and self._checking is None:
            self._checking = asyncio.get_running_loop().create_task(self._check_rights())

    async def _check_rights(self) -> None:
        """Let connections look again, a few in each turn of the loop: an account has thousands."""
        while self._unchecked:
            for connection in list(islice(self._unchecked, limits.RIGHTS_CHECKED_PER_STEP)):
                del self._unchecked[connection]
                connection.check_rights()
            await asyncio.sleep(0)
        self._checking = None

    # --- The answer to init -----------------------------------------------------------------

    def welcome(self, frame: Frame, token: AccessToken) -> Header:
        """The accepting reply to init."""
        endpoint_id, is_known = self._endpoint_id(frame.header.get("continuation_token"), token)
        status: dict[str, Any] = {"reissued": not is_known}
        if not is_known:
            status |= {"reissue_reason": "MISSING", "reissue_message": "No continuation token"}
        asked = frame.header.get("registrations")
        registrations = [
            {
                "notification_ctx_id": self.random.sid("")[:32],
                "type": "ers",
                "product": _PRODUCT,
                "message_types": each.get("message_types", []),
            }
            for each in (asked if isinstance(asked, list) else [])[:1]
            if isinstance(each, dict)
        ]
        return twilsock_frames.reply(frame.id) | {
            "capabilities": ["client_update"],
            "continuation_token": self._continuation_token(endpoint_id, token),
            "continuation_token_status": status,
            "init_registrations": registrations,
        }

    def _endpoint_id(self, said: object, token: AccessToken) -> tuple[str, bool]:
        """The id that a continuation token of ours for this very user carries, or a new one."""
        if isinstance(said, str) and len(said) <= limits.ACCESS_TOKEN_CHARS_MAX:
            try:
                known = msgspec.json.decode(base64.b64decode(said.partition(".")[0]), type=dict)
                endpoint_id = known.get("endpointId")
            except (ValueError, msgspec.DecodeError):
                endpoint_id = None
            if isinstance(endpoint_id, str):
                expected = self._continuation_token(endpoint_id, token)
                if hmac.compare_digest(expected.encode(), said.encode("utf-8", "surrogatepass")):
                    return endpoint_id, True
        return token.endpoint_id or self.random.sid("twi1-"), False

    def _continuation_token(self, endpoint_id: str, token: AccessToken) -> str:
        said = msgspec.json.encode({"format": _FORMAT, "endpointId": endpoint_id})
        whose = f"{token.account_sid}.{token.service_sid}.{token.identity}.".encode()
        tag = hmac.digest(self._continuation_key, whose + said, "sha256")
        return f"{base64.b64encode(said).decode()}.{base64.urlsafe_b64encode(tag).decode()}"
