"""The connections of one process and their shared services: tokens, sessions, hub, tunnel."""

from __future__ import annotations

import asyncio
import base64
import hmac
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
import structlog

from parlour.protocol import twilsock_frames
from parlour.protocol.access_tokens import AccessTokenRefused
from parlour.protocol.forwarded import client_network
from parlour.realtime import disconnects
from parlour.realtime.clock_timers import LoopTimers
from parlour.realtime.connected_clients import sdk_of
from parlour.realtime.connection import ClientConnection
from parlour.realtime.session import Session
from parlour.resources.tokens.verification import (
    AccountNotActive,
    ServiceUnknown,
    caller_of,
    scope_of,
)
from parlour.resources.users import provisioning as user_provisioning
from parlour.resources.users import store as user_store
from parlour.vocabulary import event_names, limits, sids
from parlour.vocabulary.errors import ApiError
from parlour.vocabulary.origin import SDK, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from parlour.operations.open_work import OpenWork
    from parlour.protocol.access_tokens import AccessToken
    from parlour.protocol.forwarded import ForwardedClient, TrustedProxies
    from parlour.protocol.twilsock_frames import Frame, Header
    from parlour.realtime.clock_timers import ClockTimers
    from parlour.realtime.disconnects import Disconnect
    from parlour.realtime.event_feed import EventFeed
    from parlour.realtime.hub import Hub, UserKey
    from parlour.realtime.socket_shares import SocketShares
    from parlour.realtime.tunnel import Tunnel
    from parlour.realtime.websocket import WebSocket
    from parlour.resources.tokens.verification import AccessTokenVerifier
    from parlour.resources.users.store import User
    from parlour.store.transaction import Store
    from parlour.vocabulary.clock import Clock, Random
    from parlour.vocabulary.event import Event

log = structlog.get_logger()

_FORMAT: Final = "rtd-ct-1"
_PRODUCT: Final = "ip_messaging"


class ConnectionFault(Protocol):
    """What happens to a connection whose ``init`` is valid."""

    @property
    def refusal(self) -> Disconnect | None:
        """The reason for which ``init`` is rejected; None: it is accepted."""
        ...

    def act(self, connection: ClientConnection) -> None:
        """Act on the open connection."""
        ...


class ConnectionFaults(Protocol):
    """Acts on connections at certain moments."""

    def refuses_upgrade(self) -> bool:
        """Return whether an upgrade is refused with 503."""
        ...

    def on_connect(self, key: UserKey) -> ConnectionFault | None:
        """Return what happens to a new connection of a user, if anything."""
        ...

    def on_message(self, connection: ClientConnection, frame: Frame) -> bool:
        """Act on a connection that got a frame; return whether it is closed now."""
        ...


