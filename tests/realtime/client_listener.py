"""A connection without a socket: subscribes in the process, and records its messages."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from parlour.operations.caller import Caller
from parlour.protocol.access_tokens import AccessToken
from parlour.realtime.hub import HeldNotifications, UserKey
from parlour.realtime.outbox import ConnectionClosed
from parlour.realtime.session import Session, TunnelRequest
from parlour.realtime.wire import encode_frame
from parlour.vocabulary.realtime_objects import ObjectKind, ObjectName
from tests.support.twilsock_client import parsed

if TYPE_CHECKING:
    from tests.events.in_process_server import InProcessServer
    from tests.support.twilsock_client import ReceivedFrame

_HEADS = {126: 4, 127: 10}


def parse_frame(wire: bytes) -> ReceivedFrame:
    """Return the twilsock frame of a WebSocket frame from the server."""
    assert wire[0] == 0x82
    return parsed(wire[_HEADS.get(wire[1], 2) :])


class ClientListener:
    """One connection, with the interface that the hub and the subscriptions use."""

    def __init__(self, instance: InProcessServer, identity: str, user_sid: str) -> None:
        """Create a listener for an existing user."""
        self.realtime = instance.app.realtime
        self.admission = instance.app.admission
        scope = instance.scope
        token = AccessToken(
            account_sid=scope.account_sid,
            key_sid="SK" + "0" * 32,
            identity=identity,
            service_sid=scope.service_sid,
            expires_ms=1 << 50,
        )
        caller = Caller(scope.account_sid, token.key_sid, identity)
        self.session = Session(
            token=token,
            scope=scope,
            caller=caller,
            identity=identity,
            user_sid=user_sid,
            root_url="http://localhost",
        )
        self.user_key = UserKey(scope.account_sid, scope.service_sid, identity)
        self.user_sid = user_sid
        self.subscribed: dict[str, ObjectName] = {}
        self.held_notifications = HeldNotifications(self.reserve)
        self.received: list[dict[str, Any]] = []
        self.page_lock = asyncio.Lock()
        self.subscription_lock = asyncio.Lock()
        self.running_at_reply: list[int] = []
        self.overflowed = False
        self.is_gone = False

    def raise_if_closed(self) -> None:
        """Raise ConnectionClosed once a test has disconnected the listener."""
        if self.is_gone:
            raise ConnectionClosed

    async def drain(self) -> None:
        """Do nothing: there is always room for more."""

    async def connect(self) -> None:
        """Register the connection with the hub."""
        await self.realtime.connections.event_feed.ensure_running()
        self.realtime.hub.add(self)

    def push(self, wire: bytes) -> None:
        """Record a message."""
        frame = parse_frame(wire)
        self.received.append(frame.payload)

    def reply(self, answer: bytes) -> None:
        """Record how many requests had a slot when a response arrived."""
        assert parse_frame(encode_frame(answer)).header["http_status"]["code"] == 200
        self.running_at_reply.append(self.admission.running)

    def reserve(self) -> None:
        """Do nothing: there is no byte pool."""

    def overflow(self) -> None:
        """Record that the outbox overflowed."""
        self.overflowed = True

    async def subscribe(self, *wanted: tuple[ObjectKind, str, int | None]) -> None:
        """Subscribe to objects: kind, owner, number of the last event."""
        body = {
            "action": "establish",
            "correlation_id": 1,
            "requests": [
                {
                    "object_type": kind.type,
                    "object_sid": ObjectName(kind, owner).sid,
                    "last_event_id": after,
                }
                for kind, owner, after in wanted
            ],
        }
        request = TunnelRequest(
            method="POST", path="/v4/Subscriptions", body=json.dumps(body).encode()
        )
        tunnel = self.realtime.connections.tunnel
        reply = await tunnel.subscriptions.handle(self, request)  # type: ignore[arg-type]
        assert reply.status == 202
        assert reply.after_reply is not None
        await reply.after_reply()

    def kinds(self) -> list[str]:
        """Return the kinds of the messages so far."""
        return [each["event_type"] for each in self.received]