class ConnectionManager:
    """Accept connections, open their sessions and check their rights."""

    def __init__(
        self,
        store: Store,
        tokens: AccessTokenVerifier,
        hub: Hub,
        tunnel: Tunnel,
        socket_shares: SocketShares,
        *,
        event_feed: Callable[[Callable[[Event], None]], EventFeed],
        clock: Clock,
        random: Random,
        proxies: TrustedProxies,
        public_url: str,
        continuation_key: bytes,
        timers: ClockTimers | None = None,
    ) -> None:
        """``timers``: for the ends of tokens; timers of the event loop by default."""
        self._store = store
        self.tokens = tokens
        self.hub = hub
        self.tunnel = tunnel
        self.socket_shares = socket_shares
        self.event_feed = event_feed(self.on_rights_changed)
        self.clock = clock
        self.random = random
        self._proxies = proxies
        self._public_url = public_url.rstrip("/")
        self._continuation_key = continuation_key
        self.timers = timers or LoopTimers(clock)
        self.unrenewed: dict[ClientConnection, float] = {}
        """Connections warned of the end of their token, and when, on the monotonic clock."""
        self.is_stopping = False
        self.faults: ConnectionFaults | None = None
        """Acts on connections, if it is set: test mode."""
        self._connections: dict[ClientConnection, WebSocket] = {}
        self._rights_unchecked: dict[ClientConnection, None] = {}
        self._rights_check: asyncio.Task[None] | None = None

    # --- Connections ------------------------------------------------------------------------

    def accept(self, socket: WebSocket) -> ClientConnection | None:
        """Return the receiver of a new WebSocket; None when the server stops.

        The number of unauthenticated sockets is limited before the handshake, with all connections.
        """
        if self.is_stopping or (self.faults is not None and self.faults.refuses_upgrade()):
            return None
        connection = ClientConnection(socket, self)
        self._connections[connection] = socket
        return connection

    def open_work(self) -> Iterator[OpenWork]:
        """Return what connections have in progress."""
        for each in self._connections:
            yield from each.open_work()

    def address_of(self, socket: WebSocket) -> str:
        """Return the client's address, the key of its login failures."""
        return client_network(self._client_of(socket).address)

    def _client_of(self, socket: WebSocket) -> ForwardedClient:
        return self._proxies.resolve_client(socket.peer, socket.scheme, socket.forwarding)

    def connection_closed(self, connection: ClientConnection) -> None:
        """Remove a connection from every registry."""
        self._connections.pop(connection, None)
        self._rights_unchecked.pop(connection, None)
        self.unrenewed.pop(connection, None)
        self.hub.remove(connection)
        self.socket_shares.release(connection)

    async def verify_token(self, frame: Frame, socket: WebSocket) -> AccessToken | Disconnect:
        """Return the token of a frame, or the reason for its rejection."""
        try:
            peer = self.address_of(socket)
            return await self.tokens.verify(frame.header.get("token"), peer)
        except AccessTokenRefused as refused:
            log.info("token_rejected", code=refused.code, reason=refused.reason)
            return disconnects.token_rejection(refused)
        except ServiceUnknown:
            return disconnects.SERVICE_UNKNOWN
        except AccountNotActive:
            return disconnects.ACCOUNT_NOT_ACTIVE
        except ApiError:
            return disconnects.SERVER_FULL  # Too many invalid tokens from this address and key.

    async def disconnect(
        self, accounts: Callable[[str], bool], reason: Disconnect, timeout_seconds: float
    ) -> None:
        """Close the connections of some accounts, and return once no frame waits to be sent.

        A connection that still has frames after the timeout is aborted.
        """
        sockets = []
        for connection, socket in tuple(self._connections.items()):
            if accounts(connection.user_key.account_sid):
                connection.close(reason)
                sockets.append(socket)
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_seconds
        while sockets and loop.time() < until:
            sockets = [each for each in sockets if not each.has_sent_all]
            await asyncio.sleep(limits.DISCONNECT_POLL_MS / 1000 if sockets else 0)
        for socket in sockets:
            socket.abort()

    async def open_session(self, token: AccessToken, socket: WebSocket, init: Frame) -> Session:
        """Return the session of a verified token. The user of a first login is created."""
        # First, so that no event is missed after the state that the client will read.
        await self.event_feed.ensure_running()
        user = await self._user(token)
        return Session(
            token=token,
            scope=scope_of(token),
            caller=caller_of(token),
            identity=token.identity,
            user_sid=user.sid,
            root_url=self._public_url or f"{socket.scheme}://{socket.host}",
            connection_sid=self.random.sid(sids.CONNECTION),
            connected_ms=self.clock.now_ms(),
            address=self._client_of(socket).address,
            sdk=sdk_of(init.header.get("metadata")),
        )

    async def _user(self, token: AccessToken) -> User:
        scope, identity = scope_of(token), token.identity
        # Read first: after a restart thousands of known users log in, and a write would queue.
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

    async def disconnect_reason(self, session: Session) -> Disconnect | None:
        """Return why an open connection has to be closed; None if it may stay open."""
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

    def on_rights_changed(self, event: Event) -> None:
        """Schedule a check of the rights of every connection of an event's account."""
        if self.hub.on_presence_change is not None and event.name == event_names.SERVICE_CHANGED:
            # Reachability may have been enabled.
            for key in self.hub.users_of_service(event.account_sid, event.service_sid):
                self.hub.on_presence_change(key)
        for subscriber in self.hub.connections_of_account(event.account_sid):
            assert isinstance(subscriber, ClientConnection)
            self._rights_unchecked[subscriber] = None
        if self._rights_unchecked and self._rights_check is None:
            self._rights_check = asyncio.get_running_loop().create_task(self._check_rights())

    async def _check_rights(self) -> None:
        """Check connections in batches, one per turn of the loop: an account has thousands."""
        while self._rights_unchecked:
            for connection in list(islice(self._rights_unchecked, limits.RIGHTS_CHECKED_PER_STEP)):
                del self._rights_unchecked[connection]
                connection.check_rights()
            await asyncio.sleep(0)
        self._rights_check = None

    # --- The reply to init -----------------------------------------------------------------

    def init_reply(self, frame: Frame, token: AccessToken) -> Header:
        """Return the header that accepts an init."""
        endpoint_id, is_known = self._endpoint_id(frame.header.get("continuation_token"), token)
        status: dict[str, Any] = {"reissued": not is_known}
        if not is_known:
            status |= {"reissue_reason": "MISSING", "reissue_message": "No continuation token"}
        requested = frame.header.get("registrations")
        registrations = [
            {
                "notification_ctx_id": self.random.sid("")[:32],
                "type": "ers",
                "product": _PRODUCT,
                "message_types": each.get("message_types", []),
            }
            for each in (requested if isinstance(requested, list) else [])[:1]
            if isinstance(each, dict)
        ]
        return twilsock_frames.reply(frame.id) | {
            "capabilities": ["client_update"],
            "continuation_token": self._continuation_token(endpoint_id, token),
            "continuation_token_status": status,
            "init_registrations": registrations,
        }

    def _endpoint_id(self, content: object, token: AccessToken) -> tuple[str, bool]:
        """Return the id in a valid continuation token of this user, else a new id."""
        if isinstance(content, str) and len(content) <= limits.ACCESS_TOKEN_CHARS_MAX:
            try:
                known = msgspec.json.decode(base64.b64decode(content.partition(".")[0]), type=dict)
                endpoint_id = known.get("endpointId")
            except (ValueError, RecursionError):
                endpoint_id = None
            if isinstance(endpoint_id, str):
                expected = self._continuation_token(endpoint_id, token)
                if hmac.compare_digest(expected.encode(), content.encode("utf-8", "surrogatepass")):
                    return endpoint_id, True
        return token.endpoint_id or self.random.sid("twi1-"), False

    def _continuation_token(self, endpoint_id: str, token: AccessToken) -> str:
        content = msgspec.json.encode({"format": _FORMAT, "endpointId": endpoint_id})
        owner = f"{token.account_sid}.{token.service_sid}.{token.identity}.".encode()
        tag = hmac.digest(self._continuation_key, owner + content, "sha256")
        return f"{base64.b64encode(content).decode()}.{base64.urlsafe_b64encode(tag).decode()}"
